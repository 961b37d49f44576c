"""The page in a browser, in other languages: narrow, right to left, local times."""

from __future__ import annotations

import collections.abc as cabc
import pathlib
import typing as t

import flask
import flask_babel
import pytest

from flask_byok.testing.states import STATES
from tests.support import pseudo
from tests.web.conftest import MakeHost
from tests.web.looks import Eye
from tests.web.looks import Stall
from tests.web.seeding import add_month
from tests.web.test_every_look import enter
from tests.web.test_every_look import eye as eye
from tests.web.test_every_look import stall as stall

#: States that between them show every kind of part.
MAIN = ("three-keys", "fallback", "draft", "field-error", "test-remarks", "remove")

#: Right to left, and one that is longer than all of ours.
LANGUAGES = ("ar", pseudo.LOCALE)


def translate(language: str, folder: pathlib.Path) -> cabc.Callable[[t.Any], None]:
    """Let an app speak a language."""

    def prepare(app: flask.Flask) -> None:
        flask_babel.Babel(
            app,
            default_locale=language,
            default_translation_directories=str(folder),
        )

    return prepare


@pytest.mark.parametrize("language", LANGUAGES)
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
