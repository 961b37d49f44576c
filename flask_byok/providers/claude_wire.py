"""CLAUDE's Messages wire.

Facts: PROVIDERS.md 4 and 6.4, from the official SDK and recorded exchanges.
"""

from __future__ import annotations

import base64
import collections.abc as cabc
import dataclasses
import typing as t

from .streams import StreamReader
from .types import AttemptFailed
from .types import ChatAnswer
from .types import ChatChunk
from .types import ChatRequest
from .types import Failure
from .types import FinishReason
from .types import ImagePart
from .types import Message
from .types import TextPart
from .types import Tool
from .types import ToolCall
from .types import ToolResultPart
from .types import Usage
from .wire import as_parts
from .wire import join_system
from .wire import Json
from .wire import make_call_id
from .wire import read_count
from .wire import read_finish
from .wire import read_object
from .wire import read_objects
from .wire import read_place
from .wire import read_state
from .wire import read_text
from .wire import Wire

_FINISH: cabc.Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}
_THINKING = ("thinking", "redacted_thinking")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MessagesWire(Wire):
    """``POST /messages``.

    :param default_cap: ``max_tokens`` of a request that names none; the wire wants one.
    """

    dialect = "CLAUDE"
    default_cap: int

    def build_path(self, model: str, *, stream: bool) -> str:
        """Give the one path there is."""
        return "/messages"

    def build_body(self, request: ChatRequest, model: str, *, stream: bool) -> Json:
        """Put a request into the body."""
        body: dict[str, t.Any] = {
            "model": model,
            "max_tokens": request.max_tokens or self.default_cap,
            "messages": build_turns(request.messages),
        }
        system = join_system(request)

        if system is not None:
            body["system"] = system

        if request.temperature is not None:
            body["temperature"] = request.temperature

        if request.stop:
            body["stop_sequences"] = list(request.stop)

        if request.response_format is not None:
            body["output_config"] = {
                "format": {
                    "type": "json_schema",
                    "schema": dict(request.response_format),
                }
            }

        if request.tools:
            body["tools"] = [_build_tool(tool) for tool in request.tools]

        if request.tool_choice is not None:
            body["tool_choice"] = _build_choice(request.tool_choice)

        if stream:
            body["stream"] = True

        return body

    def parse_answer(self, payload: Json, model: str) -> ChatAnswer:
        """Read a message."""
        if not isinstance(payload.get("content"), list):
            raise AttemptFailed(Failure(kind="unreadable_answer", status=200))

        blocks = read_objects(payload["content"])
        thinking = [block for block in blocks if block.get("type") in _THINKING]
        calls = [
            ToolCall(
                id=read_text(block.get("id")) or make_call_id(),
                name=read_text(block.get("name")),
                arguments=read_object(block.get("input")),
            )
            for block in blocks
            if block.get("type") == "tool_use"
        ]

        if calls and thinking:
            calls[0] = dataclasses.replace(
                calls[0], provider_state=_keep_thinking(thinking)
            )

        return ChatAnswer(
            text="".join(
                read_text(block.get("text"))
                for block in blocks
                if block.get("type") == "text"
            ),
            model=read_text(payload.get("model")),
            usage=_parse_usage(read_object(payload.get("usage"))),
            finish_reason=read_finish(payload.get("stop_reason"), _FINISH),
            tool_calls=tuple(calls),
            raw=payload,
        )

    def build_reader(self, model: str) -> StreamReader:
        """Make the reader of one stream."""
        return _MessagesReader(model)


