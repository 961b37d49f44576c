"""How OPENAI's wires name what a request is made of; the items of Responses."""

from __future__ import annotations

import collections.abc as cabc
import mimetypes
import typing as t

from .payloads import Json
from .payloads import read_object
from .schemas import is_strict_schema
from .types import DocumentPart
from .types import ImagePart
from .types import Message
from .types import Part
from .types import StatePart
from .types import TextPart
from .types import Tool
from .types import ToolCall
from .types import ToolResultPart
from .wire import as_parts
from .wire import dump_arguments
from .wire import encode_bytes
from .wire import fit_id
from .wire import read_state


def build_image_url(part: ImagePart) -> str:
    """Give an image as a URL: the caller's, or its bytes as a ``data:`` URL."""
    if part.data is None:
        return part.url or ""

    return f"data:{part.media_type or 'image/png'};base64,{encode_bytes(part.data)}"


def build_file_data(part: DocumentPart) -> dict[str, t.Any]:
    """Give a document's name and its bytes as a ``data:`` URL."""
    kind = part.media_type
    # The wire tells kinds of text apart by the name alone.
    name = part.name or f"document{mimetypes.guess_extension(kind) or '.txt'}"
    data = encode_bytes(part.data or b"")
    return {"filename": name, "file_data": f"data:{kind};base64,{data}"}


def build_function(tool: Tool) -> dict[str, t.Any]:
    """Give a tool as OPENAI's wires name it; strict where its schema allows that."""
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}

    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": parameters,
        "strict": is_strict_schema(parameters),
    }


def build_schema(schema: cabc.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Give a JSON schema with the name the wire wants; strict where that is allowed."""
    return {
        "name": "answer",
        "schema": dict(schema),
        "strict": is_strict_schema(schema),
    }


def write_arguments(call: ToolCall) -> str:
    """Give a call's arguments as text; what was no JSON goes back as it came."""
    raw = (call.provider_state or {}).get("raw_arguments")
    return raw if isinstance(raw, str) else dump_arguments(call.arguments)


def build_items(messages: cabc.Iterable[Message]) -> cabc.Iterator[Json]:
    """Give the messages as items of Responses, system text excepted."""
    for message in messages:
        if message.role == "system":
            continue

        parts = as_parts(message.content)

        for part in parts:
            if isinstance(part, ToolResultPart):
                yield {
                    "type": "function_call_output",
                    "call_id": fit_id(part.call_id),
                    "output": part.content,
                }

        if message.role == "assistant":
            yield from _build_assistant(parts)
        else:
            yield from _build_user(parts)


def _build_assistant(parts: cabc.Sequence[Part]) -> cabc.Iterator[Json]:
    """Give the items in their order; texts that stand side by side are one."""
    texts: list[str] = []

    for part in parts:
        state = read_state(part, "OPENAI")

        if isinstance(part, TextPart):
            texts.append(part.text)

            if "phase" not in state:
                continue

        if any(texts):
            phase = {"phase": state["phase"]} if "phase" in state else {}
            yield {"role": "assistant", "content": "".join(texts), **phase}

        texts.clear()

        if isinstance(part, StatePart):
            yield from _keep_thoughts(state)
        elif isinstance(part, ToolCall):
            yield {
                "type": "function_call",
                "call_id": fit_id(part.id),
                "name": part.name,
                "arguments": write_arguments(part),
            }

    if any(texts):
        yield {"role": "assistant", "content": "".join(texts)}


def _keep_thoughts(state: Json) -> cabc.Iterator[Json]:
    """Give the item of a state; of another kind, no answer can have held it."""
    item = read_object(state.get("item"))

    if item.get("type") == "reasoning":
        yield item


def _build_user(parts: cabc.Sequence[Part]) -> cabc.Iterator[Json]:
    content: list[Json] = []

    for part in parts:
        if isinstance(part, TextPart):
            content.append({"type": "input_text", "text": part.text})
        elif isinstance(part, ImagePart):
            content.append(
                {
                    "type": "input_image",
                    "image_url": build_image_url(part),
                    "detail": "auto",
                }
            )
        elif isinstance(part, DocumentPart):
            content.append({"type": "input_file", **_build_file(part)})

    if len(content) == 1 and content[0]["type"] == "input_text":
        yield {"role": "user", "content": content[0]["text"]}
    elif content:
        yield {"role": "user", "content": content}


def _build_file(part: DocumentPart) -> Json:
    if part.data is None:
        return {"file_url": part.url or ""}

    return build_file_data(part)
