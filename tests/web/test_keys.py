"""A key per provider, one of them active, and a page that stays small and quick."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import itertools
import re
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok.testing import FakeKeyService
from flask_byok.testing.states import Stage
from flask_byok.testing.states import STATES
from tests.web.conftest import GOOD_KEY
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import OTHER_KEY
from tests.web.conftest import state_of
from tests.web.conftest import text_of
from tests.web.test_banner import home
from tests.web.test_banner import with_pages

PROVIDERS: t.Final = ("OPENAI", "GEMINI", "CLAUDE")

#: Bytes the script may have.
MOST_SCRIPT: t.Final = 6_000

#: Statements one page may take.
MOST_QUERIES: t.Final = 4


def cards(answer: t.Any) -> list[str]:
    """Read whose keys have a card, in order."""
    return re.findall(r'id="byok-key-([A-Z]+)"', answer.text)


def active(answer: t.Any) -> list[str]:
    """Read whose card is tagged as active."""
    return re.findall(
        r'id="byok-key-title-([A-Z]+)">[^<]*<span class="byok-tag">', answer.text
    )


def test_one_is_active_whatever_is_saved_used_and_removed(host: Host) -> None:
    """After each step of each order there is exactly one active key, while one is."""
    ada = host.client()

    for order in itertools.permutations(PROVIDERS):
        for position, provider in enumerate(order):
            host.save(provider, OTHER_KEY, activate=position == 1)
            page = ada.get()
            assert len(cards(page)) == position + 1
            assert len(active(page)) == 1

        assert cards(page) == list(PROVIDERS)
        assert active(page) == [order[1]]
        ada.post("/policy", active_provider=order[2])
        assert active(ada.get()) == [order[2]]

        for removed, left in ((order[2], 2), (order[0], 1)):
            page = ada.post(f"/remove/{removed}")
            assert (len(cards(page)), len(active(page))) == (left, 1)

        page = ada.post(f"/remove/{order[1]}")
        assert (cards(page), active(page)) == ([], [])


def test_a_removed_key_is_followed_by_one_that_works(host: Host) -> None:
    """The first working key comes next, as the page before the removal said."""
    ada = host.client()
    host.save("CLAUDE", OTHER_KEY)
    host.save("OPENAI", "not-a-real-nocredit-key-0001-AbCd")
    host.save("GEMINI", OTHER_KEY, activate=False)
    asked = ada.get("/remove/CLAUDE")
    assert "After that, AI features use your Gemini key." in text_of(asked)
    assert active(ada.post("/remove/CLAUDE")) == ["GEMINI"]


def test_others_serve_only_when_a_company_says_so(host: Host) -> None:
    """Off by default: nobody decided yet to send prompts to another provider."""
    host.save("OPENAI", GOOD_KEY)
    host.save("CLAUDE", OTHER_KEY, activate=False)
    host.simulator.set_fault("OPENAI", "revoked", keys="company")
    assert host.chat().source == "system"
    host.client().post("/policy", use_other_keys=["0", "1"])
    answer = host.chat()
    assert (answer.source, answer.provider) == ("company", "CLAUDE")


def test_a_removal_needs_nobody(make_host: MakeHost) -> None:
    """Not the provider, the counter of checks, the key service or a good key."""
    service = FakeKeyService()
    settings = {"BYOK_MASTER_KEYS": {"kms1": service}, "BYOK_FALLBACK_LOCKED": True}
    make_host(**settings).save()
    host = make_host(BYOK_RATE_LIMIT_STORAGE="redis://127.0.0.1:1/0", **settings)
    ada = host.client()
    assert state_of(ada.save(OTHER_KEY)) == "check-limit"
    service.fail("down")
    host.simulator.set_fault("*", "outage")
    assert ada.get("/remove/OPENAI").status_code == 200
    assert state_of(ada.post("/remove/OPENAI")) == "removed"
    assert host.status().credentials == ()


@pytest.fixture
def full(make_host: MakeHost) -> Host:
    """A company with all there is: three keys with tests, usage, a budget, a draft."""
    host = make_host(
        BYOK_SYSTEM_BUDGET={"requests": 100, "tokens": 1_000_000, "money": "25.00"}
    )
    host.chat()
    ada = host.client()

    for provider in PROVIDERS:
        ada.save(OTHER_KEY, provider=provider)
        ada.post("/test", provider=provider)
        host.chat()

    for _ in range(20):
        ada.post("/policy", fallback="outage_only")
        ada.post("/policy", fallback="auto")

    with host.app.app_context():
        soon = host.byok.status(1).now.date() + dt.timedelta(days=3)
        host.byok.save_key(1, "CLAUDE", None, expires_on=soon)

    return host


def test_the_page_is_quick(
    full: Host, queries_of: cabc.Callable[[Host], list[str]]
) -> None:
    """With all its parts it takes four queries."""
    ada = full.client()
    kept = ada.save("not-a-real-nocredit-key-0001-AbCd")
    assert state_of(kept) == "draft"
    queries = queries_of(full)
    page = ada.get()
    assert 0 < len(queries) <= MOST_QUERIES
    assert state_of(page) == "draft"
    assert cards(page) == list(PROVIDERS)


def test_the_banner_tells_of_dates_by_one_query(
    make_host: MakeHost, queries_of: cabc.Callable[[Host], list[str]]
) -> None:
    """From 14 days on, calm, warning and strong; past, too. Nobody else is asked."""
    host = make_host(prepare=with_pages)
    stage = Stage(app=host.app, simulator=host.simulator)
    tones = {15: None, 14: "info", 7: "warn", 1: "error", -1: "warn"}

    for days, tone in tones.items():
        host.save(expires_on=stage.in_days(days))
        seen = queries_of(host)
        page = home(host)
        assert len(seen) == 1
        found = re.findall(r"byok-banner byok-is-(\w+)", page.text)
        assert found == ([] if tone is None else [tone])

    assert "has passed. If the key still works, change the date." in text_of(page)
    seen.clear()
    assert "byok-banner" not in home(host, "max").text
    assert seen == []


@pytest.fixture
def queries_of() -> cabc.Callable[[Host], list[str]]:
    """Note each time the engine of a host hands out a connection: one per query."""

    def listen(host: Host) -> list[str]:
        with host.app.app_context():
            engine = host.byok.state.database.engine

        seen: list[str] = []
        sa.event.listen(engine, "checkout", lambda *_: seen.append("a query"))
        return seen

    return listen


def test_each_state_is_there_for_hosts() -> None:
    """The states of the page have names a host's own tests can use."""
    assert {"no-key", "working", "fallback", "draft", "denied"} <= set(STATES)
    assert all(state.slug == slug for slug, state in STATES.items())
