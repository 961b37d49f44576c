"""One company key and one system key: what each failure does to the call."""

from __future__ import annotations

import collections.abc as cabc
import time

import pytest

from flask_byok import errors
from tests.support.calls import CallHost

MINUTE = 60.0


def test_rejected_key_opens_and_the_system_key_answers(any_host: CallHost) -> None:
    """A revoked key is told once everywhere, and not asked again."""
    any_host.store()
    any_host.fail("revoked")

    answers = [any_host.chat() for _ in range(3)]

    assert any_host.paid == "cs" + "s" + "s"
    assert [a.source for a in answers] == ["system"] * 3
    assert [(a.reason, a.sent) for a in answers[0].attempts] == [
        ("auth", True),
        (None, True),
    ]
    assert [(a.reason, a.sent) for a in answers[1].attempts] == [
        ("auth", False),
        (None, True),
    ]
    assert any_host.circuit().circuit == "open"
    assert 13 * MINUTE < any_host.rest(any_host.circuit().open_until) < 17 * MINUTE
    assert [name for name, _ in any_host.signals] == [
        "circuit_opened",
        "key_rejected",
        "notice_due",
        "fallback_used",
    ]
    assert any_host.actions().count("fallback_started") == 1
    assert any_host.client.fallback_active


@pytest.mark.parametrize(
    ("provider", "fault", "reason"),
    [
        ("GEMINI", "revoked", "auth"),
        ("GEMINI", "expired", "expired"),
        ("GEMINI", "leaked", "auth"),
        ("CLAUDE", "revoked", "auth"),
        ("CLAUDE", "organization_disabled", "auth"),
        ("OPENAI", "restricted", "permission"),
        ("CLAUDE", "permission_error", "permission"),
        ("GEMINI", "service_disabled", "permission"),
        ("OPENAI", "nocredit", "quota"),
        ("OPENAI", "credit_balance_exhausted", "quota"),
        ("OPENAI", "insufficient_quota_type", "quota"),
        ("CLAUDE", "nocredit", "quota"),
        ("CLAUDE", "billing_error", "quota"),
        ("CLAUDE", "own_usage_limit", "quota"),
    ],
)
def test_one_refusal_opens_the_circuit(
    host: CallHost, provider: str, fault: str, reason: str
) -> None:
    """Classes A, B and C open at the first failure, and are never retried."""
    host.store(provider)
    host.fail(fault, provider)
    answer = host.chat()
    assert host.paid == "cs" and answer.source == "system"
    assert answer.attempts[0].reason == host.circuit(provider).reason == reason
    assert host.circuit(provider).circuit == "open"
    assert host.rest(host.circuit(provider).open_until) <= 24 * 60 * MINUTE


@pytest.mark.parametrize(
    ("provider", "fault"),
    [
        ("OPENAI", "context_length"),
        ("OPENAI", "bad_request"),
        ("OPENAI", "invalid_prompt"),
        ("OPENAI", "status_418"),
        ("GEMINI", "bad_request"),
        ("GEMINI", "context_length"),
        ("CLAUDE", "bad_request"),
        ("CLAUDE", "request_too_large"),
    ],
)
def test_the_callers_mistake_never_falls_back(
    host: CallHost, provider: str, fault: str
) -> None:
    """A refused request reaches no second key and leaves the state as it was."""
    host.store(provider)
    before = host.circuit(provider)
    host.fail(fault, provider)
    error = host.refuse(errors.RequestRefused)
    assert host.paid == "c" and host.circuit(provider) == before
    assert [a.reason for a in error.attempts] == ["request"] and not host.signals


