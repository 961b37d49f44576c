"""Reminders of the dates companies declare for their keys: 14, 7 and 1 days before.

Providers do not tell when a key expires, so people say it. Which reminder was sent last
stands on the key's row: whoever changes that mark sends, in whatever process.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import typing as t

import sqlalchemy as sa

from ..errors import StateUnavailable
from ..failover.telling import Teller
from ..ledger.audit import Audit
from ..vault.database import Database
from ..vault.database import WriteBusy

if t.TYPE_CHECKING:
    from ..vault.types import CredentialInfo

#: Days before the date at which a company is reminded.
STEPS: t.Final = (14, 7, 1)

#: Rows in one read of :meth:`Reminders.sweep`.
PAGE: t.Final = 200

_NAMES: t.Final = (
    "id",
    "company_id",
    "provider",
    "generation",
    "expires_on",
    "reminded_days",
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Dated:
    """A stored key and the date its company declared.

    :param company: the typed text.
    :param reminded_days: the last reminder that was sent; ``None`` before the first.
    """

    company: str
    provider: str
    generation: int
    expires_on: dt.date | None
    reminded_days: int | None


def find_step(dated: Dated, today: dt.date) -> int | None:
    """Tell which reminder is due: of those that were missed the latest alone.

    A date that has come is told by the page, and not by a reminder.
    """
    if dated.expires_on is None:
        return None

    days = (dated.expires_on - today).days
    step = min((step for step in STEPS if days <= step), default=None)

    if step is None or days < 1:
        return None

    last = dated.reminded_days
    return step if last is None or step < last else None


class Reminders:
    """Looks which reminders are due, and claims them.

    Nothing here raises, apart from what is no ordinary exception.
    """

    def __init__(
        self, database: Database, table: sa.Table, audit: Audit, teller: Teller
    ) -> None:
        self._database = database
        self._table = table
        self._audit = audit
        self._teller = teller

    def look(
        self, company: str, infos: cabc.Iterable[CredentialInfo], now: dt.datetime
    ) -> None:
        """Send what is due for a company's keys; no query unless something is.

        :param now: of the database's clock.
        """
        for info in infos:
            dated = Dated(
                company=company,
                provider=info.provider,
                generation=info.generation,
                expires_on=info.expires_on,
                reminded_days=info.reminded_days,
            )
            self._look_at(dated, now)

    def sweep(self, now: dt.datetime, *, most: int = 1000) -> int:
        """Send what nobody has come by to find; tell how many.

        No connection is held while they are sent.
        """
        sent = 0

        for dated in self._candidates(now):
            sent += self._look_at(dated, now)

            if sent >= most:
                break

        return sent

    def count(self, now: dt.datetime) -> int:
        """Tell how many reminders a sweep would send."""
        today = _day(now)
        return sum(find_step(d, today) is not None for d in self._candidates(now))

    def _candidates(self, now: dt.datetime) -> cabc.Iterator[Dated]:
        """Read the keys whose date is near, page by page."""
        last: str | None = ""

        while last is not None:
            rows = self._read(last, _day(now))
            last = rows[-1].id if len(rows) == PAGE else None

            for row in rows:
                yield Dated(
                    company=row.company_id,
                    provider=row.provider,
                    generation=row.generation,
                    expires_on=row.expires_on,
                    reminded_days=row.reminded_days,
                )

    def _read(self, last: str, today: dt.date) -> cabc.Sequence[sa.Row[t.Any]]:
        columns = self._table.c
        query = (
            sa.select(*(columns[name] for name in _NAMES))
            .where(
                columns.id > last,
                columns.expires_on > today,
                columns.expires_on <= today + dt.timedelta(days=max(STEPS)),
            )
            .order_by(columns.id)
            .limit(PAGE)
        )

        try:
            with self._database.read() as conn:
                return conn.execute(query).all()
        except StateUnavailable:
            # The next sweep, or whoever opens the page, looks again.
            return ()

    def _look_at(self, dated: Dated, now: dt.datetime) -> bool:
        step = find_step(dated, _day(now))

        if step is None or dated.expires_on is None:
            return False

        if not self._claim(dated, step, now):
            return False

        days_left = (dated.expires_on - _day(now)).days
        self._teller.key_expiring(
            dated.company, dated.provider, days_left, dated.expires_on
        )
        return True

    def _claim(self, dated: Dated, step: int, now: dt.datetime) -> bool:
        """Change the mark where it is still the one that was read; note it, too.

        Now or never: a claim that waits would be two winners.
        """
        columns = self._table.c
        update = (
            sa.update(self._table)
            .where(
                columns.company_id == dated.company,
                columns.provider == dated.provider,
                columns.generation == dated.generation,
                columns.expires_on == dated.expires_on,
                columns.reminded_days == dated.reminded_days,
            )
            .values(reminded_days=step)
        )

        def work(conn: sa.Connection) -> bool:
            if conn.execute(update).rowcount != 1:
                return False

            self._audit.write(
                conn,
                dated.company,
                "key_expiring",
                at=now,
                provider=dated.provider,
                details={"days": step},
            )
            return True

        try:
            return self._database.try_write(work)
        except WriteBusy:
            return False


def _day(moment: dt.datetime) -> dt.date:
    return moment.astimezone(dt.timezone.utc).date()
