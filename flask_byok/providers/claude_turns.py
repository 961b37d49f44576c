"""A conversation as CLAUDE's turns."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from .payloads import Json
from .payloads import read_object
from .types import DocumentPart
from .types import ImagePart
from .types import Message
from .types import StatePart
from .types import TextPart
from .types import ToolCall
from .types import ToolResultPart
from .wire import as_parts
from .wire import encode_bytes
from .wire import fit_id
from .wire import read_state

#: Kinds of blocks that go back unchanged.
THINKING: t.Final = ("thinking", "redacted_thinking")


def build_turns(messages: cabc.Iterable[Message]) -> list[Json]:
    """Give the messages as turns: one role's neighbours merged, tool results first."""
    turns: list[tuple[str, list[Json]]] = []

    for message in messages:
        if message.role == "system":
            continue

        role = "assistant" if message.role == "assistant" else "user"
        blocks = [
            block for part in as_parts(message.content) for block in _build_blocks(part)
        ]

        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        elif blocks:
            turns.append((role, blocks))

    for _, blocks in turns:
        blocks.sort(key=lambda block: block["type"] != "tool_result")

    return [{"role": role, "content": blocks} for role, blocks in turns]


def find_used_tools(messages: cabc.Iterable[Message]) -> list[str]:
    """Name the tools that were called in a conversation, each once."""
    names = {
        part.name: None
        for message in messages
        for part in as_parts(message.content)
        if isinstance(part, ToolCall)
    }
    return list(names)


def _build_blocks(part: object) -> cabc.Iterator[Json]:
    if isinstance(part, TextPart) and part.text:
        yield {"type": "text", "text": part.text}
    elif isinstance(part, ImagePart):
        yield {"type": "image", "source": _build_source(part)}
    elif isinstance(part, DocumentPart):
        yield _build_document(part)
    elif isinstance(part, ToolResultPart):
        yield {
            "type": "tool_result",
            "tool_use_id": fit_id(part.call_id),
            "content": part.content,
        }
    elif isinstance(part, StatePart):
        block = read_object(read_state(part, "CLAUDE").get("block"))

        # A block of another kind no answer can have held.
        if block.get("type") in THINKING:
            yield block
    elif isinstance(part, ToolCall):
        yield {
            "type": "tool_use",
            "id": fit_id(part.id),
            "name": part.name,
            "input": dict(part.arguments),
        }


def _build_source(part: ImagePart) -> Json:
    if part.data is None:
        return {"type": "url", "url": part.url or ""}

    return {
        "type": "base64",
        "media_type": part.media_type or "image/png",
        "data": encode_bytes(part.data),
    }


def _build_document(part: DocumentPart) -> Json:
    titled = {} if part.name is None else {"title": part.name}
    source: Json = {"type": "url", "url": part.url or ""}

    if part.data is not None:
        is_pdf = part.media_type == "application/pdf"
        source = {
            "type": "base64" if is_pdf else "text",
            "media_type": "application/pdf" if is_pdf else "text/plain",
            "data": encode_bytes(part.data) if is_pdf else part.data.decode("utf-8"),
        }

    return {"type": "document", "source": source, **titled}
