"""Rotation: every stored key goes over to the primary master key while the app runs.

The rows are the state. Each batch is a transaction of its own, so a rotation that is
killed loses at most one batch and is simply run again, and several may run at once.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t
import uuid

import sqlalchemy as sa

from ..errors import BYOKError
from ..errors import RotationStopped
from .database import Database
from .keyring import API_KEY
from .keyring import Keyring
from .sealed_rows import page_query
from .sealed_rows import position_of
from .sealed_rows import read_page
from .sealed_rows import SealedRow
from .sealed_rows import SERVICE_DOWN
from .sealed_rows import unreadable
from .sealed_rows import UnreadableKey
from .store import Store
from .swapping import Resealed
from .swapping import Swap

#: Keys of one transaction, unless somebody asks for another number.
BATCH: t.Final = 500

_STOPPED: t.Final = (
    "The key service cannot be reached, so the rotation stopped. What was moved stays "
    "moved; run it again when the service answers."
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one batch came to; it is committed.

    :param position: how much of the way lies behind, from 0 to 1.
    :param moved: keys that are sealed by the primary now.
    :param changed: keys that were saved, removed or moved by somebody else meanwhile.
    """

    position: float
    moved: int = 0
    changed: int = 0
    unreadable: tuple[UnreadableKey, ...] = ()


class _Batch(t.NamedTuple):
    """Keys sealed anew, and those that could not be."""

    resealed: list[Resealed]
    unreadable: tuple[UnreadableKey, ...]


class Rotation:
    """Moves stored keys to the primary. Made for one run and thrown away after it.

    Where the database can skip rows that others have locked, a batch is locked, moved
    and committed, so that several workers share the work. Elsewhere, and with a key
    service, which nobody holds a lock for, it is read without one. Either way a row is
    only written when it still holds what was read.

    :param batch: keys of one transaction.
    :param most: how many keys to move at most; ``None`` for all.
    :param purpose: what the keys of the table are sealed for.
    """

    def __init__(
        self,
        database: Database,
        store: Store,
        table: sa.Table,
        keyring: Keyring,
        *,
        batch: int = BATCH,
        most: int | None = None,
        purpose: str = API_KEY,
    ) -> None:
        self._database = database
        self._store = store
        self._table = table
        self._keyring = keyring
        self._batch = batch
        self._most = most
        self._purpose = purpose
        self._query = page_query(table, not_under=keyring.primary)
        self._swap = Swap(table, keyring.primary)
        self._told: set[str] = set()
        self._moved = 0

    def run(self) -> cabc.Iterator[Step]:
        """Move all keys, or as many as were asked for, a batch at a time.

        :raises VaultClosed: when the primary may not seal here, or another master key
            of the ring is not the one of this database.
        :raises RotationStopped: when a key service cannot be reached.
        :raises StateUnavailable: when the rows cannot be read or written.
        """
        # Committed at once: an open batch that brings the primary's first row would
        # make every other worker wait for it.
        with self._database.write() as connection:
            self._store.ensure_check_value(connection, self._keyring)

        if not self._can_skip():
            while (yield from self._walk(self._move_unlocked, self._batch)):
                pass

            return

        while (yield from self._walk(self._move_skipping, self._batch)):
            pass

        yield from self._walk(self._move_waiting, self._batch)

    def _can_skip(self) -> bool:
        """Tell whether rows may be locked while they are sealed: briefly, and here."""
        if self._keyring.service_ids:
            return False

        with self._database.read() as connection:
            return can_skip_locked(connection.dialect)

    def _walk(
        self, move: cabc.Callable[[str, int], tuple[Step, str | None]], size: int
    ) -> cabc.Generator[Step, None, bool]:
        """Go through the rows once; tell whether it is worth another time."""
        happened = 0
        after: str | None = ""

        while after is not None and (room := self._room(size)):
            step, after = move(after, room)
            self._moved += step.moved
            happened += step.moved + step.changed
            yield step

            # Somebody else is at work right here: go on elsewhere.
            if step.changed and not step.moved and after is not None:
                after = str(uuid.uuid4())

        return happened > 0

    def _room(self, size: int) -> int:
        return size if self._most is None else min(size, self._most - self._moved)

    def _move_skipping(self, after: str, size: int) -> tuple[Step, str | None]:
        return self._move_locked(
            self._query.with_for_update(skip_locked=True), after, size
        )

    def _move_waiting(self, after: str, size: int) -> tuple[Step, str | None]:
        """Wait for a row that somebody else still holds, and hold nothing meanwhile.

        One row of the page at most; those that do not open are passed over.
        """
        with self._database.read() as connection:
            rows = self._read(connection, self._query, after, size)

        for row in rows:
            if row.id not in self._told:
                return self._move_locked(self._query.with_for_update(), after, 1)

            after = row.id

        return self._end(rows, size, _Batch([], ()), 0)

    def _move_locked(
        self, query: sa.Select[t.Any], after: str, size: int
    ) -> tuple[Step, str | None]:
        """Lock rows, seal them in memory, write and commit."""
        with self._database.write() as connection:
            self._store.ensure_check_value(connection, self._keyring)
            rows = self._read(connection, query, after, size)
            batch = self._seal(rows)
            moved = self._swap.write(connection, batch.resealed)

        return self._end(rows, size, batch, moved)

    def _move_unlocked(self, after: str, size: int) -> tuple[Step, str | None]:
        """Read rows, seal them while nobody waits, write what is still the same."""
        with self._database.read() as connection:
            rows = self._read(connection, self._query, after, size)

        batch = self._seal(rows)
        moved = 0

        if batch.resealed:
            with self._database.write() as connection:
                self._store.ensure_check_value(connection, self._keyring)
                moved = self._swap.write(connection, batch.resealed)

        return self._end(rows, size, batch, moved)

    def _read(
        self,
        connection: sa.Connection,
        query: sa.Select[t.Any],
        after: str,
        size: int,
    ) -> list[SealedRow]:
        return read_page(connection, query, after, size, self._purpose)

    def _end(
        self, rows: list[SealedRow], size: int, batch: _Batch, moved: int
    ) -> tuple[Step, str | None]:
        after = rows[-1].id if len(rows) == size else None
        step = Step(
            position=1.0 if after is None else position_of(rows[-1]),
            moved=moved,
            changed=len(batch.resealed) - moved,
            unreadable=batch.unreadable,
        )
        return step, after

    def _seal(self, rows: list[SealedRow]) -> _Batch:
        resealed = []
        failed = []

        for row in rows:
            if row.id in self._told:
                continue

            sealed = _seal_anew(self._keyring, row)

            if isinstance(sealed, bytes):
                resealed.append(Resealed(row, sealed))
            else:
                self._told.add(row.id)
                failed.append(unreadable(row, sealed))

        return _Batch(resealed, tuple(failed))


