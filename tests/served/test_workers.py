"""Workers of gunicorn, threads and greenlets: one circuit for all of them."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import datetime as dt
import typing as t

import pytest

from tests.served.conftest import config_of
from tests.served.conftest import NEW_KEY
from tests.served.conftest import Stage
from tests.support.calls import calling
from tests.support.calls import COMPANY
from tests.support.host import GOOD
from tests.support.served import ends
from tests.support.served import ServerFailed
from tests.support.waiting import wait_until

Told = dict[str, t.Any]
QUARTER: t.Final = 900.0


def let_fail_once(stage: Stage, fault: str = "revoked") -> None:
    """Let one call find out that the company's key is out."""
    stage.host.fail(fault, times=1)
    assert stage.served.ask("chat", **stage.order())["source"] == "system"
    assert stage.host.paid == "cs"
    stage.begin()


@pytest.mark.fault(2, got="answer", served="c0 s50")
def test_fifty_calls_in_four_workers_spare_a_rejected_key(stage: Stage) -> None:
    """One call learns it; the next fifty ask the company's key no more."""
    stage.host.store()
    let_fail_once(stage)
    assert ends(stage.served.ask_often([stage.order()] * 50)) == {"system": 50}
    assert stage.host.paid == "s" * 50


@pytest.mark.fault(41, got="answer", served="c1 s39")
def test_forty_meet_an_open_circuit_and_one_probes(stage: Stage) -> None:
    """Ten in each of four workers: one asks the company's key, 39 the app's."""
    stage.host.store()
    let_fail_once(stage)
    stage.served.move_clock(1200)
    told = probe_among_forty(stage)
    assert ends(told) == {"company": 1, "system": 39}
    assert collections.Counter(stage.host.paid) == {"c": 1, "s": 39}
    assert len({one["pid"] for one in told}) == 4
    stage.see_in_rows(lambda: stage.host.circuit().circuit == "closed", "it is closed")


def probe_among_forty(stage: Stage, **more: t.Any) -> list[Told]:
    """Let forty call at once and the provider wait until 39 are served."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with stage.host.simulator.holding("OPENAI", COMPANY) as hold:
            met = pool.submit(stage.served.meet, stage.order(**more))
            hold.wait_for(1)
            wait_until(lambda: stage.system_requests() >= 39, "39 served")

        return met.result(60)


@pytest.mark.fault(44, got="answer", served="c41 s0", when="then every worker")
def test_after_the_probe_every_worker_is_back(stage: Stage) -> None:
    """The next call of each worker runs on the company's key; it was told once."""
    stage.host.store()
    let_fail_once(stage)
    stage.served.move_clock(1200)
    assert stage.served.ask("chat", **stage.order())["source"] == "company"
    assert ends(stage.served.meet(stage.order())) == {"company": 40}
    assert stage.host.paid == "c" * 41
    assert stage.host.actions().count("fallback_ended") == 1


@pytest.mark.fault(53, got="answer", served="c1 s39")
def test_a_blocked_model_is_tried_by_one(stage: Stage) -> None:
    """The pause of one model is over: one of forty tries it."""
    stage.host.store()
    let_fail_once(stage, "ratelimited_38s")
    stage.served.move_clock(60)
    assert ends(probe_among_forty(stage)) == {"company": 1, "system": 39}
    assert collections.Counter(stage.host.paid) == {"c": 1, "s": 39}


@pytest.mark.fault(42, got="answer, connection lost", served="c2 s40")
def test_a_killed_prober_is_replaced_after_its_lease(stage: Stage) -> None:
    """``kill -9`` in mid-probe: nobody probes within its lease, one call after it."""
    stage.host.store()
    let_fail_once(stage)
    stage.served.move_clock(1200)

    stage.kill_in_mid_call(COMPANY)
    assert stage.host.paid == "c"
    # The dead worker's heir is among them.
    assert ends(stage.served.meet(stage.order())) == {"system": 40}
    assert stage.host.paid == "s" * 40
    stage.settle()
    stage.served.move_clock(1200 + 91)
    assert stage.served.ask("chat", **stage.order())["source"] == "company"
    assert stage.host.circuit().circuit == "closed"


