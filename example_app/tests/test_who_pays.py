"""Whose key pays for a text, and what people see when a key fails."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from example_app.extensions import byok
from flask_byok.testing import CapturedSignals
from flask_byok.testing import FailingKey
from flask_byok.testing import LeakGuard
from flask_byok.testing import Simulator
from flask_byok.testing import StoredKey

OUR_KEY = "not-a-real-system-key-OPENAI"


def summarise(visitor: FlaskClient) -> str:
    """Let the studio summarise a text, and give the page that says who paid."""
    form = {"text": "A long text about keys."}
    return visitor.post("/summarise", data=form, follow_redirects=True).text


def test_the_company_pays(
    admin: FlaskClient, company_key: StoredKey, byok_simulator: Simulator
) -> None:
    """A company that brought a key works on it, and on no other."""
    api_key = company_key()

    assert 'data-payer="company"' in summarise(admin)
    assert byok_simulator.api_keys_seen() == [api_key]


def test_another_companys_key_is_never_used(
    admin: FlaskClient, company_key: StoredKey, byok_simulator: Simulator
) -> None:
    """Without a key of its own, a company works on the studio's."""
    company_key(2)

    assert 'data-payer="system"' in summarise(admin)
    assert byok_simulator.api_keys_seen() == [OUR_KEY]


@pytest.mark.parametrize("kind", ["expired", "nocredit"])
def test_a_broken_key_holds_nobody_up(
    admin: FlaskClient,
    failing_key: FailingKey,
    byok_simulator: Simulator,
    byok_signals: CapturedSignals,
    kind: str,
) -> None:
    """The answer comes on the studio's key, and the app is told once."""
    api_key = failing_key(kind)

    assert 'data-payer="system"' in summarise(admin)
    assert byok_simulator.api_keys_seen() == [api_key, OUR_KEY]
    (told,) = byok_signals.payloads("fallback_used")
    assert told["company_id"] == 1


def test_no_page_shows_a_key(
    byok_app: Flask, admin: FlaskClient, leak_guard: LeakGuard
) -> None:
    """A stored key comes to light nowhere: pages, logs, cookies, tables, signals."""
    leak_guard.attach(byok_app)

    with byok_app.app_context():
        assert byok.save_key(1, "OPENAI", leak_guard.canary, actor="Ada").saved

    summarise(admin)
    page = admin.get("/settings/ai/").text
    assert f"...{leak_guard.canary[-4:]}" in page
