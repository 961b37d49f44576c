"""The page in a real browser: strict policy, with and without scripts, narrow, keys."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import re
import typing as t

import flask
import playwright.sync_api
import pytest
import werkzeug

from flask_byok.testing import Simulator
from tests.web.conftest import GOOD_KEY
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import OTHER_KEY

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

# Chromium's advice to put a user name beside a password is not followed on purpose.
ADVICE = "Password forms should have"


@dataclasses.dataclass
class Site:
    """The host, served under the strictest policy the page promises to work with."""

    host: Host
    url: str
    complaints: list[str] = dataclasses.field(default_factory=list)

    def open(self, page: playwright.sync_api.Page, user: str = "ada") -> None:
        """Sign in and open the settings page; note what the browser complains of."""
        page.on("console", lambda message: self._note(message.text))
        page.on("pageerror", lambda error: self._note(str(error)))
        page.goto(f"{self.url}/sign-in/{user}")

    def _note(self, text: str) -> None:
        if ADVICE not in text and "favicon" not in text:
            self.complaints.append(text)


@pytest.fixture
def site(
    request: pytest.FixtureRequest,
    make_host: MakeHost,
    serve: cabc.Callable[[t.Any], str],
) -> cabc.Iterator[Site]:
    """Serve a host with the strict policy on every answer; a parameter is settings."""

    def prepare(app: flask.Flask) -> None:
        @app.get("/sign-in/<user>")
        def sign_in(user: str) -> werkzeug.Response:
            flask.session.update(user=user, company=1)
            return flask.redirect("/settings/ai/")

        @app.after_request
        def add_policy(response: flask.Response) -> flask.Response:
            response.headers["Content-Security-Policy"] = POLICY
            return response

    host = make_host(prepare=prepare, **getattr(request, "param", {}))
    site = Site(host=host, url=serve(host.app))
    yield site
    assert site.complaints == []


def state(page: playwright.sync_api.Page) -> str | None:
    """Read the slug of the page's state."""
    return page.locator("[data-byok-state]").get_attribute("data-byok-state")


def save(
    page: playwright.sync_api.Page, api_key: str = GOOD_KEY, provider: str = "OPENAI"
) -> None:
    """Fill the key form and press *Save*."""
    page.select_option("#byok-provider", provider)
    page.fill("#byok-api-key", api_key)

    with page.expect_navigation():
        page.locator("[data-byok-save] .byok-actions button").click()


def walk(page: playwright.sync_api.Page) -> None:
    """Add, test, change the model, add another, switch, set the policy, remove."""
    save(page)
    assert state(page) == "saved"
    page.get_by_role("button", name="Test Connection for OpenAI").click()
    page.locator("[data-byok-result=test-ok]").wait_for()
    page.get_by_text("Model and expiry date").click()
    page.fill("#byok-model-OPENAI", "gpt-6-luna")
    page.get_by_role("button", name="Save model and date of OpenAI").click()
    page.get_by_text("Model and date saved.").wait_for()
    page.uncheck("[name=activate]")
    save(page, OTHER_KEY, "CLAUDE")
    assert state(page) == "saved"
    page.locator("#byok-notice").get_by_role("button", name="Use this key").click()
    page.get_by_text("AI features now use your Claude key.").wait_for()
    page.check("[name=fallback][value=never]")
    page.get_by_role("button", name="Save setting").click()
    page.get_by_text("Setting saved.").wait_for()
    page.get_by_role("link", name="Remove Key of Claude").click()
    page.get_by_role("link", name="Keep Key").click()
    page.get_by_role("link", name="Remove Key of Claude").click()
    page.get_by_role("button", name="Remove Key").click()
    page.get_by_role("heading", name="Claude key removed").wait_for()
    assert state(page) == "removed"


@pytest.mark.case("E4")
def test_the_walk(site: Site, page: playwright.sync_api.Page) -> None:
    """The whole way with scripts, without one complaint of the policy."""
    site.open(page)
    walk(page)
    assert site.host.status().credentials[0].model == "gpt-6-luna"


