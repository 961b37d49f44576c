"""The demo's walk in a real browser, with scripts and without."""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t

import playwright.sync_api
import pytest
from playwright.sync_api import expect

from example_app import demo_keys
from example_app.tasks import TASKS
from tests.support.waiting import wait_until

from .conftest import Studio

COMPANY_KEY = demo_keys.company_keys("northwind")["OPENAI"]
SYSTEM_KEY = demo_keys.system_keys()["OPENAI"]

# Two cores and a browser: the default of five seconds is short on a busy machine.
expect.set_options(timeout=20_000)

#: Runs before every page: what the policy blocks is told on the console.
WATCH = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error("CSP:", event.violatedDirective, event.blockedURI));
"""


class Walk:
    """A visitor in Chromium who collects every complaint of the browser."""

    def __init__(self, page: playwright.sync_api.Page, address: str) -> None:
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        page.add_init_script(WATCH)
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _listen(self, message: playwright.sync_api.ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def go(self, path: str) -> None:
        """Open a page of the studio."""
        self.page.goto(self.address + path)

    def press(self, name: str) -> None:
        """Press the button of that name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def sign_in(self, name: str = "Ada Winter") -> None:
        """Sign in with a demo account."""
        self.go("/sign-in")
        self.press(f"Sign in as {name}")
        expect(self.page.get_by_role("heading", level=1)).to_contain_text("Welcome")

    def run(self, slug: str) -> playwright.sync_api.Locator:
        """Run a tool on its sample and give the receipt."""
        self.go(f"/{slug}")
        self.press(TASKS[slug].button)
        receipt = self.page.get_by_role("region", name="Who paid")
        expect(receipt).to_be_visible()
        assert len(self.page.locator("[data-text]").inner_text()) > 20
        return receipt

    def test_connection(self) -> None:
        """Press Test Connection on the settings page and see it green."""
        self.go("/settings/ai/")
        # A notice that the key fails has one, too.
        keys = self.page.get_by_role("region", name="Your keys")
        keys.get_by_role("button", name="Test Connection for OpenAI").click()
        result = self.page.locator("#byok-test-OPENAI")
        expect(result).to_contain_text("Connected")
        expect(result).to_contain_text(re.compile(r"Passed\s+[\d,]+ ms"))
        expect(result.get_by_text("Passed")).to_have_count(4)

    @property
    def banner(self) -> playwright.sync_api.Locator:
        """The warning above the pages of the studio."""
        return self.page.locator("#banner").get_by_role("region")


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def walk(
    request: pytest.FixtureRequest,
    browser: playwright.sync_api.Browser,
    studio: Studio,
    serve: cabc.Callable[[t.Any], str],
) -> cabc.Iterator[Walk]:
    """Open the studio in a fresh browser context."""
    context = browser.new_context(java_script_enabled=request.param)
    context.set_default_timeout(10_000)
    yield Walk(context.new_page(), serve(studio.app))
    context.close()


@pytest.fixture
def scripted(
    page: playwright.sync_api.Page, studio: Studio, serve: cabc.Callable[[t.Any], str]
) -> Walk:
    """Open the studio with scripts."""
    return Walk(page, serve(studio.app))


def payers(studio: Studio) -> list[str]:
    """Tell whose key each request since the last look carried."""
    seen = studio.simulator.api_keys_seen()
    studio.simulator.clear()
    return seen


def test_the_walk(walk: Walk, studio: Studio) -> None:
    """Save, test, use, break, repair and remove a key: the demo's whole promise."""
    save_a_demo_key(walk)
    walk.test_connection()
    payers(studio)
    run_every_tool(walk, studio, "Your company's OpenAI key", COMPANY_KEY)
    break_the_provider(walk, studio)
    repair_it(walk, studio)
    remove_the_key(walk)
    payers(studio)
    run_every_tool(walk, studio, "OpenAI key provided by Content Studio", SYSTEM_KEY)

    assert walk.complaints == []


def save_a_demo_key(walk: Walk) -> None:
    """Sign in as an admin and save a key; only its masked form is shown."""
    page = walk.page
    walk.sign_in()
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_label("Settings").get_by_role("link", name="AI Configuration").click()
    page.get_by_label("Provider", exact=True).select_option("OPENAI")
    page.get_by_label("API key", exact=True).fill(COMPANY_KEY)
    walk.press("Save the key")

    card = page.locator("#byok-key-OPENAI")
    expect(card).to_contain_text("sk-...n001")
    expect(card).not_to_contain_text(COMPANY_KEY)
    assert page.get_by_label("API key", exact=True).input_value() == ""


def run_every_tool(walk: Walk, studio: Studio, payer: str, api_key: str) -> None:
    """Run each page of the studio and see whose key it says, and which really paid."""
    for slug in TASKS:
        receipt = walk.run(slug)
        expect(receipt).to_contain_text(payer)
        expect(receipt).to_contain_text(re.compile(r"[\d,]+ ms"))
        assert payers(studio) == [api_key], slug

    expect(walk.banner).to_have_count(0)


