"""What operators do with master keys: rotate, verify, retire."""

from __future__ import annotations

import collections
import collections.abc as cabc
import dataclasses
import logging
import typing as t

import sqlalchemy as sa

from ..events import log_event
from ..vault.keyring import API_KEY
from ..vault.keyring import DRAFT
from ..vault.models import Tables
from ..vault.ring_rows import retire
from ..vault.rotation import BATCH
from ..vault.rotation import count_left
from ..vault.rotation import Rotation
from ..vault.rotation import Step
from ..vault.sealed_rows import Looked
from ..vault.sealed_rows import open_all
from ..vault.sealed_rows import UnreadableKey
from .desk import Desk

_log = logging.getLogger(__name__)

#: How many unreadable keys a report lists one by one; all of them are counted.
LISTED: t.Final = 1000


@dataclasses.dataclass(kw_only=True, slots=True)
class RotationReport:
    """What a rotation has come to so far.

    :param primary: the master key that the keys go over to.
    :param moved: keys that went over; of a dry run, those that would.
    :param changed: keys somebody else saved, removed or moved in between.
    :param failed: keys that do not open; they stay as they are.
    :param left: keys under other master keys at the end, by their ids.
    """

    primary: str
    dry_run: bool
    moved: int = 0
    changed: int = 0
    failed: int = 0
    left: dict[str, int] = dataclasses.field(default_factory=dict)
    failures: list[UnreadableKey] = dataclasses.field(default_factory=list)

    def add(self, step: Step) -> None:
        """Count one batch."""
        self.moved += step.moved
        self.changed += step.changed
        self.failed += len(step.unreadable)
        self.failures += step.unreadable[: LISTED - len(self.failures)]


@dataclasses.dataclass(kw_only=True, slots=True)
class VerifyReport:
    """Which stored keys open.

    :param opened: how many do, by the id of their master key.
    :param failed: how many do not.
    """

    opened: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )
    failed: int = 0
    failures: list[UnreadableKey] = dataclasses.field(default_factory=list)

    @property
    def total(self) -> int:
        """All stored keys."""
        return self.opened.total() + self.failed

    def add(self, looked: Looked) -> None:
        """Count one page."""
        self.opened.update(looked.opened)
        self.failed += len(looked.unreadable)
        self.failures += looked.unreadable[: LISTED - len(self.failures)]


class Upkeep:
    """Looks after the master keys of one app."""

    def __init__(self, desk: Desk, tables: Tables) -> None:
        self._desk = desk
        self._tables = tables

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of all master keys of this process.

        :raises VaultClosed: when there is no keyring.
        """
        return self._desk.open_keyring().key_ids

    def begin_report(self, *, dry_run: bool = False) -> RotationReport:
        """Begin the report of a rotation.

        :raises VaultClosed: when there is no keyring.
        """
        primary = self._desk.open_keyring().primary
        return RotationReport(primary=primary, dry_run=dry_run)

    def rotate(
        self,
        report: RotationReport,
        *,
        batch: int = BATCH,
        max_rows: int | None = None,
    ) -> cabc.Iterator[Step]:
        """Move every stored key to the primary, a batch at a time.

        Run it in as many processes as you like, and again after it was killed.

        :param report: is kept up to date with each step.
        :param batch: keys of one transaction.
        :param max_rows: how many keys to move at most.
        :raises VaultClosed: when nothing may be sealed here.
        :raises RotationStopped: when a key service cannot be reached.
        :raises StateUnavailable: when the rows cannot be read or written.
        """
        for step in self._steps(report, batch, max_rows):
            report.add(step)
            yield step

        report.left = self._left(report.primary)
        log_event(
            _log,
            logging.INFO,
            "rotation_ended",
            "Rotation to %(primary)s ended%(how)s: %(moved)d moved, %(changed)d "
            "changed meanwhile, %(failed)d unreadable, %(left)d left.",
            primary=report.primary,
            how=" (dry run)" if report.dry_run else "",
            moved=report.moved,
            changed=report.changed,
            failed=report.failed,
            left=sum(report.left.values()),
        )

    def _steps(
        self, report: RotationReport, batch: int, max_rows: int | None
    ) -> cabc.Iterator[Step]:
        if report.dry_run:
            yield from self._rehearse(report, batch, max_rows)
            return

        yield from self._rotation(self._tables.credential, API_KEY, batch, max_rows)
        left = None if max_rows is None else max_rows - report.moved

        # Few and short-lived; without them a master key could not be retired at once.
        for step in self._rotation(self._tables.draft, DRAFT, batch, left):
            yield dataclasses.replace(step, position=1.0)

    def _rotation(
        self, table: sa.Table, purpose: str, batch: int, most: int | None
    ) -> cabc.Iterator[Step]:
        return Rotation(
            self._desk.database,
            self._desk.store,
            table,
            self._desk.open_keyring(),
            batch=batch,
            most=most,
            purpose=purpose,
        ).run()

    def _rehearse(
        self, report: RotationReport, batch: int, max_rows: int | None
    ) -> cabc.Iterator[Step]:
        """Open what would be moved, and change nothing."""
        self._desk.store.refuse_other_ring(self._desk.open_keyring())

        for looked in self._look(batch, not_under=report.primary):
            found = sum(looked.opened.values())
            room = found if max_rows is None else min(found, max_rows - report.moved)
            yield Step(
                position=looked.position, moved=room, unreadable=looked.unreadable
            )

            if max_rows is not None and report.moved >= max_rows:
                return

    def verify(self, report: VerifyReport) -> cabc.Iterator[Looked]:
        """Open every stored key, a page at a time, and change nothing.

        :param report: is kept up to date with each page.
        :raises VaultClosed: when there is no keyring.
        :raises StateUnavailable: when the rows cannot be read.
        """
        for looked in self._look(BATCH):
            report.add(looked)
            yield looked

    def _look(
        self, size: int, *, not_under: str | None = None
    ) -> cabc.Iterator[Looked]:
        for table, purpose in self._sealed():
            for looked in open_all(
                self._desk.database,
                table,
                self._desk.open_keyring(),
                not_under=not_under,
                size=size,
                purpose=purpose,
            ):
                is_last = purpose == DRAFT
                yield dataclasses.replace(looked, position=1.0) if is_last else looked

    def _sealed(self) -> tuple[tuple[sa.Table, str], ...]:
        """Give the tables that hold sealed keys, and what those are sealed for."""
        return (self._tables.credential, API_KEY), (self._tables.draft, DRAFT)

    def retire(self, key_id: str) -> None:
        """Let nothing be sealed under a master key any more, in any process.

        :raises RetireRefused: for the primary, an id that never sealed here, one that
            is retired already, and one that a stored key still needs.
        :raises VaultClosed: when the ring is not the one of this database.
        :raises StateUnavailable: when the rows cannot be read or written.
        """
        keyring = self._desk.open_keyring()

        with self._desk.database.write() as conn:
            now = self._desk.database.now(conn)
            retire(conn, self._tables, keyring, key_id, now)

        log_event(
            _log,
            logging.INFO,
            "master_key_retired",
            "The master key %(key_id)s is retired.",
            key_id=key_id,
        )

    def _left(self, primary: str) -> dict[str, int]:
        left: collections.Counter[str] = collections.Counter()

        for table, _ in self._sealed():
            left.update(count_left(self._desk.database, table, primary))

        return dict(sorted(left.items()))
