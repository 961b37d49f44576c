"""The plaintext of a stored key: which texts are sealed, and how they are read."""

from __future__ import annotations

import re
import typing as t

from ..errors import ApiKeyFormatError
from ..secret import Secret

_SHORTEST: t.Final = 8
_LONGEST: t.Final = 2048
_PLAINTEXT: t.Final = re.compile(rb"[\x21-\x7e]{8,2048}")


def encode(api_key: Secret) -> bytes:
    """Give the bytes of any key, also of one that is never sealed."""
    return api_key.reveal().encode("utf-8", "surrogatepass")


def read_plaintext(plaintext: bytes) -> Secret | None:
    """Wrap what a blob held; ``None`` when that cannot have been sealed here."""
    if not _PLAINTEXT.fullmatch(plaintext):
        return None

    return Secret(plaintext.decode("ascii"))


def refuse_unsealable(api_key: Secret) -> None:
    """Stop before sealing a text that could not be opened again.

    :raises ApiKeyFormatError: ``short``, ``long`` or ``character``.
    """
    code = _judge_plaintext(api_key)

    if code is not None:
        raise ApiKeyFormatError(
            code, "An API key has 8 to 2048 visible ASCII characters, without spaces."
        )


def _judge_plaintext(api_key: Secret) -> str | None:
    plaintext = encode(api_key)

    if _PLAINTEXT.fullmatch(plaintext):
        return None

    if len(plaintext) < _SHORTEST:
        return "short"

    return "long" if len(plaintext) > _LONGEST else "character"
