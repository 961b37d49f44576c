"""Databases with the package's tables in them, emptied again after each test.

Making the tables costs a server far more than deleting a few rows. What a test leaves
behind in any other shape, with a host's tables or other columns, is thrown away.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import pathlib
import shutil
import typing as t

import sqlalchemy as sa

from flask_byok.vault.models import build_tables
from tests.support import servers

#: Tables with their columns, and the columns of their indexes.
Shape: t.TypeAlias = frozenset[tuple[object, ...]]

_SHAPE: t.Final = {
    servers.POSTGRESQL: (
        "SELECT table_name, column_name, data_type, is_nullable, column_default,"
        " character_maximum_length FROM information_schema.columns"
        " WHERE table_schema = 'public'",
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    ),
    servers.MARIADB: (
        "SELECT table_name, column_name, column_type, is_nullable, column_default,"
        " collation_name FROM information_schema.columns"
        " WHERE table_schema = database()",
        "SELECT table_name, index_name, column_name, non_unique"
        " FROM information_schema.statistics WHERE table_schema = database()",
    ),
}

_OTHERS: t.Final = {
    servers.POSTGRESQL: "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    servers.MARIADB: "SELECT id FROM information_schema.processlist"
    " WHERE db = database() AND id <> connection_id()",
}


class PreparedDatabase:
    """One database of a server: its tables stand, and :meth:`clear` empties them."""

    def __init__(self, name: str, url: str) -> None:
        self.url = url
        self._name = name
        self._metadata = _metadata()
        self._engine = sa.create_engine(
            url, poolclass=sa.StaticPool, isolation_level="AUTOCOMMIT"
        )
        self._metadata.create_all(self._engine)
        self._shape = self._read_shape()

    def clear(self) -> None:
        """Delete every row, or everything when the tables are no longer the usual."""
        self._end_others()

        if self._read_shape() != self._shape:
            self._engine.dispose()
            servers.empty_database(self.url)
            self._metadata.create_all(self._engine)
            return

        with self._engine.connect() as connection:
            for table in self._metadata.tables.values():
                connection.execute(sa.delete(table))

    def _end_others(self) -> None:
        """End connections: one in a transaction holds locks a DELETE would wait for."""
        with self._engine.connect() as connection:
            others = connection.exec_driver_sql(_OTHERS[self._name]).all()

            for row in others if self._name == servers.MARIADB else ():
                # It may have ended by itself meanwhile.
                with contextlib.suppress(sa.exc.OperationalError):
                    connection.exec_driver_sql(f"KILL SOFT CONNECTION {row[0]}")

    def _read_shape(self) -> Shape:
        with self._engine.connect() as connection:
            return frozenset(
                (position, *row)
                for position, query in enumerate(_SHAPE[self._name])
                for row in connection.exec_driver_sql(query)
            )

    def close(self) -> None:
        """Give the connection back."""
        self._engine.dispose()


class PreparedDatabases:
    """The prepared databases of one test process; each is made when first asked for."""

    def __init__(self, make: cabc.Callable[[str], str], folder: pathlib.Path) -> None:
        self._make = make
        self._file = folder / "prepared.sqlite3"
        self._kept: dict[str, PreparedDatabase] = {}
        self._used: list[PreparedDatabase] = []

    def give(self, name: str) -> str:
        """Name a database on ``sqlite``, ``postgresql`` or ``mariadb``."""
        url = self._make(name) if name not in self._kept else self._kept[name].url

        if name == servers.SQLITE:
            database = sa.make_url(url).database
            assert database is not None
            shutil.copyfile(self._prepared_file(), database)
            return url

        if name not in self._kept:
            self._kept[name] = PreparedDatabase(name, url)

        self._used.append(self._kept[name])
        return url

    def _prepared_file(self) -> pathlib.Path:
        if not self._file.exists():
            engine = sa.create_engine(f"sqlite:///{self._file}")
            _metadata().create_all(engine)
            engine.dispose()

        return self._file

    def clear(self) -> None:
        """Empty what was given since the last time."""
        while self._used:
            self._used.pop().clear()

    def close(self) -> None:
        """Give every connection back."""
        for kept in self._kept.values():
            kept.close()


def _metadata() -> sa.MetaData:
    metadata = sa.MetaData()
    build_tables(metadata)
    return metadata
