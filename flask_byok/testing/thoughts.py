"""The marks on a simulated model's thoughts, and who may be shown them again.

As with the real providers: OPENAI's encrypted thoughts belong to an account, the
signatures of CLAUDE and GEMINI to a model.
"""

from __future__ import annotations

import base64
import collections.abc as cabc
import hashlib
import typing as t

#: What GEMINI takes in the place of a signature for a call that no model of it made.
NO_SIGNATURE = "skip_thought_signature_validator"


def encrypt(api_key: str) -> str:
    """Give the thoughts of OPENAI, encrypted for the account of a key."""
    return "gAAAAAB" + hashlib.sha256(api_key.encode()).hexdigest()[:32]


def sign(model: str) -> str:
    """Give the signature of a model's thoughts."""
    return base64.b64encode(b"simulated:" + model.encode()).decode("ascii")


def find_foreign_block(
    messages: cabc.Iterable[cabc.Mapping[str, t.Any]], model: str
) -> tuple[int, int] | None:
    """Find a thinking block of CLAUDE that another model signed, by its places."""
    for at, message in enumerate(messages):
        content = message.get("content")

        for number, block in enumerate(content if isinstance(content, list) else ()):
            is_thinking = block.get("type") == "thinking"

            if is_thinking and block.get("signature") != sign(model):
                return at, number

    return None
