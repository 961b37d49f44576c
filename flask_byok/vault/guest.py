"""In-memory SQLite: one connection, and it is the host's.

A plain SELECT through the host's engine would roll the host's flushed rows back when
its connection is returned, and in autocommit mode it would commit them. So one raw
connection is taken once and never returned, reads use bare cursors on it, and writes
happen only while the host has no transaction open.
"""

from __future__ import annotations

import collections.abc as cabc
import sqlite3
import threading
import typing as t

import sqlalchemy as sa


class HostIsWriting(Exception):
    """The host has uncommitted changes in the only connection there is."""


class HostConnection:
    """The host's raw connection, taken once, and the lock of those who write on it."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._pool: sa.Pool | None = None
        self._held: sa.PoolProxiedConnection | None = None
        self.lock: threading.Lock = threading.Lock()

    def raw(self) -> t.Any:
        """Give the driver's connection; anew after the host disposed its engine."""
        if self._held is None or self._pool is not self._engine.pool:
            self._pool = self._engine.pool
            self._held = self._engine.raw_connection()

        return self._held.dbapi_connection


class GuestConnection:
    """What our engine takes for a driver's connection.

    ``commit`` and ``rollback`` do nothing unless this guest began the transaction, and
    nothing here changes a mode of the host's connection.
    """

    #: What SQLAlchemy reads to learn about autocommit; the host's own stays untouched.
    isolation_level = ""

    def __init__(self, host: HostConnection) -> None:
        self._host = host
        self._raw = host.raw()
        self._writing = False

    def cursor(self, *args: t.Any) -> t.Any:
        """Open a bare cursor."""
        return self._raw.cursor(*args)

    def begin(self, wait: float) -> None:
        """Begin a transaction of our own.

        :param wait: seconds to wait for another guest; the host is never waited for.
        :raises HostIsWriting: when the host has one open.
        :raises sqlite3.OperationalError: when another guest did not end in time.
        """
        if not self._host.lock.acquire(timeout=wait):
            raise sqlite3.OperationalError("database is locked")

        try:
            if self._raw.in_transaction:
                raise HostIsWriting

            self._raw.execute("BEGIN IMMEDIATE")
            self._writing = True
        finally:
            if not self._writing:
                self._host.lock.release()

    def commit(self) -> None:
        """Commit what this guest began."""
        if self._writing:
            self._end(self._raw.commit)

    def rollback(self) -> None:
        """Roll back what this guest began."""
        if self._writing:
            self._end(self._raw.rollback)

    def _end(self, end: cabc.Callable[[], None]) -> None:
        self._writing = False

        try:
            end()
        finally:
            self._host.lock.release()

    def close(self) -> None:
        """Leave the host's connection open."""
        self.rollback()

    def create_function(self, *args: t.Any, **options: t.Any) -> None:
        """Leave the host's functions as they are; SQLAlchemy registers its own here."""


def is_in_memory(engine: sa.Engine) -> bool:
    """Tell whether this engine's database lives in its one connection."""
    if engine.dialect.name != "sqlite":
        return False

    return isinstance(engine.pool, sa.StaticPool) or engine.url.database in (
        None,
        "",
        ":memory:",
    )
