"""The shared fixtures keep what the top of ``tests/conftest.py`` says of them."""

from __future__ import annotations

import collections.abc as cabc
import os
import pathlib
import socket
import subprocess
import sys

import flask
import playwright.sync_api
import pytest
import redis
import sqlalchemy as sa

from flask_byok.vault.models import build_tables
from tests.support import frameworks
from tests.support import servers

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("round_number", [1, 2])
def test_a_bare_database_is_empty_for_each_test(
    bare_database_url: str, round_number: int
) -> None:
    """What one test leaves behind is gone for the next."""
    engine = sa.create_engine(bare_database_url)

    with engine.begin() as connection:
        assert sa.inspect(connection).get_table_names() == []
        connection.exec_driver_sql("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql(
            "CREATE TABLE child (id INTEGER REFERENCES parent (id))"
        )

    engine.dispose()


_CHANGES = {
    "row": "INSERT INTO byok_company (company_id, use_other_keys, updated_at)"
    " VALUES ('i:1', true, '2030-01-02 03:04:05')",
    "table": "CREATE TABLE host (id INTEGER PRIMARY KEY)",
    "column": "ALTER TABLE byok_company ADD COLUMN more INTEGER",
    "index": "CREATE INDEX ix_more ON byok_company (updated_at)",
    "fewer": "DROP TABLE byok_audit",
}


@pytest.mark.parametrize("change", [*_CHANGES, "last"])
def test_a_prepared_database_has_the_usual_tables_without_rows(
    database_url: str, change: str
) -> None:
    """What one test leaves behind is gone for the next, whatever it is."""
    tables = build_tables(metadata := sa.MetaData()).all()
    engine = sa.create_engine(database_url)

    with engine.begin() as connection:
        look = sa.inspect(connection)
        assert set(look.get_table_names()) == set(metadata.tables)
        assert [index["name"] for index in look.get_indexes("byok_company")] == []
        assert len(look.get_columns("byok_company")) == len(tables[0].columns)

        for table in tables:
            assert connection.execute(sa.select(table)).all() == []

        if change in _CHANGES:
            connection.exec_driver_sql(_CHANGES[change])

    engine.dispose()


@pytest.mark.parametrize("name", [servers.POSTGRESQL, servers.MARIADB])
def test_emptying_does_not_wait_for_an_open_transaction(
    make_database: cabc.Callable[[str], str], name: str
) -> None:
    """A connection that a test forgot cannot hold up the next test."""
    url = make_database(name)
    engine = sa.create_engine(url)

    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE parent (id INTEGER PRIMARY KEY)")

    forgotten = engine.connect()
    forgotten.exec_driver_sql("SELECT * FROM parent")
    servers.empty_database(url)
    fresh = sa.create_engine(url)

    with fresh.connect() as connection:
        assert sa.inspect(connection).get_table_names() == []

    fresh.dispose()
    forgotten.invalidate()
    forgotten.close()
    engine.dispose()


def test_the_redis_database_is_empty_and_ours(redis_url: str) -> None:
    """A claimed Redis database is empty and is never the one with the claims."""
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")

    assert not redis_url.endswith("/0")


@pytest.mark.case("H4")
@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_no_test_leaves_this_machine(address: str) -> None:
    """A connection to another machine is an error that no product code catches."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    with socket.socket(family) as connection:
        connection.settimeout(0.1)

        with pytest.raises(RuntimeError, match="loopback"):
            connection.connect((address, 443))


def test_a_page_of_an_app_opens_in_the_browser(
    serve: cabc.Callable[[flask.Flask], str], page: playwright.sync_api.Page
) -> None:
    """An app on a loopback port is seen by a real browser."""
    host = flask.Flask(__name__)
    host.add_url_rule("/", view_func=lambda: "<h1>Here</h1>")
    page.goto(serve(host))

    assert page.text_content("h1") == "Here"


def run_pytest(**environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on nothing but its start, with servers where there are none."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p"]
    closed = {"TEST_MARIADB": "mysql+pymysql://root@127.0.0.1:9/"}
    return subprocess.run(
        [*command, "no:cacheprovider", __file__],
        cwd=ROOT,
        env={**os.environ, **closed, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_missing_server_is_named_in_the_summary() -> None:
    """Without a server the tests leave it out and the summary says so."""
    result = run_pytest(TEST_SERVERS="auto")

    assert result.returncode == 0
    assert "MariaDB: TEST_MARIADB does not answer" in result.stdout
    assert "[mariadb-1]" not in result.stdout


def test_a_demanded_server_that_is_missing_stops_the_run() -> None:
    """With TEST_SERVERS=require a missing server is an error, never a skip."""
    result = run_pytest(TEST_SERVERS="require")

    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "MariaDB: TEST_MARIADB does not answer" in result.stderr


def test_demanded_frameworks_that_are_missing_stop_the_run() -> None:
    """With TEST_FRAMEWORKS=require a missing one is an error, never a skip."""
    if frameworks.trouble() is None:
        pytest.skip("They are all here.")

    result = run_pytest(TEST_FRAMEWORKS="require", TEST_SERVERS="off")

    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "Frameworks: no agents" in result.stderr


def test_a_demanded_browser_that_is_missing_stops_the_run() -> None:
    """With TEST_BROWSER=require a missing Chromium is an error, never a skip."""
    result = run_pytest(TEST_BROWSER="require", TEST_SERVERS="off", PATH="/nowhere")

    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "Chromium: no 'chromium' on PATH" in result.stderr
