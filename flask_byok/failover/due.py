"""Which notice a company is due, for a key that stands so. Pure.

One notice per episode: at once where somebody has to act, after a while where the
trouble may pass by itself. One reminder a day later, and one notice of the end, where
the beginning had been told.

Models that are blocked, for a rate limit say, are none of this: the key works.
"""

from __future__ import annotations

import datetime as dt
import typing as t

from ..errors import is_passing
from ..vault.types import CircuitState
from .reasons import CLASSES

NoticeKind = t.Literal["failing", "reminder", "recovered"]

#: How long a trouble lasts before a company hears of it that need not do anything.
PATIENCE: t.Final = dt.timedelta(minutes=15)

#: How long after a notice its reminder follows.
REMINDER: t.Final = dt.timedelta(hours=24)

#: The word of a stored key that does not open and never will by itself.
_UNREADABLE: t.Final = CLASSES["H"].reason

#: Words that somebody has to act on.
_AT_ONCE: t.Final = frozenset(
    reason for letter in ("A", "B", "C", "H") for reason in CLASSES[letter].reasons
)


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
