"""A vault on a real database, beside a host's engine."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import datetime as dt
import threading
import typing as t
import uuid

import sqlalchemy as sa

from flask_byok.vault.database import Database
from flask_byok.vault.models import build_tables
from flask_byok.vault.models import Tables
from flask_byok.vault.store import Store
from flask_byok.vault.types import SealedKey

COMPANY = "i:42"
AT = dt.datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=dt.timezone.utc)
Work = cabc.Callable[[sa.Connection], t.Any]
BLOB = bytes(range(256))[:130]


@dataclasses.dataclass
class Room:
    """The host's engine and what the vault makes of it."""

    host: sa.Engine
    tables: Tables
    database: Database
    store: Store
    metadata: sa.MetaData

    def put(
        self, sealed: SealedKey | None = None, *, seen: int | None = None
    ) -> SealedKey:
        """Save a key as a person does."""
        sealed = sealed_key() if sealed is None else sealed

        with self.database.write() as connection:
            self.store.put(connection, sealed, seen_generation=seen, actor="ann")

        return sealed

    def change(self, **values: t.Any) -> None:
        """Change columns of every stored key, as other rooms do."""
        with self.host.begin() as connection:
            connection.execute(sa.update(self.tables.credential).values(**values))

    def rows(self, table: sa.Table) -> list[dict[str, t.Any]]:
        """Read a table through the host's engine."""
        with self.host.connect() as connection:
            return [
                dict(row) for row in connection.execute(sa.select(table)).mappings()
            ]


def sealed_key(**changes: t.Any) -> SealedKey:
    """Make a key to save; nothing in it opens."""
    plain = SealedKey(
        id=str(uuid.uuid4()),
        company_id=COMPANY,
        provider="OPENAI",
        blob=BLOB,
        key_id="k001",
        prefix="sk-",
        last4="abcd",
        model=None,
        expires_on=None,
        state="working",
        report='{"checks": []}',
    )
    return dataclasses.replace(plain, **changes)


@contextlib.contextmanager
def open_room(
    url: str, *, create: bool = True, **engine_options: t.Any
) -> cabc.Iterator[Room]:
    """Create the tables on a database and close everything at the end."""
    host = sa.create_engine(url, **engine_options)
    metadata = sa.MetaData()
    tables = build_tables(metadata)

    if create:
        metadata.create_all(host)

    database = Database(lambda: host)
    store = Store(database, tables)

    try:
        yield Room(host, tables, database, store, metadata)
    finally:
        database.close()
        host.dispose()


def open_memory_room() -> contextlib.AbstractContextManager[Room]:
    """The same in memory, as Flask-SQLAlchemy sets it up."""
    return open_room(
        "sqlite://",
        poolclass=sa.StaticPool,
        connect_args={"check_same_thread": False},
    )


def insert_company(room: Room, company: str = COMPANY, **values: t.Any) -> Work:
    """Make a write to try."""

    def work(connection: sa.Connection) -> str:
        row = {
            "company_id": company,
            "use_other_keys": False,
            "updated_at": room.database.now(connection),
            **values,
        }
        connection.execute(sa.insert(room.tables.company), row)
        return company

    return work


def set_fallback(room: Room, word: str) -> Work:
    """Make a write that two transactions may fight about."""
    return lambda connection: (
        connection.execute(
            sa.update(room.tables.company).values(fallback=word)
        ).rowcount
    )


def companies(room: Room) -> list[str]:
    """Read who is stored."""
    return sorted(row["company_id"] for row in room.rows(room.tables.company))


def in_threads(work: cabc.Callable[[int], object], count: int) -> list[str]:
    """Run ``work`` at the same moment and name how each ended."""
    ends: list[str] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()

        try:
            work(number)
        except Exception as error:
            ends.append(type(error).__name__)
        else:
            ends.append("done")

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]

    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join()

    return sorted(ends)


def any_row(table: sa.Table, company: str) -> dict[str, t.Any]:
    """Fill what a row must have."""
    values: dict[type, t.Any] = {
        str: company[:4],
        int: 0,
        bool: False,
        bytes: b"x",
        dt.datetime: AT,
        dt.date: AT.date(),
    }
    row = {
        column.name: values[column.type.python_type]
        for column in table.c
        if not column.nullable
    }
    row["company_id"] = company
    return {**row, "id": company} if "id" in row else row


def kill_pooled(room: Room) -> None:
    """Let the server end two of our connections while they lie in the pool."""
    with room.database.read() as one, room.database.read() as two:
        ids = [_backend(connection) for connection in (one, two)]

    with room.host.connect() as connection:
        for backend in ids:
            _kill(connection, backend)


def _backend(connection: sa.Connection) -> int:
    postgresql = connection.dialect.name == "postgresql"
    function = "pg_backend_pid()" if postgresql else "connection_id()"
    return int(connection.exec_driver_sql(f"SELECT {function}").scalar_one())


def _kill(connection: sa.Connection, backend: int) -> None:
    if connection.dialect.name == "postgresql":
        statement = f"SELECT pg_terminate_backend({backend}, 2000)"
    else:
        statement = f"KILL {backend}"

    connection.exec_driver_sql(statement)
