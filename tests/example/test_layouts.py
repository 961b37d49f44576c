"""The settings page in the studio, in a Bootstrap app and on a bare page."""

from __future__ import annotations

import collections.abc as cabc
import json
import os
import pathlib
import subprocess
import typing as t

import flask
import playwright.sync_api
import pytest

from example_app.layouts import LAYOUTS
from tests.support import web
from tests.web.looks import Eye

from .conftest import Studio

TOOLS = pathlib.Path(__file__).parents[1] / "browser" / "node_modules"
LIGHTHOUSE = TOOLS / "lighthouse" / "cli" / "index.js"

MakeStudio = cabc.Callable[..., Studio]
Serve = cabc.Callable[[t.Any], str]


@pytest.fixture(params=LAYOUTS)
def studio_in(request: pytest.FixtureRequest, make_studio: MakeStudio) -> Studio:
    """A studio with each layout, a key, and a key that went away."""
    studio = make_studio(STUDIO_LAYOUT=request.param)
    studio.save()
    return studio


def test_the_page_fits_each_layout(
    studio_in: Studio, serve: Serve, browser: playwright.sync_api.Browser
) -> None:
    """No violation, nothing blocked, nothing sticks out; dark where the page is."""
    layout = studio_in.app.config["STUDIO_LAYOUT"]
    eye = Eye(browser, serve(studio_in.app))
    eye.page.goto(f"{eye.url}/sign-in")
    eye.page.get_by_role("button", name="Sign in as Ada Winter", exact=True).click()
    eye.page.get_by_role("heading", name="Welcome back, Ada").wait_for()

    for path in ("/settings/ai/", "/settings/ai/remove/OPENAI"):
        eye.open(path)
        assert eye.page.get_by_role("heading", level=1).count() == 1
        assert eye.check() + eye.check_colours() == []
        eye.media("dark")
        assert eye.check_colours() == []
        eye.media("light")
        assert eye.sideways(640, text=200)[1:] == []
        assert eye.sideways(320)[1:] == []

    eye.open("/settings/ai/")
    eye.picture(f"layout-{layout}-light")
    eye.media("dark")
    eye.picture(f"layout-{layout}-dark")
    button = eye.page.get_by_role("button", name="Test Connection for OpenAI")
    button.click()
    eye.page.locator("[data-byok-result=test-ok]").wait_for()
    ground = "getComputedStyle(document.querySelector('.byok-key')).backgroundColor"
    is_dark = sum(map(int, eye.page.evaluate(f"{ground}.match(/\\d+/g)"))) < 300
    # The bare page does not say that it can be dark, and stays light.
    assert is_dark == (layout != "bare")
    assert eye.complaints == []
    eye.page.context.close()


def test_a_layout_nobody_has(make_studio: MakeStudio) -> None:
    """A name that is none stops the start."""
    with pytest.raises(KeyError, match="baroque"):
        make_studio(STUDIO_LAYOUT="baroque")


#: One layout each time, all of them at night: axe looks at each above.
_FOR_LIGHTHOUSE = [
    pytest.param(layout, marks=[pytest.mark.nightly] if layout != "studio" else [])
    for layout in LAYOUTS
]


@pytest.mark.parametrize("studio_in", _FOR_LIGHTHOUSE, indirect=True)
def test_lighthouse_finds_nothing(
    studio_in: Studio, serve: Serve, tmp_path: pathlib.Path
) -> None:
    """Accessibility 100 and best practices 100 in each layout, for an administrator."""
    if not LIGHTHOUSE.exists():
        pytest.skip("Lighthouse is not installed; 'make lighthouse' does it.")

    chromium = web.find_chromium()

    if os.environ.get("TEST_BROWSER") == "off" or chromium is None:
        pytest.skip("No Chromium here.")

    address = serve(studio_in.app)
    headers = {"Cookie": sign_in(studio_in.app)}
    report = tmp_path / "report.json"
    command = ["node", str(LIGHTHOUSE), f"{address}/settings/ai/", "--quiet"]
    command += ["--only-categories=accessibility,best-practices", "--output=json"]
    command += [f"--output-path={report}", f"--extra-headers={json.dumps(headers)}"]
    command += [
        f"--chrome-flags={' '.join(QUIET_OPTIONS)}",
        "--no-enable-error-reporting",
    ]
    environment = {**os.environ, "CHROME_PATH": chromium}
    subprocess.run(command, env=environment, check=True, timeout=180)
    found = json.loads(report.read_text())
    assert found["finalDisplayedUrl"] == f"{address}/settings/ai/"
    scores = {name: each["score"] for name, each in found["categories"].items()}
    failed = [
        audit["id"]
        for audit in found["audits"].values()
        if audit["score"] not in (1, None)
    ]
    assert (scores, failed) == ({"accessibility": 1, "best-practices": 1}, [])


# A rule with blanks would be torn apart on its way through one option.
QUIET_OPTIONS = tuple(text for text in web.CHROMIUM_OPTIONS if " " not in text)


def sign_in(app: flask.Flask) -> str:
    """Sign in as Ada without a browser; give the cookie of her session."""
    from example_app.people import ACCOUNTS
    from example_app.people import PASSWORD

    client = app.test_client()
    page = client.get("/sign-in").text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"csrf_token": token, "email": ACCOUNTS[0].email, "password": PASSWORD}
    assert client.post("/sign-in", data=form).status_code == 303
    cookie = client.get_cookie(app.config["SESSION_COOKIE_NAME"])
    assert cookie is not None
    return f"{cookie.key}={cookie.value}"