class _MessagesReader(StreamReader):
    """Events from ``message_start`` to ``message_stop``."""

    dialect = "CLAUDE"

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self._thinking: dict[object, Json] = {}
        self._thoughts: dict[object, dict[str, list[str]]] = {}
        self._places: dict[object, int] = {}

    @staticmethod
    def parse_usage(counts: Json) -> Usage:
        """Read usage as this wire states it."""
        return _parse_usage(counts)

    def take(self, payload: Json) -> cabc.Iterable[ChatChunk]:
        """Read one event; unknown ones are passed over."""
        kind = payload.get("type")

        if kind == "content_block_delta":
            return self._take_delta(payload)

        if kind == "content_block_start":
            return self._take_block(payload)

        if kind == "message_start":
            message = read_object(payload.get("message"))
            self.model = message.get("model")
            self._count(message.get("usage"))
        elif kind == "message_delta":
            reason = read_object(payload.get("delta")).get("stop_reason")
            self.finish_reason = read_finish(reason, _FINISH)
            self._count(payload.get("usage"))
        elif kind == "message_stop":
            self.ended = True
        elif kind == "error":
            self.fail(payload)

        return ()

    def _count(self, usage: object) -> None:
        """Take usage over: later numbers are cumulative, missing ones stand."""
        counts = read_object(usage)
        told = {name: count for name, count in counts.items() if count is not None}
        self.counts = {**self.counts, **told}

    def _take_block(self, payload: Json) -> cabc.Iterable[ChatChunk]:
        block = read_object(payload.get("content_block"))
        index = read_place(payload.get("index"))

        if block.get("type") == "text":
            return self.add_text(read_text(block.get("text")))

        if block.get("type") in _THINKING:
            self._thinking[index] = block

        if block.get("type") != "tool_use":
            return ()

        self._places[index] = len(self.calls)
        thinking = [] if self.calls else self._build_thinking()
        return self.open_call(
            read_text(block.get("id")),
            read_text(block.get("name")),
            state=_keep_thinking(thinking) if thinking else None,
        )

    def _take_delta(self, payload: Json) -> cabc.Iterable[ChatChunk]:
        delta = read_object(payload.get("delta"))
        index = read_place(payload.get("index"))
        kind = delta.get("type")

        if kind == "text_delta":
            return self.add_text(read_text(delta.get("text")))

        if kind == "input_json_delta":
            place = self._places.get(index, -1)
            return self.add_arguments(place, read_text(delta.get("partial_json")))

        if index in self._thinking and kind in ("thinking_delta", "signature_delta"):
            field = "thinking" if kind == "thinking_delta" else "signature"
            thoughts = self._thoughts.setdefault(index, {})
            thoughts.setdefault(field, []).append(read_text(delta.get(field)))

        return ()

    def _build_thinking(self) -> list[Json]:
        return [
            {
                **block,
                **{
                    field: read_text(block.get(field)) + "".join(pieces)
                    for field, pieces in self._thoughts.get(index, {}).items()
                },
            }
            for index, block in self._thinking.items()
        ]


def _keep_thinking(blocks: cabc.Sequence[Json]) -> Json:
    """Keep thinking for the next turn: it goes back unchanged before its tool call."""
    return {"CLAUDE": {"thinking": list(blocks)}}


def _build_tool(tool: Tool) -> Json:
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": dict(tool.parameters) or {"type": "object", "properties": {}},
    }


def _build_choice(choice: str) -> Json:
    if choice in _CHOICES:
        return {"type": _CHOICES[choice]}

    return {"type": "tool", "name": choice}


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


def _build_blocks(part: object) -> cabc.Iterator[Json]:
    if isinstance(part, TextPart) and part.text:
        yield {"type": "text", "text": part.text}
    elif isinstance(part, ImagePart):
        yield {"type": "image", "source": _build_source(part)}
    elif isinstance(part, ToolResultPart):
        yield {
            "type": "tool_result",
            "tool_use_id": part.call_id,
            "content": part.content,
        }
    elif isinstance(part, ToolCall):
        yield from read_objects(read_state(part, "CLAUDE").get("thinking"))
        yield {
            "type": "tool_use",
            "id": part.id,
            "name": part.name,
            "input": dict(part.arguments),
        }


def _build_source(part: ImagePart) -> Json:
    if part.data is None:
        return {"type": "url", "url": part.url or ""}

    return {
        "type": "base64",
        "media_type": part.media_type or "image/png",
        "data": base64.b64encode(part.data).decode("ascii"),
    }


def _parse_usage(counts: Json) -> Usage:
    fresh = read_count(counts.get("input_tokens"))
    written = read_count(counts.get("cache_creation_input_tokens")) or 0
    cached = read_count(counts.get("cache_read_input_tokens")) or 0
    details = read_object(counts.get("output_tokens_details"))

    return Usage(
        # Only this wire counts cached tokens beside the input.
        input_tokens=None if fresh is None else fresh + written + cached,
        output_tokens=read_count(counts.get("output_tokens")),
        cached_tokens=cached,
        reasoning_tokens=read_count(details.get("thinking_tokens")) or 0,
    )
