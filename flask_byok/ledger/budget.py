"""The monthly allowance of each company on the system key.

One row per company and calendar month, UTC. A reservation is one conditional UPDATE, so
any number of workers together never grant more than there is. All counters are kept,
also where only one of them is limited. Money is kept in millionths of a US dollar, by
list prices, as far as they are known.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import datetime as dt
import typing as t

import sqlalchemy as sa

from ..vault.database import Database
from ..vault.database import DuplicateRow
from ..vault.models import Tables
from .attempts import Amounts
from .rows import next_month
from .rows import period_of

#: What a limit may be set on, in the order people read it.
UNITS: t.Final = ("requests", "tokens", "money")

#: Percent of a limit that are told, the highest first.
THRESHOLDS: t.Final = (100, 80)

#: Seconds a reservation waits for others' short writes: on SQLite many may be in line.
RESERVE_WAIT: t.Final = 5.0

#: The same while the host has a transaction open: its lock may be the one we wait for.
HOST_WAIT: t.Final = 1.0

#: What the counters of a unit are called, here and in the table.
_NAMES: t.Final[cabc.Mapping[str, str]] = {
    "requests": "requests",
    "tokens": "tokens",
    "money": "micros",
}

#: The parameters of statements that are built once; no column is called so.
_COMPANY: t.Final = "byok_month_company"
_PERIOD: t.Final = "byok_month_period"

_COUNTERS: t.Final = tuple(
    f"{kind}_{name}" for kind in ("reserved", "used") for name in _NAMES.values()
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class UnitAllowance:
    """How much of one unit a company has used this month.

    :param unit: one of :data:`UNITS`; money is in millionths of a US dollar.
    :param used: settled.
    :param reserved: of attempts that are under way.
    :param resets_on: the first day of the next month, UTC.
    """

    unit: str
    used: int
    reserved: int
    limit: int
    resets_on: dt.date

    @property
    def left(self) -> int:
        """What may still be reserved; never negative."""
        return max(0, self.limit - self.used - self.reserved)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Crossing:
    """A company came to a share of its allowance that is worth telling.

    :param company_id: the typed text.
    :param percent: one of :data:`THRESHOLDS`.
    :param unit: one of :data:`UNITS`; money is in millionths of a US dollar.
    :param period: the calendar month, UTC: ``2026-11``.
    """

    company_id: str
    percent: int
    unit: str
    used: int
    limit: int
    period: str


class Budget:
    """Reserves and settles the allowance.

    :param limits: per company and month, by unit; every one given must hold.
    """

    def __init__(
        self, database: Database, tables: Tables, limits: cabc.Mapping[str, int]
    ) -> None:
        self._database = database
        self._table = tables.budget
        self._limits = dict(limits)
        self._reserving = _build_reserving(tables.budget, self._limits)
        self._settling = _build_settling(tables.budget)

    @property
    def limits_money(self) -> bool:
        """Whether a model without a price cannot be granted anything."""
        return "money" in self._limits

    def reserve(
        self, conn: sa.Connection, company_id: str, period: str, wanted: Amounts
    ) -> bool:
        """Reserve one request and its estimate, first thing in a transaction.

        :return: ``False`` when a limit is reached, or the month has no row yet.
        """
        values = {**_names(company_id, period), **_parameters("wanted", wanted)}
        return conn.execute(self._reserving, values).rowcount == 1

    def has_month(self, conn: sa.Connection, company_id: str, period: str) -> bool:
        """Tell whether the month's row exists."""
        query = sa.select(self._table.c.period).where(_month_is_named(self._table))
        return conn.execute(query, _names(company_id, period)).first() is not None

    def make_month(self, company_id: str, period: str, wait: float) -> None:
        """Make the month's row, in a transaction of its own.

        Inside the reservation's the loser of two at once may be in a deadlock.

        :param wait: seconds to wait for somebody else's lock.
        :raises WriteBusy: when it cannot be written now.
        """
        counters = dict.fromkeys(_COUNTERS, 0)
        row = {"company_id": company_id, "period": period, **counters}

        with contextlib.suppress(DuplicateRow):
            self._database.try_write(
                lambda conn: conn.execute(sa.insert(self._table).values(row)),
                wait=wait,
            )

    def settle(
        self,
        conn: sa.Connection,
        company_id: str,
        period: str,
        *,
        reserved: Amounts,
        used: Amounts,
    ) -> list[Crossing]:
        """Turn a reservation into what was really used, within the same month.

        :return: what was crossed by this use. The row is locked from here to the end of
            the transaction, so that of many at once exactly one crosses.
        """
        values = {
            **_names(company_id, period),
            **_parameters("reserved", reserved),
            **_parameters("used", used),
        }
        conn.execute(self._settling, values)
        return list(self._crossed(conn, company_id, period, used))

    def _crossed(
        self,
        conn: sa.Connection,
        company_id: str,
        period: str,
        charged: Amounts,
    ) -> cabc.Iterator[Crossing]:
        units = [unit for unit in self._limits if _amount(charged, unit)]

        if not units:
            return

        used = [self._table.c[f"used_{_NAMES[unit]}"] for unit in units]
        query = sa.select(*used).where(_month_is_named(self._table))
        row = conn.execute(query, _names(company_id, period)).one()

        for unit, after in zip(units, row, strict=True):
            limit = self._limits[unit]
            before = int(after) - _amount(charged, unit)

            for percent in THRESHOLDS:
                if before * 100 < limit * percent <= int(after) * 100:
                    yield Crossing(
                        company_id=company_id,
                        percent=percent,
                        unit=unit,
                        used=int(after),
                        limit=limit,
                        period=period,
                    )
                    break

    def allowance(self, company_id: str, now: dt.datetime) -> list[UnitAllowance]:
        """Tell what was used of each limited unit in the month of ``now``.

        :raises StateUnavailable: when the row cannot be read.
        """
        query = sa.select(self._table).where(_month_is_named(self._table))
        names = _names(company_id, period_of(now))

        with self._database.read() as conn:
            row = conn.execute(query, names).mappings().one_or_none()

        counters = dict.fromkeys(_COUNTERS, 0) if row is None else row
        return [
            UnitAllowance(
                unit=unit,
                used=int(counters[f"used_{_NAMES[unit]}"]),
                reserved=int(counters[f"reserved_{_NAMES[unit]}"]),
                limit=self._limits[unit],
                resets_on=next_month(now),
            )
            for unit in UNITS
            if unit in self._limits
        ]


