"""What outlasts a request: tables, the files behind them, and limiters' counters."""

from __future__ import annotations

import collections.abc as cabc
import pathlib
import typing as t

import sqlalchemy as sa

#: Gets the table, the column and the value.
ShowCell = cabc.Callable[[str, str, object], None]
Show = cabc.Callable[[object], None]


def read_tables(engine: sa.Engine, show: ShowCell) -> None:
    """Show every value of every table and view, as the driver gives it."""
    inspector = sa.inspect(engine)
    names = [*inspector.get_table_names(), *inspector.get_view_names()]

    with engine.connect() as connection:
        for name in names:
            select = sa.select(sa.text("*")).select_from(sa.table(name))

            for row in connection.execute(select).mappings():
                for column, value in row.items():
                    show(name, column, value)


def read_files(engine: sa.Engine, show: Show) -> bool:
    """Show the bytes of a SQLite database: its file, its journal, its log.

    :return: whether there are files to read here.
    """
    name = engine.url.database

    if engine.dialect.name != "sqlite" or not name or name.startswith(":memory:"):
        return False

    path = pathlib.Path(name.removeprefix("file:").partition("?")[0])

    for file in sorted(path.parent.glob(f"{path.name}*")):
        show(file.read_bytes())

    return path.exists()


def read_limiter(storage: t.Any, show: Show) -> None:
    """Show the keys and values of a storage of the ``limits`` library.

    :param storage: in memory, or one with a Redis client.
    """
    client: t.Any = getattr(storage, "storage", None)

    if not hasattr(client, "scan_iter"):
        show(dict(vars(storage)))
        return

    for name in client.scan_iter():
        show([name, _read_redis(client, name)])


def _read_redis(client: t.Any, name: bytes) -> object:
    """Read a value of any kind that limiters use."""
    kind = client.type(name)
    kind = kind.decode() if isinstance(kind, bytes) else kind
    read = {
        "string": client.get,
        "hash": client.hgetall,
        "set": client.smembers,
        "list": lambda one: client.lrange(one, 0, -1),
        "zset": lambda one: client.zrange(one, 0, -1),
    }.get(kind)
    return None if read is None else read(name)
