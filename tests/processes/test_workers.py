"""What one worker process changes, the next call of every other obeys."""

from __future__ import annotations

import collections
import contextlib
import time
import typing as t

import pytest

from tests.processes.conftest import Start
from tests.support.calls import CallHost
from tests.support.host import BETTER
from tests.support.host import GOOD
from tests.support.worker import Worker

on = pytest.mark.parametrize("database_url", ["postgresql", "mariadb"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def all_say(crew: list[Worker], expected: dict[str, int]) -> None:
    """Let every worker make one call."""
    assert [worker.ask("chat") for worker in crew] == [expected] * len(crew)


@pytest.mark.case("F9", "G1")
@on_postgresql
def test_the_next_call_of_every_worker_obeys(host: CallHost, start: Start) -> None:
    """Saved, replaced, forbidden, removed on one worker: the others need no restart."""
    crew = start(4)
    all_say(crew, {"system": 1})
    assert crew[0].ask("save", api_key=GOOD)
    all_say(crew, {"company": 1})
    assert crew[1].ask("save", api_key=BETTER)
    host.simulator.clear()
    all_say(crew, {"company": 1})
    assert host.who_paid() == [BETTER] * 4
    host.fail("revoked", times=1)
    assert crew[2].ask("chat") == {"system": 1}
    host.simulator.clear()
    all_say(crew, {"system": 1})
    assert host.paid == "ssss"
    crew[3].ask("policy", fallback="never")
    all_say(crew, {"CompanyKeyUnavailable": 1})
    assert host.paid == ""
    crew[1].ask("remove")
    all_say(crew, {"system": 1})
    assert host.paid == "ssss"


@on
def test_a_rejected_key_is_spared_by_all(host: CallHost, start: Start) -> None:
    """One worker learns that a key is out; fifty calls in four ask it no more."""
    host.store()
    crew = start(4)
    host.fail("revoked")
    assert crew[0].ask("chat") == {"system": 1}
    assert host.paid == "cs"

    for worker in crew:
        worker.tell("chat", times=12)

    assert [worker.hear() for worker in crew] == [{"system": 12}] * 4
    assert host.paid == "s" * 48


def see_one_of_forty_try(host: CallHost, crew: list[Worker]) -> None:
    """Let ten threads of four workers call at once: one asks the company key."""
    host.simulator.clear()

    for worker in crew:
        worker.tell("crowd", threads=10)

    found = sum((collections.Counter(w.hear()) for w in crew), collections.Counter())
    assert found == {"system": 40}
    assert collections.Counter(host.paid) == {"c": 1, "s": 40}


@on
def test_one_prober_among_many(host: CallHost, start: Start) -> None:
    """Forty callers meet an open circuit that is due: one asks the company key."""
    host.store()
    crew = start(4)
    host.fail("revoked")
    crew[0].ask("chat")

    for worker in crew:
        worker.ask("move", seconds=1200)

    see_one_of_forty_try(host, crew)


@on
def test_one_prober_of_a_blocked_model(host: CallHost, start: Start) -> None:
    """The same for a model that was blocked: one of forty asks for it."""
    host.store()
    crew = start(4)
    host.fail("ratelimited_38s")
    crew[0].ask("chat")

    for worker in crew:
        worker.ask("move", seconds=60)

    see_one_of_forty_try(host, crew)


@on_postgresql
def test_a_killed_prober_is_replaced_after_its_lease(
    host: CallHost, start: Start
) -> None:
    """``kill -9`` in mid-probe: nobody probes before the lease ends, one after it."""
    host.store()
    prober, other = start(2)
    host.fail("revoked", times=1)
    prober.ask("chat")
    host.fail("hang")
    prober.ask("move", seconds=1200)
    other.ask("move", seconds=1200)
    host.simulator.clear()
    prober.tell("chat")
    wait_for_request(host)
    prober.process.kill()
    prober.process.wait(30)
    host.fail(None)
    host.simulator.clear()
    assert other.ask("chat") == {"system": 1}
    assert host.circuit().probe_token is not None
    other.ask("move", seconds=91)
    assert other.ask("chat") == {"company": 1}
    assert host.paid == "sc" and host.circuit().circuit == "closed"


def wait_for_request(host: CallHost) -> None:
    """Wait until the simulator holds a request: the prober is then in mid-call."""
    until = time.monotonic() + 30
    pause: t.Any = host.simulator.wait

    while host.simulator.in_flight == 0:
        assert time.monotonic() < until, "The prober sent nothing."

        with contextlib.suppress(TimeoutError):
            pause(0.01)
