"""Drafts in a real browser: where the focus goes, and every way without scripts."""

from __future__ import annotations

import time

import playwright.sync_api

from tests.web.conftest import GOOD_KEY
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import OTHER_KEY
from tests.web.conftest import state_of
from tests.web.test_browser import save
from tests.web.test_browser import Site
from tests.web.test_browser import site as site
from tests.web.test_browser import slow as slow
from tests.web.test_browser import state
from tests.web.test_drafts import drafts
from tests.web.test_drafts import POOR


def press(page: playwright.sync_api.Page, name: str) -> None:
    """Press a button of the panel and wait for the next page."""
    with page.expect_navigation():
        page.locator("#byok-draft").get_by_role("button", name=name).click()


def focused(page: playwright.sync_api.Page) -> str:
    """Give the id of the element that has the focus."""
    return str(page.evaluate("document.activeElement.id"))


def decide(page: playwright.sync_api.Page, host: Host) -> None:
    """Paste a key four times, and decide each time."""
    save(page)
    save(page, POOR)
    assert (state(page), focused(page)) == ("draft", "byok-draft")
    assert page.input_value("#byok-api-key") == ""
    press(page, "Check again")
    assert (state(page), focused(page)) == ("draft", "byok-draft")
    page.reload()
    assert state(page) == "draft"
    page.go_back()
    page.wait_for_load_state()
    assert page.input_value("#byok-api-key") == ""
    page.goto(page.url.split("#")[0])
    press(page, "Use it anyway")
    assert (state(page), focused(page)) == ("saved", "byok-notice")
    page.fill("#byok-model", "no-such-model")
    save(page, OTHER_KEY)
    page.fill("#byok-model-draft", "gpt-6-luna")
    press(page, "Use this key")
    assert state(page) == "saved"
    assert host.status().credentials[0].model == "gpt-6-luna"
    save(page, "sk-ant-not-a-real-key-0001-AbCd")
    press(page, "It is a key for Claude")
    assert state(page) == "saved"
    save(page, POOR)
    press(page, "Discard")
    assert (state(page), focused(page)) == ("draft-discarded", "byok-notice")
    assert drafts(host) == []


def test_decisions_with_scripts_and_without(
    site: Site, browser: playwright.sync_api.Browser, page: playwright.sync_api.Page
) -> None:
    """The same panel, the same ways, no complaint of the policy."""
    site.open(page)
    decide(page, site.host)

    for provider in ("OPENAI", "CLAUDE"):
        site.host.client().post(f"/remove/{provider}")

    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    site.open(plain)
    decide(plain, site.host)
    context.close()


def test_a_double_press_decides_once(
    site: Site, page: playwright.sync_api.Page, slow: None
) -> None:
    """A second press within a second, with the first under way, sends nothing."""
    site.open(page)
    save(page, "sk-ant-not-a-real-key-0001-AbCd")
    assert state(page) == "draft"
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.method))
    # The key stays with OPENAI, which takes a second to answer.
    page.locator("#byok-draft button[value=draft_use]").evaluate(
        "node => [0, 300].forEach(later => setTimeout(() => node.click(), later))"
    )
    page.get_by_role("heading", name="OpenAI key saved").wait_for()
    assert posts.count("POST") == 1


def test_a_silent_provider_is_waited_for_so_long(make_host: MakeHost) -> None:
    """A save answers within the limit, and the pasted key is kept meanwhile."""
    host = make_host(BYOK_TIMEOUT=1.5)
    ada = host.client()
    ada.save(GOOD_KEY)
    host.simulator.set_fault("OPENAI", "hang")
    begun = time.monotonic()
    answer = ada.save(OTHER_KEY)
    assert time.monotonic() - begun < 1.5 + 1.0
    assert state_of(answer) == "draft"
    assert "Use without checking" in answer.text
