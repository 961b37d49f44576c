"""What every attempt used: whose key, which model, how many tokens, how it ended.

An attempt on a company key is written once, when it is over. One on a system key is
written before it is sent, together with the reservation of the budget where there is
one, and settled exactly once afterwards.
"""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import logging
import random
import typing as t
import uuid

import sqlalchemy as sa

from ..events import log_event
from ..providers.types import Source
from ..providers.types import Usage
from ..vault.database import Database
from ..vault.database import Insertion
from ..vault.database import WriteBusy
from ..vault.models import Tables
from .attempts import AttemptEnd as AttemptEnd
from .attempts import AttemptStart as AttemptStart
from .attempts import end_values
from .attempts import EndState as EndState
from .attempts import Reserved
from .attempts import Started as Started
from .attempts import used_tokens
from .audit import Audit
from .budget import Budget
from .budget import Crossing
from .budget import UnitAllowance
from .counting import read_usage
from .counting import UsageRow as UsageRow
from .entries import start_values
from .entries import started_values
from .prices import Prices
from .reserving import Reservations
from .rollup import RollUp
from .rows import fit
from .rows import period_of
from .rows import text_lengths
from .settlement import Settlement
from .totals import CompanyTotal as CompanyTotal
from .totals import read_totals

#: An attempt that nobody settled so long after its longest life is given up.
SETTLE_GRACE: t.Final = dt.timedelta(minutes=5)

#: So many forgotten attempts are settled by one sweep.
SWEEP_BATCH: t.Final = 500

#: One attempt in so many is followed by a small sweep.
SWEEP_EVERY: t.Final = 500

_log = logging.getLogger(__name__)


