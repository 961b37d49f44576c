"""Checks of keys are counted by all workers together where they share a Redis."""

from __future__ import annotations

import collections
import collections.abc as cabc
import contextlib
import typing as t

import pytest

from tests.support.calls import CallHost
from tests.support.host import MASTER_KEYS
from tests.support.worker import Worker
from tests.support.worker import workers

Start = cabc.Callable[..., list[Worker]]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def start_with(host: CallHost, database_url: str) -> cabc.Iterator[Start]:
    """Start two workers with a storage for their counters."""

    def start(storage: str) -> list[Worker]:
        config: dict[str, t.Any] = {
            "SECRET_KEY": "not-a-real-secret",
            "BYOK_MASTER_KEYS": dict(MASTER_KEYS),
            "BYOK_PROVIDER_URLS": dict(host.simulator.urls),
            "BYOK_RATE_LIMIT": {"company": 5},
            "BYOK_RATE_LIMIT_STORAGE": storage,
        }
        return stack.enter_context(workers(2, database_url, config))

    with contextlib.ExitStack() as stack:
        yield start


def answers(crew: list[Worker]) -> dict[str, int]:
    """Test the stored key four times on each worker, in turn."""
    return collections.Counter(w.ask("test") for _ in range(4) for w in crew)


@pytest.mark.case("E16")
def test_two_workers_on_one_redis_share_the_limit(
    host: CallHost, start_with: Start, redis_url: str
) -> None:
    """Five checks in a minute are five, however many processes there are."""
    host.store()
    found = answers(start_with(redis_url))
    assert found == {"working": 5, "CheckLimited": 3}


@pytest.mark.case("E16")
def test_without_it_each_worker_counts_alone(host: CallHost, start_with: Start) -> None:
    """What the documentation says of ``memory://``: each process for itself."""
    host.store()
    assert answers(start_with("memory://")) == {"working": 8}
