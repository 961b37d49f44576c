"""A ledger on a real database, and many callers of it: threads in processes."""

from __future__ import annotations

import collections.abc as cabc
import concurrent.futures
import dataclasses
import datetime as dt
import functools
import threading
import typing as t

import sqlalchemy as sa

from flask_byok.errors import SystemBudgetExceeded
from flask_byok.errors import SystemKeyRefused
from flask_byok.ledger.rollup import RollUp
from flask_byok.ledger.usage import AttemptEnd
from flask_byok.ledger.usage import AttemptStart
from flask_byok.ledger.usage import Ledger
from flask_byok.ledger.usage import Started
from flask_byok.providers.types import Usage
from tests.support.processes import worker_context
from tests.support.vault_room import COMPANY
from tests.support.vault_room import open_room
from tests.support.vault_room import Room

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.timezone.utc)
START = AttemptStart(company_id=COMPANY, provider="OPENAI", model="model-one")
PRICED = START._replace(model="gpt-4o-mini")
DONE = AttemptEnd(state="done", usage=Usage(input_tokens=10, output_tokens=5))
ESTIMATE = 100

#: What the estimate costs on the priced model, in micros: 50 in, 50 out, rounded up.
ESTIMATE_MICROS = 38


@dataclasses.dataclass
class LedgerRoom:
    """A vault, and a ledger with a budget or without one."""

    vault: Room

    def ledger(self, **limits: int) -> Ledger:
        """Make a ledger; without limits there is no budget."""
        return Ledger(self.vault.database, self.vault.tables, limits or None)

    def attempts(self) -> list[dict[str, t.Any]]:
        """Read every attempt."""
        return self.vault.rows(self.vault.tables.attempt)

    def budget(self) -> dict[str, t.Any]:
        """Read the counters of the one month there is."""
        (row,) = self.vault.rows(self.vault.tables.budget)
        return {name: row[name] for name in row if "_" in name and name != "company_id"}


def start_at(
    ledger: Ledger,
    now: dt.datetime = NOW,
    est: int = ESTIMATE,
    start: AttemptStart = START,
) -> Started:
    """Start an attempt on a system key."""
    estimate = Usage(input_tokens=est // 2, output_tokens=est - est // 2)
    return ledger.start(start, estimate=estimate, lifetime=60, now=now)


# --- many callers -------------------------------------------------------------------


def reserve_everywhere(
    url: str,
    limits: cabc.Mapping[str, int],
    *,
    processes: int,
    threads: int,
    each: int,
    settle_twice: bool = False,
) -> list[str]:
    """Reserve ``each`` times in every thread of every process; give the outcomes."""
    context = worker_context()
    options = (url, dict(limits), threads, each, settle_twice)

    with concurrent.futures.ProcessPoolExecutor(processes, mp_context=context) as pool:
        work = functools.partial(_reserve_in_process, options)
        return [word for words in pool.map(work, range(processes)) for word in words]


def _reserve_in_process(
    options: tuple[str, dict[str, int], int, int, bool], number: int
) -> list[str]:
    url, limits, threads, each, settle_twice = options

    with open_room(url, create=False) as vault:
        ledger = Ledger(vault.database, vault.tables, limits)
        ready = threading.Barrier(threads)

        def run(thread: int) -> list[str]:
            ready.wait()
            return [_reserve_once(ledger, settle_twice) for _ in range(each)]

        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            words = [word for found in pool.map(run, range(threads)) for word in found]

        while vault.database.pending:
            vault.database.flush(force=True)

        return words


def _reserve_once(ledger: Ledger, settle_twice: bool) -> str:
    try:
        started = start_at(ledger, start=PRICED)
    except SystemBudgetExceeded:
        return "spent"
    except SystemKeyRefused:
        return "refused"

    for _ in range(2 if settle_twice else 0):
        ledger.settle(started, DONE)

    return "granted"


def roll_up_and_hang(url: str, before: str) -> None:
    """Move a batch of attempts, hang before the commit: for a process to be killed."""
    with open_room(url, create=False) as vault:

        @sa.event.listens_for(vault.database.engine, "after_cursor_execute")
        def hang(conn: t.Any, cursor: t.Any, statement: str, *rest: object) -> None:
            if statement.startswith("DELETE FROM byok_attempt"):
                print("deleted", flush=True)
                threading.Event().wait()

        moment = dt.datetime.fromisoformat(before)
        RollUp(vault.database, vault.tables).move(moment)


def start_and_hang(url: str) -> None:
    """Start an attempt, say so, and hang until killed: run as a process of its own."""
    with open_room(url, create=False) as vault:
        ledger = Ledger(vault.database, vault.tables, {"requests": 10})
        print(start_at(ledger).id, flush=True)
        threading.Event().wait()
