"""What every company used and has left, for the operator."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import decimal

from ..ledger.usage import CompanyTotal
from ..providers.types import Source
from .desk import Desk
from .types import read_allowance


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """What one company used of one key source in a range of days.

    :param company: the typed text.
    :param cost: of what is priced, in US dollars by list prices: an estimate. ``None``
        when nothing is priced.
    :param unpriced: requests whose cost is not known, and not in ``cost``.
    :param left: of the budget this month, by unit, money in US dollars; empty on a
        company's own keys and without a budget.
    """

    company: str
    source: Source
    requests: int
    failed: int
    unknown: int
    input_tokens: int
    output_tokens: int
    cost: decimal.Decimal | None
    unpriced: int
    left: cabc.Mapping[str, int | decimal.Decimal]


class Accounts:
    """Reads what companies used, one after the other."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def today(self) -> dt.date:
        """Tell the day, UTC, by the database's clock.

        :raises StateUnavailable: when the database cannot be asked.
        """
        return self._desk.now().date()

    def read(
        self, since: dt.date, until: dt.date, company: str | None = None
    ) -> cabc.Iterator[Account]:
        """Give what was used, sorted by company; few are held in memory at a time.

        :param since: first day, UTC.
        :param until: last day, UTC, included.
        :param company: the typed text of one; ``None`` for all.
        :raises StateUnavailable: when the rows cannot be read.
        """
        now = self._desk.now()

        for total in self._desk.ledger.totals(since, until, company):
            yield _account(total, self._left(total, now))

    def _left(
        self, total: CompanyTotal, now: dt.datetime
    ) -> dict[str, int | decimal.Decimal]:
        if total.source != "system":
            return {}

        units = self._desk.ledger.allowance(total.company_id, now)
        return {unit.unit: read_allowance(unit).left for unit in units}


def _account(
    total: CompanyTotal, left: cabc.Mapping[str, int | decimal.Decimal]
) -> Account:
    return Account(
        company=total.company_id,
        source=total.source,
        requests=total.requests,
        failed=total.failed,
        unknown=total.unknown,
        input_tokens=total.input_tokens,
        output_tokens=total.output_tokens,
        cost=total.cost,
        unpriced=total.unpriced,
        left=left,
    )
