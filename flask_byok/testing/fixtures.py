"""pytest fixtures for host apps.

Put ``pytest_plugins = ["flask_byok.testing.fixtures"]`` into your ``conftest.py``.
"""

from __future__ import annotations

import collections.abc as cabc
import pathlib

import pytest

from .leaks import LeakGuard
from .leaks import make_canary
from .leaks.sinks import USUAL
from .server import Simulator

_GUARD = pytest.StashKey[LeakGuard]()


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
    _byok_simulator_server.clear_vendors()


@pytest.fixture
def leak_guard(request: pytest.FixtureRequest) -> cabc.Iterator[LeakGuard]:
    """Give a guard with a canary key of this test's own, listening already.

    Attach your app, send ``leak_guard.canary`` through it as an API key, and the test
    fails when a piece of it comes to light anywhere. Verifies at the end of the test,
    unless the test did so itself.
    """
    guard = LeakGuard(make_canary(request.node.nodeid), own_code=[_own_code(request)])
    guard.require(*USUAL)
    request.node.stash[_GUARD] = guard

    with guard.listening():
        yield guard

    if not guard.is_verified:
        guard.verify()


def _own_code(request: pytest.FixtureRequest) -> pathlib.Path:
    """Find the folder of all tests: their frames hold the key, and nobody sees them."""
    root, path = request.config.rootpath, request.path

    if root not in path.parents:
        return path

    return root / path.relative_to(root).parts[0]


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> cabc.Generator[None, object, object]:
    """Read along with the streams of the test itself, ``capsys`` and its like."""
    guard = item.stash.get(_GUARD, None)

    if guard is None:
        return (yield)

    with guard.reading_output():
        return (yield)
