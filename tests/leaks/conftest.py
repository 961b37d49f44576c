"""A host app with its page, a canary key, and a guard that stands at every sink."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import pytest

from flask_byok.testing import LeakGuard
from flask_byok.testing.fixtures import _byok_simulator_server as _byok_simulator_server
from flask_byok.testing.fixtures import byok_simulator as byok_simulator
from flask_byok.testing.fixtures import leak_guard as leak_guard
from flask_byok.testing.fixtures import pytest_runtest_call as pytest_runtest_call
from flask_byok.testing.leaks import SINKS
from tests.web.conftest import Host
from tests.web.conftest import make_host as make_host
from tests.web.conftest import MakeHost


@pytest.fixture
def guard(leak_guard: LeakGuard) -> LeakGuard:
    """A guard that insists on every sink there is."""
    leak_guard.require(*SINKS)
    return leak_guard


@pytest.fixture
def reporting(guard: LeakGuard) -> cabc.Iterator[None]:
    """A Sentry client beside the guard.

    Not where a key comes in the wrong field or in an address: the SDK reports the
    request as the browser sent it, and knows names of fields alone.
    """
    with guard.reporting():
        yield


@pytest.fixture
def canary(guard: LeakGuard) -> str:
    """A key that is different in each test and the same in each run."""
    return guard.canary


@pytest.fixture
def watched(make_host: MakeHost, guard: LeakGuard) -> cabc.Callable[..., Host]:
    """Make hosts under watch: made while the guard listens, so that engines log."""

    def make(**settings: t.Any) -> Host:
        host = make_host(**settings)
        guard.attach(host.app)
        guard.attach_simulator(host.simulator)
        return host

    return make


@pytest.fixture
def host(watched: cabc.Callable[..., Host]) -> Host:
    """A host under watch, with the usual settings."""
    return watched()
