"""One run: set up, let loose, sweep up, and hold what everybody saw together."""

from __future__ import annotations

import collections
import collections.abc as cabc
import contextlib
import dataclasses
import datetime as dt
import time
import typing as t

import sqlalchemy as sa

from flask_byok.testing import Simulator
from flask_byok.testing.records import RecordedRequest
from tests.support.chaos.clients import Clients
from tests.support.chaos.evidence import Evidence
from tests.support.chaos.evidence import find_call
from tests.support.chaos.evidence import find_violations
from tests.support.chaos.evidence import Request
from tests.support.chaos.evidence import Row
from tests.support.chaos.monkey import Monkey
from tests.support.chaos.server import Server
from tests.support.host import close_host
from tests.support.host import Host
from tests.support.host import make_host
from tests.support.host import MASTER_KEYS
from tests.support.host import SYSTEM
from tests.support.served import serving
from tests.support.served_app import note_table

WORKERS: t.Final = 3
THREADS: t.Final = 8

#: Seconds a call may take: short, so that what hangs ends within the run.
TIMEOUT: t.Final = 4

#: So many times as long a run lasts at most, where few calls came through.
_PATIENCE: t.Final = 4

Say = cabc.Callable[[str], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """What a run came to."""

    evidence: Evidence
    violations: list[str]
    done: cabc.Mapping[str, int]
    changes: cabc.Mapping[str, int]
    swept: int

    def lines(self) -> cabc.Iterator[str]:
        """Tell it line by line."""
        calls, rows = self.evidence.calls, self.evidence.rows
        streams = [call for call in calls if call.streamed]
        yield f"calls         {len(calls)}, of them {len(streams)} streams"
        yield f"whose key     {_count(call.source for call in calls if call.source)}"
        yield f"ends          {_count(call.end for call in calls)}"
        yield f"requests      {len(self.evidence.requests)}"
        yield f"key changes   {_count(self.changes)}"
        yield f"broken        {_count(self.done)}"
        yield f"ledger        {_count(row.state for row in rows)}; swept {self.swept}"
        yield f"violations    {len(self.violations)}"
        yield from self.violations[:50]


def _count(words: cabc.Mapping[str, int] | cabc.Iterable[str]) -> str:
    found = collections.Counter(words).most_common()
    return ", ".join(f"{number} {word}" for word, number in found) or "none"


def run(
    server: Server,
    seconds: float,
    *,
    seed: str,
    kind: str = "gthread",
    say: Say = print,
) -> Report:
    """Run it for so long.

    :param kind: ``gthread`` or ``gevent``.
    """
    config: dict[str, t.Any] = {
        "SECRET_KEY": "not-a-real-secret",
        "BYOK_MASTER_KEYS": dict(MASTER_KEYS),
        "BYOK_SYSTEM_KEYS": {
            provider: SYSTEM.format(provider=provider.lower())
            for provider in ("OPENAI", "CLAUDE", "GEMINI")
        },
        # Under a budget nothing is sent before its row is written.
        "BYOK_SYSTEM_BUDGET": {"requests": 1_000_000},
        "BYOK_TIMEOUT": TIMEOUT,
        "BYOK_RATE_LIMIT": {},
        "SQLALCHEMY_ENGINE_OPTIONS": {"pool_pre_ping": True},
    }
    evidence = Evidence()

    with contextlib.ExitStack() as stack:
        simulator = stack.enter_context(Simulator(pace=0.005, slow_seconds=0.5))
        host = make_host(server.url, simulator, **config)
        stack.callback(close_host, host)
        note = note_table(host.db.metadata)
        config["BYOK_PROVIDER_URLS"] = dict(simulator.urls)

        with host.app.app_context():
            note.create(host.db.engine)

        stack.enter_context(simulator.log.watching(lambda one: _note(evidence, one)))

        with serving(
            server.url, config, kind=kind, workers=WORKERS, threads=THREADS
        ) as served:
            clients = Clients(served, evidence, seed)
            monkey = Monkey(simulator, served, server, seed)
            clients.start()
            monkey.start()
            _watch(evidence, seconds, say)
            monkey.stop()
            clients.stop()

        with host.app.app_context():
            swept = _sweep(host)
            _read(host, note, evidence)

    return Report(
        evidence=evidence,
        violations=find_violations(evidence),
        done=monkey.done,
        changes=collections.Counter(clients.changes),
        swept=swept,
    )


def _note(evidence: Evidence, request: RecordedRequest) -> None:
    call = find_call(request.body)

    if call is not None:
        evidence.requests.append(Request(call=call, api_key=request.api_key))


def _watch(evidence: Evidence, seconds: float, say: Say) -> None:
    """Say from time to time how it goes.

    A machine that is busy with other things gets more time, until both keys answered.
    """
    begun = time.monotonic()

    while True:
        passed = time.monotonic() - begun
        is_thin = len({call.source for call in evidence.calls[:]} - {None}) < 2

        if passed >= (seconds * _PATIENCE if is_thin else seconds):
            return

        time.sleep(min(10.0, max(0.5, seconds - passed)))
        calls = evidence.calls[:]
        answers = sum(call.end == "answer" for call in calls)
        say(f"{time.monotonic() - begun:4.0f} s: {len(calls)} calls, {answers} answers")


def _sweep(host: Host) -> int:
    """Give up what dead workers left behind."""
    state = host.byok.state
    later = state.store.read_state("i:0").now() + dt.timedelta(days=3)
    swept = 0

    while found := state.desk.ledger.sweep(later):
        swept += found

    return swept


def _read(host: Host, note: sa.Table, evidence: Evidence) -> None:
    attempt = host.byok.state.tables.attempt

    with host.byok.state.database.read() as connection:
        columns = (attempt.c.label, attempt.c.source, attempt.c.state)

        for label, source, state in connection.execute(sa.select(*columns)):
            if label is not None:
                evidence.rows.append(Row(call=int(label), source=source, state=state))

        evidence.notes.update(connection.scalars(sa.select(note.c.id)))
