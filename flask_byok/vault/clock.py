"""The database's clock: the only one that all workers share."""

from __future__ import annotations

import datetime as dt
import typing as t

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class db_now(FunctionElement[dt.datetime]):
    """The database's time in UTC with microseconds, at the moment of the statement."""

    type: sa.types.TypeEngine[dt.datetime] = sa.DateTime(timezone=True)
    inherit_cache: bool | None = True


@compiles(db_now)
def _standard(element: db_now, compiler: t.Any, **options: t.Any) -> str:
    return "CURRENT_TIMESTAMP"


@compiles(db_now, "postgresql")
def _postgresql(element: db_now, compiler: t.Any, **options: t.Any) -> str:
    # now() would be the start of the transaction.
    return "clock_timestamp()"


@compiles(db_now, "mysql")
@compiles(db_now, "mariadb")
def _mariadb(element: db_now, compiler: t.Any, **options: t.Any) -> str:
    return "utc_timestamp(6)"


@compiles(db_now, "sqlite")
def _sqlite(element: db_now, compiler: t.Any, **options: t.Any) -> str:
    # Six digits, as SQLAlchemy stores times in SQLite, so that texts compare.
    milliseconds = sa.func.strftime(
        sa.literal_column("'%Y-%m-%d %H:%M:%f'"), sa.literal_column("'now'")
    )
    return f"({compiler.process(milliseconds)} || '000')"


@t.overload
def read_time(value: None) -> None: ...
@t.overload
def read_time(value: dt.datetime | str) -> dt.datetime: ...
def read_time(value: dt.datetime | str | None) -> dt.datetime | None:
    """Make a stored time aware UTC.

    :param value: as the driver gives it: SQLite's text, MariaDB's naive UTC,
        PostgreSQL's time in the zone of the connection.
    """
    if value is None:
        return None

    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)

    if value.tzinfo is None:
        return value.replace(tzinfo=dt.timezone.utc)

    return value.astimezone(dt.timezone.utc)
