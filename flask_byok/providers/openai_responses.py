"""OPENAI's Responses wire.

Facts: PROVIDERS.md 4 and 5.4, from the official SDK and recorded exchanges.
"""

from __future__ import annotations

import base64
import collections.abc as cabc
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
from .wire import dump_arguments
from .wire import is_strict_schema
from .wire import join_system
from .wire import Json
from .wire import make_call_id
from .wire import parse_arguments
from .wire import read_count
from .wire import read_object
from .wire import read_objects
from .wire import read_place
from .wire import read_text
from .wire import Wire

#: The smallest ``max_output_tokens`` the wire accepts; smaller wishes are raised.
SMALLEST_CAP = 16


class ResponsesWire(Wire):
    """``POST /responses``, nothing stored at the provider."""

    dialect = "OPENAI"

    def build_path(self, model: str, *, stream: bool) -> str:
        """Give the one path there is."""
        return "/responses"

    def build_body(self, request: ChatRequest, model: str, *, stream: bool) -> Json:
        """Put a request into the body; a cap below 16 is raised."""
        body: dict[str, t.Any] = {
            "model": model,
            "input": list(_build_items(request.messages)),
            "store": False,
        }
        system = join_system(request)

        if system is not None:
            body["instructions"] = system

        if request.max_tokens is not None:
            body["max_output_tokens"] = max(SMALLEST_CAP, request.max_tokens)

        if request.temperature is not None:
            body["temperature"] = request.temperature

        if request.response_format is not None:
            body["text"] = {
                "format": {
                    "type": "json_schema",
                    **build_schema(request.response_format),
                }
            }

        if request.tools:
            body["tools"] = [
                {"type": "function", **build_function(tool)} for tool in request.tools
            ]

        if request.tool_choice is not None:
            body["tool_choice"] = _build_choice(request.tool_choice)

        if stream:
            body["stream"] = True

        return body

    def parse_answer(self, payload: Json, model: str) -> ChatAnswer:
        """Read a response object."""
        if not isinstance(payload.get("output"), list):
            raise AttemptFailed(Failure(kind="unreadable_answer", status=200))

        texts: list[str] = []
        calls: list[ToolCall] = []
        refused = False

        for item in read_objects(payload.get("output")):
            if item.get("type") == "function_call":
                calls.append(_parse_call(item))
            elif item.get("type") == "message":
                for part in read_objects(item.get("content")):
                    refused = refused or part.get("type") == "refusal"
                    texts.append(read_text(part.get("text") or part.get("refusal")))

        return ChatAnswer(
            text="".join(texts),
            model=read_text(payload.get("model")),
            usage=_parse_usage(payload.get("usage")),
            finish_reason=_parse_finish(payload, bool(calls), refused),
            tool_calls=tuple(calls),
            raw=payload,
        )

    def build_reader(self, model: str) -> StreamReader:
        """Make the reader of one stream."""
        return _ResponsesReader(model)


class _ResponsesReader(StreamReader):
    """Events ``response.*``; the last one holds the whole response."""

    dialect = "OPENAI"

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self._refused = False
        self._places: dict[object, int] = {}

    @staticmethod
    def parse_usage(counts: Json) -> Usage:
        """Read usage as this wire states it."""
        return _parse_usage(counts)

    def take(self, payload: Json) -> cabc.Iterable[ChatChunk]:
        """Read one event; unknown ones are passed over."""
        kind = payload.get("type")

        if kind == "response.output_text.delta":
            return self.add_text(read_text(payload.get("delta")))

        if kind == "response.refusal.delta":
            self._refused = True
            return self.add_text(read_text(payload.get("delta")))

        if kind == "response.output_item.added":
            return self._take_item(payload)

        if kind == "response.function_call_arguments.delta":
            place = self._places.get(read_place(payload.get("output_index")), -1)
            return self.add_arguments(place, read_text(payload.get("delta")))

        if kind in ("response.completed", "response.incomplete"):
            self._take_end(read_object(payload.get("response")))
        elif kind == "response.failed":
            self._fail(read_object(read_object(payload.get("response")).get("error")))
        elif kind == "error":
            # Nested on the wire, flat in the SDK's type.
            self._fail(read_object(payload.get("error")) or payload)

        return ()

    def _take_item(self, payload: Json) -> cabc.Iterable[ChatChunk]:
        item = read_object(payload.get("item"))

        if item.get("type") != "function_call":
            return ()

        self._places[read_place(payload.get("output_index"))] = len(self.calls)
        return self.open_call(
            read_text(item.get("call_id")),
            read_text(item.get("name")),
            read_text(item.get("arguments")),
        )

    def _take_end(self, response: Json) -> None:
        self.ended = True
        self.model = response.get("model")
        self.counts = read_object(response.get("usage"))
        self.finish_reason = _parse_finish(response, bool(self.calls), self._refused)

    def _fail(self, error: Json) -> t.NoReturn:
        self.fail({"error": {**error, "type": _error_type(error)}})


