"""What one event makes of a circuit, as plain functions of its state.

The same rules stand in the conditions of the SQL in ``circuit.py``, which decides;
these tell a process what it may already act on while its write has to wait.
"""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import types
import typing as t

from ..vault.types import CircuitState
from .due import build_marks
from .due import Due
from .due import find_due
from .policy import cool_down
from .verdict import Verdict

#: Opening again so soon after closing continues the episode.
CONTINUES: t.Final = dt.timedelta(minutes=10)


class Opening(t.NamedTuple):
    """The columns an opening circuit is given.

    :param due: the notice for the company that this opening claims.
    :param marks: the columns that say so.
    """

    reason: str
    code: str | None
    opened_at: dt.datetime
    open_until: dt.datetime
    open_count: int
    episode: int
    episode_at: dt.datetime
    due: Due | None = None
    marks: cabc.Mapping[str, t.Any] = types.MappingProxyType({})

    def values(self) -> dict[str, t.Any]:
        """Give the columns to write."""
        return {
            "circuit": "open",
            "reason": self.reason,
            "code": self.code,
            "opened_at": self.opened_at,
            "open_until": self.open_until,
            "open_count": self.open_count,
            "episode": self.episode,
            "episode_at": self.episode_at,
            "probe_token": None,
            "probe_until": None,
            **self.marks,
        }


def continues_episode(state: CircuitState, now: dt.datetime) -> bool:
    """Tell whether a circuit that opens now goes on with its last episode."""
    return state.closed_at is not None and now - state.closed_at < CONTINUES


def rest_until(verdict: Verdict, count: int, now: dt.datetime) -> dt.datetime:
    """Tell until when a key or model rests, the ``count``-th time in a row."""
    seconds = cool_down(
        verdict.letter, count, delay=verdict.delay, until=verdict.until, now=now
    )
    return now + dt.timedelta(seconds=seconds)


def plan_opening(state: CircuitState, verdict: Verdict, now: dt.datetime) -> Opening:
    """Work out what an opening writes: the episode's number, and for how long."""
    continues = continues_episode(state, now)
    count = state.open_count + 1 if continues else 1
    return Opening(
        reason=verdict.reason,
        code=verdict.code,
        opened_at=now,
        open_until=rest_until(verdict, count, now),
        open_count=count,
        episode=state.episode if continues else state.episode + 1,
        episode_at=(continues and state.episode_at) or now,
    )


def claim_notice(state: CircuitState, opening: Opening, now: dt.datetime) -> Opening:
    """Let an opening claim the first notice of its episode, where one is due at once.

    Only one opens an episode, so only one tells. Whatever is due later, or again, is
    for those who look for it.
    """
    after = opened(state, opening, 0)
    due = find_due(after, now) if opening.episode > state.episode else None

    if due is None:
        return opening

    return opening._replace(due=due, marks=build_marks(after, due, now))


def opened(state: CircuitState, opening: Opening, threshold: int) -> CircuitState:
    """Open a closed circuit once enough failures were counted."""
    if state.circuit != "closed" or state.fail_count < threshold:
        return state

    return state._replace(**opening.values())


def counted(state: CircuitState, now: dt.datetime, window: float) -> CircuitState:
    """Count one failure; older ones than ``window`` seconds no longer count."""
    if state.circuit != "closed":
        return state

    since = state.fail_since
    recent = since is not None and since > now - dt.timedelta(seconds=window)
    return state._replace(
        fail_count=state.fail_count + 1 if recent else 1,
        fail_since=since if recent else now,
    )


def closed(state: CircuitState, now: dt.datetime) -> CircuitState:
    """Close an open circuit."""
    if state.circuit != "open":
        return state

    return state._replace(**closing_values(now))


def closing_values(now: dt.datetime) -> dict[str, t.Any]:
    """Give the columns a closing circuit is given."""
    return {
        "circuit": "closed",
        "closed_at": now,
        "fail_count": 0,
        "probe_token": None,
        "probe_until": None,
        "last_ok_at": now,
    }
