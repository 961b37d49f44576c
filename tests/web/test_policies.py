"""The policy on every surface: what the page and the API say, and who pays."""

from __future__ import annotations

import typing as t

import flask
import pytest

from flask_byok import CallError
from flask_byok import current_ai_client
from flask_byok import signals
from flask_byok import SystemBudgetExceeded
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import text_of
from tests.web.test_states import damage

#: A fault of each class of failure, and whether ``outage_only`` may cover it.
FAULTS: t.Final = {
    "revoked": False,
    "expired": False,
    "restricted": False,
    "nocredit": False,
    "unreadable": False,
    "ratelimited_38s": True,
    "outage": True,
}


def with_a_feature(app: flask.Flask) -> None:
    """A host with one page that asks AI."""

    @app.get("/ask")
    def ask() -> str:
        how = {"fallback": False} if "strict" in flask.request.args else {}

        try:
            return str(current_ai_client.chat("hello", **how).source)
        except CallError as error:
            return type(error).__name__


def system_requests(host: Host) -> list[t.Any]:
    """List the requests that went out on the key of the app."""
    return [r for r in host.simulator.requests if "system-key" in (r.api_key or "")]


def break_key(host: Host, fault: str) -> None:
    """Let the company's key fail in one way."""
    if fault == "unreadable":
        damage(host)
    else:
        host.simulator.set_fault("*", fault, keys="company-key")


@pytest.mark.case("F12", "F17")
@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize("policy", ["auto", "outage_only", "never"])
@pytest.mark.parametrize("fault", FAULTS)
def test_page_api_and_calls_agree(
    make_host: MakeHost, policy: str, fault: str, locked: bool
) -> None:
    """In an excluded class no surface makes a request on the key of the app."""
    host = make_host(
        prepare=with_a_feature, BYOK_FALLBACK=policy, BYOK_FALLBACK_LOCKED=locked
    )
    host.save()
    break_key(host, fault)
    host.simulator.clear()
    ada = host.client()
    answers = [ada.client.get("/ask").text for _ in range(3)]
    may_serve = policy == "auto" or (policy == "outage_only" and FAULTS[fault])
    assert (set(answers) == {"system"}) is may_serve
    assert bool(system_requests(host)) is may_serve
    told = text_of(ada.get())
    assert ("Key provided by Studio, for now" in told) is may_serve
    # A limit passes by itself: nothing is switched off then.
    word = "AI is paused" if fault.startswith("ratelimited") else "AI is off"
    assert (word in told) is not may_serve
    assert ada.call("GET", "/policy").json["fallback"] == policy
    before = len(system_requests(host))
    ada.post("/test", provider="OPENAI")
    ada.call("POST", "/credentials/OPENAI/test")
    ada.call("PUT", "/credentials/OPENAI", {"model": "gpt-6-luna"})
    assert len(system_requests(host)) == before


@pytest.mark.case("F17")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_call_may_be_stricter_than_the_policy(
    make_host: MakeHost, fault: str
) -> None:
    """``fallback=False`` keeps the call off the key of the app under ``auto``, too."""
    host = make_host(prepare=with_a_feature)
    host.save()
    break_key(host, fault)
    assert host.client().client.get("/ask?strict=1").text != "system"
    assert system_requests(host) == []


@pytest.mark.case("F17")
@pytest.mark.parametrize("way", ["page", "api"])
def test_a_locked_never_is_not_argued_with(make_host: MakeHost, way: str) -> None:
    """Neither form nor JSON opens what the operator closed for all companies."""
    host = make_host(
        prepare=with_a_feature, BYOK_FALLBACK="never", BYOK_FALLBACK_LOCKED=True
    )
    host.save()
    break_key(host, "outage")
    ada = host.client()

    if way == "page":
        ada.post("/policy", fallback="auto")
    else:
        assert ada.call("PATCH", "/policy", {"fallback": "auto"}).status_code == 409

    assert ada.client.get("/ask").text == "ProviderOutage"
    assert system_requests(host) == []


@pytest.mark.case("F11")
@pytest.mark.parametrize("own", ["none", "rejected", "without credit", "revoked later"])
def test_a_broken_key_rides_no_further_than_the_budget(
    make_host: MakeHost, own: str
) -> None:
    """With an own key, with a broken one and without: the same allowance, one end."""
    host = make_host(prepare=with_a_feature, BYOK_SYSTEM_BUDGET={"requests": 2})
    ada = host.client()

    if own == "rejected":
        ada.save("not-a-real-revoked-key-0001-AbCd")
        assert host.status().credentials == ()
    elif own == "without credit":
        ada.save("not-a-real-nocredit-company-key-01")
    elif own == "revoked later":
        ada.save()
        break_key(host, "revoked")

    told: list[int] = []

    def keep(sender: object, percent: int, **payload: t.Any) -> None:
        told.append(percent)

    with signals.budget_threshold.connected_to(keep, sender=host.app):
        answers = [ada.client.get("/ask").text for _ in range(3)]

    assert answers == ["system", "system", SystemBudgetExceeded.__name__]
    assert len(system_requests(host)) == 2
    assert told[-1] == 100
    (allowance,) = ada.call("GET", "/usage").json["allowance"]
    assert (allowance["used"], allowance["limit"]) == (2, 2)
    assert "The key provided by Studio is used up for this month." in text_of(ada.get())


@pytest.mark.case("F11")
@pytest.mark.parametrize("way", ["page", "api"])
@pytest.mark.parametrize("stored", [False, True])
def test_a_rejected_key_is_not_stored(host: Host, way: str, stored: bool) -> None:
    """Nor over a stored one, nor with a yes to it; the old key goes on serving."""
    ada, pasted = host.client(), "not-a-real-revoked-key-0001-AbCd"

    if stored:
        host.save()

    for confirm in ("", "rejected", "working"):
        if way == "page":
            ada.save(pasted, confirm=confirm)
        else:
            body = {"api_key": pasted, "confirm": confirm}
            assert ada.call("PUT", "/credentials/OPENAI", body).status_code == 422

    assert [c.generation for c in host.status().credentials] == [1] * stored
    assert host.chat().source == ("company" if stored else "system")