def _error_type(error: Json) -> object:
    # The flat event's own type, "error", is the event's and says nothing.
    kind = error.get("type")
    return None if kind == "error" else kind


def build_image_url(part: ImagePart) -> str:
    """Give an image as a URL: the caller's, or its bytes as a ``data:`` URL."""
    if part.data is None:
        return part.url or ""

    data = base64.b64encode(part.data).decode("ascii")
    return f"data:{part.media_type or 'image/png'};base64,{data}"


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


def _build_choice(choice: str) -> object:
    if choice in ("auto", "none", "required"):
        return choice

    return {"type": "function", "name": choice}


def _build_items(messages: cabc.Iterable[Message]) -> cabc.Iterator[Json]:
    for message in messages:
        if message.role == "system":
            continue

        parts = as_parts(message.content)

        for part in parts:
            if isinstance(part, ToolResultPart):
                yield {
                    "type": "function_call_output",
                    "call_id": part.call_id,
                    "output": part.content,
                }

        if message.role == "assistant":
            yield from _build_assistant(parts)
        else:
            yield from _build_user(parts)


def _build_assistant(parts: cabc.Sequence[object]) -> cabc.Iterator[Json]:
    text = "".join(part.text for part in parts if isinstance(part, TextPart))

    if text:
        yield {"role": "assistant", "content": text}

    for part in parts:
        if isinstance(part, ToolCall):
            yield {
                "type": "function_call",
                "call_id": part.id,
                "name": part.name,
                "arguments": write_arguments(part),
            }


def _build_user(parts: cabc.Sequence[object]) -> cabc.Iterator[Json]:
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

    if len(content) == 1 and content[0]["type"] == "input_text":
        yield {"role": "user", "content": content[0]["text"]}
    elif content:
        yield {"role": "user", "content": content}


def _parse_call(item: Json) -> ToolCall:
    arguments, state = parse_arguments(read_text(item.get("arguments")))

    return ToolCall(
        id=read_text(item.get("call_id")) or make_call_id(),
        name=read_text(item.get("name")),
        arguments=arguments,
        provider_state=state,
    )


def _parse_usage(usage: object) -> Usage:
    counts = read_object(usage)
    inputs = read_object(counts.get("input_tokens_details"))
    outputs = read_object(counts.get("output_tokens_details"))

    return Usage(
        input_tokens=read_count(counts.get("input_tokens")),
        output_tokens=read_count(counts.get("output_tokens")),
        cached_tokens=read_count(inputs.get("cached_tokens")) or 0,
        reasoning_tokens=read_count(outputs.get("reasoning_tokens")) or 0,
    )


def _parse_finish(response: Json, has_calls: bool, refused: bool) -> FinishReason:
    reason = read_object(response.get("incomplete_details")).get("reason")

    if response.get("status") == "incomplete":
        if reason == "max_output_tokens":
            return "length"

        return "content_filter" if reason == "content_filter" else "other"

    if response.get("status") != "completed":
        return "other"

    if refused:
        return "content_filter"

    return "tool_calls" if has_calls else "stop"
