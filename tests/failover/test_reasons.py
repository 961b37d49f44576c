"""The table of classes, and what follows from it."""

from __future__ import annotations

import datetime as dt
import itertools
import typing as t

import pytest

from flask_byok import errors
from flask_byok.config import Policy
from flask_byok.failover.policy import cool_down
from flask_byok.failover.policy import draw_jitter
from flask_byok.failover.policy import inline_delay
from flask_byok.failover.policy import may_fall_back
from flask_byok.failover.policy import may_try_last
from flask_byok.failover.policy import may_try_next
from flask_byok.failover.policy import may_use_system_key
from flask_byok.failover.reasons import class_of
from flask_byok.failover.reasons import CLASSES
from flask_byok.failover.reasons import Letter
from flask_byok.failover.reasons import Reason
from flask_byok.failover.verdict import Verdict
from tests.support.failures import NOW

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

#: Letter, words, policies, scope, opens at, base, factor, cap.
TABLE: list[tuple[str, str, str, str | None, int, tuple[float, ...] | None]] = [
    ("A", "auth expired", "auto", "key", 1, (15 * MINUTE, 4, DAY)),
    ("B", "permission", "auto", "key", 1, (15 * MINUTE, 4, DAY)),
    ("M", "model", "auto", "model", 1, (HOUR, 2, DAY)),
    ("C", "quota", "auto", "key", 1, (15 * MINUTE, 2, 6 * HOUR)),
    ("D", "rate_limit", "auto outage_only", "model", 1, (20, 2, 10 * MINUTE)),
    ("E", "outage", "auto outage_only", "key", 2, (30, 2, 5 * MINUTE)),
    ("F", "timeout", "auto outage_only", "key", 2, (30, 2, 5 * MINUTE)),
    ("G", "request", "", None, 1, None),
    ("H", "unreadable", "auto", None, 1, None),
    ("I", "state", "", None, 1, None),
    ("J", "cancelled", "", None, 1, None),
    ("K", "interrupted", "", "key", 2, (30, 2, 5 * MINUTE)),
    ("L", "our_side", "", None, 1, None),
]

LETTERS: tuple[Letter, ...] = t.get_args(Letter)
POLICIES: tuple[Policy, ...] = t.get_args(Policy)


def rest(letter: Letter, count: int = 1, jitter: float = 1.0, **facts: t.Any) -> float:
    facts = {"delay": None, "until": None, **facts}
    return cool_down(letter, count, now=NOW, jitter=lambda: jitter, **facts)


@pytest.mark.parametrize(
    ("letter", "words", "policies", "scope", "threshold", "times"), TABLE
)
def test_table(
    letter: Letter,
    words: str,
    policies: str,
    scope: str | None,
    threshold: int,
    times: tuple[float, ...] | None,
) -> None:
    """Each class does what was agreed for it."""
    entry = CLASSES[letter]
    pause = entry.cool_down

    assert entry.reasons == tuple(words.split())
    assert entry.policies == set(policies.split())
    assert (entry.scope, entry.threshold) == (scope, threshold)
    assert (pause and (pause.base, pause.factor, pause.cap)) == times
    assert entry.window == (MINUTE if threshold == 2 else None)


def test_every_letter_and_word_has_its_class() -> None:
    """No class is missing, no reason word belongs to two."""
    words = [word for entry in CLASSES.values() for word in entry.reasons]

    assert set(CLASSES) == set(LETTERS)
    assert sorted(words) == sorted(t.get_args(Reason))
    assert {class_of(word).letter for word in words} == set(LETTERS)


def test_an_unknown_word_is_refused() -> None:
    """A reason that is none of ours has no class."""
    with pytest.raises(KeyError):
        class_of("teapot")


def test_errors_of_the_classes() -> None:
    """Each class raises an error of its own; only a cancelled call raises none."""
    raised = {letter: entry.error for letter, entry in CLASSES.items()}

    assert raised.pop("J") is None
    assert len(set(raised.values())) == len(raised)
    assert raised["A"] is errors.KeyRejected
    assert raised["H"] is errors.StoredKeyUnreadable
    assert raised["K"] is errors.StreamInterrupted
    assert raised["L"] is errors.OurSideError


def test_how_attempts_end() -> None:
    """Silence and a broken stream may be billed; a refusal is not."""
    ends: dict[str | None, set[str]] = {}

    for entry in CLASSES.values():
        ends.setdefault(entry.end_state, set()).add(entry.letter)

    assert ends == {
        "failed": set("ABMCDEGL"),
        "unknown": {"F", "K"},
        "cancelled": {"J"},
        None: {"H", "I"},
    }


@pytest.mark.case("F17")
@pytest.mark.parametrize(
    ("policy", "letters"), [("auto", "ABMCDEFH"), ("outage_only", "DEF"), ("never", "")]
)
def test_fallback_per_policy(policy: Policy, letters: str) -> None:
    """The system key answers for exactly these classes."""
    assert {x for x in LETTERS if may_fall_back(x, policy)} == set(letters)


