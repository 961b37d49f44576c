"""The banner, the menu link and the flash in the host's own pages."""

from __future__ import annotations

import collections.abc as cabc
import logging
import typing as t

import flask
import jinja2
import pytest
import sqlalchemy as sa

from flask_byok import current_ai_client
from flask_byok.web.flash import flash_fallback
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import text_of
from tests.web.test_states import damage

LAYOUT = """{% from "byok/banner.html" import byok_banner, byok_nav_link with context %}
<nav>{{ byok_nav_link() }}</nav>{{ byok_banner() }}
{% for category, message in get_flashed_messages(with_categories=True) %}
<p class="flash">{{ category }}: {{ message }}</p>{% endfor %}
<h1>Home</h1>"""


def with_pages(app: flask.Flask) -> None:
    """A host with pages of its own, one of which uses AI."""

    @app.get("/home")
    def home() -> str:
        return flask.render_template_string(LAYOUT)

    @app.get("/twice")
    def twice() -> str:
        return flask.render_template_string(LAYOUT + "{{ byok_banner() }}")

    @app.get("/ask")
    def ask() -> str:
        current_ai_client.chat("hello")
        return flask.render_template_string(LAYOUT)

    @app.get("/ask.json")
    def ask_json() -> dict[str, str]:
        return {"text": current_ai_client.chat("hello").text}

    @app.get("/ask-ten-times")
    def ask_ten_times() -> str:
        for _ in range(10):
            assert current_ai_client.chat("hello").source == "system"

        return flask.render_template_string(LAYOUT)

    @app.get("/ask-a-stream")
    def ask_a_stream() -> flask.Response:
        stream = current_ai_client.stream("hello")
        chunks = (chunk.text or "" for chunk in stream)
        return flask.Response(flask.stream_with_context(chunks), mimetype="text/html")

    @app.get("/tell/<reason>")
    def tell(reason: str) -> str:
        flash_fallback(reason, "OPENAI")
        flash_fallback(reason, "OpenAI")
        return str(flask.get_flashed_messages(with_categories=True))


@pytest.fixture
def broken(make_host: MakeHost) -> Host:
    """A host whose company key was rejected; the system key serves."""
    host = make_host(prepare=with_pages)
    host.save()
    host.simulator.set_fault("OPENAI", "revoked", keys="company")
    host.chat()
    return host


def home(host: Host, user: str | None = "ada", path: str = "/home") -> t.Any:
    """Open a page of the host as a browser does."""
    return host.client(user).client.get(path, headers={"Sec-Fetch-Dest": "document"})


@pytest.fixture
def reads(broken: Host) -> cabc.Iterator[list[str]]:
    """Note each time our engine hands out a connection: one per query."""
    with broken.app.app_context():
        engine = broken.byok.state.database.engine

    seen: list[str] = []

    def note(*ignored: t.Any) -> None:
        seen.append("read")

    sa.event.listen(engine, "checkout", note)
    yield seen
    sa.event.remove(engine, "checkout", note)


def test_nothing_while_all_is_well(make_host: MakeHost) -> None:
    """A working key and no key at all: no banner; the link is there."""
    host = make_host(prepare=with_pages)
    page = home(host)
    assert "byok-banner" not in page.text
    link = '<a href="/settings/ai/" lang="en" >AI Configuration</a>'
    assert link in " ".join(page.text.split())
    host.save()
    assert "byok-banner" not in home(host).text


@pytest.mark.case("F12")
def test_managers_are_told(broken: Host) -> None:
    """One line: which key, why, what happens meanwhile, where to mend it."""
    page = home(broken)
    assert (
        "Your OpenAI key is not working: OpenAI rejected it: it was revoked, or it is "
        "not complete. AI features use the key provided by Studio for now. "
    ) in text_of(page)
    assert "Open AI Configuration" in text_of(page)
    assert '<section class="byok-banner byok-is-warn ' in page.text
    assert "AbCd" not in page.text


def test_the_banner_goes_with_the_first_success(broken: Host) -> None:
    """A repaired key ends it, seen by the next page."""
    broken.simulator.clear_faults()
    broken.client().post("/test", provider="OPENAI")
    assert "byok-banner" not in home(broken).text


@pytest.mark.case("F12")
def test_managers_are_told_of_a_key_that_does_not_open(make_host: MakeHost) -> None:
    """Whatever serves meanwhile, the banner asks for the key again."""
    host = make_host(prepare=with_pages)
    host.save()
    damage(host)
    host.chat()
    assert "cannot read your saved OpenAI key any more" in text_of(home(host))


@pytest.mark.case("F4")
def test_others_are_not_told(broken: Host, reads: list[str]) -> None:
    """Members and strangers see neither banner nor link, and cost no query."""
    for user in ("max", None):
        page = home(broken, user)
        assert "byok-banner" not in page.text
        assert "AI Configuration" not in page.text

    assert reads == []


def test_it_costs_one_query(broken: Host, reads: list[str]) -> None:
    """A manager's page with two banners asks the database once."""
    page = home(broken, path="/twice")
    assert page.text.count("<section") == 2
    assert reads == ["read"]


@pytest.mark.case("F5")
def test_two_companies_under_one_app_context(broken: Host) -> None:
    """What is kept for a request is kept by company."""
    with broken.app.app_context():
        assert "byok-banner" in home(broken).text
        other = broken.client("ada", company=2).client.get("/home")
        assert "byok-banner" not in other.text


