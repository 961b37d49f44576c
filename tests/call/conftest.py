"""A host app in an app context: on a SQLite file, or on every database."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t

import pytest

from flask_byok.testing import Simulator
from flask_byok.testing.fixtures import _byok_simulator_server as _byok_simulator_server
from flask_byok.testing.fixtures import byok_simulator as byok_simulator
from tests.support.calls import CallHost
from tests.support.calls import calling


@pytest.fixture
def host(sqlite_url: str, byok_simulator: Simulator) -> cabc.Iterator[CallHost]:
    """A host on a SQLite file."""
    with calling(sqlite_url, byok_simulator) as made:
        yield made


@pytest.fixture
def any_host(database_url: str, byok_simulator: Simulator) -> cabc.Iterator[CallHost]:
    """A host on each database."""
    with calling(database_url, byok_simulator) as made:
        yield made


@pytest.fixture
def make(
    sqlite_url: str, byok_simulator: Simulator
) -> cabc.Iterator[cabc.Callable[..., CallHost]]:
    """Make one host on a SQLite file with settings of its own."""
    with contextlib.ExitStack() as stack:

        def made(**config: t.Any) -> CallHost:
            return stack.enter_context(calling(sqlite_url, byok_simulator, **config))

        yield made