def break_the_provider(walk: Walk, studio: Studio) -> None:
    """Let the key expire at the provider: the answer comes, and everybody is told."""
    page = walk.page
    walk.go("/")
    walk.press("Break OpenAI: Expired")
    expect(page.get_by_text("Broken: Expired")).to_be_visible()

    receipt = walk.run("translate")
    assert payers(studio) == [COMPANY_KEY, SYSTEM_KEY]
    expect(receipt).to_contain_text("OpenAI key provided by Content Studio")
    expect(receipt.get_by_role("list", name="Attempts")).to_contain_text("has expired")
    expect(
        page.get_by_text("Your company's OpenAI key is not working: OpenAI says")
    ).to_be_visible()
    expect(walk.banner).to_contain_text("Your OpenAI key is not working")

    walk.run("write")
    assert payers(studio) == [SYSTEM_KEY]


def repair_it(walk: Walk, studio: Studio) -> None:
    """Repair the provider and test the key: the banner goes, the company pays."""
    walk.go("/")
    expect(walk.banner).to_be_visible()
    walk.press("Repair OpenAI")
    expect(walk.page.get_by_text("OpenAI works again.")).to_be_visible()

    walk.test_connection()
    walk.go("/")
    expect(walk.banner).to_have_count(0)
    payers(studio)
    walk.run("analyse")
    assert payers(studio) == [COMPANY_KEY]


def remove_the_key(walk: Walk) -> None:
    """Remove the key: asked once, then gone."""
    page = walk.page
    walk.go("/settings/ai/")
    page.get_by_role("link", name="Remove Key of OpenAI").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Remove your OpenAI key?")
    walk.press("Remove Key")
    expect(page.locator("#byok-key-OPENAI")).to_have_count(0)
    expect(page.get_by_text("OpenAI key removed")).not_to_have_count(0)


def test_an_answer_appears_piece_by_piece(
    scripted: Walk, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first words are there while the rest is still on its way."""
    page = scripted.page
    monkeypatch.setattr(studio.simulator, "pace", 0.05)
    scripted.sign_in()
    scripted.go("/write")
    scripted.press("Write a draft")

    text = page.locator("[data-text]")
    expect(text).not_to_be_empty()
    early = text.inner_text()
    assert page.get_by_role("button", name="Stop").is_visible()

    expect(page.get_by_role("region", name="Who paid")).to_be_visible()
    assert text.inner_text().startswith(early)
    assert len(text.inner_text()) > len(early)
    assert scripted.complaints == []


def test_stop_ends_the_request_to_the_provider(
    scripted: Walk, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody pays for words that nobody will read."""
    monkeypatch.setattr(studio.simulator, "pace", 0.5)
    scripted.sign_in()
    scripted.go("/write")
    scripted.press("Write a draft")
    expect(scripted.page.locator("[data-text]")).not_to_be_empty()

    scripted.press("Stop")

    expect(scripted.page.get_by_text("Stopped.")).to_be_visible()
    # The whole answer would take half a minute.
    wait_until(lambda: studio.simulator.in_flight == 0, "the provider is left")
    scripted.go("/")
    expect(scripted.page.get_by_text("Nothing yet.")).to_be_visible()


def test_a_broken_stream_is_told_in_place(scripted: Walk, studio: Studio) -> None:
    """What came stays, and one sentence says that it is not all."""
    studio.simulator.set_fault("OPENAI", "cut")
    scripted.sign_in()
    scripted.go("/write")
    scripted.press("Write a draft")

    expect(scripted.page.get_by_role("alert")).to_contain_text("broke off")
    expect(scripted.page.locator("[data-text]")).not_to_be_empty()
    assert scripted.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_scrolls_sideways_at_320_pixels(
    browser: playwright.sync_api.Browser,
    studio: Studio,
    serve: cabc.Callable[[t.Any], str],
    scheme: t.Literal["light", "dark"],
) -> None:
    """Narrow screens get one column, with banner, receipt and panel."""
    studio.save()
    studio.simulator.set_fault("OPENAI", "expired", keys=demo_keys.mark("northwind"))
    context = browser.new_context(
        viewport={"width": 320, "height": 640}, color_scheme=scheme
    )
    walk = Walk(context.new_page(), serve(studio.app))
    wide = []

    for path in ("/sign-in", "/", "/write", "/texts/1", "/settings/", "/settings/ai/"):
        if path == "/":
            walk.sign_in()
            walk.run("summarise")

        walk.go(path)

        if walk.page.evaluate("document.documentElement.scrollWidth") > 320:
            wide.append(path)

    context.close()
    assert wide == []
    assert walk.complaints == []
