"""The provider-neutral shape of requests, answers and failures."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import typing as t

from .content import DocumentPart as DocumentPart
from .content import ImagePart as ImagePart
from .content import Message as Message
from .content import Part as Part
from .content import Role as Role
from .content import StatePart as StatePart
from .content import TextPart as TextPart
from .content import Tool as Tool
from .content import ToolCall as ToolCall
from .content import ToolResultPart as ToolResultPart

FinishReason = t.Literal["stop", "length", "tool_calls", "content_filter", "other"]
Source = t.Literal["company", "system"]

#: How much a model shall think before it answers; each provider has its own steps.
Effort = t.Literal["none", "minimal", "low", "medium", "high", "max"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ChatRequest:
    """What a caller asked for, before a provider puts it on its wire.

    :param tool_choice: ``"auto"``, ``"none"``, ``"required"`` or a tool's name.
    :param response_format: a JSON schema the answer must follow.
    :param temperature: sent only when set; several models refuse it.
    :param reasoning_effort: sent only when set.
    :param extra: body fields passed to the provider as they are.
    """

    messages: tuple[Message, ...]
    system: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None
    response_format: cabc.Mapping[str, t.Any] | None = None
    reasoning_effort: Effort | None = None
    extra: cabc.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Tokens of one answer.

    :param input_tokens: cached ones included; ``None`` when the provider did not say.
    :param output_tokens: thinking included; ``None`` when the provider did not say.
    :param cached_tokens: of the input, read from the provider's cache.
    :param reasoning_tokens: of the output, thought and not said.
    :param cache_write_tokens: of the input, written to the provider's cache.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One route of a call: tried, or skipped without a request.

    :param reason: ``None`` when it answered, else why it did not (``auth``,
        ``outage``, …).
    :param status: HTTP status; ``None`` without an answer.
    :param latency_ms: wall time in ms; ``None`` when nothing was sent.
    :param sent: whether an HTTP request was made.
    :param dropped: names of what this route leaves out of the request: ``temperature``
        means nothing to another provider's model, and ``thoughts`` that an SDK sends
        along nothing to another account or model.
    """

    source: Source
    provider: str
    model: str | None
    reason: str | None = None
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    latency_ms: int | None = None
    sent: bool = True
    dropped: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ChatAnswer:
    """What one provider answered, normalised.

    :param parts: texts, tool calls and what the provider wants back, in its order.
    :param raw: the provider's decoded JSON; of a stream the last event that held one.
    """

    text: str
    model: str
    usage: Usage
    finish_reason: FinishReason
    tool_calls: tuple[ToolCall, ...] = ()
    parts: tuple[Part, ...] = dataclasses.field(default=(), repr=False)
    request_id: str | None = None
    raw: cabc.Mapping[str, t.Any] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def said(self) -> tuple[Part, ...]:
        """Its parts; of an answer that has none, its text and its tool calls."""
        texts = (TextPart(text=self.text),) if self.text else ()
        return self.parts or (*texts, *self.tool_calls)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ChatResponse(ChatAnswer):
    """The answer to one ``chat`` call.

    :param source: whose key paid: ``"company"`` or ``"system"``.
    :param latency_ms: wall time of the attempt that answered, in ms.
    :param attempts: every route tried or skipped, the one that answered last.
    :param parsed: the answer as ``response_format`` asked for it: decoded and checked,
        or an object of the class that was given. ``None`` where no format was asked
        for, and where the model refused or calls tools.
    """

    provider: str
    source: Source
    latency_ms: int
    attempts: tuple[Attempt, ...] = ()
    parsed: t.Any = None

    @property
    def message(self) -> Message:
        """This answer as the assistant's turn, to go on with a conversation.

        It carries what the provider wants back; every other provider is sent the
        conversation without it.
        """
        return Message(role="assistant", content=self.said)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call in a stream.

    :param index: which of the answer's tool calls it belongs to, from 0.
    :param id: only with the first piece; so is ``name``.
    :param arguments: a piece of JSON text.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ChatChunk:
    """A piece of a streamed answer: text, or a piece of a tool call."""

    text: str = ""
    tool_call: ToolCallDelta | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Embeddings:
    """Vectors in the order of the texts.

    :param usage: ``input_tokens`` is ``None`` when the provider does not count.
    :param latency_ms: wall time of the attempt that answered, in ms.
    """

    vectors: tuple[tuple[float, ...], ...]
    model: str
    provider: str
    source: Source
    usage: Usage
    latency_ms: int
    attempts: tuple[Attempt, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class EmbedAnswer:
    """What one provider answered to an ``embed`` request."""

    vectors: tuple[tuple[float, ...], ...]
    model: str
    usage: Usage
    request_id: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class CountAnswer:
    """What one provider counted."""

    input_tokens: int
    model: str
    request_id: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TokenCount:
    """How many tokens of input a request would be, as its provider counts.

    Other models count otherwise, those of the same provider too.

    :param latency_ms: wall time of the attempt that answered, in ms.
    """

    input_tokens: int
    model: str
    provider: str
    source: Source
    latency_ms: int
    attempts: tuple[Attempt, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ModelInfo:
    """A model this key may use.

    :param kinds: of ``chat``, ``embed``, ``other``; a soft guess where the provider
        does not say.
    :param can: what the list says it can do besides: of ``vision``, ``documents``,
        ``tools``, ``schema``, ``reasoning``. Empty where the list does not say.
    :param shuts_down_on: the last day is the one before, UTC; ``None`` when no end is
        known.
    :param input_limit: tokens it reads at most; ``None`` where the list does not say.
    :param output_limit: tokens it writes at most, likewise.
    """

    id: str
    label: str = ""
    kinds: frozenset[str] = frozenset({"chat"})
    can: frozenset[str] = frozenset()
    shuts_down_on: dt.date | None = None
    input_limit: int | None = None
    output_limit: int | None = None


FailureKind = t.Literal[
    "answer",  # a non-2xx answer, or an error object in a 2xx or in a stream
    "unreadable_answer",  # a 2xx with HTML, nothing, cut or wrong JSON
    "redirect",  # any 3xx; never followed
    "tls",  # certificate or handshake
    "unreached",  # connect refused or timed out, DNS
    "timeout",  # sent, then silence until the deadline
    "reset",  # the connection broke after the request was written
    "reset_reused",  # the same on a kept-alive connection, before a byte of answer
    "too_large",  # more bytes than the cap
    "not_sendable",  # the key or request cannot be put on the wire; nothing was sent
    "interrupted",  # a stream ended without its mark
]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """The facts of a failed attempt, before anybody judges them.

    Holds the provider's text for matching only. It never leaves the classifier: the
    text is hidden from ``repr`` and must not be logged, shown or stored.

    :param reasons: machine words of the body, in order of weight: ``error.code``,
        ``details.error_code``, ``ErrorInfo.reason``, …; without texts.
    :param type: the body's ``type`` or ``status`` word.
    :param text: lower-cased message of the body.
    :param details: ``error.details`` of GEMINI, decoded.
    :param has_envelope: the body had the provider's own error shape.
    :param is_html: the body was HTML or another non-JSON page.
    :param headers: of the answer, names in lower case.
    :param committed: content had already been passed on (streams).
    """

    kind: FailureKind
    status: int | None = None
    reasons: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    type: str | None = dataclasses.field(default=None, repr=False)
    param: str | None = dataclasses.field(default=None, repr=False)
    text: str = dataclasses.field(default="", repr=False)
    details: tuple[cabc.Mapping[str, t.Any], ...] = dataclasses.field(
        default=(), repr=False
    )
    has_envelope: bool = False
    is_html: bool = False
    headers: cabc.Mapping[str, str] = dataclasses.field(
        default_factory=dict, repr=False
    )
    request_id: str | None = None
    sent: bool = True
    committed: bool = False


class AttemptFailed(Exception):
    """One attempt failed. Internal: the failover engine turns it into a verdict."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.kind)
        self.failure = failure
