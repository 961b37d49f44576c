"""What the ledger's rows have in common."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import typing as t

import sqlalchemy as sa


def text_lengths(table: sa.Table) -> dict[str, int | None]:
    """Tell how long the texts of a table may be; other columns are left out."""
    return {
        column.name: column.type.length
        for column in table.c
        if isinstance(column.type, sa.String)
    }


def fit(
    lengths: cabc.Mapping[str, int | None], values: cabc.Mapping[str, t.Any]
) -> dict[str, t.Any]:
    """Cut texts to their columns, so that a long label never costs a whole row.

    PostgreSQL takes no NUL in a text, and it and MariaDB refuse what is too long.
    """
    fitted = dict(values)

    for name, length in lengths.items():
        value = fitted.get(name)

        if value is not None:
            fitted[name] = value.replace("\x00", "")[:length]

    return fitted


def period_of(now: dt.datetime) -> str:
    """Name the calendar month, UTC, that a reservation belongs to: ``2026-11``."""
    return f"{now.year:04}-{now.month:02}"


def next_month(now: dt.datetime) -> dt.date:
    """Give the first day of the month after this one."""
    return (now.date().replace(day=1) + dt.timedelta(days=32)).replace(day=1)
