"""The page with all its parts stays small, in each look and language."""

from __future__ import annotations

import datetime as dt
import pathlib
import typing as t

import flask
import flask_babel
import pytest

import flask_byok
from flask_byok.web.files import pack
from tests.support.messages import LOCALES
from tests.web.conftest import GOOD_KEY
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import state_of
from tests.web.conftest import Visitor
from tests.web.seeding import add_month
from tests.web.test_keys import cards
from tests.web.test_keys import MOST_SCRIPT
from tests.web.test_keys import PROVIDERS

STATIC = pathlib.Path(flask_byok.__file__).parent / "static" / "byok"

#: Bytes of page, style sheet and script in any language. Letters beyond ASCII have two
#: or three.
MOST: t.Final = 60_000


def speak(app: flask.Flask) -> None:
    """Let an app speak the language that a request names."""
    flask_babel.Babel(app, locale_selector=lambda: flask.request.args.get("lang", "en"))


def fill(host: Host) -> Visitor:
    """Give a company all there is, every key tested; give who pasted the draft."""
    add_month(host)
    ada = host.client()

    for provider in PROVIDERS:
        host.save(provider, GOOD_KEY, activate=provider == "OPENAI", actor="Ada")
        ada.post("/test", provider=provider)

    for _ in range(9):
        ada.post("/policy", fallback="outage_only", use_other_keys=["0", "1"])
        ada.post("/policy", fallback="auto")

    kept = ada.save("not-a-real-nocredit-key-0001-AbCd")
    assert state_of(kept) == "draft"
    return ada


def weigh(ada: Visitor, path: str) -> int:
    """Give the bytes of the page and its two files, as they are served."""
    page = ada.get(path)
    assert 'id="byok-draft"' in page.text
    assert cards(page) == list(PROVIDERS)
    assert page.text.count('data-byok-result="test-') == len(PROVIDERS)
    history = page.text[page.text.index('<ol class="byok-history">') :]
    assert history.count("<li>") == 20
    sizes = [len(page.data)]

    for kind in ("css", "js"):
        with ada.client.get(f"/settings/ai/static/byok.{kind}") as answer:
            sizes.append(len(answer.data))

    assert sizes[2] < MOST_SCRIPT
    return sum(sizes)


@pytest.mark.parametrize("ui", ["plain", "bootstrap5"])
def test_with_all_its_parts(ui: str, make_host: MakeHost) -> None:
    """Three tested keys, a draft, an allowance, usage and twenty lines of history."""
    budget = {"requests": 500, "tokens": 1_000_000, "money": "25.00"}
    host = make_host(prepare=speak, BYOK_UI=ui, BYOK_SYSTEM_BUDGET=budget)
    ada = fill(host)
    until = host.status().now.date()
    month = f"&since={until - dt.timedelta(days=29)}&until={until}"
    sizes = {
        language: weigh(ada, f"/?lang={language}{month}")
        for language in ("en", *LOCALES)
    }
    assert {language: size for language, size in sizes.items() if size >= MOST} == {}


def test_what_is_served_says_the_same(host: Host) -> None:
    """Packed: no comment, no rule less; every other file as it lies there."""
    client = host.client().client
    written = (STATIC / "byok.css").read_text()
    answer = client.get("/settings/ai/static/byok.css")
    assert answer.mimetype == "text/css"
    assert answer.text == pack(written, ".css")
    assert "/*" not in answer.text
    assert answer.text.count("{") == written.count("{")
    assert answer.text.count(".byok :is(") == written.count(".byok :is(")
    assert "clamp(1.6rem,1.2rem + 2vw,2.125rem)" in answer.text
    again = {"If-None-Match": answer.headers["ETag"]}
    assert client.get("/settings/ai/static/byok.css", headers=again).status_code == 304
    script = client.get("/settings/ai/static/byok.js").text
    assert "//" not in script
    assert '"use strict";' in script

    for name in ("icon.svg", "icons.svg"):
        with client.get(f"/settings/ai/static/{name}") as picture:
            assert picture.data == (STATIC / name).read_bytes()

    assert client.get("/settings/ai/static/../files.css").status_code == 404
    assert client.get("/settings/ai/static/nothing.css").status_code == 404
