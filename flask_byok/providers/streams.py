"""One streamed answer: first content awaited, then handed on piece by piece."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

from .failures import keep_headers
from .failures import read_error
from .http import ANSWER_CAP
from .http import GAP_LIMIT
from .http import HttpStream
from .http import STREAM_LIMIT
from .payloads import decode_json
from .sse import EVENT_CAP
from .sse import EventParser
from .sse import EventTooLarge
from .stream_reader import StreamReader
from .types import AttemptFailed
from .types import ChatAnswer
from .types import ChatChunk
from .types import Failure
from .types import FailureKind
from .types import Usage
from .wire import IdCleaner

T_co = t.TypeVar("T_co", covariant=True)


class Pieces(t.Protocol[T_co]):
    """A streamed answer that has begun, in whatever pieces it is handed on."""

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        ...

    @property
    def headers(self) -> cabc.Mapping[str, str]:
        """Of the answer, as far as they may be shown; names in lower case."""
        ...

    def __next__(self) -> T_co:
        """Give the next piece. Raises ``AttemptFailed`` when the stream broke."""
        ...

    @property
    def is_read(self) -> bool:
        """Whether all pieces were given, and only the clean end is left."""
        ...

    @property
    def text(self) -> str:
        """The text received so far."""
        ...

    @property
    def usage(self) -> Usage:
        """The last usage stated so far."""
        ...

    @property
    def answer(self) -> ChatAnswer:
        """What was received so far; whole once the iteration has ended."""
        ...

    def close(self) -> None:
        """Let go of the connection."""


class ProviderStream:
    """A streamed answer that has begun: its first content is here.

    Iterate it once. Closing it early cuts the connection.
    """

    #: Bytes of one event.
    event_cap: t.ClassVar[int] = EVENT_CAP
    #: Decoded bytes of the whole.
    cap: t.ClassVar[int] = ANSWER_CAP

    def __init__(
        self,
        http: HttpStream,
        reader: StreamReader,
        cleaner: IdCleaner,
        request_id: str | None,
    ) -> None:
        self._http = http
        self._reader = reader
        self._cleaner = cleaner
        self._request_id = request_id
        self._parser = EventParser(self.event_cap)
        self._pieces = http.read_chunks(self.cap)
        self._chunks = reader.chunks
        self._failure: Failure | None = None
        self._done = False
        self._await_content()

    def _await_content(self) -> None:
        """Read up to the commit point: first content, or the clean end without any."""
        self._http.limit_gaps(GAP_LIMIT)

        while not self._has_content() and not self._done:
            self._pump()

        if self._failure is not None and not self._has_content():
            raise AttemptFailed(self._failure)

        self._http.limit_total(STREAM_LIMIT)

    def _has_content(self) -> bool:
        return bool(self._chunks)

    def __iter__(self) -> cabc.Iterator[ChatChunk]:
        return self

    def __next__(self) -> ChatChunk:
        while not self._chunks:
            if self._failure is not None:
                raise AttemptFailed(dataclasses.replace(self._failure, committed=True))

            if self._done:
                raise StopIteration

            self._pump()

        return self._chunks.popleft()

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return self._http.status

    @property
    def headers(self) -> cabc.Mapping[str, str]:
        """Of the answer, as far as they may be shown; names in lower case."""
        return keep_headers(self._http.headers, self._cleaner)

    @property
    def is_read(self) -> bool:
        """Whether all pieces were given, and only the clean end is left."""
        return self._done and not self._chunks and self._failure is None

    @property
    def text(self) -> str:
        """The text received so far."""
        return "".join(self._reader.texts)

    @property
    def usage(self) -> Usage:
        """The last usage stated so far."""
        return self._reader.usage

    @property
    def answer(self) -> ChatAnswer:
        """What was received so far; whole once the iteration has ended."""
        answer = self._reader.build_answer(self._cleaner)
        return dataclasses.replace(
            answer, request_id=self._request_id or answer.request_id
        )

    def close(self) -> None:
        """Let go of the connection; what was received stays readable."""
        self._done = True
        self._chunks.clear()
        self._http.close()

    def _pump(self) -> None:
        """Read one piece. A failure waits until the content before it is consumed."""
        failure: Failure | None = None

        try:
            self._take(next(self._pieces, None))
        except AttemptFailed as error:
            failure = error.failure
        except EventTooLarge:
            failure = Failure(kind="too_large", status=self._http.status)

        if failure is not None:
            self._done = True
            self._http.close()
            self._failure = dataclasses.replace(
                failure,
                kind=_as_interruption(failure),
                request_id=self._request_id or failure.request_id,
            )

    def _take(self, piece: bytes | None) -> None:
        if piece is None:
            self._end()
            return

        reader = self._reader
        comments = self._parser.comments
        events = self._parser.feed(piece)

        for data in events:
            reader.take_event(data)

            if reader.ended and not reader.ends_with_connection:
                self._done = True
                self._http.finish()
                return

        if events or comments != self._parser.comments:
            self._http.note_event()
        elif self._parser.has_raw:
            self._look_for_error()

    def _end(self) -> None:
        """Judge the end of the connection: clean only behind the end mark."""
        self._parser.end()
        self._look_for_error()

        if not self._reader.ended:
            is_page = self._parser.has_raw and not self._parser.has_events
            raise AttemptFailed(
                Failure(
                    kind="unreadable_answer" if is_page else "interrupted",
                    status=self._http.status,
                    is_html=is_page,
                )
            )

        self._done = True
        self._http.close()

    def _look_for_error(self) -> None:
        """Find plain JSON in the stream, which GEMINI sends when it fails."""
        if not self._parser.has_raw:
            return

        failure = read_error(
            decode_json(self._parser.raw),
            status=self._http.status,
            dialect=self._reader.dialect,
            cleaner=self._cleaner,
        )

        if failure is not None:
            raise AttemptFailed(failure)


def _as_interruption(failure: Failure) -> FailureKind:
    """Tell what a failure is of a stream: a body that breaks off has no end mark."""
    is_cut = failure.kind == "unreadable_answer" and not failure.is_html
    return "interrupted" if is_cut else failure.kind
