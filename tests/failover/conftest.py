"""Fixtures of the failover room's tests."""

from __future__ import annotations

import collections.abc as cabc

import pytest

from tests.support.circuit_room import CircuitRoom
from tests.support.circuit_room import open_circuit_room
from tests.support.vault_room import open_room


@pytest.fixture
def room(database_url: str) -> cabc.Iterator[CircuitRoom]:
    """A stored key and its circuit, on each database that answers."""
    with open_room(database_url) as vault, open_circuit_room(vault) as room:
        yield room


@pytest.fixture
def sqlite_room(sqlite_url: str) -> cabc.Iterator[CircuitRoom]:
    """The same on a SQLite file alone."""
    with open_room(sqlite_url) as vault, open_circuit_room(vault) as room:
        yield room
