"""Keys that were pasted and are not saved yet: sealed like stored ones, short-lived.

No AI call reads this table. A row is found by its random id alone, which the pasting
browser session holds, and only together with the company it belongs to.
"""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import typing as t

import sqlalchemy as sa

from .database import Database
from .models import Tables
from .rows import build_draft
from .rows import DRAFT_COLUMNS
from .rows import read_blob
from .types import DraftInfo
from .types import SealedDraft

#: How long a draft is kept.
LIFETIME: t.Final = dt.timedelta(minutes=15)

#: Drafts of one company at a time: one for each browser session that pastes.
MOST: t.Final = 20

_INFO_COLUMNS: t.Final = tuple(n for n in DRAFT_COLUMNS if n != "test_report")


class Drafts:
    """Reads and writes drafts. ``company`` is always the typed text of its id.

    Methods that take a ``connection`` belong into ``with database.write() as
    connection``.
    """

    def __init__(self, database: Database, tables: Tables) -> None:
        self._database = database
        self._table = tables.draft

    def read(self, company: str, draft_id: str) -> SealedDraft | None:
        """Find a draft that has not ended.

        :raises StateUnavailable: when it cannot be read.
        """
        columns = self._table.c
        query = sa.select(
            *(columns[name] for name in DRAFT_COLUMNS),
            columns.blob,
            columns.key_id,
            columns.generation,
        ).where(columns.id == draft_id, columns.company_id == company)

        with self._database.read() as conn:
            row = conn.execute(query).one_or_none()
            now = self._database.now(conn)

        # Compared once more, exactly: a collation may ignore case or blanks.
        if row is None or (row.id, row.company_id) != (draft_id, company):
            return None

        info = build_draft(row[: len(DRAFT_COLUMNS)])

        if info.ends_at <= now:
            return None

        return SealedDraft(
            info=info,
            blob=read_blob(row.blob),
            key_id=row.key_id,
            generation=row.generation,
        )

    def insert(
        self, connection: sa.Connection, draft: SealedDraft, now: dt.datetime
    ) -> None:
        """Keep a draft, and no more than a company's latest."""
        row = {
            **_columns_of(draft),
            "generation": draft.generation,
            "created_at": now,
        }
        self._make_room(connection, draft.info.company_id)
        connection.execute(sa.insert(self._table), row)

    def _make_room(self, connection: sa.Connection, company: str) -> None:
        columns = self._table.c
        query = (
            sa.select(columns.id)
            .where(columns.company_id == company)
            .order_by(columns.created_at.desc(), columns.id)
            .offset(MOST - 1)
            .limit(MOST)
        )
        oldest = connection.scalars(query).all()

        if oldest:
            connection.execute(sa.delete(self._table).where(columns.id.in_(oldest)))

    def replace(self, connection: sa.Connection, draft: SealedDraft) -> bool:
        """Write a draft and its sealed bytes anew, where it is still what was read.

        :return: ``False`` when it is another one by now, or gone.
        """
        values = {**_columns_of(draft), "generation": draft.generation + 1}
        return self._update(connection, draft, values)

    def note(self, connection: sa.Connection, draft: SealedDraft) -> bool:
        """Write what is known of a draft; its sealed bytes stay as they are.

        :return: ``False`` when it is another one by now, or gone.
        """
        return self._update(connection, draft, _info_columns(draft.info))

    def _update(
        self,
        connection: sa.Connection,
        draft: SealedDraft,
        values: cabc.Mapping[str, t.Any],
    ) -> bool:
        columns = self._table.c
        statement = sa.update(self._table).where(
            columns.id == draft.info.id,
            columns.company_id == draft.info.company_id,
            columns.generation == draft.generation,
        )
        return connection.execute(statement.values(**values)).rowcount == 1

    def delete(self, connection: sa.Connection, company: str, draft_id: str) -> bool:
        """Delete a draft; tell whether it was there."""
        columns = self._table.c
        statement = sa.delete(self._table).where(
            columns.id == draft_id, columns.company_id == company
        )
        return connection.execute(statement).rowcount == 1

    def delete_of_provider(
        self, connection: sa.Connection, company: str, provider: str
    ) -> None:
        """Delete all drafts of a company for one provider."""
        columns = self._table.c
        connection.execute(
            sa.delete(self._table).where(
                columns.company_id == company, columns.provider == provider
            )
        )

    def count_ended(self, now: dt.datetime) -> int:
        """Count the drafts whose time is over.

        :raises StateUnavailable: when they cannot be counted.
        """
        query = sa.select(sa.func.count()).select_from(self._table)

        with self._database.read() as conn:
            return conn.scalar(query.where(self._table.c.ends_at <= now)) or 0

    def sweep(self, now: dt.datetime, *, most: int, wait: float) -> int:
        """Delete drafts whose time is over; tell how many.

        :raises WriteBusy: when it cannot be done now.
        """
        columns = self._table.c
        query = sa.select(columns.id).where(columns.ends_at <= now).limit(most)

        with self._database.read() as conn:
            ended = conn.scalars(query).all()

        if not ended:
            return 0

        statement = sa.delete(self._table).where(columns.id.in_(ended))
        return self._database.try_write(
            lambda conn: conn.execute(statement).rowcount, wait=wait
        )


def _columns_of(draft: SealedDraft) -> cabc.Mapping[str, t.Any]:
    return {
        **_info_columns(draft.info),
        "blob": draft.blob,
        "key_id": draft.key_id,
    }


def _info_columns(info: DraftInfo) -> dict[str, t.Any]:
    values = {name: getattr(info, name) for name in _INFO_COLUMNS}
    return {**values, "test_report": info.report}
