"""A host app with its page, a canary key, and a guard that listens."""

from __future__ import annotations

import collections.abc as cabc
import logging
import typing as t

import pytest

from flask_byok.testing.fixtures import _byok_simulator_server as _byok_simulator_server
from flask_byok.testing.fixtures import byok_simulator as byok_simulator
from tests.support.leaks import Guard
from tests.support.leaks import make_canary
from tests.web.conftest import Host
from tests.web.conftest import make_host as make_host
from tests.web.conftest import MakeHost

#: What SQLAlchemy says of its statements and rows when it is told to echo.
_ECHO: t.Final = ("sqlalchemy.engine", "sqlalchemy.pool")


@pytest.fixture
def canary(request: pytest.FixtureRequest) -> str:
    """A key that is different in each test and the same in each run."""
    return make_canary(request.node.nodeid)


@pytest.fixture
def guard(canary: str) -> cabc.Iterator[Guard]:
    """A guard that hears every log record of the test."""
    made = Guard(canary)
    before = {name: logging.getLogger(name).level for name in _ECHO}

    for name in _ECHO:
        logging.getLogger(name).setLevel(logging.DEBUG)

    with made.listening():
        yield made

    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def host(make_host: MakeHost, guard: Guard) -> Host:
    """A host made while the guard listens: its engines log what they do."""
    return make_host()
