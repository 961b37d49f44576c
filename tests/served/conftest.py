"""Host apps under gunicorn, four workers of ten threads or greenlets each.

The markers of faults are compared here, too: see ``Stage.begin`` and ``Stage.see``.
"""

from __future__ import annotations

import collections
import collections.abc as cabc
import concurrent.futures
import dataclasses
import itertools
import operator
import os
import signal
import typing as t

import pytest

from flask_byok.masterkeys import generate
from flask_byok.testing import Simulator
from flask_byok.testing.records import RecordedRequest
from tests.support import servers
from tests.support.calls import CallHost
from tests.support.calls import calling
from tests.support.host import MASTER_KEYS
from tests.support.served import Served
from tests.support.served import serving
from tests.support.waiting import wait_until

KINDS: t.Final = ("gthread", "gevent")
_ANSWER_FIRST: t.Final = operator.methodcaller("removeprefix", "answer")

#: Threads with SQLite and MariaDB, greenlets with PostgreSQL.
EVERY_TIME: t.Final = {
    ("gthread", servers.SQLITE),
    ("gthread", servers.MARIADB),
    ("gevent", servers.POSTGRESQL),
}

#: Every kind with every database; what is not among the above, at night.
PLACES: t.Final = [
    pytest.param(
        (kind, name),
        id=f"{kind}-{name}",
        marks=[] if (kind, name) in EVERY_TIME else [pytest.mark.nightly],
    )
    for name in servers.reachable_databases()
    for kind in KINDS
]

#: The second master key, which worker 1 was not given.
NEW_KEY: t.Final = {"k002": generate()}

#: Worker 2 believes it is two hours later than it is.
WRONG_CLOCK: t.Final = 7200


@dataclasses.dataclass
class Stage:
    """A host that is served, and the same host in this process, which looks at it."""

    kind: str
    database: str
    served: Served
    host: CallHost
    companies: cabc.Iterator[int]
    requests: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )

    def begin(self) -> None:
        """Forget what was seen: the fault begins now."""
        self.requests.clear()
        self.served.heard.clear()

    def count(self, request: RecordedRequest) -> None:
        """Count who paid for a request."""
        self.requests["s" if "system" in request.api_key else "c"] += 1

    def see(self, node: pytest.Item, number: int) -> None:
        """Hold what happened since the beginning against the fault's markers."""
        said = {
            (mark.kwargs["got"], mark.kwargs["served"])
            for mark in node.iter_markers("fault")
            if number in mark.args
        }
        got = ", ".join(sorted(set(self.served.heard), key=_ANSWER_FIRST))
        served = f"c{self.requests['c']} s{self.requests['s']}"
        assert said == {(got, served)}

    def order(self, **more: t.Any) -> dict[str, t.Any]:
        """Say what a call of the company in hand is."""
        return {"company": self.host.company, "prompt": "Say hello.", **more}

    def take_company(self) -> int:
        """Go over to a company that nobody used before."""
        self.host.company = next(self.companies)
        return self.host.company

    def attempts(self) -> list[t.Any]:
        """Read the ledger of the company in hand."""
        mine = f"i:{self.host.company}"
        return [row for row in self.host.attempts() if row.company_id == mine]

    def kill_in_mid_call(self, keys: str) -> None:
        """Kill a worker while a provider holds its one request with such a key."""
        self.served.gate.expect(1)
        met = {**self.order(), "meet": self.served.gate.url}

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            with self.host.simulator.holding("OPENAI", keys) as hold:
                call = pool.submit(self.served.ask, "chat", **met)
                hold.wait_for(1)
                os.kill(self.served.gate.pids[0], signal.SIGKILL)
                assert isinstance(call.exception(60), OSError)

        self.served.heard.append("connection lost")

    def settle(self) -> None:
        """Let every worker write what had to wait."""

        def is_written() -> bool:
            told = self.served.meet({}, "whoami")
            return not any(one["pending"] for one in told)

        wait_until(is_written, "all is written")

    def see_in_rows(self, is_so: cabc.Callable[[], bool], what: str) -> None:
        """See it in the database; what had to wait is written with later requests."""

        def is_seen() -> bool:
            self.served.meet({}, "whoami")
            return is_so()

        wait_until(is_seen, what)

    def system_requests(self) -> int:
        """Count the requests so far that the app paid for."""
        return sum("system" in key for key in self.host.who_paid())


def let_readers_alone(host: CallHost) -> None:
    """Write ahead on SQLite: else many who read at once keep everybody from a COMMIT.

    What may not wait, such as the claim of a probe, is then put off.
    """
    if host.db.engine.name == "sqlite":
        with host.db.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")


def config_of(simulator: Simulator, **more: t.Any) -> dict[str, t.Any]:
    """Give the settings of the workers, as JSON carries them."""
    return {
        "SECRET_KEY": "not-a-real-secret",
        "BYOK_MASTER_KEYS": {**MASTER_KEYS, **NEW_KEY},
        "BYOK_PRIMARY_KEY_ID": "k001",
        "BYOK_PROVIDER_URLS": dict(simulator.urls),
        "BYOK_SYSTEM_KEYS": {"OPENAI": "not-a-real-system-key-openai"},
        "BYOK_MODELS": {"OPENAI": {"fast": "gpt-6-luna"}},
        "BYOK_RATE_LIMIT": {},
        **more,
    }


@pytest.fixture(scope="module")
def simulator() -> cabc.Iterator[Simulator]:
    """One simulator for the module's workers."""
    with Simulator() as running:
        yield running


@pytest.fixture(scope="module", params=PLACES)
def _stage(
    request: pytest.FixtureRequest,
    make_database: cabc.Callable[[str], str],
    simulator: Simulator,
) -> cabc.Iterator[Stage]:
    kind, database = request.param
    url = make_database(database)
    config = config_of(simulator)
    of_worker = {
        "1": {"config": {"BYOK_MASTER_KEYS": dict(MASTER_KEYS)}},
        "2": {"clock_ahead": WRONG_CLOCK},
    }

    with calling(url, simulator, **config) as host:
        let_readers_alone(host)

        with serving(url, config, kind=kind, of_worker=of_worker) as served:
            yield Stage(kind, database, served, host, itertools.count(1))


@pytest.fixture
def stage(request: pytest.FixtureRequest, _stage: Stage) -> cabc.Iterator[Stage]:
    """Workers in their usual state, and a company of its own for each test."""
    _stage.settle()
    _stage.take_company()
    _stage.host.simulator.clear()
    _stage.begin()

    with _stage.host.simulator.log.watching(_stage.count):
        yield _stage

    for mark in request.node.iter_markers("fault"):
        _stage.see(request.node, mark.args[0])

    _stage.host.simulator.clear_faults()
    _stage.host.simulator.pace = 0.0
    _stage.served.move_clock(0)
