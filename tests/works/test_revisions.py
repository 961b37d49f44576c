"""The revisions of the page about upgrading lead from the first schema to today's."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import importlib.util
import re
import types
import typing as t

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations

from flask_byok.vault.models import build_tables
from tests.support.examples import DOCS
from tests.support.first_schema import first_metadata

FILES = sorted((DOCS / "revisions").glob("r*.py"))

REMEDY = (
    "The tables changed. Add a revision to docs/revisions, name it on "
    "docs/upgrading.md, and list what is new on docs/models-and-migrations.md."
)


@pytest.fixture
def connection(bare_database_url: str) -> cabc.Iterator[sa.Connection]:
    """Give a connection to an empty database."""
    engine = sa.create_engine(bare_database_url)

    with contextlib.closing(engine.connect()) as made:
        yield made

    engine.dispose()


def revisions() -> list[types.ModuleType]:
    """Import the files, in their order."""
    modules = []

    for path in FILES:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        modules.append(importlib.util.module_from_spec(spec))
        spec.loader.exec_module(modules[-1])

    return modules


def difference(connection: sa.Connection, metadata: sa.MetaData) -> list[t.Any]:
    """List what would still have to be done to reach ``metadata``."""
    context = MigrationContext.configure(connection)
    return t.cast("list[t.Any]", compare_metadata(context, metadata))


def test_they_lead_to_the_tables_of_today_and_back(connection: sa.Connection) -> None:
    """Up one after another there is nothing left to do; down, neither."""
    first, current = first_metadata(), sa.MetaData()
    build_tables(current)
    first.create_all(connection)

    with Operations.context(MigrationContext.configure(connection)):
        for module in revisions():
            module.upgrade()

        assert difference(connection, current) == [], REMEDY

        for module in reversed(revisions()):
            module.downgrade()

        assert difference(connection, first) == []

    connection.rollback()


def test_they_stand_in_a_row_on_the_page() -> None:
    """Each follows the one before, imports nothing of ours, and is printed."""
    modules = revisions()
    page = (DOCS / "upgrading.md").read_text("utf-8")
    before = [None, *(module.revision for module in modules)]

    assert [module.down_revision for module in modules] == before[:-1]
    assert re.findall(r"\{literalinclude\} (revisions/.+)", page) == [
        f"revisions/{path.name}" for path in FILES
    ]
    assert not any("import flask_byok" in path.read_text("utf-8") for path in FILES)
