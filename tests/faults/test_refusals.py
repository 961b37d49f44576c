"""A key or a request is refused: who answers, what is remembered, who is told."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import typing as t

import pytest

from flask_byok import errors
from tests.support.fault_room import FaultHost
from tests.support.told import BUSY
from tests.support.told import BUSY_LONG
from tests.support.told import CLOSED
from tests.support.told import OUT
from tests.support.told import REJECTED

MINUTE: t.Final = 60.0
DAY: t.Final = 24 * 60 * MINUTE
UTC: t.Final = dt.timezone.utc


@pytest.mark.fault(1, got="answer", served="c1 s1", seen=REJECTED)
def test_revoked_key(host: FaultHost) -> None:
    """The circuit opens for a quarter of an hour; the system key answers."""
    host.store()
    host.fail("revoked")
    answer = host.chat()
    assert answer.source == "system" and host.circuit().reason == "auth"
    assert 13 * MINUTE < host.rest(host.circuit().open_until) < 17 * MINUTE


@pytest.mark.fault(3, got="answer", served="c1 s1", seen=REJECTED)
@pytest.mark.parametrize(
    ("fault", "reason"), [("revoked", "auth"), ("expired", "expired")]
)
def test_wrong_key_told_as_a_bad_request(
    host: FaultHost, fault: str, reason: str
) -> None:
    """Status 400, and still it is the key."""
    host.store("GEMINI")
    host.fail(fault, "GEMINI")
    assert [a.status for a in host.chat().attempts] == [400, None]
    assert host.circuit("GEMINI").reason == reason


@pytest.mark.fault(4, got="RequestRefused", served="c1 s0")
@pytest.mark.parametrize(
    ("provider", "fault"),
    [
        ("GEMINI", "bad_request"),
        ("GEMINI", "context_length"),
        ("OPENAI", "context_length"),
        ("OPENAI", "invalid_prompt"),
        ("CLAUDE", "bad_request"),
        ("CLAUDE", "request_too_large"),
    ],
)
def test_wrong_request(host: FaultHost, provider: str, fault: str) -> None:
    """No second key is spent on it, and nothing is remembered."""
    host.store(provider)
    before = host.circuit(provider)
    host.fail(fault, provider)
    host.refuse(errors.RequestRefused)
    assert host.circuit(provider) == before


@pytest.mark.fault(5, got="answer", served="c1 s1", seen=OUT)
@pytest.mark.parametrize("fault", ["nocredit", "billing_error", "own_usage_limit"])
def test_no_credit(host: FaultHost, fault: str) -> None:
    """The key rests; a date that the provider states holds, up to a day."""
    host.store("CLAUDE")
    host.set_clock(dt.datetime(2026, 11, 20, 12, tzinfo=UTC))
    host.fail(fault, "CLAUDE")
    host.chat()
    circuit = host.circuit("CLAUDE")
    assert circuit.reason == "quota"
    rest = host.rest(circuit.open_until)

    if fault == "own_usage_limit":
        assert DAY - MINUTE < rest <= DAY
    else:
        assert 13 * MINUTE < rest < 17 * MINUTE


@pytest.mark.fault(5, got="answer", served="c1 s1", seen=OUT, when="within a day")
def test_limit_that_ends_soon(host: FaultHost) -> None:
    """The stated date is kept to the second."""
    host.store("CLAUDE")
    host.set_clock(dt.datetime(2026, 11, 30, 22, tzinfo=UTC))
    host.fail("own_usage_limit", "CLAUDE")
    host.chat()
    until = host.circuit("CLAUDE").open_until
    assert until is not None
    assert abs(until - dt.datetime(2026, 12, 1, tzinfo=UTC)) < dt.timedelta(seconds=1)


@pytest.mark.fault(6, got="answer", served="c1 s1", seen=OUT)
@pytest.mark.parametrize(
    "fault", ["credit_balance_exhausted", "insufficient_quota_type"]
)
def test_no_credit_told_as_a_rate_limit(host: FaultHost, fault: str) -> None:
    """It is money, not haste: no retry."""
    host.store()
    host.fail(fault)
    assert [a.status for a in host.chat().attempts] == [429, None]
    assert host.circuit().reason == "quota"


@pytest.mark.fault(7, got="answer", served="c1 s1", seen=REJECTED)
@pytest.mark.parametrize(
    ("provider", "fault"),
    [
        ("OPENAI", "restricted"),
        ("CLAUDE", "permission_error"),
        ("GEMINI", "service_disabled"),
    ],
)
def test_missing_permission(host: FaultHost, provider: str, fault: str) -> None:
    """The key is real: people read that it may not, not that it is wrong."""
    host.store(provider)
    host.fail(fault, provider)
    host.chat()
    assert host.circuit(provider).reason == "permission"


@pytest.mark.fault(8, got="answer", served="c2 s2", seen=BUSY_LONG)
@pytest.mark.parametrize("fault", ["project_no_model_access", "model_not_found"])
def test_missing_model(host: FaultHost, fault: str) -> None:
    """The model is out for this key, for an hour; its other models serve."""
    host.store()
    host.fail(fault)
    first, second = host.chat(), host.chat()
    assert (first.source, second.source) == ("system", "system")
    assert second.attempts[0].sent is False
    host.fail(None)
    assert host.chat(model="fast").source == "company"
    assert host.circuit().circuit == "closed"


@pytest.mark.fault(9, got="ModelNotFound", served="c1 s0", when="the app has no such")
def test_mistyped_model(host: FaultHost) -> None:
    """An id the app does not name raises at once and blocks nothing."""
    host.store()
    host.fail("model_not_found", keys=None)
    host.refuse(errors.ModelNotFound, model="gpt-mistyped")
    assert host.circuit().model_blocks is None


@pytest.mark.fault(9, got="ModelNotFound", served="c1 s1", when="nobody has it")
@pytest.mark.parametrize("scope", ["any", "same_provider"])
def test_model_nobody_has(make: cabc.Callable[..., FaultHost], scope: str) -> None:
    """The system key is told the same: the name is at fault, and no key."""
    host = make(BYOK_FALLBACK_SCOPE=scope)
    host.store()
    host.fail("model_not_found", keys=None)
    error = host.refuse(errors.ModelNotFound)
    assert [a.status for a in error.attempts] == [404, 404]
    assert host.circuit().model_blocks is None


@pytest.mark.fault(10, got="OurSideError", served="c1 s0", seen=CLOSED)
@pytest.mark.parametrize(
    ("provider", "fault"),
    [
        ("OPENAI", "redirect"),
        ("OPENAI", "status_407"),
        ("OPENAI", "html"),
        ("OPENAI", "unsupported_country"),
        ("CLAUDE", "forbidden_waf"),
        ("GEMINI", "location"),
    ],
)
def test_closed_way(host: FaultHost, provider: str, fault: str) -> None:
    """No key can mend it, so none is spent; the operator reads it once."""
    host.store(provider)
    before = host.circuit(provider)
    host.fail(fault, provider)
    host.refuse(errors.OurSideError)
    assert host.circuit(provider) == before


@pytest.mark.fault(10, got="OurSideError", served="c0 s0", seen=CLOSED, when="TLS")
def test_closed_way_by_tls(make: cabc.Callable[..., FaultHost]) -> None:
    """A server that speaks no TLS where it should: nothing is sent."""
    host = make()
    host.store()
    urls = {name: url.replace("http:", "https:") for name, url in urls_of(host).items()}
    with_tls = make(BYOK_PROVIDER_URLS=urls)
    before = with_tls.circuit()
    with_tls.refuse(errors.OurSideError)
    assert with_tls.circuit() == before


def urls_of(host: FaultHost) -> dict[str, str]:
    """Give the addresses of the simulated providers."""
    return host.simulator.urls


NOON: t.Final = dt.datetime(2026, 11, 20, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fault", "rest"),
    [
        pytest.param(
            "quota_per_minute",
            48.0,
            marks=pytest.mark.fault(
                11, got="answer", served="c1 s1", seen=BUSY, when="per minute"
            ),
        ),
        pytest.param(
            "quota_per_day",
            12 * 3600.0,
            marks=pytest.mark.fault(
                11, got="answer", served="c1 s1", seen=BUSY_LONG, when="per day"
            ),
        ),
        pytest.param(
            "quota_no_details",
            20.0,
            marks=pytest.mark.fault(
                11, got="answer", served="c1 s1", seen=BUSY, when="without details"
            ),
        ),
    ],
)
def test_quota_of_a_model(host: FaultHost, fault: str, rest: float) -> None:
    """Noon in California: a daily quota lasts twelve hours, the others as told."""
    host.store("GEMINI")
    host.set_clock(NOON)
    host.fail(fault, "GEMINI")
    model = host.chat().attempts[0].model
    circuit = host.circuit("GEMINI")
    assert circuit.circuit == "closed"
    assert 0.89 * rest < host.rest(host.block(model, "GEMINI").until) < 1.11 * rest


@pytest.mark.parametrize(
    ("provider", "fault"),
    [
        pytest.param(
            "OPENAI",
            "status_418",
            marks=pytest.mark.fault(
                12, got="RequestRefused", served="c1 s0", when="418"
            ),
        ),
        pytest.param(
            "OPENAI",
            "status_599",
            marks=pytest.mark.fault(12, got="answer", served="c1 s1", when="599"),
        ),
        pytest.param(
            "GEMINI",
            "leaked",
            marks=pytest.mark.fault(
                12, got="answer", served="c1 s1", seen=REJECTED, when="a leaked key"
            ),
        ),
        pytest.param(
            "OPENAI",
            "account_deactivated",
            marks=pytest.mark.fault(
                12, got="answer", served="c1 s1", seen=REJECTED, when="a dead account"
            ),
        ),
        pytest.param(
            "CLAUDE",
            "organization_disabled",
            marks=pytest.mark.fault(
                12, got="answer", served="c1 s1", seen=REJECTED, when="a dead account"
            ),
        ),
        pytest.param(
            "GEMINI",
            "prepayment_depleted",
            marks=pytest.mark.fault(
                12, got="answer", served="c1 s1", seen=OUT, when="no credit left"
            ),
        ),
        pytest.param(
            "OPENAI",
            "slow_down",
            marks=pytest.mark.fault(
                12, got="answer", served="c1 s1", seen=BUSY, when="slow down"
            ),
        ),
        pytest.param(
            "GEMINI",
            "deadline",
            marks=pytest.mark.fault(12, got="answer", served="c1 s1", when="trouble"),
        ),
        pytest.param(
            "CLAUDE",
            "timeout_408",
            marks=pytest.mark.fault(12, got="answer", served="c1 s1", when="trouble"),
        ),
    ],
)
def test_recorded_errors(host: FaultHost, provider: str, fault: str) -> None:
    """One of each class; every recorded answer stands in the classifier's tests."""
    host.store(provider)
    host.fail(fault, provider)

    try:
        assert host.chat().source == "system"
    except errors.RequestRefused as error:
        assert [a.status for a in error.attempts] == [418]