def test_it_never_breaks_the_host(
    broken: Host, caplog: pytest.LogCaptureFixture
) -> None:
    """With the tables gone the host's page stands, and the log has a line."""
    with broken.app.app_context():
        with broken.app.extensions["sqlalchemy"].engine.begin() as conn:
            conn.execute(sa.text("DROP TABLE byok_credential"))

    page = home(broken)
    assert (page.status_code, "byok-banner" in page.text) == (200, False)
    assert [r for r in caplog.records if r.levelno == logging.ERROR]


def test_it_leaves_our_own_page_to_its_notice(make_host: MakeHost) -> None:
    """On the settings page the notice tells it, once."""
    host = make_host(prepare=with_pages, BYOK_BASE_TEMPLATE="host.html")
    source = {"host.html": LAYOUT + "{% block title %}{% endblock %}"}
    source["host.html"] += "{% block content %}{% endblock %}"
    host.app.jinja_loader = jinja2.DictLoader(source)
    host.save()
    host.simulator.set_fault("OPENAI", "revoked", keys="company")
    host.chat()
    page = host.client().get()
    assert "byok-notice" in page.text
    assert "byok-banner" not in page.text


def test_it_says_since_when_and_until_when(broken: Host) -> None:
    """With the reason, so that nobody has to open the page to know."""
    status = broken.status()
    text = text_of(home(broken))
    assert f"Your key has been out since {status.since:%Y-%m-%d %H:%M} UTC" in text
    assert f"is tried again at {status.until:%Y-%m-%d %H:%M} UTC" in text


def test_the_flash_of_a_page(broken: Host) -> None:
    """The page that used the system key says so: managers why, members only that."""
    page = home(broken, path="/ask")
    assert "warning: Your company's OpenAI key is not working: OpenAI rejected" in (
        text_of(page)
    )
    page = home(broken, "max", path="/ask")
    assert (
        "warning: AI features use the key provided by Studio for now. Home"
        in text_of(page)
    )
    assert "rejected" not in text_of(page)


def test_the_flash_comes_once(broken: Host) -> None:
    """Once per request and once in ten minutes of a session."""
    ada = broken.client()
    headers = {"Sec-Fetch-Dest": "document"}
    assert ada.client.get("/tell/auth", headers=headers).text.count("warning") == 1
    assert ada.client.get("/tell/auth", headers=headers).text == "[]"

    with ada.client.session_transaction() as session:
        session["byok_flashed_at"] -= 601

    assert ada.client.get("/tell/auth", headers=headers).text.count("warning") == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Dest": "empty"},
        {"Accept": "application/json"},
        {"Accept": "*/*"},
        {"Sec-Fetch-Dest": "image", "Accept": "text/html"},
    ],
)
def test_no_flash_for_scripts(broken: Host, headers: dict[str, str]) -> None:
    """JSON, scripts and images leave the session alone."""
    ada = broken.client()
    assert ada.client.get("/tell/auth", headers=headers).text == "[]"
    assert ada.client.get("/ask.json", headers=headers).status_code == 200
    assert "byok_flashed_at" not in ada.session()


def test_a_browser_without_the_fetch_headers(broken: Host) -> None:
    """``Accept`` decides where the browser says nothing better."""
    headers = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    ada = broken.client()
    assert "warning" in ada.client.get("/tell/auth", headers=headers).text


def test_ten_fallbacks_of_a_page_and_the_next_page(broken: Host) -> None:
    """One warning on the first page, none on the second."""
    ada = broken.client()
    headers = {"Sec-Fetch-Dest": "document"}
    first, second = (ada.client.get("/ask-ten-times", headers=headers) for _ in "12")
    assert first.text.count('class="flash"') == 1
    assert second.text.count('class="flash"') == 0


def test_a_stream_and_json_set_no_cookie(broken: Host) -> None:
    """Their session is written by the time, or is not theirs to write."""
    ada = broken.client()

    for path, goal in (("/ask-a-stream", "document"), ("/ask.json", "empty")):
        answer = ada.client.get(path, headers={"Sec-Fetch-Dest": goal})
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers

    assert 'class="flash"' not in ada.client.get("/home").text


def test_each_browser_is_told_under_one_app_context(broken: Host) -> None:
    """What one request has shown is not kept where the next one finds it."""
    with broken.app.app_context():
        for _ in range(2):
            assert 'class="flash"' in home(broken, path="/ask").text


def test_no_flash_after_a_single_outage(make_host: MakeHost) -> None:
    """The key is not out; the second in a minute takes it out, and that is told."""
    host = make_host(prepare=with_pages)
    host.save()
    host.simulator.set_fault("OPENAI", "outage", keys="company")
    assert 'class="flash"' not in home(host, path="/ask").text
    assert 'class="flash"' in home(host, path="/ask").text


def test_the_flash_of_a_rate_limit(broken: Host) -> None:
    """The key is busy, not broken; members read as little as ever."""
    assert (
        "key is busy: OpenAI limits your account for a moment. AI features use the key "
        "provided by Studio meanwhile." in home(broken, path="/tell/rate_limit").text
    )
    assert "busy" not in home(broken, "max", path="/tell/rate_limit").text


def test_no_flash_outside_of_a_request(
    broken: Host, caplog: pytest.LogCaptureFixture
) -> None:
    """In a job there is nobody to tell."""
    flash_fallback("auth", "OPENAI")

    with broken.app.app_context():
        flash_fallback("auth", "OPENAI")

    assert [r for r in caplog.records if r.levelno == logging.ERROR] == []


def test_no_flash_without_a_session(make_host: MakeHost) -> None:
    """A host without a secret key gets no error from us."""
    host = make_host(prepare=with_pages)
    host.app.secret_key = None
    headers = {"Sec-Fetch-Dest": "document"}

    with host.app.test_request_context("/", headers=headers):
        flash_fallback("auth", "OPENAI")
