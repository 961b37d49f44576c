"""The Celery recipe, run by a real worker over Redis as it is printed."""

from __future__ import annotations

import collections.abc as cabc
import contextvars
import os
import signal
import subprocess
import types
import uuid

import celery.exceptions
import pytest

from flask_byok import NoCompany
from flask_byok import SetupError
from tests.jobs.conftest import module
from tests.support import examples
from tests.support import queues
from tests.support.calls import CallHost
from tests.support.host import BETTER
from tests.support.host import GOOD
from tests.support.queues import Shop
from tests.support.waiting import wait_until

TEXT = "A long text about keys."
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def tasks(host: CallHost) -> cabc.Iterator[types.SimpleNamespace]:
    """The module of tasks, as the web process imports it."""
    printed = examples.blocks(queues.PAGE)[: queues.RQ]
    made = module("celery_tasks", host, *printed, queues.CELERY_EXTRAS)
    yield made
    made.celery.backend.client.close()
    made.celery.close()


@pytest.fixture
def worker(
    shop: Shop, tasks: types.SimpleNamespace
) -> cabc.Iterator[subprocess.Popen[str]]:
    """A worker with two children."""
    options = ("--pool", "prefork", "--concurrency", "2", "--loglevel", "info")
    quick = ("--without-gossip", "--without-mingle", "--without-heartbeat")

    with shop.running(
        "celery", "-A", "celery_tasks:celery", "worker", *options, *quick
    ) as it:
        yield it


def get(result: celery.result.AsyncResult) -> object:
    """Wait for what a task gave."""
    return result.get(timeout=30)


@pytest.mark.usefixtures("worker")
def test_a_task_runs_on_the_key_of_its_company(
    host: CallHost, tasks: types.SimpleNamespace
) -> None:
    """What a request sends is paid by the company of that request."""
    host.store()

    with host.app.test_request_context():
        result = tasks.summarise.delay(TEXT)

    assert get(result)["paid_by"] == "company"
    assert host.who_paid() == [GOOD]


@pytest.mark.usefixtures("worker")
def test_a_failing_company_key_falls_back_in_the_worker(
    host: CallHost, tasks: types.SimpleNamespace, shop: Shop
) -> None:
    """The system key serves, the ledger says so, the worker's receivers are told."""
    host.store()
    host.fail("revoked")
    result = tasks.summarise.delay(TEXT)

    assert get(result)["paid_by"] == "system"
    assert host.paid == "cs"
    assert [(row.source, row.state) for row in host.attempts()] == [
        ("company", "failed"),
        ("system", "done"),
    ]
    (told,) = shop.told("fallback_used")
    assert told["company_id"] == 1 and told["pid"] != os.getpid()
    assert len(shop.told("circuit_opened")) == 1
    assert "flashed" not in shop.log("celery")


@on_postgresql
@pytest.mark.usefixtures("worker")
def test_a_message_without_a_company_is_refused(
    host: CallHost, tasks: types.SimpleNamespace
) -> None:
    """Sent by something that knows no companies: no request is made, on no key."""
    result = tasks.celery.send_task("celery_tasks.summarise", [TEXT])

    with pytest.raises(NoCompany, match="carries no company"):
        get(result)

    assert host.who_paid() == []


@on_postgresql
def test_a_task_is_not_sent_for_nobody(
    host: CallHost, tasks: types.SimpleNamespace
) -> None:
    """Whoever sends it is told at once: nobody is logged in, or there is no app."""
    host.byok.company_loader(lambda: None)

    with pytest.raises(NoCompany, match="Nobody is calling"):
        tasks.summarise.delay(TEXT)

    assert tasks.celery.backend.client.llen("celery") == 0


@on_postgresql
@pytest.mark.usefixtures("worker")
def test_companies_are_never_mixed(
    host: CallHost, tasks: types.SimpleNamespace
) -> None:
    """Twenty tasks of two companies in two children: each on its own key."""
    keys = {1: GOOD, 2: BETTER}

    for company, api_key in keys.items():
        host.company = company
        host.store(api_key=api_key)

    results = []

    for number in range(20):
        with host.byok.as_company(number % 2 + 1):
            results.append(tasks.whose.delay(number % 2 + 1))

    answers = [get(result) for result in results]
    assert answers == [[n % 2 + 1, n % 2 + 1, "company"] for n in range(20)]
    assert sorted(host.who_paid()) == sorted([GOOD, BETTER] * 10)


