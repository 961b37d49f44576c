"""The host's layout, its overrides, its nonce."""

from __future__ import annotations

import re
import typing as t

import flask
import jinja2
import pytest

from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import text_of

BASE = """<!doctype html><html lang="en"><head><title>{% block title %}{% endblock %}
</title></head><body><header>The host's header</header><main>{% block content %}
{% endblock %}</main></body></html>"""


def host_with(
    make_host: MakeHost, templates: dict[str, str], **settings: t.Any
) -> Host:
    """A host that brings templates of its own."""

    def prepare(app: flask.Flask) -> None:
        app.jinja_loader = jinja2.DictLoader(templates)

    return make_host(prepare=prepare, **settings)


def test_a_host_with_two_blocks(make_host: MakeHost) -> None:
    """A layout with "title" and "content" alone gets style, script and every page."""
    host = host_with(make_host, {"base.html": BASE}, BYOK_BASE_TEMPLATE="base.html")
    host.save()
    ada = host.client()
    pages = [ada.get(), ada.get("/remove/OPENAI"), host.client("max").get()]
    pages += [ada.post("/key", action="nope")]

    for page in pages:
        assert "The host's header" in text_of(page)
        assert 'href="/settings/ai/static/byok.css"' in page.text
        assert 'src="/settings/ai/static/byok.js"' in page.text
        assert page.text.count("<main") == 1
        assert page.text.count("data-byok-state=") == 1

    title = re.findall(r"<title>(.*?)</title>", pages[0].text, re.S)[0]
    assert title.strip() == "AI Configuration - Studio"


def test_a_layout_without_our_block(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """It would leave the page out: the page comes all the same, and the log says it."""
    base = "<!doctype html><title>Host</title>{% block main %}{% endblock %}"
    host = host_with(make_host, {"base.html": base}, BYOK_BASE_TEMPLATE="base.html")
    page = host.client().get()
    assert 'name="api_key"' in page.text
    assert "base.html (BYOK_BASE_TEMPLATE) has no block 'content'" in caplog.text


def test_a_page_of_the_hosts_own_is_left_alone(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """A host that writes the whole page itself is not told that ours is missing."""
    templates = {"base.html": BASE, "byok/settings.html": "the host's own page"}
    host = host_with(make_host, templates, BYOK_BASE_TEMPLATE="base.html")
    assert host.client().get().text == "the host's own page"
    assert "page_left_out" not in caplog.text
    assert "no block" not in caplog.text


def test_without_an_app_name(make_host: MakeHost) -> None:
    """Without BYOK_APP_NAME the page says "this app" and the title stands alone."""
    page = make_host(BYOK_APP_NAME=None).client().get()
    title = re.findall(r"<title>(.*?)</title>", page.text, re.S)[0]
    assert title.strip() == "AI Configuration"
    assert "Key provided by this app" in text_of(page)


def test_a_nonce(make_host: MakeHost) -> None:
    """BYOK_CSP_NONCE stands on every script and style tag of ours."""
    page = make_host(BYOK_CSP_NONCE=lambda: "n0nce").client().get()
    tags = re.findall(r"<(?:script|link rel=\"stylesheet\")[^>]*>", page.text, re.S)
    assert len(tags) == 2
    assert all('nonce="n0nce"' in tag for tag in tags)
    plain = make_host(BYOK_CSP_NONCE=None).client().get()
    assert "nonce" not in plain.text


@pytest.mark.case("E12", "E23")
def test_markup_in_names_is_text(make_host: MakeHost) -> None:
    """Names, people and models are escaped wherever they stand."""
    host = make_host(BYOK_APP_NAME="<b>App</b> {{ 7 * 7 }} {limit}")
    host.save(actor="<i>Ada</i>", model="<u>{{model}}</u>")
    ada = host.client()

    for page in (
        ada.get(),
        ada.post("/test", provider="OPENAI"),
        ada.get("/remove/OPENAI"),
    ):
        for tag in ("<b>App", "<i>Ada", "<u>"):
            assert tag not in page.text

        assert "{{ 7 * 7 }} {limit}" in page.text or "remove" in page.request.path
