"""A request that somebody else wrote, for another account or model than its thoughts.

What :mod:`.state` does for our own messages, done for a body as an SDK sends it.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from .claude_turns import THINKING
from .gemini_contents import sign_first_call
from .gemini_contents import wants_signatures
from .payloads import Json
from .payloads import read_objects

#: Who may be shown thoughts again: the account they were encrypted for, whatever the
#: model, or the model that signed them, whatever the account.
Keeper = t.Literal["account", "model"]

#: Items whose id is known to the account alone that made them, and may be left out.
_NAMED: t.Final = ("function_call", "message")


def find_keeper(dialect: str, body: bytes, payload: Json) -> Keeper | None:
    """Tell to whom the thoughts in a body belong; ``None`` when there are none.

    :param payload: the decoded body.
    """
    if dialect == "OPENAI":
        has = b"reasoning" in body and any(map(_is_reasoning, _items(payload)))
        return "account" if has else None

    if dialect == "CLAUDE":
        has = b"thinking" in body and any(map(_has_thinking, _turns(payload)))
        return "model" if has else None

    return "model" if b"thoughtSignature" in body else None


def drop_thoughts(dialect: str, payload: Json, model: str) -> Json:
    """Give a body without the thoughts in it.

    :param model: that the body goes to.
    """
    if dialect == "OPENAI":
        kept = [item for item in _items(payload) if not _is_reasoning(item)]
        return {**payload, "input": [_without_id(item) for item in kept]}

    if dialect == "CLAUDE":
        turns = [_without_thinking(turn) for turn in _turns(payload)]
        # A turn that was nothing but thought is none any more.
        return {**payload, "messages": [one for one in turns if one.get("content")]}

    contents = [_without_signature(one, model) for one in _contents(payload)]
    return {**payload, "contents": contents}


def _items(payload: Json) -> list[Json]:
    return read_objects(payload.get("input"))


def _turns(payload: Json) -> list[Json]:
    return read_objects(payload.get("messages"))


def _contents(payload: Json) -> list[Json]:
    return read_objects(payload.get("contents"))


def _is_reasoning(item: Json) -> bool:
    return item.get("type") == "reasoning"


def _without_id(item: Json) -> Json:
    if item.get("type") not in _NAMED:
        return item

    return {name: value for name, value in item.items() if name != "id"}


def _blocks(turn: Json) -> list[Json]:
    return read_objects(turn.get("content"))


def _has_thinking(turn: Json) -> bool:
    return any(block.get("type") in THINKING for block in _blocks(turn))


def _without_thinking(turn: Json) -> Json:
    if not _has_thinking(turn):
        return turn

    kept = [one for one in _blocks(turn) if one.get("type") not in THINKING]
    return {**turn, "content": kept}


def _without_signature(content: Json, model: str) -> Json:
    parts: cabc.Sequence[dict[str, t.Any]] = [
        {name: value for name, value in part.items() if name != "thoughtSignature"}
        for part in read_objects(content.get("parts"))
    ]

    if content.get("role") == "model" and wants_signatures(model):
        sign_first_call(parts)

    return {**content, "parts": parts}
