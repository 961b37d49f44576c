"""A host app and a runner for its commands."""

from __future__ import annotations

import collections.abc as cabc

import pytest
from click.testing import Result

from flask_byok.testing import Simulator
from flask_byok.testing.fixtures import _byok_simulator_server as _byok_simulator_server
from flask_byok.testing.fixtures import byok_simulator as byok_simulator
from tests.support.host import close_host
from tests.support.host import GOOD
from tests.support.host import Host
from tests.support.host import make_host


@pytest.fixture
def host(sqlite_url: str, byok_simulator: Simulator) -> cabc.Iterator[Host]:
    made = make_host(sqlite_url, byok_simulator)
    yield made
    close_host(made)


@pytest.fixture
def run(host: Host) -> cabc.Callable[..., Result]:
    def run_command(*arguments: str, answer: str | None = None) -> Result:
        runner = host.app.test_cli_runner()
        return runner.invoke(args=["byok", *arguments], input=answer)

    return run_command


@pytest.fixture
def saved(host: Host) -> Host:
    with host.app.app_context():
        host.byok.save_key(1, "OPENAI", GOOD)

    return host
