"""OPENAI's Chat Completions wire, also that of compatible vendors.

Facts: PROVIDERS.md 4 and 5.5, from the official SDK and recorded exchanges.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

from .abilities import Abilities
from .openai_items import build_file_data
from .openai_items import build_function
from .openai_items import build_image_url
from .openai_items import build_schema
from .openai_items import write_arguments
from .payloads import Json
from .payloads import read_count
from .payloads import read_finish
from .payloads import read_first
from .payloads import read_object
from .payloads import read_objects
from .payloads import read_place
from .payloads import read_text
from .stream_reader import StreamReader
from .types import AttemptFailed
from .types import ChatAnswer
from .types import ChatRequest
from .types import DocumentPart
from .types import Failure
from .types import FinishReason
from .types import ImagePart
from .types import Message
from .types import Part
from .types import TextPart
from .types import ToolCall
from .types import ToolResultPart
from .types import Usage
from .wire import as_parts
from .wire import fit_id
from .wire import join_system
from .wire import make_call_id
from .wire import parse_arguments
from .wire import Wire

_FINISH: cabc.Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}

_ABILITIES: t.Final = Abilities(
    image_types=frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"}),
    media_mib=50,
    has_document_urls=False,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChatWire(Wire):
    """``POST /chat/completions``.

    :param cap_field: vendors mostly know ``max_tokens`` only.
    :param system_role: vendors mostly know ``system`` only.
    :param asks_for_usage: some vendors refuse ``stream_options``.
    :param takes_documents: some vendors know texts and images alone.
    """

    dialect = "OPENAI"
    cap_field: str = "max_completion_tokens"
    system_role: str = "developer"
    asks_for_usage: bool = True
    takes_documents: bool = True

    @property
    def abilities(self) -> Abilities:
        """What it can carry."""
        return dataclasses.replace(_ABILITIES, has_documents=self.takes_documents)

    def build_path(self, model: str, *, stream: bool) -> str:
        """Give the one path there is."""
        return "/chat/completions"

    def build_body(self, request: ChatRequest, model: str, *, stream: bool) -> Json:
        """Put a request into the body."""
        body: dict[str, t.Any] = {
            "model": model,
            "messages": list(self._build_messages(request)),
        }

        if request.max_tokens is not None:
            body[self.cap_field] = request.max_tokens

        if request.temperature is not None:
            body["temperature"] = request.temperature

        if request.reasoning_effort is not None:
            body["reasoning_effort"] = request.reasoning_effort

        if request.stop:
            body["stop"] = list(request.stop)

        if request.response_format is not None:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": build_schema(request.response_format),
            }

        if request.tools:
            body["tools"] = [
                {"type": "function", "function": build_function(tool)}
                for tool in request.tools
            ]

        if request.tool_choice is not None:
            body["tool_choice"] = _build_choice(request.tool_choice)

        if stream:
            body["stream"] = True

            if self.asks_for_usage:
                body["stream_options"] = {"include_usage": True}

        return body

    def parse_answer(self, payload: Json, model: str) -> ChatAnswer:
        """Read a completion; of several choices the first."""
        choices = read_objects(payload.get("choices"))

        if not choices:
            raise AttemptFailed(Failure(kind="unreadable_answer", status=200))

        message = read_object(choices[0].get("message"))
        refusal = read_text(message.get("refusal"))
        calls = tuple(map(_parse_call, read_objects(message.get("tool_calls"))))
        finish = _read_finish(choices[0].get("finish_reason"), bool(calls))
        text = _read_content(message.get("content")) + refusal

        return ChatAnswer(
            text=text,
            model=read_text(payload.get("model")),
            usage=_parse_usage(payload.get("usage")),
            finish_reason="content_filter" if refusal else finish,
            tool_calls=calls,
            parts=(TextPart(text=text), *calls) if text else calls,
            raw=payload,
        )

    def build_reader(self, model: str) -> StreamReader:
        """Make the reader of one stream."""
        return _ChatReader(model)

    def _build_messages(self, request: ChatRequest) -> cabc.Iterator[Json]:
        system = join_system(request)

        if system is not None:
            yield {"role": self.system_role, "content": system}

        for message in request.messages:
            if message.role != "system":
                yield from _build_turns(message)


class _ChatReader(StreamReader):
    """Chunks with ``choices[0].delta``, then ``[DONE]``."""

    dialect = "OPENAI"

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self._refused = False
        self._places: dict[object, int] = {}

    @staticmethod
    def parse_usage(counts: Json) -> Usage:
        """Read usage as this wire states it."""
        return _parse_usage(counts)

    def take_event(self, data: str) -> None:
        """Read one event; the end mark is the only one that is no JSON."""
        if data == "[DONE]":
            self.ended = True
        else:
            super().take_event(data)

    def take(self, payload: Json) -> None:
        """Read one chunk."""
        if payload.get("error") or payload.get("object") == "error":
            self.fail(payload)

        self.model = payload.get("model") or self.model

        if payload.get("usage"):
            self.counts = read_object(payload["usage"])

        self._take_choice(read_first(payload.get("choices")))

    def _take_choice(self, choice: Json) -> None:
        delta = read_object(choice.get("delta"))
        text = _read_content(delta.get("content"))

        if delta.get("refusal"):
            refusal = read_text(delta["refusal"])
            self._refused = self._refused or bool(refusal)
            text += refusal

        self.add_text(text)

        if delta.get("tool_calls"):
            for fragment in read_objects(delta["tool_calls"]):
                self._take_fragment(fragment)

        if choice.get("finish_reason") is not None:
            finish = _read_finish(choice["finish_reason"], bool(self.calls))
            self.finish_reason = "content_filter" if self._refused else finish

    def _take_fragment(self, fragment: Json) -> None:
        index = read_place(fragment.get("index"))
        function = read_object(fragment.get("function"))
        arguments = read_text(function.get("arguments"))
        call_id = read_text(fragment.get("id"))
        place = self._places.get(index)

        # Several vendors give all calls one place, or none: a new id is a new call.
        if place is not None and call_id in ("", self.calls[place].id):
            self.add_arguments(place, arguments)
            return

        self._places[index] = len(self.calls)
        self.open_call(call_id, read_text(function.get("name")), arguments)


def _read_content(content: object) -> str:
    """Read text, or the texts among the parts that some vendors write instead."""
    if isinstance(content, str):
        return content

    parts = (one for one in read_objects(content) if one.get("type") == "text")
    return "".join(read_text(one.get("text")) for one in parts)


def _read_finish(reason: object, has_calls: bool) -> FinishReason:
    """Read why an answer ended; one that calls tools may say ``stop`` all the same."""
    finish = read_finish(reason, _FINISH)
    return "tool_calls" if finish == "stop" and has_calls else finish


def _build_choice(choice: str) -> object:
    if choice in ("auto", "none", "required"):
        return choice

    return {"type": "function", "function": {"name": choice}}


def _build_turns(message: Message) -> cabc.Iterator[Json]:
    parts = as_parts(message.content)

    for part in parts:
        if isinstance(part, ToolResultPart):
            yield {
                "role": "tool",
                "tool_call_id": fit_id(part.call_id),
                "content": part.content,
            }

    if message.role == "assistant":
        yield from _build_assistant(parts)
    else:
        yield from _build_user(parts)


def _build_assistant(parts: cabc.Sequence[Part]) -> cabc.Iterator[Json]:
    text = "".join(part.text for part in parts if isinstance(part, TextPart))
    calls = [
        {
            "id": fit_id(part.id),
            "type": "function",
            "function": {"name": part.name, "arguments": write_arguments(part)},
        }
        for part in parts
        if isinstance(part, ToolCall)
    ]

    if calls:
        yield {"role": "assistant", "content": text or None, "tool_calls": calls}
    elif text:
        yield {"role": "assistant", "content": text}


def _build_user(parts: cabc.Sequence[Part]) -> cabc.Iterator[Json]:
    content: list[Json] = []

    for part in parts:
        if isinstance(part, TextPart):
            content.append({"type": "text", "text": part.text})
        elif isinstance(part, ImagePart):
            content.append(
                {"type": "image_url", "image_url": {"url": build_image_url(part)}}
            )
        elif isinstance(part, DocumentPart):
            content.append({"type": "file", "file": build_file_data(part)})

    if len(content) == 1 and content[0]["type"] == "text":
        yield {"role": "user", "content": content[0]["text"]}
    elif content:
        yield {"role": "user", "content": content}


def _parse_call(call: Json) -> ToolCall:
    function = read_object(call.get("function"))
    arguments, state = parse_arguments(read_text(function.get("arguments")))

    return ToolCall(
        id=read_text(call.get("id")) or make_call_id(),
        name=read_text(function.get("name")),
        arguments=arguments,
        provider_state=state,
    )


def _parse_usage(usage: object) -> Usage:
    counts = read_object(usage)
    inputs = read_object(counts.get("prompt_tokens_details"))
    outputs = read_object(counts.get("completion_tokens_details"))

    return Usage(
        input_tokens=read_count(counts.get("prompt_tokens")),
        output_tokens=read_count(counts.get("completion_tokens")),
        cached_tokens=read_count(inputs.get("cached_tokens")) or 0,
        reasoning_tokens=read_count(outputs.get("reasoning_tokens")) or 0,
        cache_write_tokens=read_count(inputs.get("cache_write_tokens")) or 0,
    )
