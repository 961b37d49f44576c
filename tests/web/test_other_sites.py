"""Another site in a real browser, with somebody signed in here: what it gets."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import flask
import playwright.sync_api
import pytest
import werkzeug

from tests.web.conftest import GOOD_KEY
from tests.web.conftest import MakeHost
from tests.web.test_browser import save
from tests.web.test_browser import Site

#: Everything a page can keep in a browser, counted.
KEPT: t.Final = """async () => [
  localStorage.length,
  sessionStorage.length,
  (await indexedDB.databases()).length,
  (await caches.keys()).length,
  (await navigator.serviceWorker.getRegistrations()).length,
  document.cookie.length,
]"""

FETCH: t.Final = """async ([url, method]) => {
  try {
    const answer = await fetch(url, {method, credentials: 'include'});
    return await answer.text();
  } catch (error) {
    return error.name;
  }
}"""


@pytest.fixture
def site(make_host: MakeHost, serve: cabc.Callable[[t.Any], str]) -> Site:
    """Serve a host that sets no policy of its own: what protects is ours."""

    def prepare(app: flask.Flask) -> None:
        @app.get("/sign-in/<user>")
        def sign_in(user: str) -> werkzeug.Response:
            flask.session.update(user=user, company=1)
            return flask.redirect("/settings/ai/")

    host = make_host(prepare=prepare)
    return Site(host=host, url=serve(host.app))


@pytest.fixture
def evil(serve: cabc.Callable[[t.Any], str], site: Site) -> str:
    """A site on another port: another origin, to which cookies are the same site."""
    app = flask.Flask("evil")
    action = f"{site.url}/settings/ai/policy"

    @app.get("/frame")
    def frame() -> str:
        return f'<iframe src="{site.url}/settings/ai/"></iframe>'

    @app.get("/form")
    def form() -> str:
        return (
            f'<form method="post" action="{action}">'
            '<input name="fallback" value="never"><button>Win</button></form>'
        )

    @app.get("/")
    def home() -> str:
        return "<h1>Another site</h1>"

    return serve(app)


@pytest.mark.case("E20")
def test_the_browser_keeps_nothing(site: Site, page: playwright.sync_api.Page) -> None:
    """After Save and a test in place no storage of the browser holds anything."""
    site.open(page)
    save(page)
    page.get_by_role("button", name="Test Connection for OpenAI").click()
    page.locator("[data-byok-result=test-ok]").wait_for()
    # The host's session cookie is out of reach of scripts.
    assert page.evaluate(KEPT) == [0, 0, 0, 0, 0, 0]


@pytest.mark.case("E4", "E18")
def test_it_cannot_frame_the_page(
    site: Site, page: playwright.sync_api.Page, evil: str
) -> None:
    """The frame stays empty, though the browser sends the session along."""
    site.open(page)
    page.goto(f"{evil}/frame")
    page.wait_for_load_state("networkidle")
    frame = page.frames[1]
    assert "AI Configuration" not in frame.content()
    assert frame.locator("form").count() == 0


@pytest.mark.case("E18")
@pytest.mark.parametrize("path", ["/", "/api/credentials", "/api/openapi.json"])
def test_it_cannot_read_an_answer(
    site: Site, page: playwright.sync_api.Page, evil: str, path: str
) -> None:
    """A script of another origin gets an error in the place of the answer."""
    site.host.save(api_key=GOOD_KEY)
    site.open(page)
    page.goto(evil)
    url = f"{site.url}/settings/ai{path}"
    assert page.evaluate(FETCH, [url, "GET"]) == "TypeError"
    assert page.evaluate(FETCH, [url, "DELETE"]) == "TypeError"


@pytest.mark.case("E6", "E18")
def test_its_form_changes_nothing(
    site: Site, page: playwright.sync_api.Page, evil: str
) -> None:
    """The session comes along, the token does not: nothing is saved."""
    site.open(page)
    page.goto(f"{evil}/form")
    page.get_by_role("button", name="Win").click()
    page.get_by_text("Nothing was saved. Paste the key again.").wait_for()
    assert site.host.status().policy.fallback == "auto"


@pytest.mark.case("E18")
def test_its_window_has_no_opener(
    site: Site, page: playwright.sync_api.Page, evil: str
) -> None:
    """A page of ours opened by another site is cut off from it, both ways."""
    site.open(page)
    page.goto(evil)

    with page.expect_popup() as popup:
        page.evaluate(f"window.other = window.open('{site.url}/settings/ai/')")

    opened = popup.value
    opened.wait_for_load_state()
    assert "AI Configuration" in opened.title()
    assert opened.evaluate("window.opener === null")
    assert page.evaluate("window.other.closed")
    opened.close()
