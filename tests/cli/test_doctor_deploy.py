"""``doctor`` on what time does to a database, and on what is wrong on a server."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import datetime as dt
import json
import typing as t

import pytest

from flask_byok.testing import FakeKeyService
from flask_byok.testing import Simulator
from tests.support.host import close_host
from tests.support.host import GOOD
from tests.support.host import Host
from tests.support.host import make_host
from tests.support.mistakes import age_rows

#: Shorter than any that nobody guesses.
SHORT: t.Final = "canary-secret"


@contextlib.contextmanager
def hosting(url: str, simulator: Simulator, **config: t.Any) -> cabc.Iterator[Host]:
    host = make_host(url, simulator, **config)
    yield host
    close_host(host)


def examine(host: Host, *options: str) -> dict[str, dict[str, str]]:
    """Give what the doctor says, by the name of the check."""
    runner = host.app.test_cli_runner()
    result = runner.invoke(args=["byok", "doctor", "--json", *options])
    return {finding["check"]: finding for finding in json.loads(result.output)}


def levels(found: dict[str, dict[str, str]], *checks: str) -> list[str | None]:
    return [found.get(check, {}).get("level") for check in checks]


def test_on_every_database_time_has_done_nothing_yet(
    database_url: str, byok_simulator: Simulator
) -> None:
    """The clocks agree, and a young database has nothing that is late."""
    with hosting(database_url, byok_simulator) as host:
        with host.app.app_context():
            assert host.byok.save_key(1, "OPENAI", GOOD).saved
            host.byok.client_for(1).chat("hello")

        found = examine(host)

    assert levels(found, "clock", "sweep", "rotation") == ["ok", "ok", None]


def test_on_every_database_old_rows_are_seen(
    database_url: str, byok_simulator: Simulator
) -> None:
    """What is seen goes when the remedy that is named was used."""
    with hosting(database_url, byok_simulator) as host:
        with host.app.app_context():
            assert host.byok.save_key(1, "OPENAI", GOOD).saved
            host.byok.client_for(1).chat("hello")
            age_rows(host.app, "attempt", "started_at", "expires_at")
            age_rows(host.app, "keyring", "first_seen")

        ill = examine(host)
        assert host.app.test_cli_runner().invoke(args=["byok", "sweep"]).exit_code == 0
        better = examine(host)

    assert levels(ill, "sweep", "rotation") == ["warning", "warning"]
    assert "2020-02-29" in ill["rotation"]["text"]
    assert levels(better, "sweep", "rotation") == ["ok", "warning"]


def test_a_key_service_changes_its_own_keys(
    sqlite_url: str, byok_simulator: Simulator
) -> None:
    """Nobody is told to change what the service rotates inside."""
    keys = {"kms1": FakeKeyService()}

    with hosting(sqlite_url, byok_simulator, BYOK_MASTER_KEYS=keys) as host:
        with host.app.app_context():
            assert host.byok.save_key(1, "OPENAI", GOOD).saved
            age_rows(host.app, "keyring", "first_seen")

        assert "rotation" not in examine(host)


@pytest.mark.parametrize(("hours", "where"), [(2, "behind"), (-2, "ahead of")])
def test_clocks_that_part(
    sqlite_url: str, byok_simulator: Simulator, hours: int, where: str
) -> None:
    """In both directions, and by how much."""
    with hosting(sqlite_url, byok_simulator) as host:
        with host.app.app_context():
            host.byok.state.database.clock_offset = dt.timedelta(hours=hours)

        found = examine(host)

    assert found["clock"]["level"] == "warning"
    assert f"120 min {where} the database's" in found["clock"]["text"]


def test_a_server_that_is_fit(postgresql_url: str, byok_simulator: Simulator) -> None:
    """Nothing is said of SQLite there, nor of what is as it should be."""
    with hosting(
        postgresql_url,
        byok_simulator,
        SESSION_COOKIE_SECURE=True,
        BYOK_RATE_LIMIT_STORAGE="redis://127.0.0.1:1/0",
        BYOK_RATE_LIMIT=None,
    ) as host:
        found = examine(host, "--deploy")

    assert {finding["level"] for finding in found.values()} == {"ok"}
    assert levels(found, "debug", "sqlite", "rate-limit") == [None, None, None]


def test_only_who_asks_is_told_of_servers(
    sqlite_url: str, byok_simulator: Simulator
) -> None:
    """On a developer's machine it is all right; the secret is never repeated."""
    with hosting(sqlite_url, byok_simulator, SECRET_KEY=SHORT, DEBUG=True) as host:
        plain, deployed = examine(host), examine(host, "--deploy")

    checks = ("debug", "secret-key", "cookies", "sqlite")
    assert levels(plain, *checks) == [None] * 4
    assert levels(deployed, *checks) == ["error", "error", "warning", "warning"]
    assert SHORT not in str(deployed)
