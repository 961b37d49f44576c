"""The app's own key: where it goes, and what goes with it."""

from __future__ import annotations

import json
import typing as t

import pytest

from flask_byok.errors import CallError
from tests.support.calls import CallHost
from tests.support.host import GOOD

#: All that a request may carry besides the body.
HEADERS: t.Final = {
    "accept",
    "accept-encoding",
    "anthropic-version",
    "authorization",
    "content-length",
    "content-type",
    "host",
    "user-agent",
    "x-api-key",
    "x-goog-api-key",
}


@pytest.mark.case("D30", "F13")
@pytest.mark.parametrize("provider", ["OPENAI", "GEMINI", "CLAUDE"])
def test_a_fallback_carries_nothing_of_the_company(
    host: CallHost, provider: str
) -> None:
    """To the operator's address, with the operator's key, and nobody's name."""
    host.store(provider)
    host.fail("revoked", provider)
    host.chat(label="letters")

    asked, answered = host.simulator.requests
    sent = f"{answered.path} {answered.headers} {json.dumps(answered.body)}"

    assert (asked.api_key, "system" in answered.api_key) == (GOOD, True)
    assert set(answered.headers) <= HEADERS
    assert answered.headers["host"] in host.simulator.urls[provider]

    for mine in (GOOD, GOOD[-8:], "i:1", "letters", "organization", "project"):
        assert mine not in sent


@pytest.mark.case("F14", "F15")
def test_an_error_about_the_system_key_shows_none_of_it(host: CallHost) -> None:
    """Both keys rejected: one error, the company's, without a piece of either."""
    host.store()

    for provider in ("OPENAI", "GEMINI", "CLAUDE"):
        host.fail("key_echoed", provider, keys=None)

    error = host.refuse(Exception)
    told = f"{error!r} {error} {vars(error)} {error.attempts}"

    assert [attempt.source for attempt in error.attempts][:2] == ["company", "system"]
    assert "system-key" not in told
    assert GOOD not in told


@pytest.mark.case("F18")
@pytest.mark.parametrize("fault", ["revoked", "outage", "ratelimited"])
def test_three_requests_are_the_most(host: CallHost, fault: str) -> None:
    """Three own keys and three system keys, all failing: company first, never back."""
    host.store("OPENAI", "GEMINI", "CLAUDE")
    host.byok.set_policy(1, use_other_keys=True)

    for provider in ("OPENAI", "GEMINI", "CLAUDE"):
        host.fail(fault, provider, keys=None)

    host.refuse(CallError)
    paid = host.paid

    assert 2 <= len(paid) <= 3
    assert "sc" not in paid
