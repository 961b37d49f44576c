"""When the people of a company are told that its key fails, and that it works again.

One notice per episode: at once where somebody has to act, after a while where the
trouble may pass by itself. One reminder a day later, and one notice of the end, where
the beginning had been told. Which one was sent last stands on the key's row: whoever
changes that mark sends, in whatever process.

Models that are blocked, for a rate limit say, are none of this: the key works.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

import sqlalchemy as sa

from ..errors import is_passing
from ..errors import StateUnavailable
from ..vault.database import Database
from ..vault.database import WriteBusy
from ..vault.models import CIRCUIT_COLUMNS
from ..vault.rows import read_circuit
from ..vault.types import CircuitState
from .reasons import CLASSES

if t.TYPE_CHECKING:
    import collections.abc as cabc

    from ..vault.types import Credential

NoticeKind = t.Literal["failing", "reminder", "recovered"]

#: How long a trouble lasts before a company hears of it that need not do anything.
PATIENCE: t.Final = dt.timedelta(minutes=15)

#: How long after a notice its reminder follows.
REMINDER: t.Final = dt.timedelta(hours=24)

#: Rows in one read of :meth:`Notices.sweep`.
PAGE: t.Final = 200

#: The word of a stored key that does not open and never will by itself.
_UNREADABLE: t.Final = CLASSES["H"].reason

#: Words that somebody has to act on.
_AT_ONCE: t.Final = frozenset(
    reason for letter in ("A", "B", "C", "H") for reason in CLASSES[letter].reasons
)


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


class Due(t.NamedTuple):
    """A notice that is due, whoever claims it."""

    kind: NoticeKind
    reason: str | None
    since: dt.datetime | None
    until: dt.datetime | None = None


class _Trouble(t.NamedTuple):
    """Why a key is out.

    :param is_told: this very trouble has had its notice.
    """

    reason: str | None
    since: dt.datetime | None
    until: dt.datetime | None
    is_told: bool


def find_due(
    state: CircuitState, now: dt.datetime, *, works: bool = False
) -> Due | None:
    """Tell which notice is due for a key that stands so.

    :param works: it has just worked, whatever its row says of successes.
    """
    trouble = _find_trouble(state)

    if trouble is None:
        return _find_end(state, now, works)

    kind = _kind_of(trouble, state, now)

    if kind is None:
        return None

    return Due(
        kind=kind, reason=trouble.reason, since=trouble.since, until=trouble.until
    )


def build_marks(state: CircuitState, due: Due, now: dt.datetime) -> dict[str, t.Any]:
    """Give the columns that say a notice was sent."""
    is_open = state.circuit == "open"
    told = max(state.noticed_episode, state.episode)
    return {
        "noticed_episode": told if is_open else state.noticed_episode,
        "noticed_at": now,
        "noticed_kind": due.kind,
        "noticed_reason": due.reason,
    }


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


def _find_trouble(state: CircuitState) -> _Trouble | None:
    if state.circuit == "open":
        return _Trouble(
            reason=state.reason,
            since=state.episode_at or state.opened_at,
            until=state.open_until,
            is_told=state.noticed_episode >= state.episode,
        )

    if state.unreadable_at is None:
        return None

    passes = is_passing(state.unreadable_reason)
    reason = state.unreadable_reason if passes else _UNREADABLE
    return _Trouble(
        reason=reason,
        since=state.unreadable_at,
        until=None,
        is_told=state.noticed_reason == reason,
    )


def _kind_of(
    trouble: _Trouble, state: CircuitState, now: dt.datetime
) -> NoticeKind | None:
    if not trouble.is_told:
        is_urgent = trouble.reason in _AT_ONCE
        is_lasting = _is_past(trouble.since, PATIENCE, now)
        return "failing" if is_urgent or is_lasting else None

    # A key that one worker can open and another cannot would be told every minute.
    is_quiet = not _is_past(state.noticed_at, REMINDER, now)

    if state.noticed_kind == "reminder" or is_quiet:
        return None

    was_over = state.noticed_kind == "recovered"
    return "failing" if was_over and state.circuit != "open" else "reminder"


def _is_past(moment: dt.datetime | None, span: dt.timedelta, now: dt.datetime) -> bool:
    return moment is not None and moment + span <= now


def _find_end(state: CircuitState, now: dt.datetime, works: bool) -> Due | None:
    if state.noticed_kind not in ("failing", "reminder") or state.noticed_at is None:
        return None

    # A key replaced by one that nobody has tried yet has not recovered.
    worked_at = state.last_ok_at
    has_worked = worked_at is not None and worked_at > state.noticed_at

    if not works and not has_worked:
        return None

    since = worked_at if has_worked else now
    return Due(kind="recovered", reason=state.noticed_reason, since=since)


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
