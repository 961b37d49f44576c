"""A conversation as GEMINI's contents."""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t

from .payloads import Json
from .types import DocumentPart
from .types import ImagePart
from .types import Message
from .types import Part
from .types import TextPart
from .types import ToolCall
from .types import ToolResultPart
from .wire import as_parts
from .wire import encode_bytes
from .wire import read_state

#: These refuse a tool call without its signature; a call that another model made has
#: none, and goes with what the provider takes in its place.
_WANTS_SIGNATURES = re.compile(r"gemini-[3-9]")
_NO_SIGNATURE = "skip_thought_signature_validator"


def build_contents(messages: cabc.Sequence[Message], model: str) -> list[Json]:
    """Give the messages as contents: one role's neighbours merged."""
    contents: list[tuple[str, list[dict[str, t.Any]]]] = []
    calls = {
        part.id: part
        for message in messages
        for part in as_parts(message.content)
        if isinstance(part, ToolCall)
    }

    for message in messages:
        if message.role == "system":
            continue

        role = "model" if message.role == "assistant" else "user"
        parts = [
            built
            for part in as_parts(message.content)
            if (built := _build_part(part, calls)) is not None
        ]

        if wants_signatures(model):
            sign_first_call(parts)

        if contents and contents[-1][0] == role:
            contents[-1][1].extend(parts)
        elif parts:
            contents.append((role, parts))

    return [{"role": role, "parts": parts} for role, parts in contents]


def wants_signatures(model: str) -> bool:
    """Tell whether a model refuses a tool call that nobody signed."""
    return _WANTS_SIGNATURES.match(model.removeprefix("models/")) is not None


def sign_first_call(parts: cabc.Iterable[dict[str, t.Any]]) -> None:
    """Sign a turn's calls where nobody did: of several the first bears the sign."""
    first = next((part for part in parts if "functionCall" in part), None)

    if first is not None:
        first.setdefault("thoughtSignature", _NO_SIGNATURE)


def _build_part(
    part: Part, calls: cabc.Mapping[str, ToolCall]
) -> dict[str, t.Any] | None:
    state = read_state(part, "GEMINI")
    built: dict[str, t.Any] | None = None

    if isinstance(part, TextPart) and (part.text or "thoughtSignature" in state):
        built = {"text": part.text}
    elif isinstance(part, ImagePart | DocumentPart):
        built = _build_media(part)
    elif isinstance(part, ToolCall):
        call = {"id": part.id, "name": part.name, "args": dict(part.arguments)}
        built = {"functionCall": _drop_made_id(call, state)}
    elif isinstance(part, ToolResultPart):
        return _build_result(part, calls.get(part.call_id))

    if built is not None and "thoughtSignature" in state:
        built["thoughtSignature"] = state["thoughtSignature"]

    return built


def _build_result(part: ToolResultPart, call: ToolCall | None) -> dict[str, t.Any]:
    """Give a tool's answer; it is matched by its name, by its id where there is one."""
    result = {
        "id": part.call_id,
        "name": part.name or (call.name if call is not None else ""),
        "response": {"result": part.content},
    }
    return {"functionResponse": _drop_made_id(result, read_state(call, "GEMINI"))}


def _drop_made_id(entry: dict[str, t.Any], state: Json) -> Json:
    if state.get("has_no_id"):
        del entry["id"]

    return entry


def _build_media(part: ImagePart | DocumentPart) -> dict[str, t.Any]:
    if part.data is not None:
        return {
            "inlineData": {
                "mimeType": part.media_type or "image/png",
                "data": encode_bytes(part.data),
            }
        }

    file = {"fileUri": part.url or ""}

    if part.media_type is not None:
        file["mimeType"] = part.media_type

    return {"fileData": file}
