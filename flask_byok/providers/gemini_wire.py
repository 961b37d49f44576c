"""GEMINI's generateContent wire.

Facts: PROVIDERS.md 4 and 7.4, from the official SDK and recorded exchanges.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t
import urllib.parse

from .abilities import Abilities
from .gemini_contents import build_contents
from .payloads import Json
from .payloads import read_count
from .payloads import read_finish
from .payloads import read_first
from .payloads import read_object
from .payloads import read_objects
from .payloads import read_text
from .stream_reader import find_calls
from .stream_reader import StreamReader
from .types import AttemptFailed
from .types import ChatAnswer
from .types import ChatRequest
from .types import Effort
from .types import Failure
from .types import FinishReason
from .types import Tool
from .types import Usage
from .wire import dump_arguments
from .wire import join_system
from .wire import Wire

_FINISH: cabc.Mapping[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "SPII": "content_filter",
    "ESCALATION": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
}
#: An account that was limited says so as a finish reason, with status 200.
_LIMITED = "PUP_LIMITED_DISABLED"
#: No model of this provider is told not to think at all.
_LEVELS: cabc.Mapping[Effort, str] = {
    "none": "MINIMAL",
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "max": "HIGH",
}
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}

_ABILITIES: t.Final = Abilities(
    image_types=frozenset(
        {"image/heic", "image/heif", "image/jpeg", "image/png", "image/webp"}
    ),
    media_mib=100,
    counts=True,
)


class GenerateWire(Wire):
    """``POST /models/…:generateContent`` and its streaming twin."""

    dialect = "GEMINI"

    @property
    def abilities(self) -> Abilities:
        """What it can carry."""
        return _ABILITIES

    def build_path(self, model: str, *, stream: bool) -> str:
        """Give the path, which names the model."""
        action = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"/models/{quote_model(model)}:{action}"

    def build_body(self, request: ChatRequest, model: str, *, stream: bool) -> Json:
        """Put a request into the body."""
        body: dict[str, t.Any] = {"contents": build_contents(request.messages, model)}
        system = join_system(request)
        config = _build_config(request)

        if system is not None:
            body["systemInstruction"] = {"parts": [{"text": system}]}

        if config:
            body["generationConfig"] = config

        if request.tools:
            body["tools"] = [
                {"functionDeclarations": [_build_tool(tool) for tool in request.tools]}
            ]

        if request.tool_choice is not None:
            body["toolConfig"] = {
                "functionCallingConfig": _build_choice(request.tool_choice)
            }

        return body

    def parse_answer(self, payload: Json, model: str) -> ChatAnswer:
        """Read a response; of several candidates the first."""
        # A whole answer is a stream of one event.
        reader = _GenerateReader(model)
        reader.take(payload)

        if not reader.ended and not read_objects(payload.get("candidates")):
            raise AttemptFailed(Failure(kind="unreadable_answer", status=200))

        parts = reader.build_parts()
        return ChatAnswer(
            text="".join(reader.texts),
            model=read_text(reader.model),
            usage=reader.usage,
            finish_reason=reader.finish_reason,
            tool_calls=find_calls(parts),
            parts=parts,
            request_id=read_text(reader.request_id) or None,
            raw=payload,
        )

    def build_count(self, request: ChatRequest, model: str) -> tuple[str, Json]:
        """Ask with the same input; more than plain turns goes in whole."""
        body = self.build_body(request, model, stream=False)
        path = f"/models/{quote_model(model)}:countTokens"
        whole = {name: one for name, one in body.items() if name != "generationConfig"}

        if set(whole) == {"contents"}:
            return path, whole

        name = f"models/{model.removeprefix('models/')}"
        return path, {"generateContentRequest": {"model": name, **whole}}

    def parse_count(self, payload: Json) -> int | None:
        """Read the number of input tokens; ``None`` when it is not there."""
        return read_count(payload.get("totalTokens"))

    def build_reader(self, model: str) -> StreamReader:
        """Make the reader of one stream."""
        return _GenerateReader(model)


class _GenerateReader(StreamReader):
    """Whole responses, one after another; the connection ends after a finish reason."""

    dialect = "GEMINI"
    ends_with_connection = True

    @staticmethod
    def parse_usage(counts: Json) -> Usage:
        """Read usage as this wire states it."""
        return _parse_usage(counts)

    def take(self, payload: Json) -> None:
        """Read one response."""
        if payload.get("error"):
            self.fail(payload)

        self.model = payload.get("modelVersion") or self.model
        self.request_id = payload.get("responseId") or self.request_id
        counts = payload.get("usageMetadata")

        if isinstance(counts, dict):
            # Early ones are partial, the last is whole.
            self.counts = counts

        if "promptFeedback" in payload and read_object(payload["promptFeedback"]).get(
            "blockReason"
        ):
            self.ended = True
            self.finish_reason = "content_filter"

        self._take_candidate(read_first(payload.get("candidates")))

    def _take_candidate(self, candidate: Json) -> None:
        parts = read_object(candidate.get("content")).get("parts")

        if isinstance(parts, list):
            for part in parts:
                if isinstance(part, dict):
                    self._take_part(part)

        if candidate.get("finishReason"):
            self._take_finish(candidate["finishReason"])

    def _take_part(self, part: Json) -> None:
        # Nearly every part is a text alone, and nearly every event one part.
        if "functionCall" in part and isinstance(part["functionCall"], dict):
            self._take_call(part, part["functionCall"])
        elif "thought" in part and part["thought"] is True:
            pass  # not said
        elif "thoughtSignature" in part and read_text(part["thoughtSignature"]):
            # A part with a signature is never merged with one that has none.
            self.end_text()
            self.add_text(read_text(part.get("text")))
            self.end_text({"thoughtSignature": part["thoughtSignature"]})
        else:
            self.add_text(read_text(part.get("text")))

    def _take_call(self, part: Json, call: Json) -> None:
        arguments = read_object(call.get("args"))
        self.open_call(
            read_text(call.get("id")),
            read_text(call.get("name")),
            dump_arguments(arguments) if arguments else "",
            _keep_state(part, call),
        )

    def _take_finish(self, reason: object) -> None:
        if reason == _LIMITED:
            raise AttemptFailed(
                Failure(
                    kind="answer", status=200, reasons=(_LIMITED,), has_envelope=True
                )
            )

        self.ended = True
        self.finish_reason = read_finish(reason, _FINISH)

        if isinstance(reason, str) and reason.startswith("IMAGE_"):
            self.finish_reason = "content_filter"

        if self.finish_reason == "stop" and self.calls:
            self.finish_reason = "tool_calls"


def quote_model(model: str) -> str:
    """Write a model's id so that it stays one segment of a path."""
    return urllib.parse.quote(model.removeprefix("models/"), safe="")


