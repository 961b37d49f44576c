"""The RQ recipe, run by real workers over Redis as it is printed."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import os
import signal
import subprocess
import types

import pytest
import redis
import rq

from flask_byok import NoCompany
from tests.jobs.conftest import module
from tests.support import examples
from tests.support import queues
from tests.support.calls import CallHost
from tests.support.host import BETTER
from tests.support.host import GOOD
from tests.support.queues import Shop

TEXT = "A long text about keys."
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def recipe(host: CallHost) -> types.SimpleNamespace:
    """The module of jobs, as the web process imports it."""
    blocks = examples.blocks(queues.PAGE)[queues.RQ : queues.THREAD]
    return module("rq_jobs", host, *blocks)


@pytest.fixture
def queue(recipe: types.SimpleNamespace, redis_url: str) -> cabc.Iterator[rq.Queue]:
    """A queue whose jobs carry their company."""
    with redis.Redis.from_url(redis_url) as connection:
        yield rq.Queue("ai", connection=connection, job_class=recipe.CompanyJob)


@pytest.fixture
def start(
    shop: Shop, redis_url: str
) -> cabc.Iterator[cabc.Callable[..., subprocess.Popen[str]]]:
    """Start a worker that leaves when the queue is empty."""
    with contextlib.ExitStack() as stack:

        def run(*more: str) -> subprocess.Popen[str]:
            command = ("rq.cli", "worker", "--burst", "--url", redis_url, *more, "ai")
            return stack.enter_context(shop.running(*command))

        yield run


WITH_COMPANY = ("--job-class", "rq_jobs.CompanyJob")


def result_of(job: rq.job.Job) -> object:
    """Read what a job gave, or the last line of its trouble."""
    result = job.latest_result()
    assert result is not None
    text = result.exc_string
    return result.return_value if text is None else text.strip().splitlines()[-1]


@on_postgresql
def test_a_job_runs_on_the_key_of_its_company(
    host: CallHost,
    queue: rq.Queue,
    start: cabc.Callable[..., subprocess.Popen[str]],
) -> None:
    """Ten jobs of two companies, two workers: each job on its own company's key."""
    for company, api_key in ((1, GOOD), (2, BETTER)):
        host.company = company
        host.store(api_key=api_key)

    jobs = []

    for number in range(10):
        with host.byok.as_company(number % 2 + 1):
            jobs.append(queue.enqueue("shop.whose", number % 2 + 1))

    workers = [start(*WITH_COMPANY) for _ in range(2)]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert [result_of(job) for job in jobs] == [
        [n % 2 + 1, n % 2 + 1, "company"] for n in range(10)
    ]
    assert sorted(host.who_paid()) == sorted([GOOD, BETTER] * 5)


@on_postgresql
def test_a_failing_company_key_falls_back_in_the_worker(
    host: CallHost,
    queue: rq.Queue,
    start: cabc.Callable[..., subprocess.Popen[str]],
    shop: Shop,
) -> None:
    """The system key serves, the ledger says so, the worker's receivers are told."""
    host.store()
    host.fail("revoked")
    job = queue.enqueue("rq_jobs.summarise", TEXT)

    assert start(*WITH_COMPANY).wait(60) == 0
    assert result_of(job)["paid_by"] == "system"
    assert host.paid == "cs"
    assert [row.source for row in host.attempts()] == ["company", "system"]
    assert [told["company_id"] for told in shop.told("fallback_used")] == [1]


@on_postgresql
def test_a_retry_is_the_same_companys(
    host: CallHost,
    queue: rq.Queue,
    start: cabc.Callable[..., subprocess.Popen[str]],
) -> None:
    """The provider fails for both keys at first; the second run is answered."""
    host.store()
    host.fail("outage", times=2, keys=None)
    job = queue.enqueue("rq_jobs.summarise", TEXT, retry=rq.Retry(max=1))

    assert start(*WITH_COMPANY).wait(60) == 0
    assert result_of(job)["paid_by"] == "company"
    assert host.paid == "csc"


@on_postgresql
def test_a_job_without_a_company_is_refused(
    host: CallHost,
    queue: rq.Queue,
    start: cabc.Callable[..., subprocess.Popen[str]],
) -> None:
    """Made by something that knows no companies: no request is made, on no key."""
    plain = rq.Queue("ai", connection=queue.connection)
    job = plain.enqueue("rq_jobs.summarise", TEXT)

    assert start(*WITH_COMPANY).wait(60) == 0
    assert "NoCompany: This job carries no company" in str(result_of(job))
    assert host.who_paid() == []


@on_postgresql
def test_a_worker_without_the_class_is_refused(
    host: CallHost,
    queue: rq.Queue,
    start: cabc.Callable[..., subprocess.Popen[str]],
) -> None:
    """A forgotten ``--job-class`` never runs on the system key in silence."""
    job = queue.enqueue("rq_jobs.summarise", TEXT)

    assert start().wait(60) == 0
    assert "SetupError: There is no app here" in str(result_of(job))
    assert host.who_paid() == []


@on_postgresql
def test_a_job_is_not_made_for_nobody(host: CallHost, queue: rq.Queue) -> None:
    """Whoever makes it is told at once."""
    host.byok.company_loader(lambda: None)

    with pytest.raises(NoCompany, match="Nobody is calling"):
        queue.enqueue("rq_jobs.summarise", TEXT)

    assert queue.count == 0


@on_postgresql
def test_a_forked_job_has_connections_of_its_own(
    queue: rq.Queue, start: cabc.Callable[..., subprocess.Popen[str]]
) -> None:
    """The worker used the database before it forked; no job uses that connection."""
    jobs = [queue.enqueue("shop.where") for _ in range(2)]

    assert start(*WITH_COMPANY).wait(60) == 0
    places = [place for job in jobs for place in result_of(job)]
    assert len({place["pid"] for place in places}) == 3
    assert len({place["connection"] for place in places}) == 3


@on_postgresql
def test_a_job_killed_in_mid_call_is_charged_by_the_sweep(
    host: CallHost,
    queue: rq.Queue,
    start: cabc.Callable[..., subprocess.Popen[str]],
) -> None:
    """``kill -9`` while the provider answers: the row stands, ``sweep`` settles it."""
    with host.simulator.holding("OPENAI") as hold:
        queue.enqueue("rq_jobs.summarise", TEXT)
        worker = start(*WITH_COMPANY)
        hold.wait_for(1)
        (horse,) = queues.children(worker.pid)
        os.kill(horse, signal.SIGKILL)
        assert worker.wait(60) == 0

    (row,) = host.attempts()
    assert (row.source, row.state) == ("system", "started")
    host.move_clock(days=1)
    now = host.byok.state.store.read_state("i:1").now()
    assert host.byok.state.desk.ledger.sweep(now) == 1
    (row,) = host.attempts()
    assert row.state == "unknown" and row.est_tokens > 0