def _seal_anew(keyring: Keyring, row: SealedRow) -> bytes | str:
    """Open a key and seal it under the primary; else give the reason.

    :raises RotationStopped: when a key service cannot be reached.
    """
    context = row.context
    reason: str = "unsealable"

    try:
        return keyring.seal(keyring.open(row.blob, context, key_id=row.key_id), context)
    except (BYOKError, ValueError) as error:
        reason = getattr(error, "reason", reason)

    # Outside the except block, so that nothing is chained.
    if reason == SERVICE_DOWN:
        raise RotationStopped(_STOPPED)

    return reason


def count_left(database: Database, table: sa.Table, primary: str) -> dict[str, int]:
    """Count the keys under other master keys than the primary, by their ids.

    :raises StateUnavailable: when they cannot be counted.
    """
    query = (
        sa.select(table.c.key_id, sa.func.count())
        .where(table.c.key_id != primary)
        .group_by(table.c.key_id)
        .order_by(table.c.key_id)
    )

    with database.read() as connection:
        return {key_id: number for key_id, number in connection.execute(query)}


def can_skip_locked(dialect: sa.Dialect) -> bool:
    """Tell whether a database that was connected to once has ``SKIP LOCKED``."""
    if dialect.name == "postgresql":
        return True

    if dialect.name not in ("mysql", "mariadb"):
        return False

    version: tuple[t.Any, ...] = getattr(dialect, "server_version_info", None) or (0,)
    is_mariadb = getattr(dialect, "is_mariadb", False)
    return tuple(version[:2]) >= ((10, 6) if is_mariadb else (8, 0))