@pytest.mark.parametrize(
    ("provider", "fault"),
    [
        ("OPENAI", "redirect"),
        ("OPENAI", "redirect_307"),
        ("OPENAI", "html"),
        ("OPENAI", "html_401"),
        ("OPENAI", "status_407"),
        ("OPENAI", "unsupported_country"),
        ("CLAUDE", "forbidden_waf"),
        ("CLAUDE", "cors"),
        ("GEMINI", "location"),
    ],
)
def test_our_side_raises_and_spares_the_second_key(
    host: CallHost,
    provider: str,
    fault: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What no key can mend raises at once; the operator reads it once."""
    host.store(provider)
    before = host.circuit(provider)
    host.fail(fault, provider)
    host.refuse(errors.OurSideError)
    host.refuse(errors.OurSideError)
    assert host.paid == "cc" and host.circuit(provider) == before
    assert len(host.told("our_side_failed")) == 1
    assert [r.levelname for r in caplog.records if "closed" in r.message] == ["ERROR"]


@pytest.mark.parametrize(
    ("provider", "fault", "seconds", "reason"),
    [
        ("OPENAI", "ratelimited_38s", 38, "rate_limit"),
        ("GEMINI", "quota_per_minute", 48, "rate_limit"),
        ("GEMINI", "quota_no_details", 20, "rate_limit"),
        ("CLAUDE", "ratelimited_bare", 20, "rate_limit"),
        ("OPENAI", "ratelimited_no_retry", 20, "rate_limit"),
    ],
)
def test_a_long_rate_limit_blocks_the_model_alone(
    host: CallHost, provider: str, fault: str, seconds: float, reason: str
) -> None:
    """A rate limit is no failure of the key: only that model rests."""
    host.store(provider)
    host.fail(fault, provider)
    answer = host.chat()
    assert host.paid == "cs" and answer.attempts[0].reason == reason
    skipped = host.chat().attempts[0]
    assert host.paid == "s" and (skipped.reason, skipped.sent) == (reason, False)
    host.fail(None, provider)
    host.chat(model="fast")
    assert host.paid == "c" and host.circuit(provider).circuit == "closed"
    host.move_clock(seconds=seconds * 0.85)
    host.chat()
    assert host.paid == "s"
    host.move_clock(seconds=seconds * 0.3)
    host.chat()
    host.chat()
    assert host.paid == "cc" and host.circuit(provider).model_blocks in (None, "{}")
    assert not host.told("circuit_opened") and len(host.told("fallback_used")) == 1
    assert host.actions()[-2:] == ["fallback_started", "fallback_ended"]


def test_a_daily_quota_lasts_until_midnight_in_california(host: CallHost) -> None:
    """GEMINI's PerDay is no short delay, whatever the answer says beside it."""
    host.store("GEMINI")
    host.fail("quota_per_day", "GEMINI")
    error = host.chat().attempts[0]
    assert error.reason == "quota" and host.circuit("GEMINI").circuit == "closed"
    host.move_clock(minutes=5)
    assert host.chat().attempts[0].sent is False
    host.move_clock(hours=25)
    host.fail(None, "GEMINI")
    assert host.chat().source == "company"


@pytest.mark.parametrize(
    ("provider", "fault"),
    [("OPENAI", "ratelimited_ms"), ("GEMINI", "ratelimited_info")],
)
def test_a_short_delay_is_waited_for(host: CallHost, provider: str, fault: str) -> None:
    """One inline retry after a stated delay of 2 s at most, and no block."""
    host.store(provider)
    host.fail(fault, provider, times=1)
    answer = host.chat()
    assert host.paid == "cc" and answer.source == "company"
    assert [a.reason for a in answer.attempts] == ["rate_limit", None]
    assert host.circuit(provider).model_blocks in (None, "{}")


@pytest.mark.case("F18")
def test_a_second_short_delay_is_not(host: CallHost) -> None:
    """After one retry the third request is the system key's."""
    host.store()
    host.fail("ratelimited_float")
    assert host.chat().source == "system"
    assert host.paid == "ccs"


@pytest.mark.parametrize(
    ("provider", "fault"),
    [
        ("OPENAI", "outage"),
        ("OPENAI", "overloaded"),
        ("OPENAI", "status_599"),
        ("OPENAI", "html_200"),
        ("OPENAI", "empty"),
        ("OPENAI", "cut"),
        ("CLAUDE", "overloaded"),
        ("CLAUDE", "timeout_408"),
        ("GEMINI", "cut_body"),
        ("GEMINI", "html_502"),
    ],
)
def test_one_outage_is_forgiven_the_second_opens(
    host: CallHost, provider: str, fault: str
) -> None:
    """Class E counts: two within 60 s open for about 30 s."""
    host.store(provider)
    host.fail(fault, provider)
    assert host.chat().source == "system"
    assert host.circuit(provider).circuit == "closed" and not host.signals
    host.chat()
    circuit = host.circuit(provider)
    assert host.paid == "cscs" and (circuit.circuit, circuit.reason) == (
        "open",
        "outage",
    )
    assert 20 < host.rest(circuit.open_until) <= 33


def test_outages_apart_do_not_add_up(host: CallHost) -> None:
    """61 seconds later, or behind a success, the count begins anew."""
    host.store()

    for between in (lambda: host.move_clock(seconds=61), host.chat):
        host.fail("outage", times=1)
        host.chat()
        between()
        host.fail("outage", times=1)
        host.chat()
        assert host.circuit().circuit == "closed"
        host.move_clock(seconds=61)


def test_a_bad_request_between_outages_is_neutral(host: CallHost) -> None:
    """500, 400, 500 opens: the caller's mistake says nothing of the key."""
    host.store()
    host.fail("outage", times=1)
    host.chat()
    host.fail("bad_request", times=1)
    host.refuse(errors.RequestRefused)
    host.fail("outage", times=1)
    host.chat()
    assert host.circuit().circuit == "open"


def test_limited_account_inside_a_good_answer_is_forbidden(host: CallHost) -> None:
    """GEMINI says that an account is limited by a 200 without candidates."""
    host.store("GEMINI")
    host.fail("pup_limited", "GEMINI")
    assert host.chat().attempts[0].reason == "permission"
    assert host.paid == "cs"


def test_a_silent_provider_may_have_billed(host: CallHost) -> None:
    """After the company key's share of the time the system key answers."""
    host.store()
    host.fail("hang")
    answer = host.chat(timeout=5)
    assert host.paid == "cs" and answer.attempts[0].reason == "timeout"
    assert [row.state for row in host.attempts()] == ["unknown", "done"]


@pytest.mark.parametrize("tighten", ["fallback", "policy"])
def test_without_a_second_route_an_attempt_has_all_the_time(
    host: CallHost, tighten: str
) -> None:
    """Under ``never`` or ``fallback=False`` nothing is held back for another key."""
    host.store()
    host.fail("hang")

    if tighten == "policy":
        host.byok.set_policy(1, fallback="never")

    began = time.monotonic()
    host.refuse(errors.ProviderTimeout, timeout=0.8, fallback=tighten == "policy")
    assert host.paid == "c" and time.monotonic() - began >= 0.75


@pytest.mark.case("F18")
def test_the_deadline_ends_the_walk(host: CallHost) -> None:
    """Three routes, all silent: the third has no time left and is not asked."""
    host.store()

    for provider in ("OPENAI", "GEMINI", "CLAUDE"):
        host.fail("hang", provider, keys=None)

    began = time.monotonic()
    error = host.refuse(errors.ProviderTimeout, timeout=6)
    assert host.paid == "cs" and time.monotonic() - began < 7
    assert [a.reason for a in error.attempts] == ["timeout", "timeout"]


@pytest.mark.case("F18")
def test_a_stale_connection_is_no_verdict(host: CallHost) -> None:
    """A reset on a re-used connection is tried once more, and only once."""
    host.store()
    host.chat()
    host.fail("reset_reused", times=1)
    host.simulator.clear()
    assert host.chat().source == "company"
    assert host.paid == "cc" and host.circuit().fail_count == 0
    assert [row.state for row in host.attempts()] == ["done", "failed", "done"]


@pytest.mark.parametrize(
    ("provider", "fault"),
    [
        ("OPENAI", "project_no_model_access"),
        ("OPENAI", "model_not_found"),
        ("CLAUDE", "model_not_found"),
        ("GEMINI", "model_not_found"),
    ],
)
def test_a_missing_model_of_the_app_falls_back(
    host: CallHost, provider: str, fault: str
) -> None:
    """A model the app itself names is missing for this key alone: it is blocked."""
    host.store(provider)
    host.fail(fault, provider)
    assert host.chat().source == "system"
    assert host.paid == "cs" and host.circuit(provider).circuit == "closed"
    assert host.chat().attempts[0].sent is False
    host.fail(None, provider)
    host.chat(model="fast")
    assert host.paid == "sc"


def test_a_mistyped_model_is_the_callers_mistake(host: CallHost) -> None:
    """An id the app does not name raises at once and blocks nothing."""
    host.store()
    host.fail("model_not_found", keys=None)
    host.refuse(errors.ModelNotFound, model="gpt-mistyped")
    assert host.paid == "c" and host.circuit().model_blocks in (None, "{}")


def test_a_model_nobody_has_blocks_nothing(
    make: cabc.Callable[..., CallHost],
) -> None:
    """When the system key is told 404 too, the model is at fault, not the key."""
    host = make(BYOK_FALLBACK_SCOPE="same_provider")
    host.store()
    host.fail("model_not_found", keys=None)
    host.refuse(errors.ModelNotFound)
    assert host.paid == "cs" and host.circuit().model_blocks in (None, "{}")


def test_a_host_without_a_way_is_not_tried_twice(
    make: cabc.Callable[..., CallHost], byok_simulator: object
) -> None:
    """Connection refused: the other key of that provider cannot help, another can."""
    urls = byok_simulator.urls | {"OPENAI": "http://127.0.0.1:9/v1"}  # type: ignore[attr-defined]
    host = make(BYOK_PROVIDER_URLS=urls)
    host.byok.save_key(1, "OPENAI", "not-a-real-company-key-0001-AbCd")
    host.simulator.clear()
    answer = host.chat()
    assert (answer.provider, answer.source) == ("GEMINI", "system")
    assert [(a.provider, a.sent) for a in answer.attempts] == [
        ("OPENAI", False),
        ("GEMINI", True),
    ]
    assert host.refuse(errors.ProviderOutage, model="gpt-4o-mini").status is None
