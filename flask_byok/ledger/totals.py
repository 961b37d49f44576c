"""What all companies used: sums per company and key source, a page at a time."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import decimal
import typing as t

import sqlalchemy as sa

from ..providers.types import Source
from ..vault.database import Database
from ..vault.models import Tables
from .counting import cost_of
from .counting import counted_days
from .counting import summed

#: Companies that are read at a time.
PAGE: t.Final = 500

_COUNTS: t.Final = (
    "requests",
    "failed",
    "unknown",
    "input_tokens",
    "output_tokens",
    "cost_micros",
    "unpriced",
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class CompanyTotal:
    """What one company used of one key source.

    :param company_id: the typed text.
    :param cost: of what is priced, in US dollars; ``None`` when nothing is.
    :param unpriced: requests whose cost is not known, and not in ``cost``.
    """

    company_id: str
    source: Source
    requests: int
    failed: int
    unknown: int
    input_tokens: int
    output_tokens: int
    cost: decimal.Decimal | None
    unpriced: int


def read_totals(
    database: Database,
    tables: Tables,
    since: dt.date,
    until: dt.date,
    company_id: str | None = None,
) -> cabc.Iterator[CompanyTotal]:
    """Add up the use of companies, sorted as the database sorts their ids.

    A page of companies is held at a time, however many there are.

    :param since: first day, UTC.
    :param until: last day, UTC, included.
    :param company_id: the typed text of one company; ``None`` for all.
    :raises StateUnavailable: when the rows cannot be read.
    """
    if company_id is not None:
        yield from _totals(database, tables, since, until, company_id, company_id)
        return

    page = _companies(database, tables, None)

    while page:
        yield from _totals(database, tables, since, until, page[0], page[-1])
        page = _companies(database, tables, page[-1]) if len(page) == PAGE else []


def _companies(database: Database, tables: Tables, after: str | None) -> list[str]:
    """Read the ids that follow one. Both tables have an index that begins with them."""
    pages = [
        sa.select(_distinct(table, after).subquery().c.company_id)
        for table in (tables.attempt, tables.usage_day)
    ]
    query = sa.union(*pages).order_by("company_id").limit(PAGE)

    with database.read() as conn:
        return list(conn.scalars(query))


def _distinct(table: sa.Table, after: str | None) -> sa.Select[t.Any]:
    company_id = table.c.company_id
    query = sa.select(company_id).distinct().order_by(company_id).limit(PAGE)
    return query if after is None else query.where(company_id > after)


def _totals(
    database: Database,
    tables: Tables,
    since: dt.date,
    until: dt.date,
    first: str,
    last: str,
) -> list[CompanyTotal]:
    def of_page(table: sa.Table) -> sa.ColumnElement[bool]:
        return table.c.company_id.between(first, last)

    with database.read() as conn:
        both = counted_days(conn.dialect.name, tables, since, until, of_page)
        keys = (both.c.company_id, both.c.source)
        query = sa.select(*keys, *summed(both, _COUNTS)).group_by(*keys).order_by(*keys)
        rows = conn.execute(query).all()

    return [_total(row) for row in rows]


def _total(row: sa.Row[t.Any]) -> CompanyTotal:
    counts = {name: int(getattr(row, name)) for name in _COUNTS}
    micros = counts.pop("cost_micros")
    return CompanyTotal(
        company_id=row.company_id,
        source=row.source,
        cost=cost_of(counts["requests"], counts["unpriced"], micros),
        **counts,
    )
