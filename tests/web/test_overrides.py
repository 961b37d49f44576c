"""Each template and each block of ours: a host's own takes its place."""

from __future__ import annotations

import collections.abc as cabc
import pathlib
import re
import typing as t

import flask
import jinja2
import pytest

from flask_byok.web.context import ELEMENTS
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import Visitor
from tests.web.seeding import add_use

TEMPLATES = pathlib.Path(__file__).parents[2] / "flask_byok" / "templates"
MARK = "the host's own"

#: What the package uses of a pack, by file.
_MACRO = re.compile(r"{%-? macro (\w+)\(")
_BLOCK = re.compile(r"{%-? block (\w+)")


class House:
    """A host that changes its templates while it runs, and all its pages of ours."""

    def __init__(self, host: Host, templates: dict[str, str]) -> None:
        self._host = host
        self._templates = templates
        host.save()
        host.save("CLAUDE", activate=False)
        add_use(host, 0, "system", 3)

        with host.app.app_context():
            host.byok.set_policy(1, use_other_keys=False)

        self._ada = host.client()
        self._ada.post("/test", provider="OPENAI")
        host.simulator.set_fault("OPENAI", "revoked", keys="company")
        host.chat()
        host.simulator.clear_faults()

    def pages(self, **templates: str) -> list[str]:
        """Give each page and the host's banner, with these templates of the host."""
        self._templates.clear()
        self._templates.update(BASE, **templates)
        t.cast("t.Any", self._host.app.jinja_env).cache.clear()
        return list(self._pages(self._ada))

    def _pages(self, ada: Visitor) -> cabc.Iterator[str]:
        # A key that is accepted and not usable over one that works: a draft.
        form = {"provider": "CLAUDE", "activate": "0", "action": "save"}
        key = "not-a-real-company-nocredit-key-EfGh"
        yield ada.post("/key", api_key=key, **form).text
        yield ada.get("/remove/OPENAI").text
        yield ada.post("/key", action="nope").text
        yield self._host.client("max").get().text
        yield ada.client.get("/home").text


BASE = {
    "home.html": '{% from "byok/banner.html" import byok_banner with context %}'
    "{{ byok_banner() }}"
}


@pytest.fixture(params=ELEMENTS)
def house(request: pytest.FixtureRequest, make_host: MakeHost) -> House:
    """A host with either pack."""
    templates = dict(BASE)

    def prepare(app: flask.Flask) -> None:
        app.jinja_loader = jinja2.DictLoader(templates)
        app.add_url_rule("/home", "home", lambda: flask.render_template("home.html"))

    return House(make_host(prepare=prepare, BYOK_UI=request.param), templates)


def mine(path: pathlib.Path) -> str:
    """Write a template of the host's in the place of ours: macros stay macros."""
    macros = _MACRO.findall(path.read_text())

    if path.parent.name == "partials" or not macros:
        return MARK

    return "\n".join(
        f"{{% macro {name}() %}}{MARK}{{% set _ = (varargs, kwargs) %}}{{% endmacro %}}"
        for name in macros
    )


def test_every_template_gives_way(house: House) -> None:
    """A file of the same path wins: pages, partials, elements, the banner."""
    usual = house.pages()
    assert MARK not in "".join(usual)
    used = [
        path
        for path in sorted(TEMPLATES.rglob("*.html"))
        if path.parent.name not in ELEMENTS_OF_OTHERS[folder_of(usual)]
    ]
    assert len(used) >= 20

    for path in used:
        name = path.relative_to(TEMPLATES).as_posix()
        pages = house.pages(**{name: mine(path)})
        assert MARK in "".join(pages), name


def folder_of(pages: list[str]) -> str:
    """Tell the pack by its page."""
    return "bootstrap5" if 'class="byok byok-bootstrap5"' in pages[0] else "plain"


#: By pack: folders it makes no use of. The second builds on icons and links of the
#: first.
ELEMENTS_OF_OTHERS: dict[str, tuple[str, ...]] = {
    "plain": ("elements_bootstrap5",),
    "bootstrap5": ("elements",),
}


def test_every_block_gives_way(house: House) -> None:
    """Three lines in ``byok/own/`` change one block and keep the rest."""
    for page in ("settings", "remove", "denied", "message"):
        ours = [TEMPLATES / "byok" / f"{name}.html" for name in (page, "layout")]
        blocks = {block for path in ours for block in _BLOCK.findall(path.read_text())}

        for block in blocks:
            own = f'{{% extends "byok/{page}.html" %}}\n'
            own += f"{{% block {block} %}}{MARK}{{% endblock %}}"
            pages = house.pages(**{f"byok/own/{page}.html": own})
            shown = [text for text in pages if MARK in text]
            assert len(shown) == 1, (page, block)


def test_the_documents_blocks_give_way(house: House) -> None:
    """A host may add to the head of the plain document without a layout of its own."""
    for block in ("head", "styles", "scripts"):
        own = '{% extends "byok/settings.html" %}\n'
        own += f"{{% block {block} %}}{MARK}{{% endblock %}}"
        pages = house.pages(**{"byok/own/settings.html": own})
        assert MARK in pages[0], block
