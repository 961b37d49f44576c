"""The page in a browser, in other languages: narrow, right to left, local times."""

from __future__ import annotations

import collections.abc as cabc
import pathlib
import typing as t

import flask
import flask_babel
import pytest

from flask_byok.testing.state_steps import Post
from flask_byok.testing.state_steps import Visit
from flask_byok.testing.states import Stage
from flask_byok.testing.states import STATES
from tests.support import pseudo
from tests.support.messages import LOCALES
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import Visitor
from tests.web.looks import Eye
from tests.web.looks import Stall
from tests.web.seeding import add_month
from tests.web.test_every_look import enter
from tests.web.test_every_look import eye as eye
from tests.web.test_every_look import stall as stall

#: States that between them show every kind of part.
MAIN = ("three-keys", "fallback", "draft", "field-error", "test-remarks", "remove")

#: Ours, and one that is longer than all of them.
LANGUAGES = ("en", *LOCALES, pseudo.LOCALE)


def translate(language: str, folder: pathlib.Path) -> cabc.Callable[[t.Any], None]:
    """Let an app speak a language."""

    def prepare(app: flask.Flask) -> None:
        flask_babel.Babel(
            app,
            default_locale=language,
            default_translation_directories=str(folder),
        )

    return prepare


class Polyglot:
    """A visitor who sees the page that a state leads to in every language.

    What an action led to is told once, to one session: so the session is put back.
    """

    def __init__(self, host: Host, visitor: Visitor, last: int) -> None:
        self._host = host
        self._visitor = visitor
        self._left = last
        self.pages: dict[str, bytes] = {}

    def visit(self, path: str) -> None:
        """Open a page."""
        self._show(lambda: self._visitor.get(path))

    def post(self, path: str, **form: t.Any) -> None:
        """Send a form, and follow where it leads."""
        answer = self._visitor.post(path, follow=False, **form)
        place = answer.headers.get("Location")

        if place is None:
            # Refused before anything was done: it may be sent once more.
            self._show(lambda: self._visitor.post(path, **form))
        else:
            self._show(lambda: self._visitor.client.get(place))

    def _show(self, get: cabc.Callable[[], t.Any]) -> None:
        self._left -= 1
        cookie = self._visitor.client.get_cookie("session")
        assert cookie is not None

        for language in ("en",) if self._left else LANGUAGES:
            self._visitor.client.set_cookie("session", cookie.value)
            self._host.app.config["LANG"] = language
            self.pages[language] = get().data


@pytest.mark.parametrize("slug", STATES)
def test_no_state_is_too_wide(
    slug: str, make_host: MakeHost, tmp_path: pathlib.Path, stall: Stall, eye: Eye
) -> None:
    """At 320 px nothing scrolls sideways, in any language and a longer one."""
    folder = str(pseudo.write_pseudo(tmp_path))

    def prepare(app: flask.Flask) -> None:
        flask_babel.Babel(
            app,
            default_translation_directories=folder,
            locale_selector=lambda: app.config.get("LANG", "en"),
        )

    state = STATES[slug]
    more = {"BYOK_SYSTEM_BUDGET": {"requests": 500}} if slug == "three-keys" else {}
    host = make_host(prepare=prepare, **more, **state.settings)

    if slug == "three-keys":
        add_month(host)

    if not state.has_access_check:
        host.byok._access_check = None

    user = {"manager": "ada", "member": "max", "stranger": "ada"}[state.visitor]
    visitor = host.client(user, None if state.visitor == "stranger" else 1)
    pages = sum(isinstance(step, Visit | Post) for step in state.steps)
    polyglot = Polyglot(host, visitor, pages)
    state.enter(Stage(app=host.app, simulator=host.simulator), polyglot)
    assert len(set(polyglot.pages.values())) == len(LANGUAGES)
    stall.app = host.app
    wrong = {}

    for language, stall.html in polyglot.pages.items():
        assert f'data-byok-state="{state.shows}"'.encode() in stall.html
        wrong[language] = eye.narrow() + eye.complaints

    assert wrong == {language: [] for language in LANGUAGES}


@pytest.mark.parametrize("language", ["ar"])
def test_nothing_sticks_out(
    language: str,
    make_host: MakeHost,
    make_database: cabc.Callable[[str], str],
    tmp_path: pathlib.Path,
    stall: Stall,
    eye: Eye,
) -> None:
    """At 320 px no state scrolls sideways; axe finds nothing, right to left either."""
    prepare = translate(language, pseudo.write_pseudo(tmp_path))
    wrong: dict[str, t.Any] = {}

    for slug in MAIN:
        host = make_host(
            SQLALCHEMY_DATABASE_URI=make_database("sqlite"),
            prepare=prepare,
            BYOK_SYSTEM_BUDGET={"requests": 500},
            **STATES[slug].settings,
        )
        host.simulator.clear_faults()

        if slug == "three-keys":
            add_month(host)

        stall.app, stall.html = host.app, enter(slug, host).data
        eye.open()
        wrong[slug] = eye.check() if language == "ar" else []
        eye.picture(f"{slug}-{language}")
        wrong[slug] += eye.sideways(320)[1:] + eye.complaints

    assert wrong == {slug: [] for slug in MAIN}


def test_right_to_left(
    make_host: MakeHost, tmp_path: pathlib.Path, stall: Stall, eye: Eye
) -> None:
    """Labels stand to the right, today's bar to the left, keys read left to right."""
    host = make_host(prepare=translate("ar", tmp_path))
    host.save()
    host.chat()
    stall.app, stall.html = host.app, host.client().get().data
    eye.open()
    sides = eye.page.evaluate(
        """() => ["h1", "#byok-provider", "code"].map((part) => {
          const node = document.querySelector(`.byok ${part}`);
          return getComputedStyle(node).direction;
        })"""
    )
    assert sides == ["rtl", "rtl", "ltr"]
    bar = eye.page.locator(".byok-chart-own[d]").last.bounding_box()
    assert bar is not None
    assert bar["x"] + bar["width"] < 550
    title = eye.page.locator("h1").evaluate(
        "(node) => { const range = document.createRange(); "
        "range.selectNodeContents(node); const box = range.getBoundingClientRect(); "
        "return innerWidth - box.right < box.left; }"
    )
    assert title is True