def test_own_keys_move_on_under_every_policy() -> None:
    """Between the company's own keys the policy does not count, the class does."""
    assert {letter for letter in LETTERS if may_try_next(letter)} == set("ABMCDEFH")


@pytest.mark.parametrize("policy", POLICIES)
def test_without_a_key_the_system_key_serves(policy: Policy) -> None:
    """A company without a key is no failure."""
    assert may_use_system_key((), policy)


@pytest.mark.parametrize(
    ("letters", "allowed"),
    [
        ("A", False),
        ("E", True),
        ("AE", True),
        ("EA", True),
        ("AB", False),
        ("EG", False),
    ],
)
def test_outage_only_with_several_keys(letters: str, allowed: bool) -> None:
    """One key that is out for a moment is enough, if no failure forbids it."""
    chosen = t.cast("list[Letter]", list(letters))

    assert may_use_system_key(chosen, "outage_only") is allowed
    assert may_use_system_key(chosen, "never") is False
    assert may_use_system_key(chosen, "auto") is ("G" not in letters)


@pytest.mark.case("F17")
@pytest.mark.parametrize("letter", list("GIJKL"))
@pytest.mark.parametrize("policy", POLICIES)
def test_some_failures_never_fall_back(letter: Letter, policy: Policy) -> None:
    """A wrong request or a closed way is not answered with another's money."""
    for pair in itertools.permutations((letter, t.cast("Letter", "E"))):
        assert not may_use_system_key(pair, policy)


def test_last_resort() -> None:
    """Only trouble that may be over already is worth a try without another route."""
    assert {letter for letter in LETTERS if may_try_last(letter)} == set("EFK")


@pytest.mark.parametrize(
    ("letter", "counts"),
    [
        ("A", [15 * MINUTE, HOUR, 4 * HOUR, 16 * HOUR, DAY, DAY]),
        ("C", [15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, 6 * HOUR]),
        ("D", [20, 40, 80, 160, 320, 600, 600]),
        ("E", [30, 60, 120, 240, 300, 300]),
        ("M", [HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR, DAY, DAY]),
    ],
)
def test_cool_downs_grow_to_their_cap(letter: Letter, counts: list[float]) -> None:
    """Each time in a row the rest is longer, up to a cap, also after a million."""
    assert [rest(letter, count + 1) for count in range(len(counts))] == counts
    assert rest(letter, 10**6) == counts[-1]
    assert rest(letter, 0) == counts[0]


@pytest.mark.parametrize("letter", list("GHIJL"))
def test_nothing_rests_for_the_others(letter: Letter) -> None:
    """Who asks for the rest of a class without one has made a mistake."""
    with pytest.raises(ValueError, match=f"Class {letter}"):
        rest(letter)


@pytest.mark.parametrize(
    ("delay", "seconds"), [(38, 38), (5, 20), (0, 20), (1e9, 600), (None, 20)]
)
def test_a_stated_delay_lengthens_the_rest(delay: float | None, seconds: float) -> None:
    """The provider's delay counts when it is longer than ours, up to the cap."""
    assert rest("D", delay=delay) == seconds


@pytest.mark.parametrize(
    ("hours", "seconds"), [(3, 3 * HOUR), (20, 20 * HOUR), (200, DAY), (-1, 900)]
)
def test_a_stated_date_is_kept(hours: int, seconds: float) -> None:
    """Out of money until a date: that date, at most a day ahead, without jitter."""
    until = NOW + dt.timedelta(hours=hours)
    jitter = 1.1 if hours > 0 else 1.0

    assert rest("C", 3 if hours > 0 else 1, until=until, jitter=jitter) == seconds


def test_dates_count_for_money_alone() -> None:
    """A rejected key has no date."""
    assert rest("A", until=NOW + dt.timedelta(days=9)) == 15 * MINUTE


def test_jitter() -> None:
    """Rests vary by a tenth, so that keys do not all come back at once."""
    drawn = [draw_jitter() for _ in range(1000)]

    assert 0.9 <= min(drawn) < 0.92
    assert 1.08 < max(drawn) <= 1.1
    assert rest("E", jitter=0.9) == 27


@pytest.mark.parametrize(
    ("letter", "delay", "may_retry", "seconds"),
    [
        ("D", 1.0, True, 1.0),
        ("D", 2.0, True, 2.0),
        ("D", 0.0, True, 0.0),
        ("D", 2.1, True, None),
        ("D", None, True, None),
        ("D", 1.0, False, None),
        ("C", 1.0, True, None),
        ("E", 1.0, True, None),
        ("F", 1.0, True, None),
    ],
)
def test_inline_retry(
    letter: Letter, delay: float | None, may_retry: bool, seconds: float | None
) -> None:
    """Only a rate limit with a short delay is worth waiting for within a call."""
    verdict = Verdict(
        letter=letter,
        reason=CLASSES[letter].reason,
        delay=delay,
        may_retry=may_retry,
    )

    assert inline_delay(verdict) == seconds


def test_a_verdict_knows_its_class() -> None:
    """What a verdict does is one attribute away."""
    assert Verdict(letter="A", reason="expired").failure_class is CLASSES["A"]
