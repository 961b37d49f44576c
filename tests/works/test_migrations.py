"""Flask-Migrate finds our tables, makes them, and brings older ones up to date."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import json
import logging
import pathlib
import re
import typing as t

import flask
import flask_migrate
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from flask_byok.masterkeys import generate
from flask_byok.testing import Simulator
from flask_byok.vault.models import build_tables
from tests.support import examples
from tests.support.first_schema import first_metadata
from tests.support.host import GOOD

pytestmark = pytest.mark.filterwarnings(
    # Its environment asks for the engine as an older Flask-SQLAlchemy named it.
    "ignore:'get_engine' is deprecated:DeprecationWarning"
)


class Host:
    """The app of the page, and its migrations in a folder."""

    def __init__(self, folder: pathlib.Path) -> None:
        names: dict[str, t.Any] = {"__name__": "migrated"}
        (block,) = examples.section("works-with.md", "Flask-Migrate")
        examples.run(block, names)
        self.db, self.byok = names["db"], names["byok"]
        self.app: flask.Flask = names["create_app"]()
        self.folder = folder / "migrations"

    def run(self, command: str, **options: t.Any) -> None:
        """Run ``flask db …``."""
        with self.app.app_context():
            getattr(flask_migrate, command)(directory=str(self.folder), **options)

    def difference(self, metadata: sa.MetaData) -> list[t.Any]:
        """List what a migration would still have to do to reach ``metadata``."""
        options = {
            "include_name": lambda name, kind, parents: name != "alembic_version"
        }

        with self.app.app_context(), self.db.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts=options)
            return t.cast("list[t.Any]", compare_metadata(context, metadata))

    def tables(self) -> set[str]:
        """Name the tables there are."""
        with self.app.app_context():
            return set(sa.inspect(self.db.engine).get_table_names())

    def close(self) -> None:
        """Give every connection back."""
        with self.app.app_context():
            self.byok.state.database.close()
            self.byok.state.sender.close()
            self.db.engine.dispose()


@pytest.fixture
def kept_loggers() -> cabc.Iterator[None]:
    """Undo what the generated ``env.py`` does to all loggers of the process."""
    root = logging.getLogger()
    loggers = [logging.getLogger(name) for name in list(root.manager.loggerDict)]
    before = [(logger, logger.disabled) for logger in loggers]
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level

    for logger, was_disabled in before:
        logger.disabled = was_disabled


@pytest.fixture
def host(
    bare_database_url: str,
    byok_simulator: Simulator,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    kept_loggers: None,
) -> cabc.Iterator[Host]:
    """Give the app of the page on an empty database."""
    monkeypatch.setenv("FLASK_SECRET_KEY", "not-a-real-secret")
    monkeypatch.setenv("FLASK_SQLALCHEMY_DATABASE_URI", bare_database_url)
    monkeypatch.setenv("FLASK_BYOK_MASTER_KEYS", f"k001:{generate()}")
    monkeypatch.setenv("FLASK_BYOK_PROVIDER_URLS", json.dumps(byok_simulator.urls))

    with contextlib.closing(Host(tmp_path)) as made:
        yield made


def test_from_nothing_and_back(host: Host) -> None:
    """The generated script runs both ways, and leaves nothing to do in between."""
    metadata = host.db.metadata
    assert len(metadata.tables) == 9
    host.run("init")
    host.run("migrate")
    host.run("upgrade")

    assert host.difference(metadata) == []
    (script,) = host.folder.glob("versions/*.py")
    assert "flask_byok" not in script.read_text("utf-8")

    with host.app.app_context():
        assert host.byok.save_key(1, "OPENAI", GOOD).saved
        assert host.byok.client_for(1).chat("hello").source == "company"

    host.run("downgrade")
    assert host.tables() == {"alembic_version"}


def test_from_the_first_schema(host: Host) -> None:
    """What the docs say after an update: stored keys stay, what is new is empty."""
    current, first = host.db.metadata, first_metadata()

    with host.app.app_context():
        host.db.create_all()
        assert host.byok.save_key(1, "OPENAI", GOOD, actor="ada").saved
        host.byok.set_policy(1, fallback="never")

        with host.db.engine.begin() as connection:
            take_back(connection, current, first)

    assert host.difference(first) == []
    before = rows(host, first)

    with host.app.app_context():
        missing = host.byok.state.store.missing_tables()

    assert {"byok_draft", "byok_usage_day", "byok_credential.reminded_days"} <= set(
        missing
    )

    host.run("init")
    host.run("migrate", message="Update flask-byok")
    host.run("upgrade")
    assert host.difference(current) == []
    assert rows(host, first) == before and before["byok_credential"]

    with host.app.app_context():
        assert host.byok.client_for(1).chat("hello").source == "company"
        assert host.byok.policy(1).fallback == "never"
        assert host.byok.save_key(1, "CLAUDE", GOOD).saved

    host.run("downgrade")
    assert host.difference(first) == []


def test_the_page_lists_what_came_since() -> None:
    """Each new table by its name, each new column of an older one with its table."""
    current, first = sa.MetaData(), first_metadata()
    build_tables(current)
    new = {}

    for name, table in current.tables.items():
        known = first.tables.get(name)
        columns = [] if known is None else set(table.c.keys()) - set(known.c.keys())

        if known is None or columns:
            new[name] = sorted(columns)

    text = (examples.ROOT / "docs" / "models-and-migrations.md").read_text("utf-8")
    listed = re.findall(r"^- (.+(?:\n  .+)*)", text, re.M)
    words = [re.findall("`([^`]+)`", line) for line in listed]
    assert {name: sorted(columns) for name, *columns in words} == new


def take_back(
    connection: sa.Connection, current: sa.MetaData, first: sa.MetaData
) -> None:
    """Make today's tables those of the first schema, with the rows in them."""
    quote = connection.dialect.identifier_preparer.quote

    for table in current.sorted_tables:
        if table.name not in first.tables:
            table.drop(connection)
            continue

        for column in set(table.c.keys()) - set(first.tables[table.name].c.keys()):
            statement = f"ALTER TABLE {table.name} DROP COLUMN {quote(column)}"
            connection.exec_driver_sql(statement)


def rows(host: Host, metadata: sa.MetaData) -> dict[str, list[t.Any]]:
    """Read every row of every table of a schema."""
    with host.app.app_context(), host.db.engine.connect() as connection:
        return {
            table.name: list(connection.execute(sa.select(table)))
            for table in metadata.sorted_tables
        }
