"""How a verdict about a key is written: at once, or as soon as it can be."""

from __future__ import annotations

import collections.abc as cabc
import threading
import typing as t

import sqlalchemy as sa

from ..vault.bookkeeping import RowRefused
from ..vault.database import Database
from ..vault.database import DuplicateRow
from ..vault.database import RowUpdate
from ..vault.database import WriteBusy
from ..vault.models import Tables
from ..vault.types import CircuitState
from .changes import Change
from .changes import Target
from .overlay import Overlay
from .overlay import Transition
from .system_keys import SystemKey

#: Seconds a claim waits for others' locks. Without a wait SQLite refuses a commit
#: beside any reader, and of forty that claim at once none may get through.
CLAIM_WAIT: t.Final = 0.25

#: The parameters of statements that are built once; no column is called so.
ID: t.Final = "byok_row_id"
GENERATION: t.Final = "byok_row_generation"
EPISODE: t.Final = "byok_row_episode"

#: Writes inside a transaction and says what changed.
Work = cabc.Callable[[sa.Connection], "Change | None"]

#: Writes inside the transaction of a claim.
Note = cabc.Callable[[sa.Connection], None]


def write_nothing(conn: sa.Connection) -> None:
    """Write nothing beside a claim."""


class KeyWriter:
    """Writes to the rows of company keys and system keys by id and generation.

    :param late: is called with each change that was written only after the call that
        made it had gone on.
    """

    def __init__(
        self,
        database: Database,
        tables: Tables,
        *,
        late: cabc.Callable[[Change], None] | None = None,
    ) -> None:
        #: Where the rows stand.
        self.database: Database = database
        self._tables = tables
        self._late = late
        self._overlay = Overlay()

    def view(self, target: Target) -> CircuitState:
        """Give the state to act on: the row that was read, and what waits here."""
        state = target.circuit
        # Nothing waits in nearly every call, which looks five times.
        return self._overlay.view(state) if self._overlay.pending else state

    def table(self, target: Target) -> sa.Table:
        """Give the table that a key's row stands in."""
        if isinstance(target, SystemKey):
            return self._tables.system_key

        return self._tables.credential

    def build(
        self, build: cabc.Callable[[sa.Table], sa.Update]
    ) -> dict[sa.Table, sa.Update]:
        """Build a statement once for each table of keys."""
        return {
            table: build(table)
            for table in (self._tables.credential, self._tables.system_key)
        }

    def names(self, target: Target, *, episode: int) -> dict[str, t.Any]:
        """Give the parameters that name a row as it was read."""
        return {
            ID: target.circuit.id,
            GENERATION: target.circuit.generation,
            EPISODE: episode,
        }

    def update(self, target: Target, *conditions: sa.ColumnElement[bool]) -> sa.Update:
        """Build an UPDATE of the row as it was read, where ``conditions`` hold."""
        table = self.table(target)
        return sa.update(table).where(
            table.c.id == target.circuit.id,
            table.c.generation == target.circuit.generation,
            *conditions,
        )

    def claim(self, update: sa.Update) -> bool:
        """Write one row at once or never; tell whether it was written."""
        return self.claim_by(lambda conn: conn.execute(update).rowcount == 1)

    def claim_by(
        self, claim: cabc.Callable[[sa.Connection], bool], note: Note = write_nothing
    ) -> bool:
        """Write at once or never: a claim that is made later would be two winners.

        :param note: writes what is to hold together with a claim that was won.
        """

        def work(conn: sa.Connection) -> bool:
            won = claim(conn)

            if won:
                note(conn)

            return won

        try:
            return self.database.try_write(work, wait=CLAIM_WAIT)
        except (WriteBusy, DuplicateRow, RowRefused):
            # Whatever keeps the note from being written: the call has its answer.
            return False

    def record(
        self,
        target: Target,
        transition: Transition,
        work: Work,
    ) -> Change | None:
        """Write a verdict at once, or let it hold here until it is written."""
        handover = self._hold(target, transition)
        self.database.record(work, weight="verdict", then=handover.put)
        return handover.take()

    def record_row(
        self,
        target: Target,
        transition: Transition,
        update: RowUpdate,
        values: cabc.Mapping[str, object],
        change: Change,
    ) -> Change | None:
        """Do the same with one UPDATE; ``change`` is what its one row means."""
        handover = self._hold(target, transition)
        self.database.record_update(
            update,
            values,
            weight="verdict",
            then=lambda rows: handover.put(change if rows == 1 else None),
        )
        return handover.take()

    def _hold(self, target: Target, transition: Transition) -> _Handover:
        """Let a verdict hold here until it is written."""
        pending = self._overlay.add(target.circuit, transition)
        return _Handover(self._late, lambda: self._overlay.remove(pending))


def row_is_named(table: sa.Table) -> sa.ColumnElement[bool]:
    """Build the condition that a row is the one its parameters name."""
    return sa.and_(
        table.c.id == sa.bindparam(ID), table.c.generation == sa.bindparam(GENERATION)
    )


class _Handover:
    """Gives a change to the call that made it, or to ``late`` once that has gone on.

    :param written: is called when the change is written.
    """

    def __init__(
        self,
        late: cabc.Callable[[Change], None] | None,
        written: cabc.Callable[[], None],
    ) -> None:
        self._late = late
        self._written = written
        self._lock = threading.Lock()
        self._change: Change | None = None
        self._gone_on = False

    def put(self, change: Change | None) -> None:
        self._written()

        with self._lock:
            self._change = change
            gone_on = self._gone_on

        if gone_on and change is not None and self._late is not None:
            self._late(change)

    def take(self) -> Change | None:
        with self._lock:
            self._gone_on = True
            return self._change


def if_done(update: sa.Update, change: Change | None) -> Work:
    """Make the work of one UPDATE; ``change`` is what its one row means."""

    def work(conn: sa.Connection) -> Change | None:
        return change if conn.execute(update).rowcount == 1 else None

    return work
