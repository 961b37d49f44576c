"""Notices for the people of a company: each claimed by one process, then sent.

Which one was sent last stands on the key's row: whoever changes that mark sends, in
whatever process.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

import sqlalchemy as sa

from ..errors import StateUnavailable
from ..vault.database import Database
from ..vault.database import WriteBusy
from ..vault.models import CIRCUIT_COLUMNS
from ..vault.rows import read_circuit
from ..vault.types import CircuitState
from .due import build_marks
from .due import Due
from .due import find_due
from .due import NoticeKind

if t.TYPE_CHECKING:
    import collections.abc as cabc

    from ..vault.types import Credential

#: Rows in one read of :meth:`Notices.sweep`.
PAGE: t.Final = 200


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """What a company is to be told. Holds no key and no provider text.

    :param company_id: the typed text.
    :param reason: a reason word, or ``key_service_unavailable``.
    :param since: when the trouble began; of ``recovered``, when it was over.
    :param until: when the key is tried again.
    """

    company_id: str
    provider: str
    kind: NoticeKind
    reason: str | None
    since: dt.datetime | None
    until: dt.datetime | None = None


def build_notice(company_id: str, provider: str, due: Due) -> Notice:
    """Say whom a notice is for, once it is claimed."""
    return Notice(
        company_id=company_id,
        provider=provider,
        kind=due.kind,
        reason=due.reason,
        since=due.since,
        until=due.until,
    )


class Notices:
    """Looks whether a company is to be told something, and claims it.

    Nothing here raises, apart from what is no ordinary exception.

    :param tell: sends a notice that was claimed; it stands in the database by then.
    """

    def __init__(
        self,
        database: Database,
        table: sa.Table,
        tell: cabc.Callable[[Notice], None],
    ) -> None:
        self._database = database
        self._table = table
        self._tell = tell

    def look(
        self,
        credential: Credential,
        state: CircuitState,
        now: dt.datetime,
        *,
        works: bool = False,
    ) -> bool:
        """Send the notice that is due for a key, if one is. No query unless it is.

        :param state: of its circuit, as this process knows it.
        :param works: the key has just worked.
        :return: whether this call sent one.
        """
        owner = (credential.company_id, credential.provider)
        return self._look(owner, state, now, works)

    def look_again(self, credential_id: str, *, works: bool = False) -> bool:
        """Read a key's row, as it is now, and send the notice that is due.

        :return: whether this call sent one.
        """
        query = self._query().where(self._table.c.id == credential_id)
        now, rows = self._read(query)
        return any(self._look_at(row, now, works=works) for row in rows)

    def sweep(self, now: dt.datetime, *, most: int = 1000) -> int:
        """Send the notices that no call has come by to send; tell how many.

        No connection is held while they are sent.

        :param now: of the database's clock.
        :param most: so many at once; the next sweep sends the others.
        """
        sent = 0

        for row in self._candidates():
            sent += self._look_at(row, now)

            if sent >= most:
                break

        return sent

    def count(self, now: dt.datetime) -> int:
        """Tell how many notices a sweep would send.

        :param now: of the database's clock.
        """
        states = (read_circuit(row[2:]) for row in self._candidates())
        return sum(find_due(state, now) is not None for state in states)

    def _candidates(self) -> cabc.Iterator[sa.Row[t.Any]]:
        """Read the rows a notice may be due for, page by page."""
        last = ""

        while True:
            _, rows = self._read(self._page(last))
            yield from rows

            if len(rows) < PAGE:
                return

            last = rows[-1].id

    def _page(self, last: str) -> sa.Select[t.Any]:
        """Select keys that are out, or whose trouble was told and may be over."""
        columns = self._table.c
        candidate = sa.or_(
            columns.circuit == "open",
            columns.unreadable_at.is_not(None),
            columns.noticed_kind.in_(("failing", "reminder")),
        )
        query = self._query().where(candidate, columns.id > last)
        return query.order_by(columns.id).limit(PAGE)

    def _query(self) -> sa.Select[t.Any]:
        names = ("company_id", "provider", *CIRCUIT_COLUMNS)
        return sa.select(*(self._table.c[name] for name in names))

    def _read(
        self, query: sa.Select[t.Any]
    ) -> tuple[dt.datetime, cabc.Sequence[sa.Row[t.Any]]]:
        try:
            with self._database.read() as conn:
                return self._database.now(conn), conn.execute(query).all()
        except StateUnavailable:
            # The next call or sweep looks again.
            return dt.datetime.now(dt.timezone.utc), ()

    def _look_at(
        self, row: sa.Row[t.Any], now: dt.datetime, *, works: bool = False
    ) -> bool:
        owner, state = (row.company_id, row.provider), read_circuit(row[2:])
        return self._look(owner, state, now, works)

    def _look(
        self,
        owner: tuple[str, str],
        state: CircuitState,
        now: dt.datetime,
        works: bool = False,
    ) -> bool:
        due = find_due(state, now, works=works)

        if due is None or not self._claim(state, due, now):
            return False

        self._tell(build_notice(*owner, due))
        return True

    def _claim(self, state: CircuitState, due: Due, now: dt.datetime) -> bool:
        """Change the mark of the last notice, where it is still the one that was read.

        Now or never: a claim that waits would be two winners.
        """
        columns = self._table.c
        is_out = columns.unreadable_at.is_not(None)
        update = (
            sa.update(self._table)
            .where(
                columns.id == state.id,
                columns.generation == state.generation,
                columns.circuit == state.circuit,
                columns.episode == state.episode,
                is_out if state.unreadable_at is not None else ~is_out,
                columns.noticed_episode == state.noticed_episode,
                columns.noticed_kind == state.noticed_kind,
                columns.noticed_at == state.noticed_at,
            )
            .values(build_marks(state, due, now))
        )

        try:
            return self._database.try_write(
                lambda conn: conn.execute(update).rowcount == 1
            )
        except WriteBusy:
            return False
