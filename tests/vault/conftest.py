"""Fixtures of the vault's tests."""

from __future__ import annotations

import collections.abc as cabc

import pytest
import sqlalchemy as sa

from tests.support.vault_room import insert_company
from tests.support.vault_room import open_memory_room
from tests.support.vault_room import open_room
from tests.support.vault_room import Room


@pytest.fixture
def room(database_url: str) -> cabc.Iterator[Room]:
    """A vault on each database that answers."""
    with open_room(database_url) as room:
        yield room


@pytest.fixture
def sqlite_room(sqlite_url: str) -> cabc.Iterator[Room]:
    """A vault on a SQLite file alone."""
    with open_room(sqlite_url) as room:
        yield room


@pytest.fixture
def memory_room() -> cabc.Iterator[Room]:
    """A vault in the host's only connection."""
    with open_memory_room() as room:
        yield room


@pytest.fixture
def contested(room: Room) -> cabc.Iterator[tuple[Room, sa.Connection]]:
    """A company whose row the host has updated and not committed."""
    room.database.try_write(insert_company(room, fallback="auto"))

    with room.host.connect() as connection:
        connection.execute(sa.update(room.tables.company).values(fallback="host"))
        yield room, connection
