"""A stream after its first content: passed on, and settled however it ends."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import time
import typing as t

from ..errors import StreamInterrupted
from ..providers.streams import Pieces
from ..providers.types import Attempt
from ..providers.types import AttemptFailed
from ..providers.types import ChatAnswer
from ..providers.types import Failure
from ..vault.types import CompanyState
from .classify import classify
from .raising import build_interruption
from .rooms import Rooms
from .routes import Route
from .walk import Arrived
from .watch import CallWatch

T = t.TypeVar("T")


class OpenStream(t.Generic[T]):
    """Passes pieces on. Never another route: what was shown cannot be taken back."""

    def __init__(
        self,
        rooms: Rooms,
        state: CompanyState,
        arrived: Arrived[Pieces[T]],
        watch: CallWatch,
    ) -> None:
        self._rooms = rooms
        self._state = state
        self._arrived = arrived
        self._watch = watch
        self._stream = arrived.value
        self._began = time.perf_counter() - arrived.latency_ms / 1000
        self._has_ended = False
        self.route: Route = arrived.route
        self.attempts: tuple[Attempt, ...] = arrived.attempts
        #: Whole once the stream has ended; ``None`` before.
        self.answer: ChatAnswer | None = None
        #: Wall time of the attempt, in ms; of the whole stream once it has ended.
        self.latency_ms: int = arrived.latency_ms

    @property
    def head(self) -> tuple[int, cabc.Mapping[str, str]]:
        """Status and headers of the answer, as far as they may be shown."""
        return self._stream.status, self._stream.headers

    @property
    def is_read(self) -> bool:
        """Whether all pieces were given, and only the clean end is left."""
        return not self._has_ended and self._stream.is_read

    def next(self) -> T:
        """Give the next piece.

        :raises StopIteration: at the end.
        :raises StreamInterrupted: when the stream broke.
        """
        if self._has_ended:
            raise StopIteration

        failure = None

        try:
            return next(self._stream)
        except StopIteration:
            pass
        except AttemptFailed as error:
            failure = error.failure
        except BaseException:
            self.close()
            raise

        if failure is not None:
            raise self._interrupt(failure)

        self._finish()
        raise StopIteration

    def close(self) -> None:
        """Leave the stream; what was used until now is counted."""
        if self._has_ended:
            return

        self._end()
        self._arrived.ticket.break_off(
            "cancelled", "cancelled", self._stream.usage, self.latency_ms
        )
        self._watch.left(self._stream.usage)

    def _finish(self) -> None:
        self._end()
        self._note_success()
        self.answer = self._stream.answer
        self._arrived.ticket.finish(
            self.answer.usage, self.answer.request_id, self.latency_ms
        )
        self._watch.finished(self.answer)

    def _note_success(self) -> None:
        """Note a clean end; a probe's success was noted at its first content."""
        circuits, target = self._rooms.circuits, self._arrived.target

        if circuits.view(target).circuit == "closed":
            now = self._state.now()
            self._rooms.teller.changed(circuits.marks.succeeded(target, now), now)
            self._look_for_notice(now)

    def _look_for_notice(self, now: dt.datetime) -> None:
        credential = self._arrived.route.credential

        if credential is not None:
            state = self._rooms.circuits.view(credential)
            self._rooms.teller.notices.look(credential, state, now, works=True)

    def _interrupt(self, failure: Failure) -> StreamInterrupted:
        self._end()
        now = self._state.now()
        verdict = classify(failure, dialect=self.route.provider.error_table, now=now)
        change = self._rooms.circuits.failed(
            self._arrived.target, verdict, now, model=self.route.model
        )
        self._rooms.teller.changed(change, now)
        self._watch.changed(change)
        usage = self._stream.usage
        self._arrived.ticket.break_off(
            "unknown", verdict.reason, usage, self.latency_ms
        )
        error = build_interruption(
            verdict,
            self.route,
            self.attempts,
            partial=self._stream.text,
            usage=usage,
        )
        self._watch.interrupted(error)
        return error

    def _end(self) -> None:
        self._has_ended = True
        self.latency_ms = round((time.perf_counter() - self._began) * 1000)
        self._stream.close()
        self._rooms.ended(self.latency_ms / 1000)
