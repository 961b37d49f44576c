"""What time does to a database, when nobody looks after it; for the doctor."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import typing as t

import sqlalchemy as sa

from ..vault.database import Database
from ..vault.keyring import Keyring
from ..vault.models import Tables
from .findings import Finding
from .findings import ok
from .findings import warning
from .sweeping import Chore

#: Seconds two clocks may differ.
APART: t.Final = 60.0

#: What has waited so long for a sweep was passed over by yesterday's.
LATE: t.Final = dt.timedelta(days=2)

#: A year, as the page about operations says, and a month to get it done.
OLD: t.Final = dt.timedelta(days=395)


def look_at_ages(
    database: Database,
    tables: Tables,
    chores: cabc.Iterable[Chore],
    keyring: Keyring | None,
) -> cabc.Iterator[Finding]:
    """Look at the clocks, at what a sweep should have done, and at the master key.

    :raises StateUnavailable: when the rows cannot be read.
    """
    with database.read() as connection:
        now = database.now(connection)
        rows: t.Any = connection.execute(sa.select(tables.keyring)).all()

    yield _look_at_clocks(now)
    yield _look_at_chores(chores, now)
    first_seen = {row.key_id: database.moved(row.first_seen) for row in rows}

    if keyring is not None and keyring.primary not in keyring.service_ids:
        yield from _look_at_primary(keyring.primary, first_seen, now)


def _look_at_clocks(now: dt.datetime) -> Finding:
    ahead = (dt.datetime.now(dt.timezone.utc) - now).total_seconds()

    if abs(ahead) <= APART:
        return ok("clock", "The clocks of this machine and of the database agree.")

    where = "ahead of" if ahead > 0 else "behind"
    return warning(
        "clock",
        f"The clock of this machine is {abs(ahead) / 60:.0f} min {where} the "
        "database's. Let NTP set both: sessions and ends of models go by the one, "
        "pauses, budgets and expiry dates by the other.",
    )


def _look_at_chores(chores: cabc.Iterable[Chore], now: dt.datetime) -> Finding:
    # A reminder may be late for another reason: its date was entered late.
    waiting = sum(
        chore.count(now - LATE) for chore in chores if chore.name != "reminders"
    )

    if not waiting:
        return ok("sweep", "Nothing waits for a sweep.")

    return warning(
        "sweep",
        f"Rows that have waited for a sweep for days: {waiting}. Let a scheduler run "
        "'flask byok sweep' once a day; --keep-days keeps attempts longer.",
    )


def _look_at_primary(
    primary: str, first_seen: cabc.Mapping[str, dt.datetime], now: dt.datetime
) -> cabc.Iterator[Finding]:
    since = first_seen.get(primary, now)

    if now - since > OLD:
        yield warning(
            "rotation",
            f"The master key {primary} has sealed since {since.date().isoformat()}. "
            "Change it once a year: add one with 'flask byok generate-key', make it "
            "the primary, and run 'flask byok rotate'.",
        )
