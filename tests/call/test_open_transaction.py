"""A long call inside a transaction of the host's: said once, and nothing touched."""

from __future__ import annotations

import collections.abc as cabc
import logging
import typing as t

import pytest
import sqlalchemy as sa

from tests.support.calls import CallHost

LOGGER = "flask_byok.web.hosting"


@pytest.fixture
def slow(host: CallHost) -> cabc.Iterator[CallHost]:
    """A host whose provider takes its time."""
    host.store()
    host.fail("slow")
    before, host.simulator.slow_seconds = host.simulator.slow_seconds, 1.05
    yield host
    host.simulator.slow_seconds = before


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Give what was said about the host."""
    return [each.getMessage() for each in caplog.records if each.name == LOGGER]


def serve(host: CallHost) -> t.Any:
    """Give the host views that open a transaction and call; one commits before."""

    def ask(commit: bool = False) -> dict[str, bool]:
        host.db.session.execute(sa.text("SELECT 1"))

        if commit:
            host.db.session.commit()

        host.chat()
        return {"open": host.db.session().in_transaction()}

    for name in ("ask", "again"):
        host.app.add_url_rule(f"/{name}", name, ask)

    host.app.add_url_rule("/careful", "careful", lambda: ask(commit=True))
    return host.app.test_client()


def test_it_is_said_once_for_an_endpoint(
    slow: CallHost, caplog: pytest.LogCaptureFixture
) -> None:
    """By a WARNING with its name; the transaction stays open and the host's."""
    client = serve(slow)

    with caplog.at_level(logging.WARNING, LOGGER):
        assert client.get("/ask").json == {"open": True}
        assert client.get("/ask").json == {"open": True}
        assert client.get("/careful").json == {"open": False}
        assert len(warnings(caplog)) == 1
        client.get("/again")

    first, second = warnings(caplog)
    assert "endpoint: ask" in first and "open database transaction" in first
    assert "endpoint: again" in second


def test_streams_and_failures_count_and_quick_calls_do_not(
    slow: CallHost, caplog: pytest.LogCaptureFixture
) -> None:
    """A job that streams; a call that fails slowly; one that is quick."""
    slow.db.session.execute(sa.text("SELECT 1"))
    slow.fail(None)
    slow.chat()
    assert warnings(caplog) == []
    slow.fail("slow")
    assert slow.stream()
    assert "endpoint: none" in warnings(caplog)[0]
    slow.db.session.rollback()


def test_a_session_is_neither_made_nor_begun(
    slow: CallHost, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the host has none, it has none after the call either."""
    slow.db.session.remove()
    slow.chat()
    assert not slow.db.session.registry.has()
    session = slow.db.session()
    slow.chat()
    assert not session.in_transaction()
    assert warnings(caplog) == []


def test_a_session_that_cannot_be_asked_costs_nothing(slow: CallHost) -> None:
    """A host with a session of its own making still gets its answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slow.db, "session", object())
        assert slow.chat().source == "company"
