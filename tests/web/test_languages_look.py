"""The page in a browser, in other languages: narrow, right to left, local times."""

from __future__ import annotations

import pytest

from flask_byok.testing.states import STATES
from tests.support import pseudo
from tests.support.messages import LOCALES
from tests.web import polyglot
from tests.web.conftest import MakeHost
from tests.web.looks import Eye
from tests.web.looks import Stall
from tests.web.seeding import add_month
from tests.web.test_every_look import eye as eye
from tests.web.test_every_look import stall as stall

#: Ours, and one that is longer than all of them.
LANGUAGES = ("en", *LOCALES, pseudo.LOCALE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Translations of a host: the made-up language."""
    return str(pseudo.write_pseudo(tmp_path_factory.mktemp("translations")))


@pytest.mark.parametrize("slug", STATES)
def test_no_state_is_too_wide(
    slug: str, make_host: MakeHost, folder: str, stall: Stall, eye: Eye
) -> None:
    """At 320 px nothing scrolls sideways, in any language and a longer one.

    From right to left, axe finds nothing either.
    """
    whole = slug == "three-keys"
    more = {"BYOK_SYSTEM_BUDGET": {"requests": 500}} if whole else {}
    host = make_host(
        prepare=lambda app: polyglot.speak(app, folder), **more, **STATES[slug].settings
    )

    if whole:
        add_month(host)

    pages = polyglot.show(slug, host, LANGUAGES)
    assert len(set(pages.values())) == len(LANGUAGES)
    stall.app = host.app
    wrong = {}

    for language, stall.html in pages.items():
        assert f'data-byok-state="{STATES[slug].shows}"'.encode() in stall.html
        wrong[language] = eye.narrow()

        if language == "ar":
            wrong[language] += eye.check()

        wrong[language] += eye.complaints

    assert wrong == {language: [] for language in LANGUAGES}


def test_right_to_left(make_host: MakeHost, stall: Stall, eye: Eye) -> None:
    """Labels stand to the right, today's bar to the left, keys read left to right."""
    host = make_host(prepare=polyglot.speak)
    host.app.config["LANG"] = "ar"
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
