"""What was said so far in one streamed answer, whatever its wire."""

from __future__ import annotations

import abc
import collections
import collections.abc as cabc
import dataclasses
import typing as t

from .failures import read_error
from .payloads import decode_json
from .payloads import Json
from .types import AttemptFailed
from .types import ChatAnswer
from .types import ChatChunk
from .types import Failure
from .types import FinishReason
from .types import Part
from .types import StatePart
from .types import TextPart
from .types import ToolCall
from .types import ToolCallDelta
from .types import Usage
from .wire import IdCleaner
from .wire import make_call_id
from .wire import parse_arguments


@dataclasses.dataclass(kw_only=True, slots=True)
class OpenCall:
    """A tool call as it grows in a stream."""

    id: str
    name: str
    arguments: list[str]
    state: Json | None = None


@dataclasses.dataclass(kw_only=True, slots=True)
class OpenState:
    """What a provider wants back, as it grows in a stream.

    :param name: under which its wire finds it.
    :param entries: as the stream began them.
    :param pieces: what came later, by the entry it belongs to.
    """

    name: str
    entries: Json
    pieces: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def add(self, name: str, text: str) -> None:
        """Book a piece of one entry."""
        self.pieces.setdefault(name, []).append(text)

    def build(self) -> Json:
        """Give the whole of what came so far."""
        grown = {
            name: str(self.entries.get(name) or "") + "".join(pieces)
            for name, pieces in self.pieces.items()
        }
        return {self.name: {**self.entries, **grown}}


class _Mark(t.NamedTuple):
    """What stands behind so many pieces of text.

    :param what: a call, a state, or ``None`` where a text ends and another begins.
    :param text_state: belongs to the text in front of it.
    """

    after: int
    what: OpenCall | OpenState | None = None
    text_state: Json | None = None


class StreamReader(abc.ABC):
    """Follow one stream of one wire, and know at any time what was said so far.

    :param model: that was asked for.
    """

    dialect: str
    #: The wire has no end mark: the connection ends after a finish reason.
    ends_with_connection = False

    def __init__(self, model: str) -> None:
        self.asked: str = model
        #: Content that was read and is still to be handed on.
        self.chunks: collections.deque[ChatChunk] = collections.deque()
        self.texts: list[str] = []
        self.calls: list[OpenCall] = []
        self._marks: list[_Mark] = []
        #: Usage as the provider stated it last; read late, for each chunk may hold it.
        self.counts: Json = {}
        self.finish_reason: FinishReason = "other"
        self.raw: Json = {}
        #: As the provider wrote them; cleaned before anybody sees them.
        self.model: object = None
        self.request_id: object = None
        #: The end mark was read, or may come with the connection's end.
        self.ended: bool = False

    @property
    def usage(self) -> Usage:
        """The last usage stated so far."""
        return self.parse_usage(self.counts)

    @staticmethod
    @abc.abstractmethod
    def parse_usage(counts: Json) -> Usage:
        """Read usage as this wire states it; nothing stated is unknown."""

    @abc.abstractmethod
    def take(self, payload: Json) -> None:
        """Read one event's JSON object; its content is added to :attr:`chunks`."""

    def take_event(self, data: str) -> None:
        """Read one event.

        :raises AttemptFailed: when it is no JSON object.
        """
        payload = decode_json(data)

        if not isinstance(payload, dict):
            raise AttemptFailed(Failure(kind="unreadable_answer", status=200))

        self.raw = payload
        self.take(payload)

    def fail(self, payload: Json) -> t.NoReturn:
        """Give up: the stream holds an error object.

        :param payload: with the object under ``error``.
        """
        failure = read_error(payload, status=200, dialect=self.dialect, cleaner=None)

        raise AttemptFailed(failure or Failure(kind="unreadable_answer", status=200))

    def add_text(self, text: str) -> None:
        """Book a piece of text; an empty one is no content."""
        if text:
            self.texts.append(text)
            self.chunks.append(ChatChunk(text=text))

    def open_call(
        self, call_id: str, name: str, arguments: str = "", state: Json | None = None
    ) -> None:
        """Book the beginning of a tool call."""
        call = OpenCall(
            id=call_id or make_call_id(), name=name, arguments=[arguments], state=state
        )
        self.calls.append(call)
        self._marks.append(_Mark(after=len(self.texts), what=call))
        delta = ToolCallDelta(
            index=len(self.calls) - 1, id=call.id, name=name, arguments=arguments
        )
        self.chunks.append(ChatChunk(tool_call=delta))

    def add_arguments(self, index: int, text: str) -> None:
        """Book a piece of a tool call's arguments; an empty one is no content."""
        if text and 0 <= index < len(self.calls):
            self.calls[index].arguments.append(text)
            delta = ToolCallDelta(index=index, arguments=text)
            self.chunks.append(ChatChunk(tool_call=delta))

    def add_state(self, name: str, entries: Json) -> OpenState:
        """Book what the provider wants back in this place; it may still grow."""
        state = OpenState(name=name, entries=entries)
        self._marks.append(_Mark(after=len(self.texts), what=state))
        return state

    def end_text(self, state: Json | None = None) -> None:
        """Let the next piece of text begin a part of its own.

        :param state: what the provider wants back with the text that ends.
        """
        self._marks.append(_Mark(after=len(self.texts), text_state=state))

    def build_parts(self) -> tuple[Part, ...]:
        """Give what came so far in its order, the arguments of calls decoded."""
        parts: list[Part] = []
        begin = 0

        for mark in [*self._marks, _Mark(after=len(self.texts))]:
            text = "".join(self.texts[begin : mark.after])
            begin = mark.after

            if text or mark.text_state:
                state = self._under_dialect(mark.text_state)
                parts.append(TextPart(text=text, provider_state=state))

            if isinstance(mark.what, OpenState):
                built = self._under_dialect(mark.what.build()) or {}
                parts.append(StatePart(provider_state=built))
            elif mark.what is not None:
                parts.append(_close_call(mark.what))

        return tuple(parts)

    def _under_dialect(self, state: Json | None) -> Json | None:
        return {self.dialect: state} if state else None

    def build_answer(self, cleaner: IdCleaner) -> ChatAnswer:
        """Give what was said so far, as an answer."""
        parts = self.build_parts()
        return ChatAnswer(
            text="".join(self.texts),
            model=cleaner.model(self.model, self.asked),
            usage=self.usage,
            finish_reason=self.finish_reason,
            tool_calls=find_calls(parts),
            parts=parts,
            request_id=cleaner.request_id(self.request_id),
            raw=self.raw,
        )


def find_calls(parts: cabc.Iterable[Part]) -> tuple[ToolCall, ...]:
    """Pick the tool calls out of an answer's parts."""
    return tuple(part for part in parts if isinstance(part, ToolCall))


def _close_call(call: OpenCall) -> ToolCall:
    arguments, state = parse_arguments("".join(call.arguments))

    return ToolCall(
        id=call.id,
        name=call.name,
        arguments=arguments,
        provider_state={**(call.state or {}), **(state or {})} or None,
    )
