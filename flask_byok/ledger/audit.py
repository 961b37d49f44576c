"""Who changed what: one row per event, in our own words alone."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import json
import typing as t
import uuid

import sqlalchemy as sa

from ..vault.clock import read_time
from ..vault.database import Database
from ..vault.models import Tables
from .rows import fit
from .rows import text_lengths

#: What can stand in the history.
Action = t.Literal[
    "key_saved",
    "key_replaced",
    "key_rejected",
    "key_not_saved",
    "keys_refused",
    "key_removed",
    "key_tested",
    "key_unreadable",
    "key_expiring",
    "details_changed",
    "active_changed",
    "policy_changed",
    "fallback_started",
    "fallback_ended",
    "budget_threshold",
    "company_forgotten",
]

#: A detail is a word, a number or nothing; never a text of a provider.
Detail = str | int | bool | None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class HistoryEntry:
    """One event of a company.

    :param at: aware UTC.
    :param actor: who did it, as the host names people; ``None`` for nobody in person.
    :param action: a word of :data:`Action`.
    :param provider: ``None`` for an event of the whole company.
    :param details: words of ours, such as ``from``, ``to`` and ``reason``. Of
        ``fallback_started``, ``to`` is the provider whose key answered, and ``source``
        whose key that is: ``company`` or ``system``; lines of older versions have no
        ``source`` and mean the system key.
    """

    at: dt.datetime
    actor: str | None
    action: str
    provider: str | None
    details: cabc.Mapping[str, Detail]


class Audit:
    """Writes and reads the history of companies."""

    def __init__(self, database: Database, tables: Tables) -> None:
        self._database = database
        self._table = tables.audit
        self._insert = sa.insert(tables.audit)
        self._lengths = text_lengths(tables.audit)

    def write(
        self,
        conn: sa.Connection,
        company_id: str,
        action: Action,
        *,
        at: dt.datetime,
        actor: str | None = None,
        provider: str | None = None,
        details: cabc.Mapping[str, Detail] | None = None,
        line_id: str | None = None,
    ) -> None:
        """Add an event inside the caller's transaction, so that both hold or none.

        :param company_id: the typed text.
        :param at: the database's time, aware UTC.
        :param details: words of ours; no key, no digits of one, no provider text.
        :param line_id: a UUID as text, of a line that is to stand there once; any other
            line has a random one.
        """
        row = {
            "id": line_id or str(uuid.uuid4()),
            "company_id": company_id,
            "at": at,
            "actor": actor,
            "action": action,
            "provider": provider,
            "details": _render(details or {}),
        }
        conn.execute(self._insert, fit(self._lengths, row))

    def holds(self, conn: sa.Connection, line_id: str) -> bool:
        """Tell whether a line stands there, inside the caller's transaction."""
        columns = self._table.c
        query = sa.select(columns.id).where(columns.id == line_id)
        return conn.scalar(query) is not None

    def count(
        self,
        conn: sa.Connection,
        company_id: str,
        actions: cabc.Iterable[str],
        *,
        since: dt.datetime,
    ) -> int:
        """Count a company's events inside the caller's transaction.

        :param company_id: the typed text.
        :param actions: the words that count.
        :param since: by the database's time, aware UTC.
        """
        columns = self._table.c
        query = sa.select(sa.func.count()).where(
            columns.company_id == company_id,
            columns.action.in_(set(actions)),
            columns.at > since,
        )
        return conn.scalar(query) or 0

    def history(self, company_id: str, limit: int = 20) -> list[HistoryEntry]:
        """List the latest events of a company, newest first.

        :raises StateUnavailable: when the rows cannot be read.
        """
        table = self._table
        query = (
            sa.select(table)
            .where(table.c.company_id == company_id)
            .order_by(table.c.at.desc(), table.c.id)
            .limit(limit)
        )

        with self._database.read() as conn:
            rows = conn.execute(query).all()

        return [_entry(row) for row in rows]


def _render(details: cabc.Mapping[str, Detail]) -> str | None:
    for value in details.values():
        if not isinstance(value, (str, int, type(None))):
            raise TypeError("A detail of the history is a word, a number or None.")

    return json.dumps(dict(details), sort_keys=True) if details else None


def _entry(row: sa.Row[t.Any]) -> HistoryEntry:
    return HistoryEntry(
        at=read_time(row.at),
        actor=row.actor,
        action=row.action,
        provider=row.provider,
        details=_parse(row.details),
    )


def _parse(text: str | None) -> dict[str, Detail]:
    try:
        details = json.loads(text or "{}")
    except ValueError:
        return {}

    return details if isinstance(details, dict) else {}
