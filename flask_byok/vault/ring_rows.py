"""The table ``byok_keyring``: which master keys have sealed in this database."""

from __future__ import annotations

import datetime as dt
import logging
import typing as t

import sqlalchemy as sa

from ..errors import RetireRefused
from ..errors import VaultClosed
from ..events import log_event
from .check_values import judge
from .keyring import Keyring
from .models import Tables
from .saving import insert_unless_there

_log = logging.getLogger(__name__)

_PRIMARY: t.Final = (
    "The master key '{}' is the primary: it seals what is saved now. Name another in "
    "'BYOK_PRIMARY_KEY_ID' of every worker and run 'flask byok rotate' first."
)
_UNKNOWN: t.Final = (
    "No master key '{}' has ever sealed in this database. 'flask byok verify' tells "
    "which have."
)
_RETIRED: t.Final = "The master key '{}' is retired already."
_NEEDED: t.Final = (
    "Still sealed by the master key '{}': {:,} stored keys. Run 'flask byok rotate' "
    "first; what it cannot read must be entered again or removed."
)


def ensure_check_value(
    connection: sa.Connection, table: sa.Table, keyring: Keyring, now: dt.datetime
) -> None:
    """Make sure the primary master key may seal here; see ``Store``."""
    if not _lock_primary(connection, table, keyring):
        row = {
            "key_id": keyring.primary,
            "kcv": keyring.check_value(keyring.primary),
            "namespace": keyring.namespace,
            "first_seen": now,
        }
        insert_unless_there(connection, table, row)
        _lock_primary(connection, table, keyring)

    # Read back: of two workers with different bytes one is refused.
    refuse_other_ring(connection, table, keyring)


def _lock_primary(connection: sa.Connection, table: sa.Table, keyring: Keyring) -> bool:
    """Lock the primary's row, so that nobody retires it before our commit.

    :return: whether there is one.
    """
    select = sa.select(table.c.key_id).where(table.c.key_id == keyring.primary)
    return connection.scalar(select.with_for_update(read=True)) is not None


def refuse_other_ring(
    connection: sa.Connection, table: sa.Table, keyring: Keyring
) -> None:
    """Stop when this ring is not the one the database was written under.

    A master key other than the primary counts as well: a database restored beside
    another ring must not be written to.

    :raises VaultClosed: with a sentence, which the log has as an ERROR.
    """
    rows: t.Any = connection.execute(sa.select(table)).all()

    for problem in judge(rows, keyring):
        if problem.stops_sealing:
            log_event(
                _log,
                logging.ERROR,
                "ring_refused",
                "%(sentence)s",
                sentence=problem.sentence,
            )
            raise VaultClosed(problem.sentence)


def retire(
    connection: sa.Connection,
    tables: Tables,
    keyring: Keyring,
    key_id: str,
    now: dt.datetime,
) -> None:
    """Mark a master key so that nothing is ever sealed under it again.

    :raises RetireRefused: for the primary, an id that never sealed here, one that is
        retired already, and one that a stored key still needs.
    :raises VaultClosed: when this ring is not the one of the database.
    """
    if key_id == keyring.primary:
        raise RetireRefused(_PRIMARY.format(key_id))

    table = tables.keyring
    row = table.c.key_id == key_id
    found = connection.execute(sa.select(table).where(row).with_for_update()).all()
    refuse_other_ring(connection, table, keyring)

    if not found:
        raise RetireRefused(_UNKNOWN.format(key_id))

    if found[0].retired_at is not None:
        raise RetireRefused(_RETIRED.format(key_id))

    # A statement after the lock: what a save wrote while we waited for it is seen.
    left = _count_under(connection, tables, key_id)

    if left:
        raise RetireRefused(_NEEDED.format(key_id, left))

    connection.execute(sa.update(table).where(row).values(retired_at=now))


def _count_under(connection: sa.Connection, tables: Tables, key_id: str) -> int:
    found = 0

    for table in (tables.credential, tables.draft):
        count = sa.select(sa.func.count()).where(table.c.key_id == key_id)
        found += connection.scalar(count.select_from(table)) or 0

    return found
