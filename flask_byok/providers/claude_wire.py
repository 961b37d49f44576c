"""CLAUDE's Messages wire.

Facts: PROVIDERS.md 4 and 6.4, from the official SDK and recorded exchanges.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import re
import typing as t

from .abilities import Abilities
from .claude_turns import build_turns
from .claude_turns import find_used_tools
from .claude_turns import THINKING
from .payloads import Json
from .payloads import read_count
from .payloads import read_finish
from .payloads import read_object
from .payloads import read_objects
from .payloads import read_place
from .payloads import read_text
from .schemas import fit_claude
from .stream_reader import find_calls
from .stream_reader import OpenState
from .stream_reader import StreamReader
from .types import AttemptFailed
from .types import ChatAnswer
from .types import ChatRequest
from .types import Effort
from .types import Failure
from .types import FinishReason
from .types import Part
from .types import StatePart
from .types import TextPart
from .types import Tool
from .types import ToolCall
from .types import Usage
from .wire import join_system
from .wire import make_call_id
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

#: The wire's word for ours; "none" is said otherwise.
_EFFORTS: cabc.Mapping[Effort, str] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "max": "max",
}
#: Models that know no adaptive thinking, and the tokens they are given instead.
_OLD = re.compile(r"claude-(3|(opus|sonnet|haiku)-4(-[015])?(-\d{8})?$)")
_BUDGETS: cabc.Mapping[str, int] = {
    "low": 1024,
    "medium": 4096,
    "high": 16384,
    "max": 32768,
}
_LEAST_BUDGET = 1024
#: Fields that say how to answer: a question for the number of tokens has none of them.
_NOT_COUNTED = ("max_tokens", "stop_sequences", "temperature")

_ABILITIES: t.Final = Abilities(
    image_types=frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"}),
    image_mib=10,
    media_mib=32,
    forces_tools=False,
    has_open_objects=False,
    counts=True,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MessagesWire(Wire):
    """``POST /messages``.

    :param default_cap: ``max_tokens`` of a request that names none; the wire wants one.
    """

    dialect = "CLAUDE"
    default_cap: int

    @property
    def abilities(self) -> Abilities:
        """What it can carry."""
        return _ABILITIES

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
                    "schema": fit_claude(request.response_format),
                }
            }

        if request.reasoning_effort is not None:
            _set_effort(body, request.reasoning_effort)

        if request.tools:
            body["tools"] = [_build_tool(tool) for tool in request.tools]
        elif used := find_used_tools(request.messages):
            # The wire refuses calls in the conversation whose tools are not there.
            body["tools"] = [_build_tool(Tool(name=name)) for name in used]
            body["tool_choice"] = {"type": "none"}

        if request.tool_choice is not None:
            body["tool_choice"] = _build_choice(request.tool_choice)

        if stream:
            body["stream"] = True

        return body

    def parse_answer(self, payload: Json, model: str) -> ChatAnswer:
        """Read a message."""
        if not isinstance(payload.get("content"), list):
            raise AttemptFailed(Failure(kind="unreadable_answer", status=200))

        parts = [
            part
            for block in read_objects(payload["content"])
            if (part := _parse_block(block)) is not None
        ]

        return ChatAnswer(
            text="".join(part.text for part in parts if isinstance(part, TextPart)),
            model=read_text(payload.get("model")),
            usage=_parse_usage(read_object(payload.get("usage"))),
            finish_reason=read_finish(payload.get("stop_reason"), _FINISH),
            tool_calls=find_calls(parts),
            parts=tuple(parts),
            raw=payload,
        )

    def build_count(self, request: ChatRequest, model: str) -> tuple[str, Json]:
        """Ask with the same input, and without what says how to answer."""
        body = self.build_body(request, model, stream=False)
        counted = {name: body[name] for name in body if name not in _NOT_COUNTED}
        return "/messages/count_tokens", counted

    def build_reader(self, model: str) -> StreamReader:
        """Make the reader of one stream."""
        return _MessagesReader(model)


class _MessagesReader(StreamReader):
    """Events from ``message_start`` to ``message_stop``."""

    dialect = "CLAUDE"

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self._thinking: dict[object, OpenState] = {}
        self._places: dict[object, int] = {}

    @staticmethod
    def parse_usage(counts: Json) -> Usage:
        """Read usage as this wire states it."""
        return _parse_usage(counts)

    def take(self, payload: Json) -> None:
        """Read one event; unknown ones are passed over."""
        kind = payload.get("type")

        if kind == "content_block_delta":
            self._take_delta(payload)
        elif kind == "content_block_start":
            self._take_block(payload)
        elif kind == "message_start":
            message = read_object(payload.get("message"))
            self.model = message.get("model")
            self._count(message.get("usage"))
        elif kind == "message_delta":
            self._take_change(payload)
        elif kind == "message_stop":
            self.ended = True
        elif kind == "error":
            self.fail(payload)

    def _take_change(self, payload: Json) -> None:
        reason = read_object(payload.get("delta")).get("stop_reason")

        # There may be several; not each of them ends the message.
        if reason is not None:
            self.finish_reason = read_finish(reason, _FINISH)

        self._count(payload.get("usage"))

    def _count(self, usage: object) -> None:
        """Take usage over: later numbers are cumulative, missing ones stand."""
        counts = read_object(usage)
        told = {name: count for name, count in counts.items() if count is not None}
        self.counts = {**self.counts, **told}

    def _take_block(self, payload: Json) -> None:
        block = read_object(payload.get("content_block"))
        index = read_place(payload.get("index"))
        kind = block.get("type")

        if kind == "text":
            self.add_text(read_text(block.get("text")))
        elif kind in THINKING:
            self._thinking[index] = self.add_state("block", block)
        elif kind == "tool_use":
            self._places[index] = len(self.calls)
            self.open_call(read_text(block.get("id")), read_text(block.get("name")))

    def _take_delta(self, payload: Json) -> None:
        delta = read_object(payload.get("delta"))
        kind = delta.get("type")

        if kind == "text_delta":
            self.add_text(read_text(delta.get("text")))
            return

        index = read_place(payload.get("index"))

        if kind == "input_json_delta":
            place = self._places.get(index, -1)
            self.add_arguments(place, read_text(delta.get("partial_json")))
        elif index in self._thinking and kind in ("thinking_delta", "signature_delta"):
            field = "thinking" if kind == "thinking_delta" else "signature"
            self._thinking[index].add(field, read_text(delta.get(field)))


def _parse_block(block: Json) -> Part | None:
    kind = block.get("type")

    if kind == "text" and read_text(block.get("text")):
        return TextPart(text=read_text(block.get("text")))

    if kind in THINKING:
        # It goes back unchanged, in its place before texts and tool calls.
        return StatePart(provider_state={"CLAUDE": {"block": block}})

    if kind == "tool_use":
        return ToolCall(
            id=read_text(block.get("id")) or make_call_id(),
            name=read_text(block.get("name")),
            arguments=read_object(block.get("input")),
        )

    return None


def _set_effort(body: dict[str, t.Any], effort: Effort) -> None:
    """Say how much to think, as the model knows it."""
    if effort == "none":
        body["thinking"] = {"type": "disabled"}
        return

    word = _EFFORTS[effort]

    if not _OLD.match(body["model"]):
        body["thinking"] = {"type": "adaptive"}
        body["output_config"] = {**body.get("output_config", {}), "effort": word}
        return

    budget = min(_BUDGETS[word], body["max_tokens"] - 1)

    # A budget this small is refused; the model then answers without thinking.
    if budget >= _LEAST_BUDGET:
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}


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
        cache_write_tokens=written,
    )
