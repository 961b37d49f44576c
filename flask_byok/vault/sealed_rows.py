"""Stored keys as the master keys see them: sealed bytes and what they are bound to.

Whoever goes through all of them reads a page at a time, in the order of their ids, and
holds no more than that page.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

import sqlalchemy as sa

from ..errors import StoredKeyUnreadable
from .database import Database
from .keyring import API_KEY
from .keyring import Keyring
from .keyring import SealContext
from .rows import read_blob

#: The reason that is about a key service and not about the row.
SERVICE_DOWN: t.Final = "key_service_unavailable"

_NAMES: t.Final = ("id", "company_id", "provider", "key_id", "generation")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SealedRow:
    """One stored key, without what stands beside it."""

    id: str
    company_id: str
    provider: str
    key_id: str
    generation: int
    blob: bytes = dataclasses.field(repr=False)
    #: What it is sealed for: ``api-key``, or ``api-key-draft`` in the table of drafts.
    purpose: str = API_KEY

    @property
    def context(self) -> SealContext:
        """What the key is bound to."""
        return SealContext(
            purpose=self.purpose,
            company=self.company_id,
            provider=self.provider,
            record=self.id,
        )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class UnreadableKey:
    """A stored key that does not open, or cannot be sealed again. It stays as it is.

    :param reason: a reason of :exc:`~flask_byok.errors.StoredKeyUnreadable`, or
        ``unsealable`` for one that opened and could not be sealed.
    """

    record_id: str
    company_id: str
    provider: str
    key_id: str
    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """What one page of stored keys came to.

    :param position: how much of the way lies behind, from 0 to 1.
    :param opened: how many opened, by the id of their master key.
    """

    position: float
    opened: cabc.Mapping[str, int]
    unreadable: tuple[UnreadableKey, ...]


def page_query(table: sa.Table, *, not_under: str | None = None) -> sa.Select[t.Any]:
    """Build the query of one page; ``after`` and ``size`` are its parameters.

    The order of the primary key is forced on MariaDB, which might otherwise sort, and
    in a locking read lock, all rows for each page.

    :param not_under: leave out the keys of this master key.
    """
    # The driver's own value: SQLite keeps a text in a column of bytes.
    blob = sa.type_coerce(table.c.blob, sa.types.NullType()).label("blob")
    query = (
        sa.select(*(table.c[name] for name in _NAMES), blob)
        .where(table.c.id > sa.bindparam("after", type_=sa.String()))
        .order_by(table.c.id)
        .limit(sa.bindparam("size", type_=sa.Integer()))
    )

    for dialect in ("mysql", "mariadb"):
        query = query.with_hint(table, "FORCE INDEX (PRIMARY)", dialect)

    return query if not_under is None else query.where(table.c.key_id != not_under)


def read_page(
    connection: sa.Connection,
    query: sa.Select[t.Any],
    after: str,
    size: int,
    purpose: str = API_KEY,
) -> list[SealedRow]:
    """Read the rows of one page, all of them sealed for one purpose."""
    rows = connection.execute(query, {"after": after, "size": size})
    return [_read_row(row, purpose) for row in rows]


def _read_row(row: cabc.Iterable[t.Any], purpose: str) -> SealedRow:
    record, company, provider, key_id, generation, blob = row
    return SealedRow(
        id=record,
        company_id=company,
        provider=provider,
        key_id=key_id,
        generation=generation,
        blob=read_blob(blob),
        purpose=purpose,
    )


def position_of(row: SealedRow) -> float:
    """Tell how far into all rows an id is: ids are random and evenly spread."""
    try:
        return int(row.id[:6], 16) / 0xFFFFFF
    except ValueError:
        return 0.0


def unreadable(row: SealedRow, reason: str) -> UnreadableKey:
    """Say which row it is, without a byte of it."""
    return UnreadableKey(
        record_id=row.id,
        company_id=row.company_id,
        provider=row.provider,
        key_id=row.key_id,
        reason=reason,
    )


def try_open(keyring: Keyring, row: SealedRow) -> str | None:
    """Open a stored key and forget it; give the reason when it does not open.

    :raises StoredKeyUnreadable: when it says nothing of the row, because a key service
        cannot be reached.
    """
    try:
        keyring.open(row.blob, row.context, key_id=row.key_id)
    except StoredKeyUnreadable as error:
        if error.reason == SERVICE_DOWN:
            raise

        return error.reason

    return None


def open_all(
    database: Database,
    table: sa.Table,
    keyring: Keyring,
    *,
    not_under: str | None = None,
    size: int = 500,
    purpose: str = API_KEY,
) -> cabc.Iterator[Looked]:
    """Open every key of a table, a page at a time, and change nothing.

    No lock is taken and no connection held between the pages.

    :param not_under: leave out the keys of this master key.
    :raises StateUnavailable: when the rows cannot be read.
    :raises StoredKeyUnreadable: when a key service cannot be reached.
    """
    query = page_query(table, not_under=not_under)
    after: str | None = ""

    while after is not None:
        with database.read() as connection:
            rows = read_page(connection, query, after, size, purpose)

        after = rows[-1].id if len(rows) == size else None
        yield _look(keyring, rows, 1.0 if after is None else position_of(rows[-1]))


def _look(keyring: Keyring, rows: list[SealedRow], position: float) -> Looked:
    opened: dict[str, int] = {}
    failed = []

    for row in rows:
        reason = try_open(keyring, row)

        if reason is None:
            opened[row.key_id] = opened.get(row.key_id, 0) + 1
        else:
            failed.append(unreadable(row, reason))

    return Looked(position=position, opened=opened, unreadable=tuple(failed))
