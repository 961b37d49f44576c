"""The circuit of a key: closed, open, or open and due for one probe.

Its state stands on the key's own row, so every worker and host sees a change with its
next call. Every write is one conditional UPDATE that names the id, the generation and,
for a probe, the token its caller saw: a row count of 1 means "I did it". What could not
be written at once holds in this process meanwhile. Nothing here logs, tells or signals;
the caller does, for each :class:`Change` it is handed.

Times are the database's clock, aware UTC, and come from the caller.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import logging
import threading
import typing as t
import uuid

import sqlalchemy as sa

from ..vault.database import Database
from ..vault.database import WriteBusy
from ..vault.models import Tables
from ..vault.types import CircuitState
from . import blocks
from . import transitions
from .blocks import Block
from .changes import build_change
from .changes import Change
from .changes import Target
from .overlay import Overlay
from .reasons import CLASSES
from .system_keys import SystemKey
from .system_keys import SystemKeys
from .verdict import Verdict

#: A success is noted so often at most.
_OK_INTERVAL: t.Final = dt.timedelta(minutes=5)

#: An unreadable key is told so often at most.
_TELL_INTERVAL: t.Final = dt.timedelta(hours=1)

#: The reasons of a circuit that a success closes even without a probe's token.
_LAST_RESORT_REASONS: t.Final = tuple(
    reason
    for entry in CLASSES.values()
    if entry.last_resort
    for reason in entry.reasons
)

_log = logging.getLogger(__name__)
_Work = cabc.Callable[[sa.Connection], "Change | None"]


def is_model_scoped(verdict: Verdict) -> bool:
    """Tell whether a verdict is remembered for one model and not for the key."""
    return verdict.model_scoped or verdict.failure_class.scope == "model"


class Circuits:
    """Reads and changes the circuits of company keys and system keys.

    :param late: is called with each change that was written only after the call that
        made it had gone on.
    """

    def __init__(
        self,
        database: Database,
        tables: Tables,
        *,
        late: cabc.Callable[[Change], None] | None = None,
    ) -> None:
        self._database = database
        self._tables = tables
        self._late = late
        self._overlay = Overlay()
        self._system_keys = SystemKeys(database, tables.system_key)
        self._told_damage: set[tuple[str, int]] = set()

    # --- reading ------------------------------------------------------------------

    def system_key(self, provider: str, fingerprint: str) -> SystemKey:
        """Find how a system key fared; its row is made when it is first asked for."""
        return self._system_keys.find(provider, fingerprint)

    def view(self, target: Target) -> CircuitState:
        """Give the state to act on: the row that was read, and what waits here."""
        return self._overlay.view(target.circuit)

    def is_due(self, target: Target, now: dt.datetime) -> bool:
        """Tell whether an open circuit may be probed: its cool-down is over."""
        state = self.view(target)
        return (
            state.circuit == "open"
            and state.open_until is not None
            and state.open_until <= now
        )

    def find_block(self, target: Target, model: str | None) -> Block | None:
        """Find the block of one model, over or not; ``None`` when there is none.

        While ``until`` lies ahead the model is out. After it, :meth:`claim_block`
        picks the one caller who tries.
        """
        return self._blocks(self.view(target)).get(model or blocks.NO_MODEL)

    def _blocks(self, state: CircuitState) -> dict[str, Block]:
        found = blocks.parse_blocks(state.model_blocks)

        if found is None:
            self._tell_damage(state)

        return found or {}

    def _tell_damage(self, state: CircuitState) -> None:
        seen = (state.id, state.blocks_rev)

        if seen not in self._told_damage and len(self._told_damage) < 1000:
            self._told_damage.add(seen)
            _log.error(
                "The model blocks of the key %s are damaged; they count as none and "
                "are mended by the next write.",
                state.id,
            )

    # --- failures -----------------------------------------------------------------

    def failed(
        self,
        target: Target,
        verdict: Verdict,
        now: dt.datetime,
        *,
        model: str | None = None,
        token: str | None = None,
    ) -> Change | None:
        """Remember a failure as its class demands.

        A, B, C open the circuit, E, F, K count and open it at the second within 60 s;
        D, plain M and whatever is marked so block the model; the rest is neutral.
        An ambiguous M is not remembered: call :meth:`block` once it is confirmed.

        :param token: of the probe this attempt was. Its lease ends in any case.
        :return: what changed, written by this call; ``None`` when nothing did, somebody
            else was faster, or the write has to wait.
        """
        scoped = is_model_scoped(verdict)

        if token is not None and (scoped or not verdict.failure_class.scope):
            self.release(target, token, now)

        if not verdict.failure_class.scope or verdict.ambiguous:
            return None

        if scoped:
            # On a probe of the whole key D and M say nothing: the next caller probes.
            neutral = token is not None and not verdict.model_scoped
            return None if neutral else self.block(target, model, verdict, now)

        if token is not None:
            return self.reopen(target, verdict, now, token)

        return self._count_and_open(target, verdict, now)

    def _count_and_open(
        self, target: Target, verdict: Verdict, now: dt.datetime
    ) -> Change | None:
        entry = verdict.failure_class
        state = self._closed_state(target)

        if state is None:
            return None

        opening = transitions.plan_opening(state, verdict, now)
        window = entry.window if entry.threshold > 1 else None
        threshold = entry.threshold if entry.threshold > 1 else 0
        change = build_change(
            "opened",
            target,
            reason=opening.reason,
            code=opening.code,
            until=opening.open_until,
            episode=opening.episode,
            continued=transitions.continues_episode(state, now),
        )

        def transition(before: CircuitState) -> CircuitState:
            if window is not None:
                before = transitions.counted(before, now, window)

            return transitions.opened(before, opening, threshold)

        def work(conn: sa.Connection) -> Change | None:
            if window is not None:
                counting = self._counting(target, now, window)

                if conn.execute(counting).rowcount != 1:
                    return None

            update = self._opening(target, state.episode, threshold)
            done = conn.execute(update.values(opening.values())).rowcount == 1
            return change if done else None

        return self._record(target, transition, work)

    def _closed_state(self, target: Target) -> CircuitState | None:
        """Give the closed state a failure may open; ``None`` when it was open already.

        An opening that waits does not count here: it may never come to pass.
        """
        for state in (self.view(target), target.circuit):
            if state.circuit == "closed":
                return state

        return None

    def _counting(self, target: Target, now: dt.datetime, window: float) -> sa.Update:
        table = self._table(target)
        columns = table.c
        recent = columns.fail_since > now - dt.timedelta(seconds=window)
        # In this order: MariaDB would read a fail_since assigned before.
        return self._update(target, columns.circuit == "closed").ordered_values(
            (columns.fail_count, sa.case((recent, columns.fail_count + 1), else_=1)),
            (
                columns.fail_since,
                sa.case(
                    (recent, columns.fail_since),
                    else_=sa.literal(now, columns.fail_since.type),
                ),
            ),
        )

    def _opening(self, target: Target, episode: int, threshold: int) -> sa.Update:
        columns = self._table(target).c
        return self._update(
            target,
            columns.circuit == "closed",
            columns.episode == episode,
            columns.fail_count >= threshold,
        )

    # --- probes -------------------------------------------------------------------

    def claim(self, target: Target, lease: float, now: dt.datetime) -> str | None:
        """Claim the one probe of an open circuit whose cool-down is over.

        :param lease: seconds after which another caller may probe, should this one
            never come back.
        :return: the token of the probe; ``None`` for the losers, and when it cannot be
            written now.
        """
        columns = self._table(target).c
        token = str(uuid.uuid4())
        update = self._update(
            target,
            columns.circuit == "open",
            columns.open_until <= now,
            sa.or_(columns.probe_until.is_(None), columns.probe_until <= now),
        ).values(probe_token=token, probe_until=now + dt.timedelta(seconds=lease))
        return token if self._claim(update) else None

    def close(
        self, target: Target, now: dt.datetime, *, token: str | None = None
    ) -> Change | None:
        """Close the circuit after a success.

        :param token: of the probe; ``None`` after a last resort, which closes what is
            open for an outage, a timeout or an interruption alone.
        """
        columns = self._table(target).c
        proof = (
            columns.reason.in_(_LAST_RESORT_REASONS)
            if token is None
            else columns.probe_token == token
        )
        values = transitions.closing_values(now)
        state = self.view(target)
        change = build_change(
            "closed",
            target,
            reason=state.reason,
            code=state.code,
            episode=state.episode,
            fell_back=state.fallback_episode == state.episode,
        )

        def transition(before: CircuitState) -> CircuitState:
            return transitions.closed(before, now)

        update = self._update(target, columns.circuit == "open", proof).values(values)
        return self._record(target, transition, _if_done(update, change))

    def reopen(
        self, target: Target, verdict: Verdict, now: dt.datetime, token: str
    ) -> Change | None:
        """Keep the circuit open for longer after a probe that failed."""
        columns = self._table(target).c
        state = self.view(target)
        until = transitions.rest_until(verdict, state.open_count + 1, now)
        values: dict[str, t.Any] = {
            "open_until": until,
            "reason": verdict.reason,
            "code": verdict.code,
            "probe_token": None,
            "probe_until": None,
        }
        change = build_change(
            "reopened",
            target,
            reason=verdict.reason,
            code=verdict.code,
            until=until,
            episode=state.episode,
        )

        def transition(before: CircuitState) -> CircuitState:
            if before.circuit != "open":
                return before

            return dataclasses.replace(
                before, open_count=before.open_count + 1, **values
            )

        update = self._update(
            target, columns.circuit == "open", columns.probe_token == token
        ).values(open_count=columns.open_count + 1, **values)
        return self._record(target, transition, _if_done(update, change))

    def release(self, target: Target, token: str, now: dt.datetime) -> None:
        """Give the probe back without a verdict; the next caller probes."""
        columns = self._table(target).c
        update = self._update(
            target, columns.circuit == "open", columns.probe_token == token
        ).values(probe_token=None, probe_until=None)
        self._record(target, _unchanged, _if_done(update, None))

    # --- blocks -------------------------------------------------------------------

    def block(
        self, target: Target, model: str | None, verdict: Verdict, now: dt.datetime
    ) -> Change | None:
        """Block one model of this key, for longer each time in a row."""
        model = model or blocks.NO_MODEL
        # As the row said: who was refused beside another is no second step of growth.
        seen = self._blocks(target.circuit).get(model)
        count = 1 if seen is None else seen.count + 1
        block = Block(
            reason=verdict.reason,
            code=verdict.code,
            until=transitions.rest_until(verdict, count, now),
            count=count,
        )
        change = build_change(
            "blocked",
            target,
            reason=block.reason,
            code=block.code,
            until=block.until,
            model=model,
        )
        return self._edit(target, blocks.adding(model, block, now), change)

    def claim_block(
        self, target: Target, model: str | None, lease: float, now: dt.datetime
    ) -> bool:
        """Claim the one try of a model whose block is over.

        :param lease: seconds for which the block holds for all others.
        """
        until = now + dt.timedelta(seconds=lease)
        edit = blocks.claiming(model or blocks.NO_MODEL, until, now)
        return self._claim_edit(target, edit)

    def unblock(
        self, target: Target, model: str | None, now: dt.datetime
    ) -> Change | None:
        """Take a model's block away after a success; nothing when none was seen."""
        model = model or blocks.NO_MODEL
        seen = self._blocks(target.circuit).get(model)

        if seen is None:
            return None

        change = build_change(
            "unblocked",
            target,
            reason=seen.reason,
            code=seen.code,
            model=model,
            fell_back=seen.told,
        )
        return self._edit(target, blocks.removing(model, seen, now), change)

    def _edit(self, target: Target, edit: blocks.Edit, change: Change) -> Change | None:
        def transition(before: CircuitState) -> CircuitState:
            return blocks.apply_edit(before, edit)

        def work(conn: sa.Connection) -> Change | None:
            table = self._table(target)
            done = blocks.write_edit(conn, table, target.circuit, edit)
            return change if done else None

        return self._record(target, transition, work)

    # --- the rest -----------------------------------------------------------------

    def succeeded(self, target: Target, now: dt.datetime) -> Change | None:
        """Note a success, with a write only where the row has something to clear.

        ``last_ok_at`` is written every 5 minutes at most. An open circuit is closed by
        :meth:`close`, a block ended by :meth:`unblock`, not here.

        :return: a change when the key had been unreadable until now.
        """
        columns = self._table(target).c
        state = self.view(target)
        was_unreadable = state.unreadable_at is not None
        before_that = now - _OK_INTERVAL
        update = self._update(target)

        if was_unreadable:
            update = update.where(columns.unreadable_at.is_not(None))
        elif not state.fail_count:
            if state.last_ok_at is not None and state.last_ok_at > before_that:
                return None

            update = update.where(
                sa.or_(columns.last_ok_at.is_(None), columns.last_ok_at <= before_that)
            )

        values: dict[str, t.Any] = {
            "last_ok_at": now,
            "fail_count": 0,
            "unreadable_at": None,
        }

        def transition(before: CircuitState) -> CircuitState:
            return dataclasses.replace(before, **values)

        change = build_change("readable", target) if was_unreadable else None
        return self._record(target, transition, _if_done(update.values(values), change))

    def unreadable(
        self, target: Target, reason: str, now: dt.datetime
    ) -> Change | None:
        """Note that the stored key does not open here. Its circuit stays as it is.

        :return: a change when it is to be told: once until it opens again, and hourly
            at most.
        """
        columns = self._table(target).c
        hour_ago = now - _TELL_INTERVAL
        state = self.view(target)

        if not _may_tell(state, hour_ago):
            return None

        noting = self._update(target, columns.unreadable_at.is_(None)).values(
            unreadable_at=now
        )
        telling = self._update(
            target,
            columns.unreadable_at.is_not(None),
            sa.or_(
                columns.unreadable_told_at.is_(None),
                sa.and_(
                    columns.unreadable_told_at < columns.unreadable_at,
                    columns.unreadable_told_at <= hour_ago,
                ),
            ),
        ).values(unreadable_told_at=now)
        change = build_change("unreadable", target, reason=reason)

        def transition(before: CircuitState) -> CircuitState:
            return dataclasses.replace(
                before,
                unreadable_at=before.unreadable_at or now,
                unreadable_told_at=now,
            )

        def work(conn: sa.Connection) -> Change | None:
            conn.execute(noting)
            return change if conn.execute(telling).rowcount == 1 else None

        return self._record(target, transition, work)

    def claim_fallback_notice(self, target: Target, episode: int) -> bool:
        """Tell whether this call is the one that tells the episode's fallback."""
        columns = self._table(target).c
        update = self._update(
            target, columns.fallback_episode < episode, columns.episode == episode
        ).values(fallback_episode=episode)
        return self._claim(update)

    def claim_block_notice(self, target: Target, model: str | None) -> bool:
        """Tell whether this call is the one that tells the block's fallback."""
        return self._claim_edit(target, blocks.telling(model or blocks.NO_MODEL))

    def reset(
        self, conn: sa.Connection, target: Target, now: dt.datetime
    ) -> Change | None:
        """Close and forget everything, inside the caller's transaction.

        For a test that found the key working.

        :return: a change when the circuit was open.
        """
        columns = self._table(target).c
        values = {
            "circuit": "closed",
            "reason": None,
            "code": None,
            "closed_at": None,
            "open_count": 0,
            "fail_count": 0,
            "probe_token": None,
            "probe_until": None,
            "model_blocks": None,
            "blocks_rev": columns.blocks_rev + 1,
            "last_ok_at": now,
            "unreadable_at": None,
        }
        was_open = self._update(target, columns.circuit == "open").values(values)

        if conn.execute(was_open).rowcount == 1:
            state = self.view(target)
            return build_change(
                "closed",
                target,
                reason=state.reason,
                code=state.code,
                episode=state.episode,
                fell_back=state.fallback_episode == state.episode,
            )

        conn.execute(self._update(target).values(values))
        return None

    # --- writing ------------------------------------------------------------------

    def _table(self, target: Target) -> sa.Table:
        if isinstance(target, SystemKey):
            return self._tables.system_key

        return self._tables.credential

    def _update(self, target: Target, *conditions: sa.ColumnElement[bool]) -> sa.Update:
        table = self._table(target)
        return sa.update(table).where(
            table.c.id == target.circuit.id,
            table.c.generation == target.circuit.generation,
            *conditions,
        )

    def _claim(self, update: sa.Update) -> bool:
        """Write now or never: a claim that waits would be two winners."""
        try:
            return self._database.try_write(
                lambda conn: conn.execute(update).rowcount == 1
            )
        except WriteBusy:
            return False

    def _claim_edit(self, target: Target, edit: blocks.Edit) -> bool:
        table = self._table(target)

        try:
            return self._database.try_write(
                lambda conn: blocks.write_edit(conn, table, target.circuit, edit)
            )
        except WriteBusy:
            return False

    def _record(
        self,
        target: Target,
        transition: cabc.Callable[[CircuitState], CircuitState],
        work: _Work,
    ) -> Change | None:
        """Write a verdict at once, or let it hold here until it is written."""
        pending = self._overlay.add(target.circuit, transition)
        handover = _Handover(self._late)

        def then(change: Change | None) -> None:
            self._overlay.remove(pending)
            handover.put(change)

        self._database.record(work, weight="verdict", then=then)
        return handover.take()


class _Handover:
    """Gives a change to the call that made it, or to ``late`` once that has gone on."""

    def __init__(self, late: cabc.Callable[[Change], None] | None) -> None:
        self._late = late
        self._lock = threading.Lock()
        self._change: Change | None = None
        self._gone_on = False

    def put(self, change: Change | None) -> None:
        with self._lock:
            self._change = change
            gone_on = self._gone_on

        if gone_on and change is not None and self._late is not None:
            self._late(change)

    def take(self) -> Change | None:
        with self._lock:
            self._gone_on = True
            return self._change


def _if_done(update: sa.Update, change: Change | None) -> _Work:
    def work(conn: sa.Connection) -> Change | None:
        return change if conn.execute(update).rowcount == 1 else None

    return work


def _unchanged(state: CircuitState) -> CircuitState:
    return state


def _may_tell(state: CircuitState, hour_ago: dt.datetime) -> bool:
    """Tell whether an unreadable key has something to write at all."""
    if state.unreadable_at is None or state.unreadable_told_at is None:
        return True

    return state.unreadable_told_at < state.unreadable_at and (
        state.unreadable_told_at <= hour_ago
    )
