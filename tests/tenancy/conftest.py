"""Hosts with many companies."""

from __future__ import annotations

import collections.abc as cabc

import pytest

from flask_byok.testing import Simulator
from flask_byok.testing.fixtures import _byok_simulator_server as _byok_simulator_server
from flask_byok.testing.fixtures import byok_simulator as byok_simulator
from tests.support.calls import CallHost
from tests.support.calls import calling


@pytest.fixture
def host(database_url: str, byok_simulator: Simulator) -> cabc.Iterator[CallHost]:
    """A host on each database."""
    with calling(database_url, byok_simulator) as made:
        yield made


@pytest.fixture
def sqlite_host(sqlite_url: str, byok_simulator: Simulator) -> cabc.Iterator[CallHost]:
    """A host on a SQLite file."""
    with calling(sqlite_url, byok_simulator) as made:
        yield made
