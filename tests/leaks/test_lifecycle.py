"""What is left of a key that was removed or replaced, and what a dump holds."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import pathlib
import subprocess
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok.errors import StateUnavailable
from flask_byok.testing import LeakGuard
from flask_byok.testing import make_canary
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import text_of


def stored(host: Host) -> list[t.Any]:
    """Read the rows of stored keys."""
    with host.app.app_context():
        state = host.byok.state

        with state.database.read() as connection:
            return list(connection.execute(sa.select(state.tables.credential)))


@pytest.mark.case("C22", "C23", "G1", "G2", "G5")
@pytest.mark.parametrize("mode", ["DELETE", "WAL", "PERSIST"])
def test_removing_and_replacing_leave_ciphertext_at_most(
    host: Host, guard: LeakGuard, canary: str, mode: str
) -> None:
    """No soft delete, no copy in the history; the files hold no plaintext ever."""
    other = make_canary("other")
    guard.watch_also(other)

    with host.app.app_context():
        engine = host.byok.state.database.engine

        with engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA journal_mode = {mode}")

    host.save(api_key=canary)
    first = stored(host)[0].blob
    host.save(api_key=other)
    (row,) = stored(host)
    assert row.blob != first

    with host.app.app_context():
        history = host.byok.history(1)
        host.byok.remove_key(1, "OPENAI")

        for table in host.byok.state.tables.all():
            with engine.connect() as connection:
                rows = repr(list(connection.execute(sa.select(table))))

            assert repr(first)[2:40] not in rows and repr(row.blob)[2:40] not in rows

    assert stored(host) == []
    assert canary[-4:] not in repr(history) and other[-4:] not in repr(history)
    guard.require("tables", "database files", "audit")
    guard.look("audit", history)
    guard.verify()


DUMPS: t.Final = {
    "sqlite": lambda url: ["sqlite3", url.database, ".dump"],
    "postgresql": lambda url: [
        "pg_dump",
        url.set(drivername="postgresql").render_as_string(hide_password=False),
    ],
}


@pytest.mark.case("G7", "G9")
@pytest.mark.parametrize("name", DUMPS)
def test_a_whole_dump_holds_no_key(
    make_host: MakeHost,
    make_database: cabc.Callable[[str], str],
    leak_guard: LeakGuard,
    tmp_path: pathlib.Path,
    name: str,
) -> None:
    """As the database's own tool writes it."""
    url = make_database(name)
    host = make_host(SQLALCHEMY_DATABASE_URI=url)
    host.save(api_key=leak_guard.canary)
    assert len(stored(host)) == 1

    try:
        dump = subprocess.run(
            DUMPS[name](sa.make_url(url)), capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip(f"The tool that dumps {name} is not here.")

    assert b"byok_credential" in dump.stdout, dump.stderr
    leak_guard.look("database files", dump.stdout)
    leak_guard.require("database files", "logs")
    leak_guard.verify()


def refuse_history(host: Host) -> None:
    """Let the database refuse every new line of the history."""
    with host.app.app_context():
        with host.byok.state.database.engine.connect() as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER no_history BEFORE INSERT ON byok_audit "
                "BEGIN SELECT RAISE(ABORT, 'no'); END"
            )


LATER: t.Final = dt.date(2199, 1, 1)

CHANGES: t.Final[dict[str, cabc.Callable[[Host], object]]] = {
    "save": lambda host: host.byok.save_key(1, "CLAUDE", make_canary("new")),
    "replace": lambda host: host.byok.save_key(1, "OPENAI", make_canary("new")),
    "remove": lambda host: host.byok.remove_key(1, "OPENAI"),
    "policy": lambda host: host.byok.set_policy(1, fallback="never"),
    "date": lambda host: host.byok.save_key(1, "OPENAI", None, expires_on=LATER),
}


@pytest.mark.case("G10")
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_cannot_be_recorded_is_not_made(
    make_host: MakeHost, change: str
) -> None:
    """It is rolled back, an own text says so, and AI calls go on."""
    host = make_host()
    host.save(api_key=make_canary("old"))
    before = [row.blob for row in stored(host)], host.status().policy
    refuse_history(host)

    with host.app.app_context():
        with pytest.raises(
            StateUnavailable, match="written into the history"
        ) as caught:
            CHANGES[change](host)

    assert caught.value.__context__ is None and caught.value.__cause__ is None
    assert ([row.blob for row in stored(host)], host.status().policy) == before
    assert host.chat().source == "company"


@pytest.mark.case("G10")
def test_the_page_says_that_nothing_was_changed(make_host: MakeHost) -> None:
    """The person who pressed the button learns it, too."""
    host = make_host()
    host.save(api_key=make_canary("old"))
    refuse_history(host)
    answer = host.client().post("/remove/OPENAI")

    assert answer.status_code == 503
    assert "Nothing was changed" in text_of(answer)
    assert len(stored(host)) == 1


@pytest.mark.case("G6")
def test_the_page_says_what_removing_is_not(make_host: MakeHost) -> None:
    """A removed key still works at the provider: the page says so."""
    host = make_host()
    host.save(api_key=make_canary("old"))
    page = host.client().get("/remove/OPENAI")

    assert "It still works at OpenAI until you revoke it there." in text_of(page)


@pytest.mark.case("G8")
def test_a_row_browser_shows_bytes_that_open_nowhere(
    host: Host, guard: LeakGuard, canary: str
) -> None:
    """What Flask-Admin and its like would list: every column of every row."""
    host.save(api_key=canary)

    rows = stored(host)
    assert len(rows) == 1

    for row in rows:
        guard.look("tables", *[v for n, v in row._mapping.items() if n != "last4"])

    guard.require("tables")
    guard.verify()
