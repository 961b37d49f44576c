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
import datetime as dt
import typing as t
import uuid

import sqlalchemy as sa

from ..vault.database import Database
from ..vault.database import RowUpdate
from ..vault.models import Tables
from ..vault.types import CircuitState
from ..vault.types import Credential
from . import transitions
from .changes import build_change
from .changes import build_closing
from .changes import Change
from .changes import Target
from .key_marks import KeyMarks
from .key_writer import EPISODE
from .key_writer import if_done
from .key_writer import KeyWriter
from .key_writer import row_is_named
from .model_blocks import ModelBlocks
from .reasons import CLASSES
from .system_keys import SystemKey
from .system_keys import SystemKeys
from .verdict import Verdict

#: The reasons of a circuit that a success closes even without a probe's token.
_LAST_RESORT_REASONS: t.Final = tuple(
    reason
    for entry in CLASSES.values()
    if entry.last_resort
    for reason in entry.reasons
)

#: The parameter that names how many failures must have been counted.
FAILURES: t.Final = "byok_row_failures"


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
        self._writer = KeyWriter(database, tables, late=late)
        self._system_keys = SystemKeys(database, tables.system_key)
        self._openings: dict[tuple[sa.Table, tuple[str, ...]], RowUpdate] = {}
        #: Which models each key cannot use for now.
        self.blocks: ModelBlocks = ModelBlocks(self._writer)
        #: What each key's row notes beside its circuit.
        self.marks: KeyMarks = KeyMarks(self._writer)

    def system_key(self, provider: str, fingerprint: str) -> SystemKey:
        """Find how a system key fared; its row is made when it is first asked for."""
        return self._system_keys.find(provider, fingerprint)

    def view(self, target: Target) -> CircuitState:
        """Give the state to act on: the row that was read, and what waits here."""
        return self._writer.view(target)

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
        An ambiguous M is not remembered: ``blocks`` is told of it once it is confirmed.

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
            neutral = token is not None and verdict.failure_class.scope == "model"
            return None if neutral else self.blocks.block(target, model, verdict, now)

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

        opening = _plan_opening(target, state, verdict, now)
        change = _build_opened(target, state, opening, now)
        window = entry.window
        # The first failure of a class without a window opens, whatever was counted.
        threshold = 0 if window is None else entry.threshold
        columns = opening.values()
        update = self._opening(self._writer.table(target), tuple(columns))
        names = self._writer.names(target, episode=state.episode)
        values = {**names, FAILURES: threshold, **columns}

        def transition(before: CircuitState) -> CircuitState:
            if window is not None:
                before = transitions.counted(before, now, window)

            return transitions.opened(before, opening, threshold)

        if window is None:
            return self._writer.record_row(target, transition, update, values, change)

        counting = self._counting(target, now, window)

        def work(conn: sa.Connection) -> Change | None:
            if conn.execute(counting).rowcount != 1:
                return None

            done = conn.execute(update.statement, values).rowcount == 1
            return change if done else None

        return self._writer.record(target, transition, work)

    def _opening(self, table: sa.Table, sets: tuple[str, ...]) -> RowUpdate:
        """Give the UPDATE that opens a circuit, built once for what it sets."""
        update = self._openings.get((table, sets))

        if update is None:
            update = RowUpdate(_build_opening(table), sets)
            self._openings[table, sets] = update

        return update

    def _closed_state(self, target: Target) -> CircuitState | None:
        """Give the closed state a failure may open; ``None`` when it was open already.

        An opening that waits does not count here: it may never come to pass.
        """
        for state in (self.view(target), target.circuit):
            if state.circuit == "closed":
                return state

        return None

    def _counting(self, target: Target, now: dt.datetime, window: float) -> sa.Update:
        table = self._writer.table(target)
        columns = table.c
        recent = columns.fail_since > now - dt.timedelta(seconds=window)
        # In this order: MariaDB would read a fail_since assigned before.
        return self._writer.update(target, columns.circuit == "closed").ordered_values(
            (columns.fail_count, sa.case((recent, columns.fail_count + 1), else_=1)),
            (
                columns.fail_since,
                sa.case(
                    (recent, columns.fail_since),
                    else_=sa.literal(now, columns.fail_since.type),
                ),
            ),
        )

    def claim(self, target: Target, lease: float, now: dt.datetime) -> str | None:
        """Claim the one probe of an open circuit whose cool-down is over.

        :param lease: seconds after which another caller may probe, should this one
            never come back.
        :return: the token of the probe; ``None`` for the losers, and when it cannot be
            written now.
        """
        columns = self._writer.table(target).c
        token = str(uuid.uuid4())
        update = self._writer.update(
            target,
            columns.circuit == "open",
            columns.open_until <= now,
            sa.or_(columns.probe_until.is_(None), columns.probe_until <= now),
        ).values(probe_token=token, probe_until=now + dt.timedelta(seconds=lease))
        return token if self._writer.claim(update) else None

    def close(
        self, target: Target, now: dt.datetime, *, token: str | None = None
    ) -> Change | None:
        """Close the circuit after a success.

        :param token: of the probe; ``None`` after a last resort, which closes what is
            open for an outage, a timeout or an interruption alone.
        """
        columns = self._writer.table(target).c
        proof = (
            columns.reason.in_(_LAST_RESORT_REASONS)
            if token is None
            else columns.probe_token == token
        )
        values = transitions.closing_values(now)
        change = build_closing(target, self.view(target))

        def transition(before: CircuitState) -> CircuitState:
            may_close = token is not None or before.reason in _LAST_RESORT_REASONS
            return transitions.closed(before, now) if may_close else before

        update = self._writer.update(target, columns.circuit == "open", proof).values(
            values
        )
        return self._writer.record(target, transition, if_done(update, change))

    def reopen(
        self, target: Target, verdict: Verdict, now: dt.datetime, token: str
    ) -> Change | None:
        """Keep the circuit open for longer after a probe that failed."""
        columns = self._writer.table(target).c
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

            return before._replace(open_count=before.open_count + 1, **values)

        update = self._writer.update(
            target, columns.circuit == "open", columns.probe_token == token
        ).values(open_count=columns.open_count + 1, **values)
        return self._writer.record(target, transition, if_done(update, change))

    def release(self, target: Target, token: str, now: dt.datetime) -> None:
        """Give the probe back without a verdict; the next caller probes."""
        columns = self._writer.table(target).c
        update = self._writer.update(
            target, columns.circuit == "open", columns.probe_token == token
        ).values(probe_token=None, probe_until=None)
        self._writer.record(target, _unchanged, if_done(update, None))

    def reset(
        self, conn: sa.Connection, target: Target, now: dt.datetime
    ) -> Change | None:
        """Close and forget everything, inside the caller's transaction.

        For a test that found the key working.

        :return: a change when the circuit was open.
        """
        columns = self._writer.table(target).c
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
            "unreadable_reason": None,
        }
        was_open = self._writer.update(target, columns.circuit == "open").values(values)

        if conn.execute(was_open).rowcount == 1:
            return build_closing(target, self.view(target))

        conn.execute(self._writer.update(target).values(values))
        return None


def _plan_opening(
    target: Target, state: CircuitState, verdict: Verdict, now: dt.datetime
) -> transitions.Opening:
    opening = transitions.plan_opening(state, verdict, now)

    # Nobody but the operator is told of a system key.
    if isinstance(target, Credential):
        opening = transitions.claim_notice(state, opening, now)

    return opening


def _build_opened(
    target: Target,
    state: CircuitState,
    opening: transitions.Opening,
    now: dt.datetime,
) -> Change:
    return build_change(
        "opened",
        target,
        reason=opening.reason,
        code=opening.code,
        until=opening.open_until,
        episode=opening.episode,
        continued=transitions.continues_episode(state, now),
        due=opening.due,
    )


def _build_opening(table: sa.Table) -> sa.Update:
    """Build the UPDATE that opens a circuit; what it sets comes with its values."""
    columns = table.c
    return sa.update(table).where(
        row_is_named(table),
        columns.circuit == "closed",
        columns.episode == sa.bindparam(EPISODE),
        columns.fail_count >= sa.bindparam(FAILURES),
    )


def _unchanged(state: CircuitState) -> CircuitState:
    return state
