"""Writes that could not be made at once, kept in order and within bounds."""

from __future__ import annotations

import collections.abc as cabc
import itertools
import logging
import threading
import time
import typing as t

from ..events import log_event
from .connections import Connections
from .query import Insertion

#: What a record is worth when the buffer is full; the least goes first.
Weight = t.Literal["attempt", "verdict", "settlement"]

_ORDER: tuple[Weight, ...] = ("attempt", "verdict", "settlement")
_log = logging.getLogger(__name__)


class Record(t.NamedTuple):
    """One deferred write.

    :param write: makes the write as a transaction of its own; its times are fixed when
        the record is made, not when it is written.
    :param then: is called with the result after the commit.
    :param row: what it inserts, where that is all it does; with an id made by us.
    """

    write: cabc.Callable[[Connections], t.Any]
    weight: Weight
    then: cabc.Callable[[t.Any], None] | None = None
    row: tuple[Insertion, cabc.Mapping[str, object]] | None = None


class Buffer:
    """Records in the order they came.

    :param limit: how many are kept. A full buffer gives up its oldest record of the
        least weight, counts it in :attr:`lost` and tells the log once an hour.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._records: list[Record] = []
        # Reentrant: the garbage collector may close a stream in the midst of this.
        self._lock = threading.RLock()
        self._told_at: float | None = None
        #: How many records were given up.
        self.lost: int = 0

    def __len__(self) -> int:
        return len(self._records)

    @property
    def is_crowded(self) -> bool:
        """Whether half of the room is taken."""
        return len(self._records) > self._limit / 2

    def add(self, record: Record) -> None:
        """Keep a record, at the cost of a lesser one when there are too many."""
        with self._lock:
            self._records.append(record)
            overflow = len(self._records) > self._limit

            if overflow:
                self._records.remove(self._least())
                self.lost += 1

        if overflow:
            self._tell()

    def first(self) -> Record | None:
        """Look at the oldest record."""
        with self._lock:
            return self._records[0] if self._records else None

    def first_rows(self, limit: int) -> list[Record]:
        """List the oldest records as far as all are rows of one table."""
        with self._lock:
            oldest = self._records[:limit]

        table = oldest[0].row and oldest[0].row[0] if oldest else None
        return list(
            itertools.takewhile(
                lambda record: record.row is not None and record.row[0] is table, oldest
            )
        )

    def drop(self, records: cabc.Iterable[Record]) -> None:
        """Forget records that are written, unless an overflow was quicker."""
        with self._lock:
            for record in records:
                place = self._find(record)

                if place is not None:
                    del self._records[place]

    def _find(self, record: Record) -> int | None:
        """Tell where a record is; it is the first, as a rule."""
        return next(
            (place for place, kept in enumerate(self._records) if kept is record), None
        )

    def _least(self) -> Record:
        return min(self._records, key=lambda record: _ORDER.index(record.weight))

    def _tell(self) -> None:
        now = time.monotonic()

        if self._told_at is None or now - self._told_at > 3600:
            self._told_at = now
            log_event(
                _log,
                logging.ERROR,
                "records_lost",
                "flask-byok could not write its records for too long: %(lost)d lost so "
                "far. Look for what keeps its tables locked.",
                lost=self.lost,
            )
