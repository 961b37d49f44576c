"""What a call asks of the database, beside the bare driver, all in one run.

Run it from the repository: ``python benchmarks/bench_database.py [--url URL …]``, with
as many databases beside SQLite's files as one likes. Measured is the CPU time of this
process, in interleaved rounds; of each kind a quiet round counts, the tenth percentile.
The bare driver runs the same statements with the same values on one open connection: no
pool, no objects made of rows, no look at what came back.
"""

from __future__ import annotations

import argparse
import collections.abc as cabc
import contextlib
import pathlib
import sqlite3
import sys
import tempfile
import typing as t
import uuid

import bench_call
import sqlalchemy as sa
from shared.timing import interleave
from shared.timing import spending

from flask_byok import BYOK
from flask_byok.ledger.usage import AttemptEnd
from flask_byok.ledger.usage import AttemptStart
from flask_byok.providers.types import Usage

COMPANY = f"i:{bench_call.COMPANIES['OPENAI']}"
END = AttemptEnd(
    state="done",
    request_id="req_0123456789abcdef",
    latency_ms=812,
    usage=Usage(input_tokens=12, output_tokens=34),
)

Work = cabc.Callable[[], object]


def start() -> AttemptStart:
    """Say of an attempt what a call does."""
    return AttemptStart(
        company_id=COMPANY,
        provider="OPENAI",
        model="m",
        call_id=str(uuid.uuid4()),
    )


def build_ours(byok: BYOK) -> dict[str, Work]:
    """Give the look-up before a call, and the row after it."""
    state = byok.state
    now = state.store.read_state(COMPANY).clock

    def look_up() -> object:
        return state.store.read_state(COMPANY)

    def add_row() -> object:
        return state.desk.ledger.record(start(), END, started_at=now)

    return {"look-up": look_up, "row": add_row}


def build_bare(byok: BYOK, connection: t.Any) -> dict[str, Work]:
    """Give the same two statements on a driver's connection."""
    state = byok.state
    connections = state.database._own().connections
    waiting = connections._waiting
    query, insertion = state.store._state_query, state.desk.ledger._insertion
    row = catch_row(byok)
    select = connections._render(query)
    insert = connections._render(insertion, waiting.wrap_alone)
    parameters, values = select._values({"company": COMPANY}), insert._values(row)
    reader, writer = connection.cursor(), waiting.open_alone(connection)

    def look_up() -> object:
        reader.execute(select._sql, parameters)
        return reader.fetchall()

    def add_row() -> None:
        row_id = str(uuid.uuid4())

        if isinstance(values, dict):
            writer.execute(insert._sql, {**values, "id": row_id})
        else:
            writer.execute(insert._sql, (row_id, *values[1:]))

    return {"look-up": look_up, "row": add_row}


def catch_row(byok: BYOK) -> cabc.Mapping[str, object]:
    """Give a row as the ledger hands it to the database."""
    caught: list[cabc.Mapping[str, object]] = []
    database: t.Any = byok.state.database
    now = byok.state.store.read_state(COMPANY).clock
    database.record_row = lambda insertion, row: caught.append(row)
    byok.state.desk.ledger.record(start(), END, started_at=now)
    del database.record_row
    return caught[0]


def make_files(folder: pathlib.Path) -> cabc.Iterator[str]:
    """Make files of SQLite in both of its journal modes; give their URLs."""
    for mode in ("DELETE", "WAL"):
        file = folder / f"{mode}.db"

        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute(f"PRAGMA journal_mode = {mode}")

        yield f"sqlite:///{file}"


def compare(url: str, options: t.Any) -> None:
    """Measure and print one database."""
    app, db, byok = bench_call.build_app(url, "http://127.0.0.1:9")

    with app.app_context():
        engine = byok.state.database.engine
        connection = engine.raw_connection()
        ours = build_ours(byok)
        bare = build_bare(byok, connection.dbapi_connection)
        works = {f"{name}, ours": work for name, work in ours.items()}
        works |= {f"{name}, driver": work for name, work in bare.items()}
        spends = {name: spending(work, options.times) for name, work in works.items()}
        spent = interleave(spends, options.rounds)

        with db.engine.begin() as tidy:
            tidy.execute(sa.delete(byok.state.tables.attempt))

        connection.close()
        byok.state.database.close()
        db.engine.dispose()

    print(engine.dialect.name, engine.dialect.driver)

    for name in ours:
        own, floor = spent[f"{name}, ours"], spent[f"{name}, driver"]
        print(f"  {name:<8} {own:7.1f} us  driver {floor:7.1f} us  {own / floor:5.2f}")

    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", action="append", default=[], help="one more database")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--times", type=int, default=100, help="per round")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        for url in (*make_files(pathlib.Path(folder)), *options.url):
            compare(url, options)

    return 0


if __name__ == "__main__":
    sys.exit(main())
