"""The language switch of the example app."""

from __future__ import annotations

import re

from example_app.languages import LANGUAGES
from tests.support import messages

from .conftest import Studio
from .conftest import text_of


def shown(page: str) -> tuple[str, str]:
    """Read in which language, and which way, the part that is ours comes."""
    found = re.search(
        r'<div class="byok byok-\w+"[^>]*? lang="([^"]+)" dir="(\w+)"', page
    )
    assert found is not None
    return found[1], found[2]


def test_every_language_can_be_chosen(studio: Studio) -> None:
    """Those of the package and English; kept for the session, right to left, too."""
    assert set(LANGUAGES) == {"en", *messages.LOCALES}
    studio.save()
    ada = studio.visit()
    titles = set()

    for locale, (name, tag) in LANGUAGES.items():
        path = "/settings/ai/"
        answer = ada.post("/language", language=locale, next=path)
        assert (answer.status_code, answer.headers["Location"]) == (303, path)
        page = ada.get(path).text
        assert shown(page) == (tag, "rtl" if locale == "ar" else "ltr")
        chosen = re.findall(r'lang="([^"]+)"\s+selected>([^<]+)<', page)
        assert chosen == [(tag, name)]
        titles.add(re.findall(r"<h1[^>]*>(.*?)</h1>", page)[0])

    assert len(titles) == len(LANGUAGES)
    # Nobody else's session speaks Arabic.
    assert shown(studio.visit().get("/settings/ai/").text) == ("en", "ltr")


def test_nothing_else_is_chosen(studio: Studio) -> None:
    """A language nobody has changes nothing; nobody is led to another site."""
    ada = studio.visit()
    ada.post("/language", language="fr", next="/settings/ai/")
    answer = ada.post("/language", language="xx", next="//elsewhere.example/")
    assert answer.headers["Location"] == "/"
    assert shown(ada.get("/settings/ai/").text)[0] == "fr"
    assert ada.client.post("/language", data={"language": "de"}).status_code == 400


def test_a_browser_is_asked_first(studio: Studio) -> None:
    """Until somebody chooses, the page speaks what the browser asks for."""
    ada = studio.visit()

    for asked, tag in (("pt-PT, pt-BR;q=0.9", "pt-BR"), ("de-AT", "de"), ("nl", "en")):
        page = ada.client.get("/settings/ai/", headers={"Accept-Language": asked})
        assert shown(page.text)[0] == tag

    assert "Language of this page" in text_of(page)