class Ledger:
    """Counts the attempts of one app.

    :param limits: ``BYOK_SYSTEM_BUDGET``, money in millionths; ``None`` for no limit on
        the system key.
    :param crossed: is called, after the commit, when a company came to a share of its
        allowance that is worth telling.
    :param host_may_hold_lock: tells whether the host has a transaction open here, for
        whose lock nobody should wait long.
    """

    def __init__(
        self,
        database: Database,
        tables: Tables,
        limits: cabc.Mapping[str, int] | None = None,
        *,
        crossed: cabc.Callable[[Crossing], None] | None = None,
        host_may_hold_lock: cabc.Callable[[], bool] = lambda: True,
    ) -> None:
        self._database = database
        self._tables = tables
        self._insertion = Insertion(tables.attempt)
        self._lengths = text_lengths(tables.attempt)
        budget = Budget(database, tables, limits or {})
        self._budget = budget if limits else None
        # What was reserved under a budget is settled after the operator took it away.
        self._settlement = Settlement(database, tables, budget, crossed)
        self._until_sweep = random.randint(1, SWEEP_EVERY)
        #: What tokens cost.
        self.prices: Prices = Prices()
        #: Moves old attempts into sums per day.
        self.roll_up: RollUp = RollUp(database, tables)
        #: Who changed what.
        self.audit: Audit = Audit(database, tables)
        self._reservations = self._reserving(host_may_hold_lock)

    def _reserving(
        self, host_may_hold_lock: cabc.Callable[[], bool]
    ) -> Reservations | None:
        if self._budget is None:
            return None

        return Reservations(
            self._database,
            self._budget,
            self.prices,
            self._insertion,
            self._lengths,
            host_may_hold_lock,
        )

    def record(
        self,
        start: AttemptStart,
        end: AttemptEnd,
        *,
        started_at: dt.datetime,
        source: Source = "company",
    ) -> None:
        """Note an attempt that is over. Never raises; what must wait is kept."""
        row = start_values(
            str(uuid.uuid4()), start, source, started_at, started_at + SETTLE_GRACE
        )
        cost = self._cost(start, end, None, started_at)
        self._insert_later({**row, **end_values(end, cost)})
        self._until_sweep -= 1

    def _cost(
        self,
        start: AttemptStart,
        end: AttemptEnd,
        reserved: Reserved | None,
        started_at: dt.datetime,
    ) -> int | None:
        """Tell what an attempt cost, in micros; ``None`` when it is not priced."""
        if end.state == "failed":
            return 0

        if used_tokens(end) is None:
            return None if reserved is None else reserved.micros

        usage = end.usage or Usage()
        return self.prices.micros(start.provider, start.model, usage, started_at)

    def _insert_later(self, row: cabc.Mapping[str, t.Any]) -> None:
        self._database.record_row(self._insertion, fit(self._lengths, row))

    def start(
        self,
        start: AttemptStart,
        *,
        estimate: Usage,
        lifetime: float,
        now: dt.datetime,
    ) -> Started:
        """Reserve the allowance and note an attempt on a system key, before it is sent.

        :param estimate: input and output cap, as far as can be told.
        :param lifetime: seconds the attempt may take at the very most.
        :raises SystemBudgetExceeded: when the company's month is used up.
        :raises SystemKeyRefused: when a budget is set and cannot be written now, or
            limits money and the model is not priced.
        """
        started = Started(
            id=str(uuid.uuid4()),
            start=start,
            started_at=now,
            expires_at=now + dt.timedelta(seconds=lifetime) + SETTLE_GRACE,
            period=period_of(now),
            reserved=None,
            written=True,
        )

        if self._reservations is None:
            return self._start_unlimited(started)

        reserved = self._reservations.estimate(start, estimate, now)
        started = started._replace(reserved=reserved)
        self._reservations.reserve(started, reserved)
        return started

    def _start_unlimited(self, started: Started) -> Started:
        try:
            row = fit(self._lengths, started_values(started))
            self._database.try_insert(self._insertion, row)
        except WriteBusy:
            # Written whole when it is settled.
            return started._replace(written=False)

        return started

    def settle(self, started: Started, end: AttemptEnd) -> None:
        """Note how an attempt on a system key ended and charge it, once.

        Charged is real use; the estimate where the provider told none; nothing for an
        attempt that failed. Never raises; what must wait is kept.
        """
        cost = self._cost(started.start, end, started.reserved, started.started_at)
        self._until_sweep -= 1

        if not started.written:
            self._insert_later({**started_values(started), **end_values(end, cost)})
        elif started.reserved is None:
            # Nothing to charge, so one statement is the whole transaction.
            self._settlement.record_end(
                started.id, end, cost, lambda is_first: _note_end(started, is_first)
            )
        else:
            self._settle_reserved(started, end, cost)

    def _settle_reserved(
        self, started: Started, end: AttemptEnd, cost: int | None
    ) -> None:
        def work(conn: sa.Connection) -> list[Crossing] | None:
            return self._settlement.settle(
                conn,
                started.id,
                started.start.company_id,
                started.period,
                started.reserved,
                end,
                cost,
            )

        def then(crossings: list[Crossing] | None) -> None:
            _note_end(started, crossings is not None)
            self._settlement.tell(crossings or ())

        self._database.record(work, weight="settlement", then=then)

    def is_sweep_due(self) -> bool:
        """Tell, once in so many attempts, that it is time for a small sweep."""
        if self._until_sweep > 0:
            return False

        self._until_sweep = SWEEP_EVERY
        return True

    def count_forgotten(self, now: dt.datetime) -> int:
        """Count the attempts that a dead process left behind.

        :raises StateUnavailable: when the rows cannot be read.
        """
        return self._settlement.count_forgotten(now)

    def sweep(
        self, now: dt.datetime, *, most: int = SWEEP_BATCH, wait: float | None = None
    ) -> int:
        """Give up attempts that a dead process left behind: charge their estimates.

        :param most: how many at most.
        :param wait: seconds each may wait for others' locks; ``None`` as a person does.
        :return: how many; call again while it is not 0.
        :raises StateUnavailable: when the rows cannot be read or written.
        :raises WriteBusy: with a ``wait``, when one cannot be written now.
        """
        return self._settlement.settle_forgotten(now, most=most, wait=wait)

    def allowance(self, company_id: str, now: dt.datetime) -> list[UnitAllowance]:
        """Tell what is left of the budget this month; empty without one.

        :raises StateUnavailable: when the row cannot be read.
        """
        if self._budget is None:
            return []

        return self._budget.allowance(company_id, now)

    def usage(self, company_id: str, since: dt.date, until: dt.date) -> list[UsageRow]:
        """Count attempts, tokens and cost per day, source, provider, model and label.

        :param since: first day, UTC.
        :param until: last day, UTC, included.
        :raises StateUnavailable: when the rows cannot be read.
        """
        return read_usage(self._database, self._tables, company_id, since, until)

    def totals(
        self, since: dt.date, until: dt.date, company_id: str | None = None
    ) -> cabc.Iterator[CompanyTotal]:
        """Add up what companies used, per key source, sorted by company.

        :param company_id: the typed text of one; ``None`` for all.
        :raises StateUnavailable: when the rows cannot be read.
        """
        return read_totals(self._database, self._tables, since, until, company_id)


def _note_end(started: Started, is_first: bool) -> None:
    """Log an end that came too late: a sweep had given the attempt up."""
    if not is_first:
        log_event(
            _log,
            logging.WARNING,
            "settled_before",
            "The attempt %(attempt)s had been settled before.",
            attempt=started.id,
        )
