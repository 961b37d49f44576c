"""Workers of one host app: real processes on one database and one simulator."""

from __future__ import annotations

import collections.abc as cabc
import contextlib

import pytest

from flask_byok.testing import Simulator
from flask_byok.testing.fixtures import _byok_simulator_server as _byok_simulator_server
from flask_byok.testing.fixtures import byok_simulator as byok_simulator
from tests.support.calls import CallHost
from tests.support.calls import calling
from tests.support.host import MASTER_KEYS
from tests.support.worker import Worker
from tests.support.worker import workers

Start = cabc.Callable[[int], list[Worker]]


@pytest.fixture
def host(database_url: str, byok_simulator: Simulator) -> cabc.Iterator[CallHost]:
    """The host in this process: it makes the tables and looks at the rows."""
    with calling(database_url, byok_simulator) as made:
        yield made


@pytest.fixture
def start(
    host: CallHost, database_url: str, byok_simulator: Simulator
) -> cabc.Iterator[Start]:
    """Start so many workers of that host."""
    config = {
        "SECRET_KEY": "not-a-real-secret",
        "BYOK_MASTER_KEYS": dict(MASTER_KEYS),
        "BYOK_PROVIDER_URLS": dict(byok_simulator.urls),
        "BYOK_SYSTEM_KEYS": {"OPENAI": "not-a-real-system-key-openai"},
        "BYOK_RATE_LIMIT": {},
    }

    with contextlib.ExitStack() as stack:
        yield lambda number: stack.enter_context(workers(number, database_url, config))
