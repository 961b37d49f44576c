"""Queues over Redis, and a host app that sends what the workers run."""

from __future__ import annotations

import collections.abc as cabc
import pathlib
import types
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok.testing import Simulator
from flask_byok.testing.fixtures import _byok_simulator_server as _byok_simulator_server
from flask_byok.testing.fixtures import byok_simulator as byok_simulator
from tests.support import examples
from tests.support import queues
from tests.support.calls import CallHost
from tests.support.calls import calling
from tests.support.host import MASTER_KEYS
from tests.support.queues import Shop

CONNECTION_ID = {
    "postgresql": "SELECT pg_backend_pid()",
    "mysql": "SELECT connection_id()",
    "sqlite": "SELECT 0",
}


@pytest.fixture
def host(
    database_url: str, redis_url: str, byok_simulator: Simulator
) -> cabc.Iterator[CallHost]:
    """The host in this process: it makes the tables, sends, and looks at the rows."""
    celery = {"broker_url": redis_url, "result_backend": redis_url}
    budget = {"tokens": 100_000}

    with calling(
        database_url, byok_simulator, CELERY=celery, BYOK_SYSTEM_BUDGET=budget
    ) as made:
        yield made


@pytest.fixture
def shop(host: CallHost, database_url: str, tmp_path: pathlib.Path) -> Shop:
    """The same app as the modules of a worker."""
    names = ("SECRET_KEY", "CELERY", "SQLALCHEMY_DATABASE_URI", "BYOK_RATE_LIMIT")
    names += ("BYOK_PROVIDER_URLS", "BYOK_SYSTEM_BUDGET")
    config = {name: host.app.config[name] for name in names}
    config["BYOK_MASTER_KEYS"] = dict(MASTER_KEYS)
    config["BYOK_SYSTEM_KEYS"] = {"OPENAI": "not-a-real-system-key-openai"}
    dialect = sa.make_url(database_url).get_backend_name()
    return queues.make_shop(tmp_path, config, CONNECTION_ID[dialect])


def module(name: str, host: CallHost, *blocks: str) -> types.SimpleNamespace:
    """Run blocks as the module that sends, with the app of this process."""
    names: dict[str, t.Any] = {"__name__": name, "app": host.app, "byok": host.byok}

    for block in blocks:
        examples.run(block, names)

    return types.SimpleNamespace(**names)
