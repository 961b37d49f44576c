"""What people read of attempts: sums per day."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import typing as t

import sqlalchemy as sa

from ..providers.types import Source
from ..vault.database import Database


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class UsageRow:
    """Attempts and tokens of one day, key source, provider, model and label.

    :param day: UTC.
    :param requests: attempts that are over.
    :param failed: of these, refused or never answered.
    :param unknown: of these, sent and never heard of again.
    :param input_tokens: cached ones included.
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


def read_usage(
    database: Database, table: sa.Table, company_id: str, since: dt.date, until: dt.date
) -> list[UsageRow]:
    """Count a company's attempts that are over; both days, UTC, are included.

    :raises StateUnavailable: when the rows cannot be read.
    """
    columns = table.c
    begin, end = _midnight(since), _midnight(until + dt.timedelta(days=1))

    with database.read() as conn:
        day = _day_of(columns.started_at, conn.dialect.name).label("day")
        keys = (day, columns.source, columns.provider, columns.model, columns.label)
        query = (
            sa.select(*keys, *_sums(columns))
            .where(
                columns.company_id == company_id,
                columns.started_at >= begin,
                columns.started_at < end,
                columns.state != "started",
            )
            .group_by(*keys)
        )
        rows = conn.execute(query).all()

    return sorted((_usage_row(row) for row in rows), key=_reading_order)


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time.min, tzinfo=dt.timezone.utc)


def _day_of(
    column: sa.ColumnElement[dt.datetime], dialect: str
) -> sa.ColumnElement[t.Any]:
    if dialect == "postgresql":
        # Else the day would begin in the zone of the connection.
        return sa.func.date(sa.func.timezone("UTC", column))

    return sa.func.date(column)


def _sums(
    columns: sa.sql.base.ReadOnlyColumnCollection[str, sa.Column[t.Any]],
) -> cabc.Iterator[sa.ColumnElement[t.Any]]:
    yield sa.func.count().label("requests")

    for state in ("failed", "unknown"):
        is_state = sa.case((columns.state == state, 1), else_=0)
        yield sa.func.sum(is_state).label(state)

    for name in ("input", "cached", "output", "reasoning"):
        column = columns[f"{name}_tokens"]
        yield sa.func.coalesce(sa.func.sum(column), 0).label(column.name)


def _usage_row(row: sa.Row[t.Any]) -> UsageRow:
    day = row.day if isinstance(row.day, dt.date) else dt.date.fromisoformat(row.day)
    return UsageRow(
        day=day,
        source=row.source,
        provider=row.provider,
        model=row.model,
        label=row.label,
        requests=int(row.requests),
        failed=int(row.failed),
        unknown=int(row.unknown),
        input_tokens=int(row.input_tokens),
        cached_tokens=int(row.cached_tokens),
        output_tokens=int(row.output_tokens),
        reasoning_tokens=int(row.reasoning_tokens),
    )


def _reading_order(row: UsageRow) -> tuple[dt.date, str, str, str, str]:
    return (row.day, row.source, row.provider, row.model or "", row.label or "")
