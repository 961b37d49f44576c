"""A request that somebody else put together, passed on with the right key.

The answer is handed back byte for byte; it is read along for what the engine must know:
whether it is an error, where its first content stands, and what it used.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import re
import typing as t

from .failures import find_request_id
from .failures import keep_headers
from .failures import read_answer
from .hangup import Hangup
from .http import ANSWER_CAP
from .http import HttpStream
from .http import STREAM_LIMIT
from .payloads import Json
from .payloads import read_object
from .payloads import read_text
from .stream_reader import StreamReader
from .streams import ProviderStream
from .types import AttemptFailed
from .types import ChatAnswer
from .types import Failure
from .types import FinishReason
from .types import Usage
from .wire import IdCleaner

#: Bytes held back at most while a stream shows no content: then it is passed on.
HELD_CAP: t.Final = 256 * 1024
#: Decoded bytes of a passed-on file.
FILE_CAP: t.Final = 1024 * 1024 * 1024

_EVENT_END: t.Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
# An answer of the wire holds one of these; without, it is no answer at all.
_MARKS: t.Final = ("choices", "output", "content", "candidates", "promptFeedback")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class RelayRequest:
    """A request as it goes to one route, the key excepted.

    :param path: behind the base URL, with its query.
    :param headers: names in lower case; only what may go out.
    """

    method: str
    path: str
    headers: cabc.Mapping[str, str]
    body: bytes | None = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class RelayAnswer:
    """A whole answer, and what was read in it.

    :param headers: names in lower case; only what may be shown.
    :param body: the provider's own bytes.
    """

    status: int
    headers: cabc.Mapping[str, str]
    body: bytes = dataclasses.field(repr=False)
    usage: Usage
    model: str | None = None
    finish_reason: FinishReason | None = None
    request_id: str | None = None


def read_relayed(
    http: HttpStream,
    cleaner: IdCleaner,
    *,
    dialect: str,
    read: cabc.Callable[[Json], tuple[Usage, FinishReason | None]],
    cap: int = ANSWER_CAP,
) -> RelayAnswer:
    """Read a whole answer that must be a JSON object.

    :param read: tells the usage, and the finish reason where there is one.
    :raises AttemptFailed: when it is an error, whatever its status, or unreadable.
    """
    body = http.read(cap)
    payload, failure = read_answer(
        http.status, http.headers, body, dialect=dialect, cleaner=cleaner
    )

    if failure is not None:
        raise AttemptFailed(failure)

    usage, finish_reason = read(payload)
    model = read_text(payload.get("model")) or read_text(payload.get("modelVersion"))
    headers = keep_headers(http.headers, cleaner)
    return RelayAnswer(
        status=http.status,
        headers=headers,
        body=body,
        usage=usage,
        model=cleaner.listed_model(model),
        finish_reason=finish_reason,
        request_id=headers.get("x-request-id") or headers.get("request-id"),
    )


def read_generated(
    reader: StreamReader, payload: Json
) -> tuple[Usage, FinishReason | None]:
    """Read usage, and the end where it is read along, of an answer in text.

    :raises AttemptFailed: when it is no answer of such a wire, or tells of a limit.
    """
    if not any(isinstance(payload.get(mark), (list, dict)) for mark in _MARKS):
        raise AttemptFailed(Failure(kind="unreadable_answer", status=200))

    if reader.dialect == "GEMINI":
        # A whole answer has the shape of one piece of a stream.
        reader.take(payload)
        return reader.usage, reader.finish_reason

    return reader.parse_usage(read_object(payload.get("usage"))), None


class RelayStream(ProviderStream):
    """A stream of events, passed on byte for byte once its first content is here.

    Reading it raises ``CallLeft`` once its caller has left from another thread.

    An event that tells of a failure is not passed on: providers write keys into them.

    :param drops_usage: the usage was asked for by us; the chunk that holds nothing else
        is kept from the caller, who did not ask.
    """

    # A picture comes as one event, several times over on its way to the last one.
    event_cap = ANSWER_CAP
    cap = 4 * ANSWER_CAP

    def __init__(
        self,
        http: HttpStream,
        reader: StreamReader,
        cleaner: IdCleaner,
        hangup: Hangup,
        *,
        drops_usage: bool = False,
    ) -> None:
        self._passed: list[bytes] = []
        self._event: list[bytes] = []
        self._held = 0
        self._drops_usage = drops_usage
        self._hangup = hangup
        super().__init__(http, reader, cleaner, find_request_id(http.headers, cleaner))

    @property
    def is_read(self) -> bool:
        """Whether all bytes were given, and only the clean end is left."""
        return self._done and not self._passed and self._failure is None

    def __next__(self) -> bytes:  # type: ignore[override]
        """Give the next bytes."""
        while not self._passed:
            if self._failure is not None:
                self._hangup.check()
                raise AttemptFailed(dataclasses.replace(self._failure, committed=True))

            if self._done:
                raise StopIteration

            self._pump()
            self._chunks.clear()

        passed, self._passed = b"".join(self._passed), []
        return passed

    def _has_content(self) -> bool:
        return bool(self._chunks) or self._held > HELD_CAP

    def _take(self, piece: bytes | None) -> None:
        """Read event by event, so that what stands before a failure is passed on."""
        if piece is None:
            super()._take(None)
            self._pass_on()
            return

        start = 0

        for end in _EVENT_END.finditer(piece):
            self._take_part(piece[start : end.end()])
            start = end.end()

            if self._done:
                return

        if start < len(piece):
            self._take_part(piece[start:])

    def _take_part(self, part: bytes) -> None:
        has_usage = self._reader.counts
        super()._take(part)
        self._event.append(part)

        if not self._parser.is_between:
            return

        if self._drops_usage and self._reader.counts is not has_usage:
            if not self._reader.raw.get("choices"):
                self._event.clear()
                return

        self._pass_on()

    def _pass_on(self) -> None:
        self._held += sum(map(len, self._event))
        self._passed += self._event
        self._event.clear()


class RelayBytes:
    """Any other answer, passed on as it comes: the first bytes are here.

    :raises AttemptFailed: when it breaks off before the first byte.
    """

    def __init__(self, http: HttpStream, cleaner: IdCleaner, hangup: Hangup) -> None:
        self._http = http
        self._hangup = hangup
        self._pieces = http.read_chunks(FILE_CAP)
        self._failure: Failure | None = None
        self.headers: cabc.Mapping[str, str] = keep_headers(http.headers, cleaner)
        self.status: int = http.status
        self.request_id: str | None = find_request_id(http.headers, cleaner)
        self._first: bytes | None = self._read()

        if self._failure is not None:
            raise AttemptFailed(self._failure)

        http.limit_total(STREAM_LIMIT)

    def _read(self) -> bytes | None:
        try:
            return next(self._pieces, None)
        except AttemptFailed as error:
            self._failure = error.failure

        self._http.close()
        return None

    def __next__(self) -> bytes:
        piece, self._first = self._first, None

        if piece is None:
            piece = self._read()

        if self._failure is not None:
            self._hangup.check()
            raise AttemptFailed(dataclasses.replace(self._failure, committed=True))

        if piece is None:
            self._http.close()
            raise StopIteration

        return piece

    @property
    def is_read(self) -> bool:
        """Not known before the end is asked for."""
        return False

    @property
    def text(self) -> str:
        """Nothing: what these bytes are is not known here."""
        return ""

    @property
    def usage(self) -> Usage:
        """Not known."""
        return Usage()

    @property
    def answer(self) -> ChatAnswer:
        """An answer of which nothing is known but its request id."""
        return ChatAnswer(
            text="",
            model="",
            usage=Usage(),
            finish_reason="other",
            request_id=self.request_id,
        )

    def close(self) -> None:
        """Let go of the connection."""
        self._first = None
        self._http.close()
