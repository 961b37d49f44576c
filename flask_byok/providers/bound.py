"""Whether a body speaks of things that one account holds."""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t

from .payloads import Json

# Names of fields that point to what an account keeps. A quote inside a text is escaped,
# so a hit is a name, if perhaps one of a tool's schema: then the body is walked.
_HINT: t.Final = re.compile(
    rb'"(previous_response_id|conversation|prompt|background|container|file_id|file_ids'
    rb"|vector_store_ids|item_reference|cachedContent|cached_content|fileUri|file_uri"
    rb'|fileSearchStoreNames|audio|previous_interaction_id)"'
)

_TOP: t.Final = (
    "previous_response_id",
    "conversation",
    "prompt",
    "background",
    "cachedContent",
    "cached_content",
    "previous_interaction_id",
)
_ANYWHERE: t.Final = frozenset(
    {"file_id", "file_ids", "vector_store_ids", "fileUri", "file_uri"}
    | {"fileSearchStoreNames"}
)
# These may also say how to make one: only with a name in them do they point to it.
_MADE: t.Final = {"container": ("id", "skills"), "audio": ("id",)}
# What the caller wrote into these is no request of its own.
_SKIPPED: t.Final = frozenset(
    {"parameters", "input_schema", "parametersJsonSchema", "schema", "responseSchema"}
    | {"responseJsonSchema", "response_format", "arguments", "args", "metadata"}
    | {"response"}
)


def may_be_bound(body: bytes) -> bool:
    """Tell by a quick look whether a body needs the closer one."""
    return _HINT.search(body) is not None


def is_account_bound(payload: Json) -> bool:
    """Tell whether only the account that made these things can answer.

    :param payload: a body, or some of its fields.
    """
    if any(payload.get(name) for name in _TOP if name != "prompt"):
        return True

    # A text in OPENAI's older wires; a stored prompt in its newer one.
    return isinstance(payload.get("prompt"), dict) or _points(payload)


def _points(value: object) -> bool:
    waiting: list[object] = [value]

    while waiting:
        one = waiting.pop()

        if isinstance(one, cabc.Mapping):
            if one.get("type") == "item_reference":
                return True

            for name, inner in one.items():
                if name in _ANYWHERE and inner and _is_reference(inner):
                    return True

                if name in _MADE and _is_made(inner, _MADE[name]):
                    return True

                # What a tool was called with; elsewhere the input is a list.
                is_called = name == "input" and isinstance(inner, cabc.Mapping)

                if name not in _SKIPPED and not is_called:
                    waiting.append(inner)
        elif isinstance(one, list):
            waiting.extend(one)

    return False


def _is_made(value: object, marks: cabc.Iterable[str]) -> bool:
    if isinstance(value, cabc.Mapping):
        return any(value.get(mark) for mark in marks)

    return isinstance(value, str) and bool(value)


def _is_reference(value: object) -> bool:
    if not isinstance(value, str):
        return True

    # An address anybody can read belongs to nobody's account.
    return not value.startswith(("http://", "https://")) or "/files/" in value
