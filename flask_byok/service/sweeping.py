"""The chores of a sweep: what dead processes left behind, and what has grown old.

``flask byok sweep`` does each to its end. One call in so many does a small part of some
after its answer, so that no reservation is forgotten where nobody runs the command.
What takes details away is left to it: the operator knows how long to keep them.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import logging
import typing as t

from ..errors import BYOKError
from ..errors import StateUnavailable
from ..events import log_event
from ..failover.notices import Notices
from ..ledger.rollup import BATCH
from ..ledger.usage import Ledger
from ..vault.database import Database
from ..vault.database import DuplicateRow
from ..vault.database import WriteBusy
from ..vault.drafts import Drafts
from .reminders import Reminders

#: Days an attempt is kept as a row of its own.
KEEP_DAYS: t.Final = 90

#: Rows of each chore that a call does after its answer.
SMALL: t.Final = 50

#: Seconds the command waits for a lock, each time.
_PATIENT: t.Final = 1.0

#: How often in a row the command is refused before it gives up.
_REFUSALS: t.Final = 5

_BUSY: t.Final = (
    "The tables of flask-byok cannot be written now. What was swept until here stays "
    "swept; run 'flask byok sweep' again."
)

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Chore:
    """One thing a sweep does, a bounded batch at a time.

    :param name: a word of the report, the same in every version.
    :param by_itself: whether calls do a little of it, too.
    :param count: tells how many rows wait for it at a moment.
    :param step: does a batch: at a moment, so many rows at most, waiting so many
        seconds for a lock; gives how many it did, 0 at the end. It may raise
        ``WriteBusy`` and ``StateUnavailable``; what was done before stays done.
    """

    name: str
    by_itself: bool
    count: cabc.Callable[[dt.datetime], int]
    step: cabc.Callable[[dt.datetime, int, float], int]


@dataclasses.dataclass(kw_only=True, slots=True)
class SweepReport:
    """What a sweep has come to so far.

    :param done: rows by chore; of a dry run, those that would be.
    :param total: rows that waited when it began.
    """

    dry_run: bool
    keep_days: int
    done: dict[str, int] = dataclasses.field(default_factory=dict)
    total: int = 0

    @property
    def swept(self) -> int:
        """Rows of all chores."""
        return sum(self.done.values())


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SweepStep:
    """One batch is done.

    :param position: how much of the way lies behind, from 0 to 1.
    """

    position: float


class Sweeper:
    """Does the chores of one app."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        notices: Notices,
        reminders: Reminders,
        drafts: Drafts,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._notices = notices
        self._reminders = reminders
        self._drafts = drafts

    def chores(self, keep_days: int = KEEP_DAYS) -> tuple[Chore, ...]:
        """List the chores in their order.

        :param keep_days: days an attempt is kept as a row of its own.
        """
        ledger, drafts = self._ledger, self._drafts
        old = dt.timedelta(days=keep_days)
        return (
            Chore(
                name="settled",
                by_itself=True,
                count=ledger.count_forgotten,
                step=lambda now, most, wait: ledger.sweep(now, most=most, wait=wait),
            ),
            Chore(
                name="rolled_up",
                by_itself=False,
                count=lambda now: ledger.roll_up.count(_midnight(now - old)),
                step=lambda now, most, wait: ledger.roll_up.move(
                    _midnight(now - old), most=most, wait=wait
                ),
            ),
            Chore(
                name="notices",
                by_itself=False,
                count=self._notices.count,
                step=lambda now, most, wait: self._notices.sweep(now, most=most),
            ),
            Chore(
                name="reminders",
                by_itself=False,
                count=self._reminders.count,
                step=lambda now, most, wait: self._reminders.sweep(now, most=most),
            ),
            Chore(
                name="drafts",
                by_itself=True,
                count=drafts.count_ended,
                step=lambda now, most, wait: drafts.sweep(now, most=most, wait=wait),
            ),
        )

    def sweep(
        self, report: SweepReport, *, batch: int = BATCH
    ) -> cabc.Iterator[SweepStep]:
        """Do every chore to its end, a batch at a time.

        Run it in as many processes as you like, and again after it was killed.

        :param report: is kept up to date with each batch.
        :raises StateUnavailable: when the rows cannot be read or written.
        """
        now = self._now()
        chores = self.chores(report.keep_days)
        waiting = {chore.name: chore.count(now) for chore in chores}
        report.total = sum(waiting.values())
        report.done = dict.fromkeys(waiting, 0)

        if report.dry_run:
            report.done = waiting
            return

        for chore in chores:
            while done := _patiently(chore, now, batch):
                report.done[chore.name] += done
                yield SweepStep(position=min(1.0, report.swept / (report.total or 1)))

        log_event(
            _log,
            logging.INFO,
            "sweep_ended",
            "A sweep ended: %(settled)d attempts settled, %(rolled_up)d rolled up, "
            "%(notices)d notices and %(reminders)d reminders sent, %(drafts)d drafts "
            "of keys deleted.",
            settled=report.done["settled"],
            rolled_up=report.done["rolled_up"],
            notices=report.done["notices"],
            reminders=report.done["reminders"],
            drafts=report.done["drafts"],
        )

    def sweep_a_little(self) -> None:
        """Do a small batch of the chores that calls do, if it is time. No waiting.

        Never raises an ordinary exception: for the end of a request.
        """
        if not self._ledger.is_sweep_due():
            return

        try:
            now = self._now()

            for chore in self.chores():
                if chore.by_itself:
                    chore.step(now, SMALL, 0.0)
        except (WriteBusy, DuplicateRow, BYOKError):
            # Somebody else is at work, the host's own transaction say: next time.
            return
        except Exception as error:
            log_event(
                _log,
                logging.ERROR,
                "sweep_failed",
                "A small sweep failed (%(error)s).",
                error=type(error).__name__,
            )

    def _now(self) -> dt.datetime:
        with self._database.read() as conn:
            return self._database.now(conn)


def _patiently(chore: Chore, now: dt.datetime, batch: int) -> int:
    """Do a batch, beginning anew when others are in the way."""
    for _ in range(_REFUSALS):
        try:
            return chore.step(now, batch, _PATIENT)
        except WriteBusy:
            continue

    raise StateUnavailable(_BUSY)


def _midnight(moment: dt.datetime) -> dt.datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
