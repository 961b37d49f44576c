"""Reads and writes beside the host, never on its session."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import datetime as dt
import os
import typing as t
import weakref

import sqlalchemy as sa

from ..errors import StateUnavailable
from .bookkeeping import Bookkeeper
from .bookkeeping import DuplicateRow as DuplicateRow
from .bookkeeping import in_transaction
from .bookkeeping import of_row
from .bookkeeping import WriteBusy as WriteBusy
from .buffer import Record
from .buffer import Weight
from .clock import db_now
from .clock import read_time
from .connections import Connections
from .query import Insertion as Insertion
from .query import Query
from .query import RowUpdate as RowUpdate
from .waiting import Trouble
from .waiting import WRITE_WAIT

T = t.TypeVar("T")

_SENTENCES: dict[Trouble, str] = {
    "busy": "Another transaction holds the tables of flask-byok. Nothing was changed; "
    "try again. If this app has changed rows itself before, commit or roll back first.",
    "host_is_writing": "This app's in-memory database holds uncommitted changes, so "
    "flask-byok cannot change anything. Commit or roll back first, or keep its tables "
    "in a database of their own (BYOK_BIND_KEY).",
    "no_tables": "The tables of flask-byok are missing or incomplete in this database. "
    "Run your migrations, or 'db.create_all()', and try again.",
    "duplicate": "The database refused a row of flask-byok because it already exists.",
    "refused": "The database refused a value of flask-byok as too large or malformed. "
    "Nothing was changed.",
    "down": "The database of flask-byok cannot be reached or used. Try again.",
}


class Database:
    """Our own way to the host's database.

    Nothing here touches the host's session, and no connection outlives the statement
    or transaction it was taken for. All times handed out and written are those of the
    database's clock.

    :param get_host_engine: gives the host's engine as Flask-SQLAlchemy made it; asked
        once per process, at the first use.
    :param buffer_limit: how many deferred writes are kept.
    """

    def __init__(
        self,
        get_host_engine: cabc.Callable[[], sa.Engine],
        *,
        buffer_limit: int = 1000,
    ) -> None:
        self._get_host_engine = get_host_engine
        self._buffer_limit = buffer_limit
        self._processes: dict[int, Bookkeeper] = {}
        #: Added to the database's clock. Tests move time with it.
        self.clock_offset: dt.timedelta = dt.timedelta(0)

    def _own(self) -> Bookkeeper:
        """Find what belongs to this process: a fork must not share connections.

        What the parent made stays referenced, so that the child does not close it.
        """
        pid = os.getpid()
        return self._processes.get(pid) or self._begin_process(pid)

    def _begin_process(self, pid: int) -> Bookkeeper:
        made = Bookkeeper(Connections(self._get_host_engine), self._buffer_limit)
        own = self._processes.setdefault(pid, made)

        if own is made:
            # At the interpreter's end too: nothing deferred is lost by a clean stop.
            weakref.finalize(self, _end_process, pid, own)

        return own

    @property
    def engine(self) -> sa.Engine:
        """The engine of this process."""
        return self._own().connections.engine

    @property
    def is_in_memory(self) -> bool:
        """Whether the tables live in the host's one connection, seen by nobody else."""
        return self._own().connections.is_in_memory

    @property
    def pending(self) -> int:
        """How many writes are deferred."""
        return len(self._own().buffer)

    @property
    def lost(self) -> int:
        """How many deferred writes were given up in this process."""
        return self._own().buffer.lost

    def fetch(
        self, query: Query, parameters: cabc.Mapping[str, object]
    ) -> cabc.Sequence[tuple[t.Any, ...]]:
        """Run one prepared query and give its rows as the driver gives them.

        The quick way, for what every call reads. A connection that died meanwhile is
        replaced once.

        :raises StateUnavailable: when the rows cannot be read.
        """
        connections = self._own().connections

        try:
            return connections.fetch(query, parameters)
        except connections.errors as error:
            trouble = connections.judge(error)

        raise StateUnavailable(_SENTENCES[trouble])

    @contextlib.contextmanager
    def read(self) -> cabc.Iterator[sa.Connection]:
        """Give a connection for a few reads.

        :raises StateUnavailable: for every error of the database.
        """
        connections = self._own().connections

        with _clean_errors(connections), connections.reading() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> cabc.Iterator[sa.Connection]:
        """Give a connection for a person's change: one transaction, which may wait.

        It has begun, holding the write lock on SQLite, and is committed at the end of
        the block, or rolled back when the block raises.

        :raises StateUnavailable: for every error of the database.
        """
        connections = self._own().connections

        with (
            _clean_errors(connections),
            connections.writing(WRITE_WAIT) as connection,
        ):
            yield connection

    def try_write(
        self, work: cabc.Callable[[sa.Connection], T], *, wait: float = 0.0
    ) -> T:
        """Make a bookkeeping write in a transaction of its own, now or not at all.

        :param work: gets the connection; what it returns is returned.
        :param wait: seconds to wait for somebody else's lock.
        :raises WriteBusy: when it cannot be made now, whatever the cause.
        :raises DuplicateRow: when a row of the same key exists.
        """
        return self._own().try_write(in_transaction(work, wait))

    def record(
        self,
        work: cabc.Callable[[sa.Connection], T],
        *,
        weight: Weight = "attempt",
        then: cabc.Callable[[T], None] | None = None,
    ) -> bool:
        """Make a bookkeeping write at once, or keep it until it can be made.

        Never raises an ordinary exception.

        :param then: is called with the result of ``work`` after the commit, now or
            later.
        :return: whether it is written.
        """
        record = Record(write=in_transaction(work), weight=weight, then=then)
        return self._own().record(record)

    def try_insert(self, insertion: Insertion, row: cabc.Mapping[str, object]) -> None:
        """Insert one row, the quick way, now or not at all.

        :raises WriteBusy: when it cannot be written now, whatever the cause.
        :raises DuplicateRow: when a row of the same key exists.
        """
        self._own().try_write(of_row(insertion, row))

    def record_row(self, insertion: Insertion, row: cabc.Mapping[str, object]) -> bool:
        """Insert one row at once, the quick way, or keep it until it can be.

        Never raises an ordinary exception.

        :return: whether it is written.
        """
        write = of_row(insertion, row)
        return self._own().record(Record(write, "attempt", row=(insertion, row)))

    def record_update(
        self,
        update: RowUpdate,
        values: cabc.Mapping[str, object],
        *,
        weight: Weight,
        then: cabc.Callable[[int], None],
    ) -> bool:
        """Update one row at once, the quick way, or keep that until it can be done.

        Never raises an ordinary exception.

        :param values: the columns to set, and the parameters of the conditions.
        :param then: is called with the number of rows after the commit, now or later.
        :return: whether it is written.
        """
        return self._own().record(Record(of_row(update, values), weight, then=then))

    def flush(self, *, force: bool = False) -> None:
        """Make the deferred writes, in order, as far as they can be made now.

        Never raises an ordinary exception. After an attempt that had to wait, further
        ones rest for a second.

        :param force: do not rest.
        """
        self._own().flush(force=force)

    def now(self, connection: sa.Connection) -> dt.datetime:
        """Ask the database for the time; aware UTC."""
        return self.moved(connection.scalar(sa.select(db_now())))

    def moved(self, value: t.Any) -> dt.datetime:
        """Make the clock's raw answer aware, and move it as tests wish."""
        time: dt.datetime = read_time(value)
        return time + self.clock_offset

    def close(self) -> None:
        """Make the deferred writes and close this process's connections."""
        self._own().close()


@contextlib.contextmanager
def _clean_errors(connections: Connections) -> cabc.Iterator[None]:
    try:
        yield
    except connections.errors as error:
        trouble = connections.judge(error)
    else:
        return

    failure = StateUnavailable(_SENTENCES[trouble])

    try:
        raise failure
    finally:
        # The with statement that runs this is still handling the database's error,
        # which Python would chain.
        failure.__context__ = None


def _end_process(pid: int, own: Bookkeeper) -> None:
    # A forked child ends with its parent's finalizers in hand.
    if os.getpid() == pid:
        own.close()
