"""Databases of the comparison, which it makes and removes."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import pathlib
import sqlite3
import tempfile

import sqlalchemy as sa


class Databases:
    """Makes empty databases: files of SQLite, and on a server when one is named.

    :param server: the URL of a database of a PostgreSQL server, on which others may
        be made.
    """

    def __init__(self, folder: pathlib.Path, server: str | None) -> None:
        self._folder = folder
        self._server = None if server is None else sa.make_url(server)
        self._made: list[str] = []

    @property
    def kinds(self) -> tuple[str, ...]:
        """What there is."""
        return ("SQLite",) if self._server is None else ("SQLite", "PostgreSQL")

    def make(self, kind: str) -> str:
        """Make one; give its URL."""
        name = f"byok_benchmark_{len(self._made)}"
        self._made.append(name)

        if kind == "SQLite" or self._server is None:
            return self._make_file(name)

        self._run(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
        return self._server.set(database=name).render_as_string(hide_password=False)

    def _make_file(self, name: str) -> str:
        file = self._folder / f"{name}.db"

        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")

        return f"sqlite:///{file}"

    def _run(self, *statements: str) -> None:
        assert self._server is not None
        engine = sa.create_engine(self._server, isolation_level="AUTOCOMMIT")

        with engine.connect() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

        engine.dispose()

    def remove(self) -> None:
        """Remove those on the server."""
        if self._server is not None:
            self._run(*[f"DROP DATABASE IF EXISTS {name}" for name in self._made])


@contextlib.contextmanager
def making(server: str | None) -> cabc.Iterator[Databases]:
    """Make databases, all of which are gone behind the block."""
    with tempfile.TemporaryDirectory() as folder:
        databases = Databases(pathlib.Path(folder), server)

        try:
            yield databases
        finally:
            databases.remove()
