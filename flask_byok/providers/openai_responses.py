"""OPENAI's Responses wire.

Facts: PROVIDERS.md 4 and 5.4, from the official SDK and recorded exchanges.
"""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t

from .abilities import Abilities
from .openai_items import build_function
from .openai_items import build_items
from .openai_items import build_schema
from .payloads import Json
from .payloads import read_count
from .payloads import read_object
from .payloads import read_objects
from .payloads import read_place
from .payloads import read_text
from .stream_reader import find_calls
from .stream_reader import StreamReader
from .types import AttemptFailed
from .types import ChatAnswer
from .types import ChatRequest
from .types import Failure
from .types import FinishReason
from .types import Part
from .types import StatePart
from .types import TextPart
from .types import ToolCall
from .types import Usage
from .wire import join_system
from .wire import make_call_id
from .wire import parse_arguments
from .wire import Wire

#: The smallest ``max_output_tokens`` the wire accepts; smaller wishes are raised.
SMALLEST_CAP = 16

#: Models that think: they give their thoughts encrypted when they are asked to, and
#: refuse to be told where to stop.
REASONS = re.compile(r"(o\d|gpt-[5-9]|gpt-\d\d)(?!.*-chat)")
_THOUGHTS = "reasoning.encrypted_content"
#: Fields that say how to answer: a question for the number of tokens has none of them.
_NOT_COUNTED = ("include", "max_output_tokens", "store", "stream", "temperature")

_ABILITIES: t.Final = Abilities(
    image_types=frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"}),
    media_mib=50,
    counts=True,
)


class ResponsesWire(Wire):
    """``POST /responses``, nothing stored at the provider."""

    dialect = "OPENAI"

    @property
    def abilities(self) -> Abilities:
        """What it can carry."""
        return _ABILITIES

    def build_path(self, model: str, *, stream: bool) -> str:
        """Give the one path there is."""
        return "/responses"

    def build_body(self, request: ChatRequest, model: str, *, stream: bool) -> Json:
        """Put a request into the body; a cap below 16 is raised."""
        body: dict[str, t.Any] = {
            "model": model,
            "input": list(build_items(request.messages)),
            "store": False,
        }
        system = join_system(request)

        if system is not None:
            body["instructions"] = system

        if request.max_tokens is not None:
            body["max_output_tokens"] = max(SMALLEST_CAP, request.max_tokens)

        if request.temperature is not None:
            body["temperature"] = request.temperature

        if request.reasoning_effort is not None:
            body["reasoning"] = {"effort": request.reasoning_effort}

        if REASONS.match(model) and request.reasoning_effort != "none":
            # Nothing is stored there: the thoughts come back with the next question.
            body["include"] = [_THOUGHTS]

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

        if payload.get("status") == "failed":
            # Mostly beside an error object, which is read before; never an answer.
            raise AttemptFailed(Failure(kind="answer", status=200, has_envelope=True))

        parts: list[Part] = []
        refused = False

        for item in read_objects(payload.get("output")):
            if item.get("type") == "function_call":
                parts.append(_parse_call(item))
            elif item.get("type") == "reasoning":
                parts.extend(_keep_reasoning(item))
            elif item.get("type") == "message":
                contents = read_objects(item.get("content"))
                refused = refused or any(
                    one.get("type") == "refusal" for one in contents
                )
                parts.extend(_parse_message(item, contents))

        calls = find_calls(parts)
        return ChatAnswer(
            text="".join(part.text for part in parts if isinstance(part, TextPart)),
            model=read_text(payload.get("model")),
            usage=_parse_usage(payload.get("usage")),
            finish_reason=_parse_finish(payload, bool(calls), refused),
            tool_calls=calls,
            parts=tuple(parts),
            raw=payload,
        )

    def build_count(self, request: ChatRequest, model: str) -> tuple[str, Json]:
        """Ask with the same input, and without what says how to answer."""
        body = self.build_body(request, model, stream=False)
        counted = {name: body[name] for name in body if name not in _NOT_COUNTED}
        return "/responses/input_tokens", counted

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

    def take(self, payload: Json) -> None:
        """Read one event; unknown ones are passed over."""
        kind = payload.get("type")

        if kind == "response.output_text.delta":
            self.add_text(read_text(payload.get("delta")))
        elif kind == "response.refusal.delta":
            self._refused = True
            self.add_text(read_text(payload.get("delta")))
        elif kind == "response.function_call_arguments.delta":
            place = self._places.get(read_place(payload.get("output_index")), -1)
            self.add_arguments(place, read_text(payload.get("delta")))
        elif kind == "response.output_item.added":
            self._take_item(payload)
        elif kind == "response.output_item.done":
            self._end_item(read_object(payload.get("item")))
        elif kind in ("response.completed", "response.incomplete"):
            self._take_end(read_object(payload.get("response")))
        elif kind == "response.failed":
            self._fail(read_object(read_object(payload.get("response")).get("error")))
        elif kind == "error":
            # Nested on the wire, flat in the SDK's type.
            self._fail(read_object(payload.get("error")) or payload)

    def _take_item(self, payload: Json) -> None:
        item = read_object(payload.get("item"))

        if item.get("type") == "function_call":
            self._places[read_place(payload.get("output_index"))] = len(self.calls)
            self.open_call(
                read_text(item.get("call_id")),
                read_text(item.get("name")),
                read_text(item.get("arguments")),
            )

    def _end_item(self, item: Json) -> None:
        """Keep what belongs to an item that is whole by now."""
        if item.get("type") == "message":
            self.end_text(_keep_phase(item))
        elif item.get("type") == "reasoning" and item.get("encrypted_content"):
            self.add_state("item", item)

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


def _build_choice(choice: str) -> object:
    if choice in ("auto", "none", "required"):
        return choice

    return {"type": "function", "name": choice}


def _parse_message(
    item: Json, contents: cabc.Sequence[Json]
) -> cabc.Iterator[TextPart]:
    text = "".join(read_text(one.get("text") or one.get("refusal")) for one in contents)
    phase = _keep_phase(item)

    if text:
        yield TextPart(text=text, provider_state={"OPENAI": phase} if phase else None)


def _keep_phase(item: Json) -> Json | None:
    """Keep which part of the work a message is: newer models want to be told."""
    phase = read_text(item.get("phase"))
    return {"phase": phase} if phase else None


def _keep_reasoning(item: Json) -> cabc.Iterator[StatePart]:
    if item.get("encrypted_content"):
        yield StatePart(provider_state={"OPENAI": {"item": item}})


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
        cache_write_tokens=read_count(inputs.get("cache_write_tokens")) or 0,
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