def test_the_walk_without_scripts(
    site: Site, browser: playwright.sync_api.Browser
) -> None:
    """The whole way with scripts off: every action is a form or a link."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    site.open(page)
    assert page.get_by_role("button", name="Show", exact=True).count() == 0
    walk(page)
    context.close()


@pytest.mark.case("E2")
def test_the_key_field_shows_and_hides(
    site: Site, page: playwright.sync_api.Page
) -> None:
    """*Show* reveals what was typed and says so; leaving the window hides it."""
    site.open(page)
    field = page.locator("#byok-api-key")
    assert field.get_attribute("autocomplete") == "new-password"
    assert field.get_attribute("spellcheck") == "false"
    field.fill("typed")
    page.get_by_role("button", name="Show", exact=True).click()
    assert field.get_attribute("type") == "text"
    assert page.get_by_text("The key is shown.").count() == 1
    page.evaluate("window.dispatchEvent(new Event('blur'))")
    assert field.get_attribute("type") == "password"


def test_a_test_in_place_keeps_what_was_typed(
    site: Site, page: playwright.sync_api.Page
) -> None:
    """The result comes into the card; the key form and the focus stay as they are."""
    site.host.save()
    site.open(page)
    page.fill("#byok-api-key", OTHER_KEY)
    button = page.get_by_role("button", name="Test Connection for OpenAI")
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_text("This tested the saved key.").wait_for()
    assert page.input_value("#byok-api-key") == OTHER_KEY
    assert button.evaluate("node => node === document.activeElement")
    assert page.url == f"{site.url}/settings/ai/"
    assert button.text_content() is not None
    assert "Testing" not in str(button.text_content())


@pytest.mark.parametrize("where", ["#byok-notice", ".byok-key"])
def test_a_test_that_changes_the_page_loads_it_again(
    where: str, site: Site, page: playwright.sync_api.Page
) -> None:
    """No "Not working" stays beside a green test, wherever its button was pressed."""
    site.host.save()
    site.host.simulator.set_fault("OPENAI", "expired", keys="company")
    site.host.chat()
    site.open(page)
    assert "is not working" in page.inner_text("#byok-notice")
    site.host.simulator.clear_faults()

    part = page.locator(where)
    part.get_by_role("button", name="Test Connection for OpenAI").click()
    page.get_by_role("heading", name="works again").wait_for()
    assert page.url.endswith("#byok-test-OPENAI")
    assert page.locator("[data-byok-result=test-ok]").count() == 1
    assert page.locator(".byok-key").get_by_text("Not working").count() == 0


def test_the_notices_test_leads_to_its_result(
    site: Site, page: playwright.sync_api.Page
) -> None:
    """Pressed in the notice, it goes to the card; what was typed stays."""
    site.host.save()
    site.host.simulator.set_fault("OPENAI", "expired", keys="company")
    site.host.chat()
    site.open(page)
    page.fill("#byok-api-key", OTHER_KEY)
    page.locator("#byok-notice").get_by_role("button", name="Test Connection").click()
    page.locator("#byok-test-OPENAI:focus [data-byok-result=test-failed]").wait_for()
    assert page.input_value("#byok-api-key") == OTHER_KEY


@pytest.mark.parametrize("site", [{"BYOK_TIMEOUT": 1}], indirect=True)
def test_a_silent_provider(site: Site, page: playwright.sync_api.Page) -> None:
    """The page has its answer although the provider never says a word."""
    site.open(page)
    site.host.simulator.set_fault("OPENAI", "hang")
    save(page, GOOD_KEY)
    page.get_by_text("Saved, not checked yet.").first.wait_for()
    assert site.host.status().credentials[0].state == "unchecked"


def test_a_failing_fetch_becomes_a_plain_form(
    site: Site, page: playwright.sync_api.Page
) -> None:
    """When the script gets no result, the form is sent as it is."""
    site.host.save()
    site.open(page)
    page.route(
        "**/test",
        lambda route: (
            route.abort()
            if route.request.headers.get("x-byok-fragment")
            else route.continue_()
        ),
    )
    page.get_by_role("button", name="Test Connection for OpenAI").click()
    page.wait_for_url("**/#byok-test-OPENAI")
    assert state(page) == "test-ok"
    # The browser says that we cut the request.
    site.complaints.clear()


@pytest.fixture
def slow(byok_simulator: Simulator) -> cabc.Iterator[None]:
    """Let OPENAI take a second for each answer."""
    usual, byok_simulator.slow_seconds = byok_simulator.slow_seconds, 1.0
    byok_simulator.set_fault("OPENAI", "slow")
    yield
    byok_simulator.slow_seconds = usual


def test_a_double_click_saves_once(
    site: Site, page: playwright.sync_api.Page, slow: None
) -> None:
    """A second press within a second, with the first under way, sends nothing."""
    site.open(page)
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.method))
    page.select_option("#byok-provider", "OPENAI")
    page.fill("#byok-api-key", GOOD_KEY)
    button = page.locator("[data-byok-save] .byok-actions button")
    button.evaluate(
        "node => [0, 300].forEach(later => setTimeout(() => node.click(), later))"
    )
    page.get_by_role("heading", name="OpenAI key saved").wait_for()
    assert posts.count("POST") == 1
    assert site.host.status().credentials[0].generation == 1


@pytest.mark.case("E1", "E20")
def test_back_and_reload_find_no_key(
    site: Site, page: playwright.sync_api.Page
) -> None:
    """After Save the key is in no field, and a reload sends nothing."""
    site.open(page)
    save(page)
    assert page.input_value("#byok-api-key") == ""
    asked = len(site.host.simulator.requests)
    page.reload()
    assert len(site.host.simulator.requests) == asked
    page.go_back()
    page.wait_for_load_state()
    assert page.input_value("#byok-api-key") == ""


@pytest.mark.parametrize("scripts", [True, False])
def test_the_focus_goes_where_the_news_is(
    site: Site, browser: playwright.sync_api.Browser, scripts: bool
) -> None:
    """Errors, success and a test result take the focus by the address alone."""
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    site.open(page)
    save(page, "short")
    assert page.locator("#byok-errors:focus").count() == 1
    page.locator("#byok-errors a").first.click()
    assert page.locator("#byok-api-key:focus").count() == 1
    save(page)
    assert page.locator("#byok-notice:focus").count() == 1
    context.close()


def test_the_keyboard_alone(site: Site, page: playwright.sync_api.Page) -> None:
    """Choosing a provider by arrow keys sends and clears nothing; Enter saves."""
    site.open(page)
    page.fill("#byok-api-key", GOOD_KEY)
    page.locator("#byok-provider").focus()
    page.keyboard.press("ArrowDown")
    assert page.input_value("#byok-provider") == "OPENAI"
    assert page.input_value("#byok-api-key") == GOOD_KEY
    page.keyboard.press("Tab")
    assert page.locator("#byok-api-key:focus").count() == 1

    with page.expect_navigation():
        page.keyboard.press("Enter")

    assert state(page) == "saved"


class Keyboard:
    """Somebody who never touches the mouse."""

    def __init__(self, page: playwright.sync_api.Page) -> None:
        self._page = page
        self._keys = page.keyboard

    def reach(self, selector: str) -> None:
        """Press Tab until that has the focus, and see that the focus can be seen."""
        for _ in range(90):
            self._keys.press("Tab")
            here = self._page.locator(f"{selector}:focus")

            if here.count():
                style = "node => getComputedStyle(node).outlineStyle"
                assert here.evaluate(style) == "solid"
                return

        raise AssertionError(f"Tab does not lead to {selector}.")

    def press(self, selector: str) -> None:
        """Reach a button or a link, and press Enter."""
        self.reach(selector)
        self._keys.press("Enter")

    def type(self, selector: str, text: str) -> None:
        """Reach a field and type."""
        self.reach(selector)
        self._keys.type(text)


@pytest.mark.parametrize("scripts", [True, False])
def test_the_walk_by_keyboard(
    site: Site, browser: playwright.sync_api.Browser, scripts: bool
) -> None:
    """Add, test, choose the policy, replace, remove: by Tab, arrows, letters, Enter."""
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    site.open(page)
    keyboard = Keyboard(page)
    keyboard.type("#byok-provider", "OpenAI")
    keyboard.type("#byok-api-key", GOOD_KEY)
    keyboard.press("[data-byok-save] .byok-actions button")
    page.get_by_role("heading", name="OpenAI key saved").wait_for()
    # The news has the focus; from there the way goes on.
    assert page.locator("#byok-notice:focus").count() == 1
    keyboard.press("[data-byok-test]")
    page.locator("[data-byok-result=test-ok]").wait_for()
    keyboard.reach("[name=fallback]")
    page.keyboard.press("ArrowDown")
    keyboard.press("form[action$='/policy'] .byok-button")
    page.get_by_text("Setting saved.").wait_for()
    assert page.locator("[name=fallback]:checked").input_value() == "outage_only"
    keyboard.press("a[href*='provider=OPENAI']")
    page.wait_for_url("**provider=OPENAI**")
    keyboard.type("#byok-api-key", OTHER_KEY)
    keyboard.press("[data-byok-save] .byok-actions button")
    page.get_by_role("heading", name="OpenAI key").first.wait_for()
    assert site.host.status().credentials[0].generation == 2
    keyboard.press("a[href$='/remove/OPENAI']")
    page.get_by_role("heading", name="Remove your OpenAI key?").wait_for()
    keyboard.press(".byok-button-danger")
    page.get_by_role("heading", name="OpenAI key removed").wait_for()
    assert site.host.status().credentials == ()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_without_sideways_scroll(
    site: Site, browser: playwright.sync_api.Browser, scheme: t.Any
) -> None:
    """At 320 px nothing sticks out, in any of the main states."""
    context = browser.new_context(
        viewport={"width": 320, "height": 640}, color_scheme=scheme
    )
    page = context.new_page()
    site.open(page)
    widths = [sideways(page)]
    save(page, "not-a-real-revoked-key-0001-AbCd")
    widths.append(sideways(page))
    site.host.save(model="gpt-6-luna", actor="a-very-long-name@" + "x" * 80)
    site.host.save("CLAUDE", "not-a-real-nocredit-key-0001-AbCd")
    site.host.chat()
    page.goto(f"{site.url}/settings/ai/")
    widths.append(sideways(page))
    page.goto(f"{site.url}/settings/ai/remove/OPENAI")
    widths.append(sideways(page))
    assert widths == [0, 0, 0, 0]
    context.close()


def sideways(page: playwright.sync_api.Page) -> int:
    """Tell how many pixels the page is wider than the window."""
    return t.cast(
        "int",
        page.evaluate(
            "document.documentElement.scrollWidth"
            " - document.documentElement.clientWidth"
        ),
    )


def test_buttons_are_large_enough(site: Site, page: playwright.sync_api.Page) -> None:
    """Buttons are 44 px high; every link is at least 24."""
    site.host.save()
    site.open(page)

    for button in page.locator(".byok-button:visible").all():
        assert t.cast("t.Any", button.bounding_box())["height"] >= 44

    for link in page.locator(".byok a:visible").all():
        assert t.cast("t.Any", link.bounding_box())["height"] >= 24


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(
    site: Site, browser: playwright.sync_api.Browser, scheme: t.Any
) -> None:
    """Every text has a contrast of 4.5 to what lies behind it, light and dark."""
    site.host.save()
    site.host.save("CLAUDE", "not-a-real-nocredit-key-0001-AbCd", activate=False)
    site.host.simulator.set_fault("OPENAI", "revoked", keys="company")
    site.host.chat()
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    site.open(page)
    save(page, "short")
    poor = page.evaluate(CONTRAST)
    assert poor == []
    context.close()


CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = (rgb) => {
    const [r, g, b] = rgb.map((part) => {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(at).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const poor = [];
  const walker = document.createTreeWalker(document.querySelector('.byok'), 4);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !node.checkVisibility()) continue;
    const [one, two] = [parse(getComputedStyle(node).color), behind(node)].map(
      (rgb) => light(rgb.slice(0, 3)) + 0.05);
    const ratio = Math.max(one, two) / Math.min(one, two);
    if (ratio < 4.5) poor.push([walker.currentNode.textContent.trim(), ratio]);
  }
  return poor;
}"""


