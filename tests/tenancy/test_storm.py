"""Eight companies, eight workers each, at once: no key lost, mixed up or brought back.

Nothing here depends on who was quicker: what the workers tell is held against the rows
and against the provider's own record of whose key came.
"""

from __future__ import annotations

import collections
import collections.abc as cabc
import contextlib
import json
import os
import re
import subprocess
import sys
import typing as t

import pytest
import sqlalchemy as sa

from tests.support import servers
from tests.support.calls import CallHost
from tests.support.host import MASTER_KEYS
from tests.support.storm import COMPANIES
from tests.support.storm import make_key
from tests.support.storm import WORKERS
from tests.support.worker import ROOT

STEPS: t.Final = 4
SYSTEM: t.Final = "not-a-real-system-key-openai"
Event = dict[str, t.Any]

#: Which workers each process is.
MANNERS: t.Final[dict[str, list[list[int]]]] = {
    "threads": [list(WORKERS)],
    "greenlets": [list(WORKERS)],
    "forks": [list(WORKERS)],
    "processes": [[0, 1], [2, 3], [4, 5], [6, 7]],
}

#: Each manner and each database are met every time, every pair of them with NIGHTLY=1.
EVERY_TIME: t.Final = {
    "threads": (servers.SQLITE, servers.MARIADB),
    "greenlets": (servers.POSTGRESQL,),
    "forks": (servers.POSTGRESQL,),
    "processes": (servers.SQLITE, servers.MARIADB),
}
PAIRS: t.Final = [
    (manner, database)
    for manner, often in EVERY_TIME.items()
    for database in servers.reachable_databases()
    if database in often or os.environ.get("NIGHTLY")
]

#: How a step may end, besides well.
DOCUMENTED: t.Final = {
    "save": {"working", "changed"},
    "chat": {"company", "system"},
    "test": {"working", "CredentialNotFound"},
    "remove": {"removed", "CredentialNotFound"},
    "policy": {"auto"},
}


def start(host: CallHost, url: str, manner: str, workers: list[int]) -> t.Any:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.storm"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    config = {
        "SECRET_KEY": "not-a-real-secret",
        "BYOK_MASTER_KEYS": dict(MASTER_KEYS),
        "BYOK_PROVIDER_URLS": dict(host.simulator.urls),
        "BYOK_SYSTEM_KEYS": {"OPENAI": SYSTEM},
        "BYOK_RATE_LIMIT": {},
    }
    order = {"url": url, "config": config, "manner": manner}
    say(process, json.dumps({**order, "workers": workers, "steps": STEPS}))
    return process


def say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def let_loose(host: CallHost, url: str, manner: str) -> list[Event]:
    """Run all workers at once and give their events."""
    manner_of = "threads" if manner == "processes" else manner
    crew = [start(host, url, manner_of, workers) for workers in MANNERS[manner]]
    events: list[Event] = []

    try:
        for process in crew:
            assert process.stdout.readline() == "ready\n"

        for process in crew:
            say(process, "go")

        for process in crew:
            events += json.loads(process.communicate(timeout=200)[0])
    finally:
        for process in crew:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

            process.communicate()

    return sorted(events, key=lambda event: t.cast("float", event["begun"]))


def prompts(host: CallHost) -> dict[tuple[int, ...], str]:
    """Tell whose key came with each prompt, by the provider's own record."""
    found = {}

    for request in host.simulator.requests:
        match = re.search(r"storm (\d) (\d) (\d+)", json.dumps(request.body))

        if match is not None:
            found[tuple(map(int, match.groups()))] = request.api_key

    return found


def is_busy(event: Event) -> bool:
    """Tell whether the database had no connection or lock to give within its time.

    The caller is told that nothing was changed or sent, and so it must be. It happens
    where many more wait than a machine can serve.
    """
    return bool(event["end"] == "StateUnavailable")


def saves(events: cabc.Iterable[Event]) -> list[Event]:
    return [e for e in events if e["kind"] == "save" and e["end"] == "working"]


def removals(events: cabc.Iterable[Event]) -> list[Event]:
    return [e for e in events if e["end"] == "removed"]


def key_of(event: Event) -> str:
    return make_key(event["company"], event["worker"], event["step"])


def see_call(call: Event, api_key: str, mine: list[Event]) -> None:
    """See that a call ran on a key its company had at that time."""
    if call["end"] == "system":
        assert api_key == SYSTEM
        gone = removals(mine)

        for save in saves(mine):
            is_before = save["ended"] < call["begun"]
            # Nobody removed anything from its beginning to the end of the call.
            assert not is_before or any(
                r["ended"] > save["begun"] and r["begun"] < call["ended"] for r in gone
            ), ("lost", save, call)

        return

    (saved,) = [save for save in saves(mine) if key_of(save) == api_key]
    assert saved["begun"] < call["ended"]

    for later in saves(mine) + removals(mine):
        assert not (
            later["begun"] > saved["ended"] and later["ended"] < call["begun"]
        ), ("brought back", saved, later, call)


def see_rows(host: CallHost, company: int, mine: list[Event]) -> None:
    """See that what is stored is what was saved last, once, and can be opened."""
    state = host.byok.state.store.read_state(f"i:{company}")
    assert len(state.credentials) <= 1
    told = collections.Counter(e.action for e in host.byok.history(company, 1000))
    assert told["key_saved"] + told["key_replaced"] == len(saves(mine))
    assert told["key_removed"] == len(removals(mine))
    assert told["key_saved"] - told["key_removed"] == len(state.credentials)
    assert told["key_tested"] <= sum(e["kind"] == "test" for e in mine)

    for stored in state.credentials:
        prompt = f"storm {company} 9 99"
        assert host.byok.client_for(company).chat(prompt).source == "company"
        api_key = prompts(host)[(company, 9, 99)]
        (saved,) = [save for save in saves(mine) if key_of(save) == api_key]
        assert stored.generation == told["key_saved"] + told["key_replaced"]
        assert stored.state == "working" and stored.circuit.circuit == "closed"

        for later in saves(mine) + removals(mine):
            assert later["begun"] < saved["ended"], ("lost", saved, later)


@pytest.mark.case("A22", "C27", "F5", "F6", "F7", "F9")
@pytest.mark.parametrize(("manner", "database_url"), PAIRS, indirect=["database_url"])
def test_a_storm_leaves_every_company_its_own(
    host: CallHost, database_url: str, manner: str
) -> None:
    """Save, call, test, list, remove, at once: each result belongs to its company."""
    events = let_loose(host, database_url, manner)
    assert len(events) == len(COMPANIES) * len(WORKERS) * STEPS
    assert sum(map(is_busy, events)) < len(events) / 4
    came = prompts(host)

    for event in events:
        allowed = DOCUMENTED.get(event["kind"])
        assert is_busy(event) or allowed is None or event["end"] in allowed, event

    for company in COMPANIES:
        mine = [event for event in events if event["company"] == company]

        for event in mine:
            who = (company, event["worker"], event["step"])

            if is_busy(event):
                assert who not in came
            elif event["kind"] == "list":
                assert all(last4[0] == str(company) for last4 in event["end"])
            elif event["kind"] == "chat":
                see_call(event, came[who], mine)

        see_rows(host, company, mine)

    table = host.byok.state.tables.credential

    with host.byok.state.database.read() as connection:
        pairs = sa.select(table.c.company_id, table.c.provider)
        rows = connection.execute(pairs).all()

    assert len(rows) == len(set(rows))
