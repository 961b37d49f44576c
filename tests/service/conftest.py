"""A host app in an app context, on every database."""

from __future__ import annotations

import collections.abc as cabc

import pytest

from flask_byok.testing import Simulator
from flask_byok.testing.fixtures import _byok_simulator_server as _byok_simulator_server
from flask_byok.testing.fixtures import byok_simulator as byok_simulator
from tests.support.host import close_host
from tests.support.host import Host
from tests.support.host import make_host


@pytest.fixture
def host(database_url: str, byok_simulator: Simulator) -> cabc.Iterator[Host]:
    made = make_host(database_url, byok_simulator)

    with made.app.app_context():
        yield made

    close_host(made)