@on_postgresql
@pytest.mark.usefixtures("worker")
def test_a_company_keeps_the_type_of_its_id(
    host: CallHost, tasks: types.SimpleNamespace
) -> None:
    """A UUID does not arrive as a text, which would name another company."""
    host.company = company = uuid.uuid4()
    host.store()
    result = tasks.summarise.delay(TEXT)

    assert get(result)["paid_by"] == "company"
    assert [row.company_id for row in host.attempts()] == [f"u:{company}"]


@on_postgresql
@pytest.mark.usefixtures("worker")
def test_a_retry_and_a_chain_keep_the_company(
    host: CallHost, tasks: types.SimpleNamespace
) -> None:
    """The worker itself sends both, where no request and no app context is."""
    results = []

    for company in (1, 2):
        with host.byok.as_company(company):
            chain = tasks.twice.s(company) | tasks.once_more.s()
            results.append(chain.apply_async())

    answers = [get(result) for result in results]
    assert answers == [[[n, n, "system"], [n, n, "system"]] for n in (1, 2)]
    assert (
        sorted(row.company_id for row in host.attempts()) == ["i:1"] * 3 + ["i:2"] * 3
    )


@on_postgresql
@pytest.mark.usefixtures("worker")
def test_a_rate_limited_task_is_tried_later(
    host: CallHost, tasks: types.SimpleNamespace
) -> None:
    """Where the policy keeps the system key back, the task waits for the company's."""
    host.store()
    host.byok.set_policy(1, fallback="never")
    host.fail("ratelimited_38s")
    result = tasks.summarise.delay(TEXT)

    wait_until(lambda: result.state != "PENDING", "the task was tried")
    assert result.state == "RETRY"
    assert host.paid == "c"


@on_postgresql
@pytest.mark.usefixtures("worker")
def test_each_child_has_connections_of_its_own(
    host: CallHost, tasks: types.SimpleNamespace
) -> None:
    """The parent used the database before it forked; no child uses that connection."""
    host.store()

    with host.simulator.holding("OPENAI") as hold:
        results = [tasks.where.delay() for _ in range(2)]
        hold.wait_for(2)

    (parent, one), (_, other) = (get(result) for result in results)
    assert len({one["pid"], other["pid"], parent["pid"]}) == 3
    assert len({one["connection"], other["connection"], parent["connection"]}) == 3


@on_postgresql
def test_a_worker_killed_in_mid_call_is_charged_by_the_sweep(
    host: CallHost, tasks: types.SimpleNamespace, worker: subprocess.Popen[str]
) -> None:
    """``kill -9`` while the provider answers: the row stands, ``sweep`` settles it."""
    with host.simulator.holding("OPENAI") as hold:
        result = tasks.summarise.delay(TEXT)
        hold.wait_for(1)

        for child in queues.children(worker.pid):
            os.kill(child, signal.SIGKILL)

    with pytest.raises(celery.exceptions.WorkerLostError):
        get(result)

    (row,) = host.attempts()
    assert (row.source, row.state) == ("system", "started")
    host.move_clock(days=1)
    ledger = host.byok.state.desk.ledger
    assert ledger.sweep(host.byok.state.store.read_state("i:1").now()) == 1
    (row,) = host.attempts()
    assert row.state == "unknown" and row.est_tokens > 0
    assert ledger.sweep(host.byok.state.store.read_state("i:1").now()) == 0


@on_postgresql
def test_a_schedule_knows_no_company_by_itself(
    host: CallHost, tasks: types.SimpleNamespace
) -> None:
    """Outside every app context, as in *beat*, a task without a header is refused."""
    delay = tasks.summarise.delay

    with pytest.raises(SetupError, match="no app here"):
        contextvars.Context().run(delay, TEXT)
