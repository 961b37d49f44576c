"""How a sealed key and a company's choices get into their rows."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import typing as t

import sqlalchemy as sa
from sqlalchemy import exc

from ..errors import CredentialChanged
from ..errors import StateUnavailable
from .models import Tables
from .types import SealedKey

#: How a circuit begins, and what a save makes of it.
_FRESH_CIRCUIT: t.Final[cabc.Mapping[str, t.Any]] = {
    "circuit": "closed",
    "reason": None,
    "code": None,
    "opened_at": None,
    "open_until": None,
    "open_count": 0,
    "closed_at": None,
    "episode_at": None,
    "fail_count": 0,
    "fail_since": None,
    "probe_token": None,
    "probe_until": None,
    "model_blocks": None,
    "last_ok_at": None,
    "unreadable_at": None,
    "unreadable_reason": None,
}

#: Counters that go on when a key is replaced.
_FIRST_COUNTS: t.Final[cabc.Mapping[str, int]] = {
    "generation": 1,
    "episode": 0,
    "blocks_rev": 0,
    "fallback_episode": 0,
    "noticed_episode": 0,
}

CHANGED: t.Final = (
    "This key was changed meanwhile. Load the page again and look before saving."
)
_DAMAGED: t.Final = (
    "The database did not give back the bytes it was given. Nothing was saved; check "
    "the type and character set of the table's columns."
)


def saved_values(
    sealed: SealedKey, *, now: dt.datetime, actor: str | None
) -> dict[str, t.Any]:
    """Give the columns that a save sets, whether it inserts or replaces."""
    return {
        "blob": sealed.blob,
        "key_id": sealed.key_id,
        "prefix": sealed.prefix,
        "last4": sealed.last4,
        "model": sealed.model,
        "expires_on": sealed.expires_on,
        "reminded_days": None,
        "state": sealed.state,
        "state_reason": sealed.state_reason,
        "test_report": sealed.report,
        "tested_at": None if sealed.report is None else now,
        "updated_at": now,
        "updated_by": actor,
        **_FRESH_CIRCUIT,
    }


def insert_key(
    connection: sa.Connection,
    table: sa.Table,
    sealed: SealedKey,
    values: cabc.Mapping[str, t.Any],
) -> None:
    """Insert a company's first key of a provider.

    :raises CredentialChanged: when somebody else was quicker.
    """
    row = {
        **values,
        **_FIRST_COUNTS,
        "id": sealed.id,
        "company_id": sealed.company_id,
        "provider": sealed.provider,
        "created_at": values["updated_at"],
        "created_by": values["updated_by"],
    }

    try:
        connection.execute(sa.insert(table), row)
    except exc.IntegrityError:
        pass
    else:
        return

    raise CredentialChanged(CHANGED)


def number_anew(connection: sa.Connection, tables: Tables, sealed: SealedKey) -> int:
    """Give a key that was just inserted a generation its company has not had yet.

    Who looked at a key that was removed since must not take this one for it. Call it
    after the insert: a removal that was under way has ended by then.

    :return: the generation.
    """
    company, table = tables.company.c, tables.credential
    query = sa.select(company.removed_generation)
    last = connection.scalar(query.where(company.company_id == sealed.company_id))

    if last is None:
        return _FIRST_COUNTS["generation"]

    update = sa.update(table).where(table.c.id == sealed.id)
    connection.execute(update.values(generation=last + 1))
    return int(last) + 1


def remember_removed(
    connection: sa.Connection,
    table: sa.Table,
    company: str,
    generation: int,
    now: dt.datetime,
) -> None:
    """Keep the highest generation of a company's removed keys, for the next one."""
    columns = table.c
    update = (
        sa.update(table)
        .where(
            columns.company_id == company,
            sa.func.coalesce(columns.removed_generation, 0) < generation,
        )
        .values(removed_generation=generation)
    )

    if connection.execute(update).rowcount:
        return

    row = {"company_id": company, "use_other_keys": False, "updated_at": now}
    insert_unless_there(connection, table, row)
    connection.execute(update)


def update_seen(
    connection: sa.Connection,
    table: sa.Table,
    credential_id: str,
    seen_generation: int,
    values: cabc.Mapping[str, t.Any],
) -> int:
    """Update the very key that was seen, and give its new generation.

    :raises CredentialChanged: when it is another one by now, or gone.
    """
    statement = (
        sa.update(table)
        .where(table.c.id == credential_id, table.c.generation == seen_generation)
        .values(**values, generation=table.c.generation + 1)
    )

    if connection.execute(statement).rowcount != 1:
        raise CredentialChanged(CHANGED)

    return seen_generation + 1


def read_back(connection: sa.Connection, table: sa.Table, sealed: SealedKey) -> None:
    """Compare what is stored with what was given, inside the same transaction.

    A lenient database cuts long values, and a driver may re-code bytes.

    :raises StateUnavailable: when they differ.
    """
    names = ("blob", "key_id", "company_id", "provider")
    select = sa.select(*(table.c[name] for name in names))
    row = connection.execute(select.where(table.c.id == sealed.id)).one_or_none()

    if row is None or tuple(row) != tuple(getattr(sealed, name) for name in names):
        raise StateUnavailable(_DAMAGED)


def set_company(
    connection: sa.Connection,
    table: sa.Table,
    company: str,
    values: cabc.Mapping[str, t.Any],
) -> None:
    """Update a company's row, or insert it; another may insert it meanwhile."""
    update = sa.update(table).where(table.c.company_id == company).values(**values)

    if connection.execute(update).rowcount:
        return

    row = {"company_id": company, "use_other_keys": False, **values}

    if not insert_unless_there(connection, table, row):
        connection.execute(update)


def insert_unless_there(
    connection: sa.Connection, table: sa.Table, row: cabc.Mapping[str, t.Any]
) -> bool:
    """Insert a row inside a transaction that goes on when the row exists.

    :return: whether it was inserted.
    """
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(table), row)
    except exc.IntegrityError:
        return False

    return True
