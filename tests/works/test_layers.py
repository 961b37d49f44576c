"""Languages, limits, headers and another SQLAlchemy, as the page shows them."""

from __future__ import annotations

import re

import flask
import sqlalchemy as sa
from bs4 import BeautifulSoup

from flask_byok.web.hosting import TransactionWatch
from tests.support.host import GOOD
from tests.works.conftest import Host
from tests.works.conftest import PAGE


def test_flask_babel(host: Host) -> None:
    """The page speaks what the browser asks for, and what the session says."""
    host.let_everybody_in()
    host.wire("Flask-Babel")
    client = host.app.test_client()
    german = {"Accept-Language": "de-AT,de;q=0.9"}
    assert "Verlauf" in client.get(PAGE, headers=german).text

    with client.session_transaction() as session:
        session["language"] = "en"

    assert "History" in client.get(PAGE, headers=german).text


def test_flask_limiter(host: Host) -> None:
    """The page has the blueprint's limit, an AI view that of its company."""
    host.let_everybody_in()
    host.wire("Flask-Limiter")
    client = host.app.test_client()
    codes = [client.get(f"{PAGE}api/policy").status_code for _ in range(59)]
    codes += [client.get(PAGE).status_code for _ in range(2)]
    assert codes == [*[200] * 60, 429]

    asked = [client.post("/ask").status_code for _ in range(31)]
    assert asked == [*[200] * 30, 429]

    with host.byok.as_company(2):
        assert client.post("/ask").status_code == 200


def test_flask_talisman(host: Host) -> None:
    """Nothing on the page is without the nonce of its policy; a form is taken."""
    host.let_everybody_in()
    host.wire("Flask-Talisman")
    client = host.app.test_client()
    https = {
        "base_url": "https://localhost",
        "headers": {"Referer": "https://localhost/"},
    }
    assert client.get(PAGE).location == "https://localhost/settings/ai/"

    answer = client.get(PAGE, **https)
    (policy,) = answer.headers.getlist("Content-Security-Policy")
    nonces = set(re.findall(r"'nonce-([^']+)'", policy))
    assert "unsafe" not in policy and len(nonces) == 1
    soup = BeautifulSoup(answer.text, "html.parser")
    run = [*soup.select("script, style, link[rel=stylesheet]")]
    assert run and {tag.get("nonce") for tag in run} == nonces
    assert not soup.select("[style], [onclick], [onchange], [onsubmit]")

    for tag in soup.select("script[src], link[rel=stylesheet]"):
        path = str(tag.get("src") or tag["href"])
        assert client.get(path, buffered=True, **https).status_code == 200

    assert host.save(client, **https).status_code == 303


def test_flask_sqlalchemy_lite(bare_host: Host) -> None:
    """The page, a call and its bookkeeping; the host's session is let alone."""
    host = bare_host
    host.wire("Flask-SQLAlchemy-Lite")
    host.let_everybody_in()
    client = host.app.test_client()
    assert host.save(client).status_code == 303

    watch = TransactionWatch(host.db)

    with host.app.app_context():
        assert not watch.is_open() and "_sqlalchemy_sessions" not in flask.g
        host.db.session.execute(sa.text("SELECT 1"))
        assert watch.is_open()
        host.db.session.rollback()
        assert host.byok.client_for(1).chat("hello").source == "company"
        assert not watch.is_open()
        assert host.byok.state.store.missing_tables() == ()

    assert set(host.simulator.api_keys_seen()) == {GOOD}
