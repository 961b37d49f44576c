"""Many callers in many processes share one monthly allowance."""

from __future__ import annotations

import collections

import pytest

from tests.support.calls import CallHost
from tests.support.host import MASTER_KEYS
from tests.support.host import SYSTEM
from tests.support.worker import workers


@pytest.mark.case("F11")
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_hundred_at_once_a_hundred_served(
    host: CallHost, database_url: str
) -> None:
    """Fifty threads in each of four processes: a hundred requests are sent."""
    config = {
        "SECRET_KEY": "not-a-real-secret",
        "BYOK_MASTER_KEYS": dict(MASTER_KEYS),
        "BYOK_PROVIDER_URLS": dict(host.simulator.urls),
        "BYOK_SYSTEM_KEYS": {"OPENAI": SYSTEM.format(provider="openai")},
        "BYOK_SYSTEM_BUDGET": {"requests": 100, "tokens": 10**9, "money": "1000"},
    }

    with workers(4, database_url, config) as crew:
        for worker in crew:
            worker.tell("crowd", threads=50)

        found = sum(
            (collections.Counter(worker.hear()) for worker in crew),
            collections.Counter(),
        )

    assert found["system"] == 100
    assert found["SystemBudgetExceeded"] + found["SystemKeyRefused"] == 100
    assert host.paid == "s" * 100
