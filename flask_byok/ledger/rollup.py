"""Old attempts become sums per day: added and deleted in one transaction.

Any attempt that has ended may move at any time, late ones of an old day too, in as many
processes as one likes: whoever deletes an attempt adds it.
"""

from __future__ import annotations

import collections
import collections.abc as cabc
import datetime as dt
import hashlib
import json
import typing as t

import sqlalchemy as sa

from ..vault.clock import read_time
from ..vault.database import Database
from ..vault.database import DuplicateRow
from ..vault.database import WriteBusy
from ..vault.models import DAY_COUNTS
from ..vault.models import Tables
from ..vault.rotation import can_skip_locked
from .attempts import EndState

#: Attempts of one transaction.
BATCH: t.Final = 500

#: How often a batch is begun anew when another sweep was in its way.
TRIES: t.Final = 5

#: What attempts are added up by; with the values of one, the id of its sums.
_KEYS: t.Final = ("company_id", "day", "source", "provider", "model", "label")
_READ: t.Final = (
    "id",
    "started_at",
    "state",
    "company_id",
    "source",
    "provider",
    "model",
    "label",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_micros",
)
_Key = tuple[t.Any, ...]
_Counts = collections.Counter[str]


class RollUp:
    """Moves attempts of long ago into the sums of their day."""

    def __init__(self, database: Database, tables: Tables) -> None:
        self._database = database
        self._attempts = tables.attempt
        self._sums = tables.usage_day

    def count(self, before: dt.datetime) -> int:
        """Count the attempts that are to move.

        :raises StateUnavailable: when the rows cannot be read.
        """
        query = sa.select(sa.func.count()).where(
            self._attempts.c.state.in_(t.get_args(EndState)),
            self._attempts.c.expires_at < before,
        )

        with self._database.read() as conn:
            return conn.scalar(query) or 0

    def move(self, before: dt.datetime, *, most: int = BATCH, wait: float = 1.0) -> int:
        """Move one batch, in one transaction.

        :param before: an attempt moves when it had to be over by then.
        :param wait: seconds to wait for others' locks.
        :return: how many; call again while it is not 0.
        :raises WriteBusy: when it cannot be done now; nothing has changed.
        """
        for _ in range(TRIES - 1):
            try:
                return self._move(before, most, wait)
            except DuplicateRow:
                # Another sweep made the sums of the same day at the same moment.
                continue

        return self._last_try(before, most, wait)

    def _last_try(self, before: dt.datetime, most: int, wait: float) -> int:
        try:
            return self._move(before, most, wait)
        except DuplicateRow:
            pass

        raise WriteBusy("busy")

    def _move(self, before: dt.datetime, most: int, wait: float) -> int:
        def work(conn: sa.Connection) -> int:
            rows = self._take(conn, before, most)

            if rows:
                self._add(conn, rows)
                self._delete(conn, rows)

            return len(rows)

        return self._database.try_write(work, wait=wait)

    def _take(self, conn: sa.Connection, before: dt.datetime, most: int) -> list[t.Any]:
        """Read and lock a batch. One state at a time: that is what the index holds."""
        columns = self._attempts.c
        # Another sweep's batch is passed over where that can be said; else waited for.
        skip = can_skip_locked(conn.dialect)

        for state in t.get_args(EndState):
            query = (
                sa.select(*(columns[name] for name in _READ))
                .where(columns.state == state, columns.expires_at < before)
                .order_by(columns.expires_at)
                .limit(most)
                .with_for_update(skip_locked=skip)
            )

            if rows := list(conn.execute(query)):
                return rows

        return []

    def _add(self, conn: sa.Connection, rows: cabc.Iterable[t.Any]) -> None:
        sums: dict[_Key, _Counts] = collections.defaultdict(collections.Counter)

        for row in rows:
            sums[_key(row)].update(_counts(row))

        # In the order of their ids: two sweeps must not wait for each other.
        by_id = {_id_of(key): (key, counts) for key, counts in sums.items()}

        for row_id in sorted(by_id):
            self._add_one(conn, row_id, *by_id[row_id])

    def _add_one(
        self, conn: sa.Connection, row_id: str, key: _Key, counts: _Counts
    ) -> None:
        columns = self._sums.c
        added = {name: columns[name] + counts[name] for name in DAY_COUNTS}
        update = sa.update(self._sums).where(columns.id == row_id).values(added)

        if conn.execute(update).rowcount != 1:
            about = dict(zip(_KEYS, key, strict=True))
            first = {name: counts[name] for name in DAY_COUNTS}
            conn.execute(sa.insert(self._sums), {"id": row_id, **about, **first})

    def _delete(self, conn: sa.Connection, rows: list[t.Any]) -> None:
        ids = [row.id for row in rows]
        gone = conn.execute(
            sa.delete(self._attempts).where(self._attempts.c.id.in_(ids))
        )

        # Never, while the batch is locked: it would count an attempt twice.
        if gone.rowcount != len(ids):
            raise WriteBusy("busy")


def _key(row: t.Any) -> _Key:
    day = read_time(row.started_at).date()
    return (row.company_id, day, row.source, row.provider, row.model, row.label)


def _id_of(key: _Key) -> str:
    text = json.dumps([None if part is None else str(part) for part in key])
    return hashlib.sha256(text.encode()).hexdigest()


def _counts(row: t.Any) -> dict[str, int]:
    return {
        "requests": 1,
        "failed": int(row.state == "failed"),
        "unknown": int(row.state == "unknown"),
        "input_tokens": row.input_tokens or 0,
        "cached_tokens": row.cached_tokens or 0,
        "output_tokens": row.output_tokens or 0,
        "reasoning_tokens": row.reasoning_tokens or 0,
        "cost_micros": row.cost_micros or 0,
        "unpriced": int(row.cost_micros is None),
    }
