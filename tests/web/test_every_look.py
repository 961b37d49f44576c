"""Every state in a browser: axe, forced colours, narrow, large text, the policy."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import flask
import playwright.sync_api
import pytest

from flask_byok.testing.states import STATES
from tests.support import web
from tests.web import polyglot
from tests.web.conftest import MakeHost
from tests.web.looks import add_bootstrap
from tests.web.looks import Eye
from tests.web.looks import Stall
from tests.web.seeding import add_month

#: Parts that look the same in each state: the colours of the month's page are theirs.
SAME = ("#byok-usage", "#byok-history", "#byok-policy", ".byok-help")

#: States that between them show every kind of part in forced colours.
FORCED = ("fallback", "draft", "field-error", "test-failed", "remove", "denied")


def prepare_bootstrap(app: flask.Flask) -> None:
    """Make an app a Bootstrap one that speaks other languages, too."""
    add_bootstrap(app)
    polyglot.speak(app)


PACKS: dict[str, dict[str, t.Any]] = {
    "plain": {},
    "bootstrap5": {
        "BYOK_UI": "bootstrap5",
        "BYOK_BASE_TEMPLATE": "bootstrap.html",
        "prepare": prepare_bootstrap,
    },
}

#: From right to left, too: for the plain look ``test_languages_look`` does so.
LANGUAGES = {"plain": ("en",), "bootstrap5": ("en", "ar")}


@pytest.fixture(scope="module")
def stall() -> Stall:
    """What is shown at the moment."""
    return Stall()


@pytest.fixture(scope="module")
def eye(browser: playwright.sync_api.Browser, stall: Stall) -> cabc.Iterator[Eye]:
    """One page of one browser for all states."""
    with web.serving(stall) as url:
        eye = Eye(browser, url)
        yield eye
        eye.page.context.close()


def look(
    eye: Eye, name: str, without: tuple[str, ...] = (), forced: bool = True
) -> dict[str, t.Any]:
    """Look at a page in every way; give what is wrong, by way.

    :param name: of the picture that is kept of a page with something wrong.
    :param without: parts whose colours are looked at elsewhere.
    :param forced: whether to look in forced colours, too.
    """
    eye.open()
    found: dict[str, t.Any] = {"light": eye.check() + eye.check_colours(without)}
    eye.media("dark")
    found["dark"] = eye.check_colours(without)

    if forced:
        eye.media("light", "active")
        found["forced"] = eye.check_colours(without)

    eye.media("light")
    found["200 % text"] = eye.sideways(640, text=200)[1:]
    found["320 px"] = eye.sideways(320)[1:]
    found["complaints"] = list(eye.complaints)
    wrong = {way: what for way, what in found.items() if what}

    if wrong:
        eye.picture(name)

    return wrong


@pytest.mark.parametrize("slug", STATES)
def test_each_state_can_be_used_by_everybody(
    slug: str,
    make_host: MakeHost,
    _prepared_url: cabc.Callable[[str], str],
    stall: Stall,
    eye: Eye,
) -> None:
    """No violation, nothing sticks out, nothing is blocked: packs, colours, widths."""
    wrong: dict[str, t.Any] = {}

    for pack, settings in PACKS.items():
        url = _prepared_url("sqlite")
        more = {**settings, **STATES[slug].settings}
        host = make_host(SQLALCHEMY_DATABASE_URI=url, **more)
        host.simulator.clear_faults()
        pages = polyglot.show(slug, host, LANGUAGES[pack])
        stall.app, stall.html = host.app, pages.pop("en")
        wrong[pack] = look(eye, f"{slug}-{pack}", SAME, slug in FORCED)

        for language, stall.html in pages.items():
            assert b'dir="rtl"' in stall.html
            wrong[f"{pack}-{language}"] = eye.narrow() + eye.complaints

    assert wrong == {"plain": {}, "bootstrap5": {}, "bootstrap5-ar": []}


@pytest.mark.parametrize("pack", PACKS)
def test_a_month_of_use(pack: str, make_host: MakeHost, stall: Stall, eye: Eye) -> None:
    """The page with all its parts, every table open."""
    host = make_host(BYOK_SYSTEM_BUDGET={"requests": 500}, **PACKS[pack])
    host.save()
    host.save("CLAUDE", activate=False)
    add_month(host)
    ada = host.client()
    ada.post("/test", provider="OPENAI")
    days = "since={}&until={}"
    today = host.status().now.date()
    html = ada.get("/?" + days.format(today.replace(day=1), today)).data
    stall.app, stall.html = host.app, html.replace(b"<details", b"<details open")
    assert look(eye, f"month-{pack}") == {}
