"""A provider is busy: waited for, or the model rests as long as it says."""

from __future__ import annotations

import pytest

from tests.support.fault_room import FaultHost
from tests.support.told import BUSY


@pytest.mark.fault(13, got="answer", served="c2 s0")
def test_limit_of_a_second(host: FaultHost) -> None:
    """The one retry within a call; nothing is remembered."""
    host.store()
    host.fail("ratelimited_1s", times=1)
    answer = host.chat()
    assert [a.reason for a in answer.attempts] == ["rate_limit", None]
    assert host.circuit().model_blocks is None


@pytest.mark.fault(14, got="answer", served="c1 s1", seen=BUSY)
def test_limit_of_38_seconds(host: FaultHost) -> None:
    """The model rests so long and the key stays in use; no mail is due."""
    host.store()
    host.fail("ratelimited_38s")
    model = host.chat().attempts[0].model
    assert 34 < host.rest(host.block(model).until) < 42
    assert host.circuit().circuit == "closed"


@pytest.mark.parametrize(
    ("provider", "fault", "rest"),
    [
        pytest.param(
            "CLAUDE",
            "ratelimited_date",
            38,
            marks=pytest.mark.fault(
                15, got="answer", served="c1 s1", seen=BUSY, when="a date"
            ),
        ),
        pytest.param(
            "GEMINI",
            "quota_per_minute",
            48,
            marks=pytest.mark.fault(
                15, got="answer", served="c1 s1", seen=BUSY, when="`RetryInfo`"
            ),
        ),
        pytest.param(
            "OPENAI",
            "ratelimited_text_minutes",
            66.7,
            marks=pytest.mark.fault(
                15, got="answer", served="c1 s1", seen=BUSY, when="in words"
            ),
        ),
        pytest.param(
            "OPENAI",
            "ratelimited_negative",
            20,
            marks=pytest.mark.fault(
                15, got="answer", served="c1 s1", seen=BUSY, when="-5"
            ),
        ),
        pytest.param(
            "CLAUDE",
            "ratelimited_nan",
            20,
            marks=pytest.mark.fault(
                15, got="answer", served="c1 s1", seen=BUSY, when="NaN"
            ),
        ),
        pytest.param(
            "OPENAI",
            "ratelimited_huge",
            600,
            marks=pytest.mark.fault(
                15, got="answer", served="c1 s1", seen=BUSY, when="a billion"
            ),
        ),
    ],
)
def test_delay_in_each_form(
    host: FaultHost, provider: str, fault: str, rest: float
) -> None:
    """Read where it can be, else 20 s; 10 minutes at most, a tenth more or less."""
    host.store(provider)
    host.fail(fault, provider)
    model = host.chat().attempts[0].model
    assert 0.89 * rest < host.rest(host.block(model, provider).until) < 1.11 * rest


@pytest.mark.fault(15, got="answer", served="c2 s0", when="milliseconds")
def test_delay_in_milliseconds(host: FaultHost) -> None:
    """750 of them are no matter for another key."""
    host.store()
    host.fail("ratelimited_ms", times=1)
    assert host.chat().source == "company"


@pytest.mark.fault(15, got="answer", served="c1 s0", when="on an answer")
def test_delay_on_an_answer(host: FaultHost) -> None:
    """A good answer that asks for patience is a good answer."""
    host.store("CLAUDE")
    host.fail("retry_after_on_200", "CLAUDE")
    assert host.chat().source == "company"
    assert host.circuit("CLAUDE").model_blocks is None


@pytest.mark.fault(16, got="answer", served="c1 s1", seen=BUSY)
def test_limit_that_forbids_a_retry(host: FaultHost) -> None:
    """``x-should-retry: false``: the next key at once, and the model rests."""
    host.store()
    host.fail("ratelimited_no_retry")
    model = host.chat().attempts[0].model
    assert 17 < host.rest(host.block(model).until) < 22.1
