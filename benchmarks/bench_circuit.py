"""What a dead key costs once its circuit is open, and what we ask of the database.

Run it from the repository: ``python benchmarks/bench_circuit.py [--url DATABASE_URL]``.
Wall time of calls in one process, all kinds interleaved call by call; the provider is a
server in another process that answers at once, so that nothing hides the difference.
"""

from __future__ import annotations

import argparse
import collections.abc as cabc
import datetime as dt
import statistics
import sys
import time
import uuid

import bench_call
import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
from shared.provider import answering
from shared.replies import API_KEY
from shared.replies import QUESTION

from flask_byok import BYOK
from flask_byok.ledger.usage import AttemptEnd
from flask_byok.ledger.usage import AttemptStart

#: Companies of :mod:`bench_call`: number 1 has a key; this one has none.
WITH_KEY = 1
WITHOUT_KEY = 99
SYSTEM_KEYS = {"OPENAI": API_KEY}

Call = cabc.Callable[[], object]


def measure(calls: cabc.Mapping[str, Call], times: int) -> dict[str, float]:
    """Give the median milliseconds of each call; they take turns, one by one."""
    spent: dict[str, list[float]] = {name: [] for name in calls}

    for number in range(times + 20):
        for name, call in calls.items():
            began = time.perf_counter()
            call()

            if number >= 20:  # warm by then
                spent[name].append((time.perf_counter() - began) * 1000)

    return {name: statistics.median(values) for name, values in spent.items()}


def report(title: str, results: cabc.Mapping[str, float], base: str) -> None:
    """Print the medians and their ratios to one of them."""
    print(title)

    for name, value in results.items():
        print(f"  {name:<44} {value:8.3f} ms   {value / results[base]:5.2f}")


def open_circuit(byok: BYOK) -> None:
    """Let the key of company 1 be known as rejected for an hour."""
    table = byok.state.tables.credential
    state = byok.state.store.read_state(f"i:{WITH_KEY}")
    values = {
        "circuit": "open",
        "reason": "auth",
        "opened_at": state.now(),
        "open_until": state.now() + dt.timedelta(hours=1),
        "open_count": 1,
        "episode": 1,
    }

    with byok.state.database.write() as connection:
        mine = table.c.company_id == f"i:{WITH_KEY}"
        connection.execute(sa.update(table).where(mine).values(values))


def count_attempts(byok: BYOK) -> int:
    """Count the requests so far that ran on company 1's key."""
    table = byok.state.tables.attempt
    mine = (table.c.company_id == f"i:{WITH_KEY}", table.c.source == "company")

    with byok.state.database.read() as connection:
        query = sa.select(sa.func.count()).select_from(table).where(*mine)
        return int(connection.scalar(query) or 0)


def measure_calls(byok: BYOK, times: int) -> None:
    """Compare a call beside an open circuit with one of a company without a key."""

    def caller(company: int) -> Call:
        return lambda: byok.client_for(company).chat(QUESTION).text

    open_circuit(byok)
    byok.client_for(WITH_KEY).chat(QUESTION)  # tells people, once
    before = count_attempts(byok)
    names = ("no key", "a dead key, its circuit open")
    calls = dict(zip(names, map(caller, (WITHOUT_KEY, WITH_KEY)), strict=True))
    report("a call on the system key", measure(calls, times), names[0])
    print(f"  requests on the dead key: {count_attempts(byok) - before}")


def measure_database(db: SQLAlchemy, byok: BYOK, times: int) -> None:
    """Compare what a healthy call asks of the database with the bare statements."""
    state = byok.state
    company = f"i:{WITH_KEY}"
    table = state.tables.attempt
    start = AttemptStart(company_id=company, provider="OPENAI", model="m")
    end = AttemptEnd(state="done")
    now = state.store.read_state(company).now()
    bare = sa.create_engine(
        db.engine.url, isolation_level="AUTOCOMMIT", pool_reset_on_return=None
    )
    row = {
        "company_id": company,
        "period": "2026-11",
        "source": "company",
        "provider": "OPENAI",
        "streamed": False,
        "state": "done",
        "started_at": now,
        "expires_at": now,
    }
    select = sa.select(state.tables.credential.c.id).where(
        state.tables.credential.c.company_id == company
    )
    insert = sa.insert(table)

    def bare_both() -> None:
        with bare.connect() as connection:
            connection.execute(select).all()

        with bare.connect() as connection:
            connection.execute(insert, {**row, "id": str(uuid.uuid4())})

    def ours_both() -> None:
        state.store.read_state(company)
        state.desk.ledger.record(start, end, started_at=now)

    names = ("bare SELECT and INSERT, SQLAlchemy Core", "our query and our row")
    calls = dict(zip(names, (bare_both, ours_both), strict=True))
    report("the database in a healthy call", measure(calls, times), names[0])
    bare.dispose()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="the database; else a SQLite file")
    parser.add_argument("--calls", type=int, default=400, help="of each kind")
    options = parser.parse_args()

    with answering() as url:
        host = bench_call.hosting(options.url, url, BYOK_SYSTEM_KEYS=SYSTEM_KEYS)

        with host as (db, byok):
            measure_database(db, byok, options.calls)
            measure_calls(byok, options.calls)

    return 0


if __name__ == "__main__":
    sys.exit(main())
