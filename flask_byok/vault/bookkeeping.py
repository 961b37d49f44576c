"""Writes that never wait for anybody: made at once, or kept and made later."""

from __future__ import annotations

import collections.abc as cabc
import logging
import random
import threading
import time
import typing as t

import sqlalchemy as sa

from ..events import log_event
from .buffer import Buffer
from .buffer import Record
from .connections import Connections
from .query import Insertion
from .query import RowUpdate

#: An attempt that took longer than this had to wait for somebody; seconds.
_SLOW = 0.05

#: Seconds without a further attempt after that.
_REST = 1.0

#: Seconds the end of a process waits for others' locks, and the pauses meanwhile.
_LAST_WAIT = 5.0

_LAST_PAUSES = (0.005, 0.02)

#: So many kept records a caller writes before it goes on with its own work, and so many
#: rows stand in one transaction.
_TURN = 50

T = t.TypeVar("T")
_log = logging.getLogger(__name__)


class WriteBusy(Exception):
    """A bookkeeping write cannot be made now. It has not happened."""


class DuplicateRow(Exception):
    """A bookkeeping write met a row that already exists. It has not happened."""


class RowRefused(Exception):
    """A bookkeeping write holds a value the database never takes."""


def in_transaction(
    work: cabc.Callable[[sa.Connection], T], wait: float = 0.0
) -> cabc.Callable[[Connections], T]:
    """Make a write of ``work``, which needs several statements or their results.

    :param wait: seconds to wait for somebody else's lock.
    """

    def write(connections: Connections) -> T:
        with connections.writing(wait) as connection:
            return work(connection)

    return write


def of_row(
    prepared: Insertion | RowUpdate, values: cabc.Mapping[str, object]
) -> cabc.Callable[[Connections], int]:
    """Make a write of one row, the quick way; it gives the number of rows."""
    return lambda connections: connections.write_row(prepared, values)


def _of_rows(records: cabc.Sequence[Record]) -> cabc.Callable[[Connections], None]:
    """Make one write of records that are rows of one table."""
    rows = [record.row for record in records if record.row is not None]
    insertion = rows[0][0]
    return in_transaction(
        lambda connection: insertion.run_all(connection, [row for _, row in rows])
    )


class Bookkeeper:
    """What one process has of a database: its connections and its deferred writes."""

    def __init__(self, connections: Connections, buffer_limit: int) -> None:
        self.connections = connections
        self.buffer: Buffer = Buffer(buffer_limit)
        self._flushing = threading.Lock()
        self._rest_until = 0.0
        self._is_busy = False

    def try_write(self, write: cabc.Callable[[Connections], T]) -> T:
        """Write now or not at all.

        :param write: as one transaction.
        :raises WriteBusy: when it cannot be made now.
        :raises DuplicateRow: when a row of the same key exists.
        :raises RowRefused: when the database will never take the row.
        """
        connections = self.connections

        try:
            return write(connections)
        except connections.errors as error:
            trouble = connections.judge(error)

        if trouble == "duplicate":
            raise DuplicateRow

        raise RowRefused if trouble == "refused" else WriteBusy(trouble)

    def record(self, record: Record) -> bool:
        """Write now if nothing is waiting before it; else keep it."""
        if not len(self.buffer) and self._write(record):
            return True

        self.buffer.add(record)
        self.flush()
        return False

    def flush(self, *, force: bool = False) -> None:
        """Write what is kept, in order, until one cannot be written.

        However many others add meanwhile, this ends: the next caller goes on.

        :param force: try at once, and write all that is kept by now.
        """
        if not len(self.buffer) or (self._is_resting() and not force):
            return

        # One writes for all; where rows come faster than that, their callers queue.
        if not self._flushing.acquire(timeout=_SLOW if self.buffer.is_crowded else 0):
            return

        left = len(self.buffer) if force else _TURN

        try:
            while left > 0 and (written := self._write_kept(min(left, _TURN))):
                left -= written
        finally:
            self._flushing.release()

    def close(self) -> None:
        """Write what is kept and close the connections.

        Workers that stop together are in each other's way: each waits a little.
        """
        until = time.monotonic() + _LAST_WAIT
        self.flush(force=True)

        while len(self.buffer) and self._is_busy and time.monotonic() < until:
            time.sleep(random.uniform(*_LAST_PAUSES))
            self.flush(force=True)

        self.connections.close()

    def _is_resting(self) -> bool:
        return time.monotonic() < self._rest_until

    def _write_kept(self, limit: int) -> int:
        """Write the oldest record, with the rows behind it; tell how many are done.

        Threads that put off rows on a healthy database add them faster than a
        transaction for each could write them.
        """
        records = self.buffer.first_rows(limit)

        if len(records) > 1:
            try:
                self._try(_of_rows(records))
            except WriteBusy:
                return 0
            except Exception:
                # One of them is the cause: alone, each tells of itself.
                pass
            else:
                self.buffer.drop(records)
                return len(records)

        record = self.buffer.first()

        if record is None or not self._write(record):
            return 0

        self.buffer.drop([record])
        return 1

    def _write(self, record: Record) -> bool:
        """Write one; ``True`` when nothing is left to do about it."""
        try:
            result = self._try(record.write)
        except WriteBusy:
            return False
        except Exception as error:
            if record.row is not None and isinstance(error, DuplicateRow):
                # The connection died before the database could say that it is written.
                return True

            log_event(
                _log,
                logging.ERROR,
                "record_given_up",
                "flask-byok gave up a record that can never be written (%(error)s).",
                error=type(error).__name__,
            )
            return True

        if record.then is not None:
            _call_apart(record.then, result)

        return True

    def _try(self, write: cabc.Callable[[Connections], T]) -> T:
        """Write now or not at all, and rest a while when that cost time.

        :raises WriteBusy: when it cannot be made now.
        """
        began = time.monotonic()
        self._is_busy = False

        try:
            return self.try_write(write)
        except WriteBusy as error:
            self._is_busy = error.args == ("busy",)
            ended = time.monotonic()
            waited = ended - began > _SLOW and not self.connections.refuses_at_once
            self._rest_until = ended + _REST if waited else 0.0
            raise


def _call_apart(then: cabc.Callable[[t.Any], None], result: object) -> None:
    try:
        then(result)
    except Exception as error:
        log_event(
            _log,
            logging.ERROR,
            "follow_up_failed",
            "What follows a record of flask-byok failed (%(error)s).",
            error=type(error).__name__,
        )
