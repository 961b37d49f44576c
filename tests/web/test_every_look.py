"""Every state in a browser: axe, forced colours, narrow, large text, the policy."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import flask
import flask_babel
import playwright.sync_api
import pytest

from flask_byok.testing.states import Stage
from flask_byok.testing.states import STATES
from tests.support import web
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.looks import add_bootstrap
from tests.web.looks import Eye
from tests.web.looks import Stall
from tests.web.seeding import add_month
from tests.web.test_every_state import _Client

#: Parts that look the same in each state: the colours of the month's page are theirs.
SAME = ("#byok-usage", "#byok-history", "#byok-policy", ".byok-help")

#: States that between them show every kind of part in forced colours.
FORCED = ("fallback", "draft", "field-error", "test-failed", "remove", "denied")


def speak_arabic(app: flask.Flask) -> None:
    """Let an app speak Arabic, from right to left."""
    flask_babel.Babel(app, default_locale="ar")


def speak_arabic_in_bootstrap(app: flask.Flask) -> None:
    """The same in Bootstrap's look."""
    speak_arabic(app)
    add_bootstrap(app)


PACKS: dict[str, dict[str, t.Any]] = {
    "plain": {},
    "bootstrap5": {
        "BYOK_UI": "bootstrap5",
        "BYOK_BASE_TEMPLATE": "bootstrap.html",
        "prepare": add_bootstrap,
    },
}

#: The same, right to left.
RIGHT_TO_LEFT: dict[str, dict[str, t.Any]] = {
    "plain-ar": {"prepare": speak_arabic},
    "bootstrap5-ar": {
        **PACKS["bootstrap5"],
        "prepare": speak_arabic_in_bootstrap,
    },
}


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

    :param without: parts whose colours are looked at elsewhere.
    :param forced: whether to look in forced colours, too.
    """
    eye.open()
    found: dict[str, t.Any] = {"light": eye.check() + eye.check_colours(without)}

    if not name.endswith("bootstrap5-ar"):
        eye.picture(f"{name}-light")

    eye.media("dark")
    found["dark"] = eye.check_colours(without)

    if name.endswith("-ar"):
        eye.media("light")
        found["320 px"] = eye.sideways(320)[1:]
        found["complaints"] = list(eye.complaints)
        return {way: wrong for way, wrong in found.items() if wrong}

    if "bootstrap5" not in name or not without:
        eye.picture(f"{name}-dark")

    if forced:
        eye.media("light", "active")
        found["forced"] = eye.check_colours(without)

    eye.media("light")
    found["200 % text"] = eye.sideways(640, text=200)[1:]
    found["320 px"] = eye.sideways(320)[1:]
    found["complaints"] = list(eye.complaints)
    return {way: wrong for way, wrong in found.items() if wrong}


def enter(slug: str, host: Host) -> t.Any:
    """Lead a host into a state; give the answer that shows the page."""
    state = STATES[slug]

    if not state.has_access_check:
        host.byok._access_check = None

    user = {"manager": "ada", "member": "max", "stranger": "ada"}[state.visitor]
    visitor = host.client(user, None if state.visitor == "stranger" else 1)
    stage = Stage(app=host.app, simulator=host.simulator)
    return state.enter(stage, _Client(visitor))


@pytest.mark.parametrize("slug", STATES)
def test_each_state_can_be_used_by_everybody(
    slug: str,
    make_host: MakeHost,
    make_database: cabc.Callable[[str], str],
    stall: Stall,
    eye: Eye,
) -> None:
    """No violation, nothing sticks out, nothing is blocked: packs, colours, ar."""
    wrong = {}

    for pack, settings in {**PACKS, **RIGHT_TO_LEFT}.items():
        url = make_database("sqlite")
        host = make_host(
            SQLALCHEMY_DATABASE_URI=url, **settings, **STATES[slug].settings
        )
        host.simulator.clear_faults()
        stall.app, stall.html = host.app, enter(slug, host).data
        wrong[pack] = look(eye, f"{slug}-{pack}", SAME, slug in FORCED)

    assert wrong == {pack: {} for pack in [*PACKS, *RIGHT_TO_LEFT]}


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
