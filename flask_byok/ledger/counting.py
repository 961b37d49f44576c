"""What people read of attempts: sums per day.

A day's attempts stand as rows of their own, or, when they are old, in the sums of that
day. Both are read by one statement: an attempt that moves from one to the other at that
moment is counted once.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import decimal
import typing as t

import sqlalchemy as sa

from ..providers.types import Source
from ..vault.database import Database
from ..vault.models import DAY_COUNTS
from ..vault.models import Tables
from .prices import to_dollars

_KEYS: t.Final = ("day", "source", "provider", "model", "label")

#: Ends of attempts that are counted apart.
_STATES: t.Final = ("failed", "unknown")

#: What attempts have columns of; the other counts are told by their rows.
_AMOUNTS: t.Final = tuple(
    name for name in DAY_COUNTS if name not in ("requests", *_STATES, "unpriced")
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class UsageRow:
    """Attempts, tokens and cost of one day, key source, provider, model and label.

    :param day: UTC.
    :param requests: attempts that are over.
    :param failed: of these, refused or never answered.
    :param unknown: of these, sent and never heard of again.
    :param input_tokens: cached ones included.
    :param cost: of what is priced, in US dollars by list prices: an estimate.
        ``None`` when nothing is priced.
    :param unpriced: requests whose cost is not known, and not in ``cost``.
    """

    day: dt.date
    source: Source
    provider: str
    model: str | None
    label: str | None
    requests: int
    failed: int
    unknown: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: decimal.Decimal | None
    unpriced: int


def read_usage(
    database: Database,
    tables: Tables,
    company_id: str,
    since: dt.date,
    until: dt.date,
) -> list[UsageRow]:
    """Count a company's attempts that are over; both days, UTC, are included.

    :raises StateUnavailable: when the rows cannot be read.
    """

    def of_company(table: sa.Table) -> sa.ColumnElement[bool]:
        return table.c.company_id == company_id

    with database.read() as conn:
        both = counted_days(conn.dialect.name, tables, since, until, of_company)
        keys = [both.c[name] for name in _KEYS]
        query = sa.select(*keys, *summed(both)).group_by(*keys)
        rows = conn.execute(query).all()

    return sorted((_usage_row(row) for row in rows), key=_reading_order)


def counted_days(
    dialect: str,
    tables: Tables,
    since: dt.date,
    until: dt.date,
    wanted: cabc.Callable[[sa.Table], sa.ColumnElement[bool]],
) -> sa.Subquery:
    """Give what attempts and sums count between two days, as one subquery.

    :param wanted: which rows of a table; both have a ``company_id``.
    """
    attempts, sums = tables.attempt, tables.usage_day
    columns = attempts.c
    day = _day_of(columns.started_at, dialect).label("day")
    keys = [columns[name] for name in _KEYS if name != "day"]
    recent = (
        sa.select(columns.company_id, day, *keys, *_counts(columns))
        .where(
            wanted(attempts),
            columns.started_at >= _midnight(since),
            columns.started_at < _midnight(until + dt.timedelta(days=1)),
            columns.state != "started",
        )
        .group_by(columns.company_id, day, *keys)
    )
    old = sa.select(
        sums.c.company_id, *(sums.c[name] for name in (*_KEYS, *DAY_COUNTS))
    ).where(wanted(sums), sums.c.day >= since, sums.c.day <= until)
    return recent.union_all(old).subquery()


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time.min, tzinfo=dt.timezone.utc)


def _day_of(
    column: sa.ColumnElement[dt.datetime], dialect: str
) -> sa.ColumnElement[t.Any]:
    if dialect == "postgresql":
        # Else the day would begin in the zone of the connection.
        return sa.func.date(sa.func.timezone("UTC", column))

    return sa.func.date(column)


def _counts(
    columns: sa.sql.base.ReadOnlyColumnCollection[str, sa.Column[t.Any]],
) -> cabc.Iterator[sa.ColumnElement[t.Any]]:
    """Count attempts, under the names of :data:`DAY_COUNTS` and in their order."""
    yield sa.func.count().label("requests")

    for state in _STATES:
        is_state = sa.case((columns.state == state, 1), else_=0)
        yield sa.func.sum(is_state).label(state)

    for name in _AMOUNTS:
        yield sa.func.coalesce(sa.func.sum(columns[name]), 0).label(name)

    is_unpriced = sa.case((columns.cost_micros.is_(None), 1), else_=0)
    yield sa.func.sum(is_unpriced).label("unpriced")


def summed(
    both: sa.Subquery, names: cabc.Iterable[str] = DAY_COUNTS
) -> cabc.Iterator[sa.ColumnElement[t.Any]]:
    """Add up the counts of :func:`counted_days`."""
    for name in names:
        yield sa.func.sum(both.c[name]).label(name)


def cost_of(requests: int, unpriced: int, micros: int) -> decimal.Decimal | None:
    """Give a cost in US dollars; ``None``, never 0, where nothing is priced."""
    return None if requests == unpriced else to_dollars(micros)


def _usage_row(row: sa.Row[t.Any]) -> UsageRow:
    day = row.day if isinstance(row.day, dt.date) else dt.date.fromisoformat(row.day)
    counts = {name: int(getattr(row, name)) for name in DAY_COUNTS}
    micros = counts.pop("cost_micros")
    return UsageRow(
        day=day,
        source=row.source,
        provider=row.provider,
        model=row.model,
        label=row.label,
        cost=cost_of(counts["requests"], counts["unpriced"], micros),
        **counts,
    )


def _reading_order(row: UsageRow) -> tuple[dt.date, str, str, str, str]:
    return (row.day, row.source, row.provider, row.model or "", row.label or "")
