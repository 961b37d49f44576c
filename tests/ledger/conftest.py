"""Fixtures of the ledger's tests."""

from __future__ import annotations

import collections.abc as cabc

import pytest

from tests.support.ledger_room import LedgerRoom
from tests.support.vault_room import open_memory_room
from tests.support.vault_room import open_room


@pytest.fixture
def room(database_url: str) -> cabc.Iterator[LedgerRoom]:
    """A ledger's tables on each database that answers."""
    with open_room(database_url) as vault:
        yield LedgerRoom(vault)


@pytest.fixture
def sqlite_room(sqlite_url: str) -> cabc.Iterator[LedgerRoom]:
    """The same on a SQLite file alone."""
    with open_room(sqlite_url) as vault:
        yield LedgerRoom(vault)


@pytest.fixture
def memory_room() -> cabc.Iterator[LedgerRoom]:
    """The same in the host's only connection."""
    with open_memory_room() as vault:
        yield LedgerRoom(vault)