def test_a_host_may_force_the_theme(site: Site, page: playwright.sync_api.Page) -> None:
    """``data-theme`` and ``data-bs-theme`` win over the system's choice."""
    site.open(page)
    colour = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(colour) == "rgb(255, 255, 255)"

    for name in ("data-theme", "data-bs-theme"):
        page.evaluate(f"document.documentElement.setAttribute('{name}', 'dark')")
        assert page.evaluate(colour) == "rgb(20, 23, 26)"
        page.evaluate(f"document.documentElement.removeAttribute('{name}')")


def test_a_hosts_colours_win_wherever_they_stand(
    site: Site, page: playwright.sync_api.Page
) -> None:
    """Variables set before our style sheet count; so does the scheme of the page."""
    site.open(page)
    ground = "getComputedStyle(document.querySelector('.byok-card')).backgroundColor"
    assert page.evaluate(ground) == "rgb(246, 247, 249)"
    page.evaluate("document.documentElement.style.colorScheme = 'dark'")
    page.evaluate("document.body.classList.remove('byok-body')")
    assert page.evaluate(ground) == "rgb(29, 33, 38)"
    page.route(
        "**/host.css",
        lambda route: route.fulfill(
            content_type="text/css", body=".byok { --byok-panel: rgb(1, 2, 3) }"
        ),
    )
    # In the head, and so before ours.
    page.evaluate("""() => new Promise((loaded) => {
      const link = document.createElement("link");
      Object.assign(link, { rel: "stylesheet", href: "/host.css", onload: loaded });
      document.head.prepend(link);
    })""")
    assert page.evaluate(ground) == "rgb(1, 2, 3)"


def test_forced_colours_show_every_control(
    site: Site, browser: playwright.sync_api.Browser
) -> None:
    """With forced colours each button keeps a border that can be seen."""
    site.host.save()
    context = browser.new_context(forced_colors="active")
    page = context.new_page()
    site.open(page)

    for button in page.locator(".byok-button:visible").all():
        edge, fill = button.evaluate(
            "node => [getComputedStyle(node).borderTopColor,"
            " getComputedStyle(node).backgroundColor]"
        )
        assert edge != fill

    context.close()


def test_times_are_shown_locally(
    site: Site, browser: playwright.sync_api.Browser
) -> None:
    """The script puts times into the reader's zone and keeps the other as a title."""
    site.host.save()
    context = browser.new_context(timezone_id="Asia/Tokyo", locale="en-GB")
    page = context.new_page()
    site.open(page)
    time = page.locator("time[datetime*=T]").first
    title, shown = str(time.get_attribute("title")), str(time.text_content())
    assert title.endswith("UTC")
    # Without Flask-Babel all dates are ISO; the script's are no others.
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", shown)
    assert shown not in title
    context.close()
