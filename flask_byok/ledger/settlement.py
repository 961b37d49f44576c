"""How a started attempt comes to its end: charged once, whoever settles it."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import typing as t

import sqlalchemy as sa

from ..vault.database import Database
from ..vault.database import RowUpdate
from ..vault.models import Tables
from .attempts import AttemptEnd
from .attempts import charged
from .attempts import end_values
from .attempts import Reserved
from .budget import Budget
from .budget import Crossing
from .rows import fit
from .rows import text_lengths

#: How a forgotten attempt ends: it was sent, and nobody knows what it used.
FORGOTTEN: t.Final = AttemptEnd(state="unknown", reason="timeout")

#: The parameter that names the attempt; no column is called so.
_ID: t.Final = "byok_attempt_id"


class Settlement:
    """Ends started attempts, with the budget in the same transaction.

    :param crossed: is called after the commit with what is worth telling.
    """

    def __init__(
        self,
        database: Database,
        tables: Tables,
        budget: Budget,
        crossed: cabc.Callable[[Crossing], None] | None,
    ) -> None:
        self._database = database
        self._table = tables.attempt
        self._ending = _build_ending(tables.attempt)
        self._lengths = text_lengths(tables.attempt)
        self._budget = budget
        self._crossed = crossed

    def settle(
        self,
        conn: sa.Connection,
        attempt_id: str,
        company_id: str,
        period: str,
        reserved: Reserved | None,
        end: AttemptEnd,
        cost_micros: int | None,
    ) -> list[Crossing] | None:
        """Settle an attempt; ``None`` when it was settled before.

        :param reserved: ``None`` when nothing was: there is nothing to charge then.
        """
        values = fit(self._lengths, end_values(end, cost_micros))

        ending = conn.execute(self._ending.statement, {_ID: attempt_id, **values})

        if ending.rowcount != 1:
            return None

        if reserved is None:
            return []

        return self._budget.settle(
            conn,
            company_id,
            period,
            reserved=reserved.amounts,
            used=charged(end, reserved, cost_micros),
        )

    def record_end(
        self,
        attempt_id: str,
        end: AttemptEnd,
        cost_micros: int | None,
        then: cabc.Callable[[bool], None],
    ) -> None:
        """Settle an attempt for which nothing is reserved, now or later.

        :param then: is told, after the commit, whether it was not settled before.
        """
        values = fit(self._lengths, end_values(end, cost_micros))
        self._database.record_update(
            self._ending,
            {_ID: attempt_id, **values},
            weight="settlement",
            then=lambda rows: then(rows == 1),
        )

    def tell(self, crossings: cabc.Iterable[Crossing]) -> None:
        """Tell what was crossed, once it is committed."""
        if self._crossed is None:
            return

        for crossing in crossings:
            self._crossed(crossing)

    def count_forgotten(self, now: dt.datetime) -> int:
        """Count the attempts that nobody will settle any more.

        :raises StateUnavailable: when the rows cannot be read.
        """
        query = sa.select(sa.func.count()).where(*self._is_forgotten(now))

        with self._database.read() as conn:
            return conn.scalar(query) or 0

    def settle_forgotten(
        self, now: dt.datetime, *, most: int, wait: float | None = None
    ) -> int:
        """Charge the estimates of attempts that a dead process left behind.

        :param most: how many at most.
        :param wait: seconds each may wait for others' locks; ``None`` as a person does.
        :return: how many; call again while it is not 0.
        :raises StateUnavailable: when the rows cannot be read or written.
        :raises WriteBusy: with a ``wait``, when one cannot be written now.
        """
        columns = self._table.c
        query = (
            sa.select(
                columns.id,
                columns.company_id,
                columns.period,
                columns.est_tokens,
                columns.est_micros,
            )
            .where(*self._is_forgotten(now))
            .order_by(columns.expires_at)
            .limit(most)
        )

        with self._database.read() as conn:
            rows = conn.execute(query).all()

        return sum(self._give_up(row, wait) for row in rows)

    def _is_forgotten(
        self, now: dt.datetime
    ) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
        columns = self._table.c
        return (columns.state == "started", columns.expires_at <= now)

    def _give_up(self, row: t.Any, wait: float | None) -> bool:
        """Charge one; ``False`` when its own process, or another sweep, was quicker."""
        reserved = None

        if row.est_tokens is not None:
            reserved = Reserved(tokens=row.est_tokens, micros=row.est_micros)

        def work(conn: sa.Connection) -> list[Crossing] | None:
            return self.settle(
                conn,
                row.id,
                row.company_id,
                row.period,
                reserved,
                FORGOTTEN,
                row.est_micros,
            )

        if wait is None:
            with self._database.write() as conn:
                crossings = work(conn)
        else:
            crossings = self._database.try_write(work, wait=wait)

        self.tell(crossings or ())
        return crossings is not None


def _build_ending(table: sa.Table) -> RowUpdate:
    """Build the UPDATE that ends a started attempt."""
    is_started = table.c.state == "started"
    return RowUpdate(
        sa.update(table).where(table.c.id == sa.bindparam(_ID), is_started),
        sets=end_values(FORGOTTEN, None),
    )
