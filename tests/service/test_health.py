"""Whether a process can serve: the method, and the address the documentation gives."""

from __future__ import annotations

import runpy
import typing as t

import flask
import flask_sqlalchemy
import pytest
import sqlalchemy as sa

from flask_byok import BYOK
from flask_byok.masterkeys import generate
from flask_byok.testing import FakeKeyService
from tests.support.examples import ROOT
from tests.support.host import close_host
from tests.support.host import GOOD
from tests.support.host import Host
from tests.support.host import make_host

RECIPE = str(ROOT / "docs" / "deployment" / "health.py")


def ask(app: flask.Flask) -> tuple[int, object]:
    app.register_blueprint(runpy.run_path(RECIPE)["health"])
    answer = app.test_client().get("/healthz")
    return answer.status_code, answer.get_json()


def test_a_process_that_can_serve(host: Host) -> None:
    """Nobody is asked over the network, whatever is stored."""
    assert host.byok.save_key(1, "OPENAI", GOOD).saved
    host.simulator.clear()

    assert host.byok.check_health().is_healthy
    assert ask(host.app) == (200, {"database": True, "master_keys": True})
    assert host.simulator.requests == []


def test_it_costs_two_queries(sqlite_url: str, byok_simulator: t.Any) -> None:
    """As cheap with many keys as with none."""
    statements: list[str] = []
    host = make_host(sqlite_url, byok_simulator)

    with host.app.app_context():
        engine = host.byok.state.database.engine

        @sa.event.listens_for(engine, "connect")
        def trace(connection: t.Any, record: object) -> None:
            connection.set_trace_callback(statements.append)

        # The first one looks at the ring as well, once in the life of a process.
        host.byok.check_health()
        statements.clear()
        host.byok.check_health()

    close_host(host)
    # Beside them, the connection is asked whether it lives.
    assert [text for text in statements if "FROM" not in text] == ["SELECT 1"]
    assert len(statements) == 3


def test_without_tables(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """503; whoever may read the log finds the next step there."""
    host.db.drop_all()

    assert ask(host.app) == (503, {"database": False, "master_keys": False})
    assert "Run your migrations" in caplog.text


def test_another_ring(host: Host, byok_simulator: t.Any, sqlite_url: str) -> None:
    """The tables answer, and nothing would open: the id is named, no more."""
    assert host.byok.save_key(1, "OPENAI", GOOD).saved
    url = host.db.engine.url.render_as_string(hide_password=False)
    other = make_host(url, byok_simulator, BYOK_MASTER_KEYS={"k001": generate()})

    with other.app.app_context():
        report = other.byok.check_health()

    told = ask(other.app)
    close_host(other)
    assert told == (503, {"database": True, "master_keys": False})
    assert len(report.problems) == 1
    assert "'k001' in 'BYOK_MASTER_KEYS' has other bytes" in report.problems[0]


def test_a_vault_that_is_closed(sqlite_url: str, byok_simulator: t.Any) -> None:
    """On purpose is no trouble: the system key serves."""
    host = make_host(sqlite_url, byok_simulator, BYOK_MASTER_KEYS=False)
    told = ask(host.app)
    close_host(host)
    assert told == (200, {"database": True, "master_keys": True})


def test_a_key_service_is_not_asked(sqlite_url: str, byok_simulator: t.Any) -> None:
    """Its bad day takes no worker out: under the usual policy the system key serves."""
    service = FakeKeyService()
    host = make_host(sqlite_url, byok_simulator, BYOK_MASTER_KEYS={"kms1": service})

    with host.app.app_context():
        assert host.byok.save_key(1, "OPENAI", GOOD).saved

    service.fail("down")
    told = ask(host.app)
    close_host(host)
    assert told == (200, {"database": True, "master_keys": True})


def test_a_database_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    """An answer, and no exception; nothing of its address is told."""
    app, db = flask.Flask("away"), flask_sqlalchemy.SQLAlchemy()
    url = "postgresql+psycopg://nobody:not-a-real-password@127.0.0.1:1/nothing"
    app.config.update(SQLALCHEMY_DATABASE_URI=url, BYOK_MASTER_KEYS=False)
    db.init_app(app)
    BYOK(app, db=db)

    assert ask(app) == (503, {"database": False, "master_keys": False})
    assert "cannot be reached" in caplog.text
    assert "not-a-real-password" not in caplog.text and "nobody" not in caplog.text
