"""Somebody who locks our tables for a while."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t

import sqlalchemy as sa

from tests.support.host import Host

#: Others may read meanwhile, and must not write.
_LOCK: t.Final = {
    "sqlite": ("BEGIN IMMEDIATE", "ROLLBACK"),
    "postgresql": (
        "BEGIN; LOCK TABLE byok_attempt, byok_credential IN EXCLUSIVE MODE",
        "ROLLBACK",
    ),
    "mysql": (
        "LOCK TABLES byok_attempt READ, byok_credential READ",
        "UNLOCK TABLES",
    ),
}


@contextlib.contextmanager
def writes_locked(host: Host) -> cabc.Iterator[None]:
    """Let nobody write into our tables inside the block."""
    engine = sa.create_engine(
        host.db.engine.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT"
    )
    lock, unlock = _LOCK[engine.dialect.name]

    with engine.connect() as connection:
        connection.exec_driver_sql(lock)

        try:
            yield
        finally:
            connection.exec_driver_sql(unlock)
