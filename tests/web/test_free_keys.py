"""A stolen key cannot be tried through the page: limits by address, no free checks."""

from __future__ import annotations

import pytest

from tests.web.conftest import GOOD_KEY
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import state_of

STOLEN = "not-a-real-stolen-key-0009-XyZ9"


@pytest.mark.case("E16")
@pytest.mark.parametrize("company", [1, 2])
def test_an_address_is_counted_whoever_asks(make_host: MakeHost, company: int) -> None:
    """Another company from the same address finds it used up, page and API alike."""
    host = make_host(BYOK_RATE_LIMIT={"address": 1})
    assert state_of(host.client().save()) == "saved"

    visitor = host.client(company=company)
    assert state_of(visitor.save()) == "check-limit"
    answer = visitor.call("PUT", "/credentials/CLAUDE", {"api_key": GOOD_KEY})
    assert answer.status_code == 429


@pytest.mark.case("E17")
def test_an_address_cannot_be_forged(make_host: MakeHost) -> None:
    """What a request says of where it comes from is not asked."""
    host = make_host(BYOK_RATE_LIMIT={"address": 1})
    ada = host.client()
    body = {"api_key": GOOD_KEY}
    statuses = [
        ada.call(
            "PUT",
            "/credentials/OPENAI",
            body,
            headers={"X-Forwarded-For": f"192.0.2.{number}", "Forwarded": "for=_x"},
        ).status_code
        for number in range(2)
    ]

    assert statuses == [201, 429]


@pytest.mark.case("E16")
def test_no_route_asks_about_a_key_that_is_not_saved(host: Host) -> None:
    """A key sent along with a test is not looked at: the stored one is tested."""
    ada = host.client()
    ada.save()
    host.simulator.clear()

    ada.post("/test", provider="OPENAI", api_key=STOLEN)
    ada.call("POST", "/credentials/OPENAI/test", {"api_key": STOLEN})
    ada.client.get(f"/settings/ai/?api_key={STOLEN}&provider=OPENAI")

    assert {request.api_key for request in host.simulator.requests} == {GOOD_KEY}
