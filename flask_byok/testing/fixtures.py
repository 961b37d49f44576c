"""pytest fixtures for host apps.

Put ``pytest_plugins = ["flask_byok.testing.fixtures"]`` into your ``conftest.py``.
"""

from __future__ import annotations

import collections.abc as cabc

import pytest

from .server import Simulator


@pytest.fixture(scope="session")
def _byok_simulator_server() -> cabc.Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def byok_simulator(_byok_simulator_server: Simulator) -> cabc.Iterator[Simulator]:
    """Give the providers' simulator, without faults and without requests."""
    _byok_simulator_server.clear()
    _byok_simulator_server.clear_faults()
    yield _byok_simulator_server
    _byok_simulator_server.clear_faults()