@pytest.mark.fault(50, got="answer", served="c0 s40")
def test_a_worker_with_a_wrong_clock_changes_no_pause(stage: Stage) -> None:
    """Worker 2 is two hours ahead: its pauses are as long, and it obeys the others'."""
    stage.host.store()
    stage.host.fail("revoked")
    pid = open_in_worker(stage, 2)
    rest = stage.host.rest(t.cast("dt.datetime", stage.host.circuit().open_until))
    assert 0.88 * QUARTER < rest <= 1.1 * QUARTER
    stage.begin()
    told = stage.served.meet(stage.order())
    assert ends(told) == {"system": 40}
    assert [one["pid"] for one in told].count(pid) == 10
    assert set(stage.host.paid) == {"s"}


def open_in_worker(stage: Stage, number: int) -> int:
    """Let new companies' keys fail until the call of one is made in that worker."""
    for _ in range(60):
        told = stage.served.ask("chat", **stage.order())
        assert told["source"] == "system" and "c" in stage.host.paid

        if told["number"] == number:
            return int(told["pid"])

        stage.take_company()
        stage.host.fail(None)
        stage.host.store()
        stage.host.fail("revoked")

    raise AssertionError(f"Worker {number} took no call.")


@pytest.mark.fault(59, got="answer", served="c30 s10")
def test_a_worker_without_the_new_master_key_stands_alone(stage: Stage) -> None:
    """One of four cannot open a key: its calls fall back, and the circuit is closed."""
    stage.host.store()
    seal_anew(stage)
    stage.begin()
    told = stage.served.meet(stage.order())
    assert {one["number"] for one in told if one["source"] == "system"} == {1}
    assert ends(told) == {"company": 30, "system": 10}
    assert collections.Counter(stage.host.paid) == {"c": 30, "s": 10}
    assert stage.host.circuit().circuit == "closed"


def seal_anew(stage: Stage) -> None:
    """Replace the company's key from a host whose primary is the new master key."""
    url = stage.host.app.config["SQLALCHEMY_DATABASE_URI"]
    simulator = stage.host.simulator
    config = config_of(simulator, BYOK_PRIMARY_KEY_ID=next(iter(NEW_KEY)))

    with calling(url, simulator, **config) as other:
        other.company = stage.host.company
        other.store(api_key=GOOD)


@pytest.mark.fault(63, got="the beginning", served="c0 s2", when="of gunicorn")
def test_two_streams_whose_readers_leave_are_closed(stage: Stage) -> None:
    """The request to the provider ends with them, and both are booked as such."""
    stage.host.simulator.pace = 0.05
    words = " ".join(f"word{number}" for number in range(400))

    with contextlib.ExitStack() as stack:
        for _ in range(2):
            order = stage.order(prompt=f"Reply with: {words}")
            answer = stack.enter_context(stage.served.streaming(**order))
            assert b"word0" in answer.readline()
            stage.served.heard.append("the beginning")

        assert stage.host.simulator.in_flight == 2

    wait_until(lambda: stage.host.simulator.in_flight == 0, "the provider is left")
    ends_of = ["cancelled"] * 2
    stage.see_in_rows(
        lambda: [row.state for row in stage.attempts()] == ends_of, "both are booked"
    )


@pytest.mark.fault(83, got="answer", served="c0 s40", when="workers of gunicorn")
def test_each_worker_has_connections_of_its_own(stage: Stage) -> None:
    """No two processes speak to the database over one connection."""
    assert ends(stage.served.meet(stage.order())) == {"system": 40}
    told = stage.served.meet({}, "whoami")
    owners = collections.defaultdict(set)

    for one in told:
        owners[one["connection"]].add(one["pid"])

    if stage.database != "sqlite":  # a connection to a file has no number
        assert len(owners) >= 4
        assert all(len(pids) == 1 for pids in owners.values())


def test_a_worker_that_fails_says_so(stage: Stage) -> None:
    """The clients here do not take an error page for an answer."""
    with pytest.raises(ServerFailed, match="500"):
        stage.served.ask("chat", prompt="a call of no company")
