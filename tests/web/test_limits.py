"""Limits on checks as the page and the API keep them."""

from __future__ import annotations

import re
import typing as t

import pytest

from tests.web.conftest import GOOD_KEY
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import OTHER_KEY
from tests.web.conftest import state_of
from tests.web.conftest import text_of
from tests.web.conftest import Visitor

#: A save and a test, by page and by API: what checks a key.
WAYS: t.Final = {
    "save": lambda v: v.save(OTHER_KEY, generation="OPENAI:1"),
    "test": lambda v: v.post("/test", provider="OPENAI"),
    "model": lambda v: v.post(
        "/key", action="details", provider="OPENAI", model="gpt-6-luna"
    ),
    "PUT": lambda v: v.call("PUT", "/credentials/OPENAI", {"api_key": OTHER_KEY}),
    "POST": lambda v: v.call("POST", "/credentials/OPENAI/test"),
    "PUT model": lambda v: v.call("PUT", "/credentials/OPENAI", {"model": "gpt-4o"}),
}


def is_limited(answer: t.Any) -> bool:
    """Tell a refusal by the limit, with the seconds to wait."""
    if answer.mimetype == "text/html":
        found = re.search(r"Try again in (\d+) seconds", text_of(answer))
        return state_of(answer) == "check-limit" and found is not None

    return answer.status_code == 429 and 1 <= int(answer.headers["Retry-After"]) <= 60


@pytest.mark.case("E16")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scope", ["user", "company", "address", "all"])
def test_each_scope_on_each_way(make_host: MakeHost, scope: str, way: str) -> None:
    """After one check the next is refused, and nothing is sent or stored."""
    host = make_host(BYOK_RATE_LIMIT={scope: 1})
    ada = host.client()
    ada.save()
    before, asked = host.status().credentials, len(host.simulator.requests)
    assert is_limited(WAYS[way](ada))
    assert host.status().credentials == before
    assert len(host.simulator.requests) == asked


@pytest.mark.case("E17")
@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP"]
)
def test_a_forged_address_is_no_other_address(make_host: MakeHost, header: str) -> None:
    """Only the address the server itself sees counts; another one has its own limit."""
    host = make_host(BYOK_RATE_LIMIT={"address": 2})
    ada = host.client()
    ada.client.environ_base[f"HTTP_{header.upper().replace('-', '_')}"] = "192.0.2.1"
    ada.save()
    assert not is_limited(ada.post("/test", provider="OPENAI"))

    for number in range(3):
        ada.client.environ_base[f"HTTP_{header.upper().replace('-', '_')}"] = (
            f"192.0.2.{number + 2}"
        )
        assert is_limited(ada.post("/test", provider="OPENAI"))

    ada.client.environ_base["REMOTE_ADDR"] = "192.0.2.77"
    assert not is_limited(ada.post("/test", provider="OPENAI"))


@pytest.mark.case("E17")
def test_a_store_that_is_down(make_host: MakeHost) -> None:
    """Checks and saves are refused with "try again"; all the rest goes on."""
    host = make_host()
    host.save()
    down = make_host(
        BYOK_MASTER_KEYS=host.app.config["BYOK_MASTER_KEYS"],
        BYOK_RATE_LIMIT_STORAGE="redis://127.0.0.1:1/0",
    )
    ada, before = down.client(), down.status().credentials
    asked = len(down.simulator.requests)

    for way, check in WAYS.items():
        answer = check(ada)

        if answer.mimetype == "text/html":
            assert state_of(answer) == "check-limit", way
            assert "Try again later" in text_of(answer)
        else:
            assert answer.status_code == 503, way
            assert "Try again later" in answer.json["detail"]

    assert down.status().credentials == before
    assert len(down.simulator.requests) == asked
    assert down.chat().source == "company"
    assert ada.get().status_code == 200
    assert ada.call("PATCH", "/policy", {"fallback": "never"}).status_code == 200
    assert state_of(ada.post("/remove/OPENAI")) == "removed"


@pytest.mark.case("E16")
def test_no_address_tests_a_key_that_is_not_being_saved(host: Host) -> None:
    """A key in a test's request is refused or left alone: the stored one is asked."""
    host.save()
    host.simulator.clear()
    ada = host.client()
    ada.post("/test", provider="OPENAI", api_key=OTHER_KEY, key=OTHER_KEY)
    body = {"api_key": OTHER_KEY}
    assert ada.call("POST", "/credentials/OPENAI/test", body).status_code == 400
    answer = ada.call(
        "POST",
        "/credentials/OPENAI/test",
        query_string=body,
        headers={"Authorization": f"Bearer {OTHER_KEY}", "X-Api-Key": OTHER_KEY},
    )
    assert answer.status_code == 200
    assert {request.api_key for request in host.simulator.requests} == {GOOD_KEY}


@pytest.mark.case("E16")
def test_a_verdict_names_nobody(host: Host) -> None:
    """What a refused or doubtful key's answer says: words of ours and model ids."""
    host.save()
    ada: Visitor = host.client()

    for fault in ("revoked", "nocredit", "key_echoed"):
        host.simulator.set_fault("OPENAI", fault, keys="0002")
        answer = ada.call("PUT", "/credentials/OPENAI", {"api_key": OTHER_KEY})
        assert answer.status_code in (409, 422)
        assert set(answer.json) <= {
            "type",
            "title",
            "status",
            "detail",
            "verdict",
            "reason",
            "models",
        }
        assert "@" not in answer.text and "org-" not in answer.text


@pytest.mark.case("E16")
def test_the_history_tells_what_was_tried(host: Host) -> None:
    """Managers read that keys were tried and not accepted, and that they were many."""
    ada = host.client()
    host.save()

    for number in range(9):
        ada.save(f"not-a-real-revoked-key-{number:04}", generation="OPENAI:1")

    ada.save("not-a-real-nocredit-key-0001", generation="OPENAI:1")
    page = text_of(ada.get())
    assert "OpenAI key not saved: OpenAI did not accept it." in page
    assert "OpenAI key not saved: OpenAI accepted it, but it could not be used." in page
    assert "Many keys were tried within an hour and not accepted. Automatic" in page