def _amount(amounts: Amounts, unit: str) -> int:
    return t.cast("int", getattr(amounts, _NAMES[unit]))


def _build_reserving(table: sa.Table, limits: cabc.Mapping[str, int]) -> sa.Update:
    """Build the UPDATE that takes what is wanted, if every limit holds afterwards."""
    return (
        sa.update(table)
        .where(_month_is_named(table), *_within(table, limits))
        .values(
            {
                f"reserved_{name}": table.c[f"reserved_{name}"] + _named("wanted", name)
                for name in _NAMES.values()
            }
        )
    )


def _within(
    table: sa.Table, limits: cabc.Mapping[str, int]
) -> cabc.Iterator[sa.ColumnElement[bool]]:
    for unit, limit in limits.items():
        name = _NAMES[unit]
        taken = table.c[f"used_{name}"] + table.c[f"reserved_{name}"]
        yield taken + _named("wanted", name) <= limit


def _build_settling(table: sa.Table) -> sa.Update:
    """Build the UPDATE that turns what was reserved into what was used."""
    reserved = {
        f"reserved_{name}": table.c[f"reserved_{name}"] - _named("reserved", name)
        for name in _NAMES.values()
    }
    used = {
        f"used_{name}": table.c[f"used_{name}"] + _named("used", name)
        for name in _NAMES.values()
    }
    return sa.update(table).where(_month_is_named(table)).values(reserved | used)


def _month_is_named(table: sa.Table) -> sa.ColumnElement[bool]:
    """Build the condition that a row is the month its parameters name."""
    return sa.and_(
        table.c.company_id == sa.bindparam(_COMPANY),
        table.c.period == sa.bindparam(_PERIOD),
    )


def _names(company_id: str, period: str) -> dict[str, str]:
    """Give the parameters that name a month."""
    return {_COMPANY: company_id, _PERIOD: period}


def _named(what: str, name: str) -> sa.BindParameter[int]:
    return sa.bindparam(f"byok_{what}_{name}", type_=sa.BigInteger())


def _parameters(what: str, amounts: Amounts) -> dict[str, int]:
    """Give the values of the parameters that :func:`_named` makes."""
    return {f"byok_{what}_{name}": value for name, value in amounts._asdict().items()}
