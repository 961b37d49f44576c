"""What a key's row notes beside its circuit: successes, unreadable keys, notices."""

from __future__ import annotations

import datetime as dt
import typing as t

import sqlalchemy as sa

from ..errors import is_passing
from ..vault.bookkeeping import RowRefused
from ..vault.database import DuplicateRow
from ..vault.database import WriteBusy
from ..vault.types import CircuitState
from .changes import build_change
from .changes import Change
from .changes import Target
from .key_writer import CLAIM_WAIT
from .key_writer import EPISODE
from .key_writer import if_done
from .key_writer import KeyWriter
from .key_writer import Note
from .key_writer import row_is_named
from .key_writer import write_nothing

#: A success is noted so often at most.
_OK_INTERVAL: t.Final = dt.timedelta(minutes=5)

#: An unreadable key is told so often at most.
_TELL_INTERVAL: t.Final = dt.timedelta(hours=1)

#: So many episodes a process remembers to have been noted.
_MOST_NOTED: t.Final = 1000


class KeyMarks:
    """Notes on a key's row what does not move its circuit."""

    def __init__(self, writer: KeyWriter) -> None:
        self._writer = writer
        self._tellings = writer.build(_build_telling)
        self._noted: set[tuple[str, int]] = set()

    def succeeded(self, target: Target, now: dt.datetime) -> Change | None:
        """Note a success, with a write only where the row has something to clear.

        ``last_ok_at`` is written every 5 minutes at most. An open circuit is closed by
        :meth:`Circuits.close`, a block ended by :meth:`ModelBlocks.unblock`, not here.

        :return: a change when the key had been unreadable until now.
        """
        state = self._writer.view(target)
        was_unreadable = state.unreadable_at is not None
        has_trouble = was_unreadable or state.fail_count > 0
        before_that = now - _OK_INTERVAL
        was_noted = state.last_ok_at is not None and state.last_ok_at > before_that

        # Before a statement is built: this is the way of every healthy call.
        if was_noted and not has_trouble:
            return None

        columns = self._writer.table(target).c
        update = self._writer.update(target)

        if was_unreadable:
            update = update.where(columns.unreadable_at.is_not(None))
        elif not has_trouble:
            update = update.where(
                sa.or_(columns.last_ok_at.is_(None), columns.last_ok_at <= before_that)
            )

        values: dict[str, t.Any] = {
            "last_ok_at": now,
            "fail_count": 0,
            "unreadable_at": None,
            "unreadable_reason": None,
        }

        def transition(before: CircuitState) -> CircuitState:
            return before._replace(**values)

        change = build_change("readable", target) if was_unreadable else None
        return self._writer.record(
            target, transition, if_done(update.values(values), change)
        )

    def unreadable(
        self, target: Target, reason: str, now: dt.datetime
    ) -> Change | None:
        """Note that the stored key does not open here. Its circuit stays as it is.

        A reason that passes by itself gives way to one that does not, never back:
        another worker may well be right about the former.

        :return: a change when it is to be told: once until it opens again, and hourly
            at most.
        """
        columns = self._writer.table(target).c
        hour_ago = now - _TELL_INTERVAL
        state = self._writer.view(target)
        is_worse = _is_worse(state, reason)

        if not is_worse and not _may_tell(state, hour_ago):
            return None

        noting = self._writer.update(target, columns.unreadable_at.is_(None)).values(
            unreadable_at=now, unreadable_reason=reason
        )
        correcting = self._writer.update(
            target, columns.unreadable_reason == state.unreadable_reason
        ).values(unreadable_reason=reason)
        telling = self._writer.update(target, _is_untold(columns, hour_ago)).values(
            unreadable_told_at=now
        )
        change = build_change("unreadable", target, reason=reason)

        def transition(before: CircuitState) -> CircuitState:
            return before._replace(
                unreadable_at=before.unreadable_at or now,
                unreadable_reason=reason,
                unreadable_told_at=now,
            )

        def work(conn: sa.Connection) -> Change | None:
            conn.execute(noting)

            if is_worse:
                conn.execute(correcting)

            return change if conn.execute(telling).rowcount == 1 else None

        return self._writer.record(target, transition, work)

    def claim_fallback_notice(
        self, target: Target, episode: int, note: Note = write_nothing
    ) -> bool:
        """Tell whether this call is the one that tells the episode's fallback.

        :param note: writes what is told, in the same transaction.
        """
        telling = self._tellings[self._writer.table(target)]
        values = {
            **self._writer.names(target, episode=episode),
            "fallback_episode": episode,
        }
        return self._writer.claim_by(
            lambda conn: conn.execute(telling, values).rowcount == 1, note
        )

    def note_own_key(self, target: Target, episode: int, note: Note) -> bool:
        """Note, once per episode, that another key of the company answers.

        The line itself is the claim, so it never keeps the fallback to a system key
        from being told. A process that knows of it asks the database no more.

        :param note: inserts the line, under an id that belongs to the episode.
        :return: whether this call wrote it.
        """
        noted = (target.circuit.id, episode)

        if noted in self._noted:
            return False

        def work(conn: sa.Connection) -> bool:
            still_out = self._is_out(conn, target, episode)

            if still_out:
                note(conn)

            return still_out

        try:
            is_new = self._writer.database.try_write(work, wait=CLAIM_WAIT)
        except DuplicateRow:
            self._remember(noted)
            return False
        except (WriteBusy, RowRefused):
            # The next call of the episode tries again.
            return False

        if is_new:
            self._remember(noted)

        return is_new

    def _is_out(self, conn: sa.Connection, target: Target, episode: int) -> bool:
        """Hold the key's row as it was read, so that nobody ends its episode."""
        columns = self._writer.table(target).c
        query = (
            sa.select(columns.id)
            .where(
                columns.id == target.circuit.id,
                columns.generation == target.circuit.generation,
                columns.circuit == "open",
                columns.episode == episode,
            )
            .with_for_update()
        )
        return conn.scalar(query) is not None

    def _remember(self, noted: tuple[str, int]) -> None:
        if len(self._noted) >= _MOST_NOTED:
            self._noted.clear()

        self._noted.add(noted)


def _build_telling(table: sa.Table) -> sa.Update:
    """Build the UPDATE that claims to tell the fallback of an episode."""
    columns = table.c
    episode: sa.BindParameter[int] = sa.bindparam(EPISODE)
    return sa.update(table).where(
        row_is_named(table),
        columns.fallback_episode < episode,
        columns.episode == episode,
    )


def _is_worse(state: CircuitState, reason: str) -> bool:
    """Tell whether a key noted as out for a while turns out to be out for good."""
    noted = state.unreadable_reason
    return noted is not None and is_passing(noted) and not is_passing(reason)


def _is_untold(
    columns: sa.sql.base.ReadOnlyColumnCollection[str, sa.Column[t.Any]],
    hour_ago: dt.datetime,
) -> sa.ColumnElement[bool]:
    """Build the condition that a key is noted as unreadable and may be told."""
    return sa.and_(
        columns.unreadable_at.is_not(None),
        sa.or_(
            columns.unreadable_told_at.is_(None),
            sa.and_(
                columns.unreadable_told_at < columns.unreadable_at,
                columns.unreadable_told_at <= hour_ago,
            ),
        ),
    )


def _may_tell(state: CircuitState, hour_ago: dt.datetime) -> bool:
    """Tell whether an unreadable key has something to write at all."""
    if state.unreadable_at is None or state.unreadable_told_at is None:
        return True

    return state.unreadable_told_at < state.unreadable_at and (
        state.unreadable_told_at <= hour_ago
    )
