"""The table ``byok_keyring``: which master keys have sealed in this database."""

from __future__ import annotations

import datetime as dt
import logging
import typing as t

import sqlalchemy as sa

from ..errors import VaultClosed
from .check_values import judge
from .keyring import Keyring
from .saving import insert_unless_there

_log = logging.getLogger(__name__)


def ensure_check_value(
    connection: sa.Connection, table: sa.Table, keyring: Keyring, now: dt.datetime
) -> None:
    """Make sure the primary master key may seal here; see ``Store``."""
    if not _lock_rows(connection, table, keyring):
        row = {
            "key_id": keyring.primary,
            "kcv": keyring.check_value(keyring.primary),
            "namespace": keyring.namespace,
            "first_seen": now,
        }
        insert_unless_there(connection, table, row)

    # Read back: of two workers with different bytes one is refused.
    for problem in judge(_lock_rows(connection, table, keyring), keyring):
        _log.error("%s", problem.sentence)
        raise VaultClosed(problem.sentence)


def _lock_rows(
    connection: sa.Connection, table: sa.Table, keyring: Keyring
) -> list[t.Any]:
    """Read the primary's row, so that nobody retires it before our commit."""
    select = sa.select(table).where(table.c.key_id == keyring.primary)
    return list(connection.execute(select.with_for_update(read=True)))