def _keep_state(part: Json, call: Json) -> Json | None:
    """Keep what goes back with this call unchanged; newer models refuse without it."""
    state: dict[str, t.Any] = {}

    if read_text(part.get("thoughtSignature")):
        state["thoughtSignature"] = part["thoughtSignature"]

    if not read_text(call.get("id")):
        # Older models know no ids, so the one we make is not sent back.
        state["has_no_id"] = True

    return {"GEMINI": state} if state else None


def _build_config(request: ChatRequest) -> Json:
    config: dict[str, t.Any] = {}

    if request.max_tokens is not None:
        config["maxOutputTokens"] = request.max_tokens

    if request.temperature is not None:
        config["temperature"] = request.temperature

    if request.reasoning_effort is not None:
        level = _LEVELS[request.reasoning_effort]
        config["thinkingConfig"] = {"thinkingLevel": level}

    if request.stop:
        config["stopSequences"] = list(request.stop)

    if request.response_format is not None:
        config["responseMimeType"] = "application/json"
        config["responseJsonSchema"] = dict(request.response_format)

    return config


def _build_tool(tool: Tool) -> Json:
    declaration: dict[str, t.Any] = {
        "name": tool.name,
        "description": tool.description,
    }

    if tool.parameters:
        declaration["parametersJsonSchema"] = dict(tool.parameters)

    return declaration


def _build_choice(choice: str) -> Json:
    if choice in _MODES:
        return {"mode": _MODES[choice]}

    return {"mode": "ANY", "allowedFunctionNames": [choice]}


def _parse_usage(counts: Json) -> Usage:
    prompt = read_count(counts.get("promptTokenCount"))
    tools = read_count(counts.get("toolUsePromptTokenCount")) or 0
    thoughts = read_count(counts.get("thoughtsTokenCount"))
    candidates = read_count(counts.get("candidatesTokenCount"))
    output: int | None = (candidates or 0) + (thoughts or 0)

    if candidates is None and thoughts is None:
        # Zeros are left out; the total tells a zero from a number not told.
        is_zero = counts.get("totalTokenCount") == (prompt or 0) + tools
        output = 0 if is_zero and prompt is not None else None

    return Usage(
        input_tokens=None if prompt is None else prompt + tools,
        output_tokens=output,
        cached_tokens=read_count(counts.get("cachedContentTokenCount")) or 0,
        reasoning_tokens=thoughts or 0,
    )
