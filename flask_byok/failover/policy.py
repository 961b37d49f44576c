"""What follows from a verdict: may another key answer, how long does this one rest.

Pure functions over the table in ``reasons.py``.
"""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import random
import typing as t

from ..config import Policy
from .reasons import CLASSES
from .reasons import Letter
from .verdict import Verdict

#: Seconds; a longer delay is no matter for a retry within the call.
LONGEST_INLINE_DELAY: t.Final = 2.0

# Far beyond every cap, and far from the largest float.
_MOST_GROWTH: t.Final = 32


def may_fall_back(letter: Letter, policy: Policy) -> bool:
    """Tell whether the system key may answer after this failure of a company key."""
    return policy in CLASSES[letter].policies


def may_use_system_key(letters: cabc.Iterable[Letter], policy: Policy) -> bool:
    """Tell the same after several company keys, tried or skipped.

    Under ``outage_only`` one of them that is out for a moment is enough; a failure
    that never falls back forbids it whatever the others said.

    :param letters: of every company key; none when the company has no key, and then
        the system key simply serves.
    """
    failed = list(letters)

    if not failed:
        return True

    if not all(may_try_next(letter) for letter in failed):
        return False

    return any(may_fall_back(letter, policy) for letter in failed)


def may_try_next(letter: Letter) -> bool:
    """Tell whether the company's next own key may be tried, under every policy.

    The policy guards the system key alone: between the company's keys every class
    moves on that falls back under ``auto``.
    """
    return "auto" in CLASSES[letter].policies


def may_try_last(letter: Letter) -> bool:
    """Tell whether a key out for this may be tried when there is nothing else."""
    return CLASSES[letter].last_resort


def inline_delay(verdict: Verdict) -> float | None:
    """Tell after how many seconds the same route may be asked once more.

    :return: ``None`` for never: another class, no delay stated, a delay over 2 s, or
        the provider forbids it.
    """
    if not CLASSES[verdict.letter].retries or not verdict.may_retry:
        return None

    is_short = verdict.delay is not None and verdict.delay <= LONGEST_INLINE_DELAY
    return verdict.delay if is_short else None


def draw_jitter() -> float:
    """Draw the factor that keeps many keys from coming back at the same moment."""
    return random.uniform(0.9, 1.1)


def cool_down(
    letter: Letter,
    count: int,
    *,
    delay: float | None,
    until: dt.datetime | None,
    now: dt.datetime,
    jitter: cabc.Callable[[], float] = draw_jitter,
) -> float:
    """Tell how many seconds a key or model rests from ``now``.

    A stated date is kept as it is, up to the cap for dates; every other rest varies by
    a tenth.

    :param count: how many times in a row, this one included; from 1.
    :param delay: seconds the provider asks for.
    :param until: a date the provider stated; one that has passed does not count.
    :raises ValueError: nothing is remembered of this class.
    """
    rest = CLASSES[letter].cool_down

    if rest is None:
        raise ValueError(f"Class {letter} opens no circuit and blocks no model.")

    if until is not None and until > now and rest.dated_cap is not None:
        return min((until - now).total_seconds(), rest.dated_cap)

    grown: float = rest.base * rest.factor ** min(max(count, 1) - 1, _MOST_GROWTH)
    return min(rest.cap, max(delay or 0.0, grown)) * jitter()
