"""What a call adds to a request of a host that works in the same database.

Run it from the repository: ``python benchmarks/bench_guest.py [--url DATABASE_URL …]``.
Wall time of a request: the host writes a row, a provider is asked, the host commits or
rolls back. Its ratio is to the same request with the same question put to the provider
bare, by the same sender, with no look-up, no key to open and no row in the ledger.
"""

from __future__ import annotations

import argparse
import collections.abc as cabc
import itertools
import sys

import bench_call
import bench_circuit
import bench_sender
import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
from shared.provider import answering
from shared.replies import QUESTION

from flask_byok import BYOK

Call = cabc.Callable[[], object]


class HostRows:
    """The host's own table and what it does with it around a call."""

    def __init__(self, db: SQLAlchemy) -> None:
        self._db = db
        self._numbers = itertools.count(2)
        self._table = sa.Table(
            "bench_note", db.metadata, sa.Column("id", sa.Integer, primary_key=True)
        )
        self._table.drop(db.engine, checkfirst=True)
        self._table.create(db.engine)
        self._write(1)
        db.session.commit()

    def _write(self, number: int) -> None:
        self._db.session.execute(sa.insert(self._table).values(id=number))

    def drop(self) -> None:
        """Take the table away."""
        self._table.drop(self._db.engine)

    def idle(self, call: Call) -> None:
        """Call with nothing open."""
        call()

    def flushed(self, call: Call) -> None:
        """Call behind a row that is written and not committed."""
        self._write(next(self._numbers))
        call()
        self._db.session.rollback()

    def committed(self, call: Call) -> None:
        """Commit that row after the call."""
        self._write(next(self._numbers))
        call()
        self._db.session.commit()

    def locked(self, call: Call) -> None:
        """Call with a row of the host's locked."""
        mine = sa.select(self._table).where(self._table.c.id == 1)
        self._db.session.execute(mine.with_for_update())
        call()
        self._db.session.rollback()


TITLES = {
    "idle": "no transaction of the host's",
    "flushed": "the host has written, and rolls back",
    "committed": "the host has written, and commits",
    "locked": "the host has locked a row",
}


def measure(database_url: str | None, url: str, times: int) -> None:
    """Print one database's table."""
    bare = bench_sender.build_ours(url)[0]["OPENAI"]

    system_keys = bench_circuit.SYSTEM_KEYS
    host = bench_call.hosting(database_url, url, BYOK_SYSTEM_KEYS=system_keys)

    with host as (db, byok):
        print(db.engine.dialect.name, "in memory" if _in_memory(db) else "")
        rows = HostRows(db)

        for what, title in TITLES.items():
            run = getattr(rows, what)
            calls = {
                name: lambda run=run, call=call: run(call)
                for name, call in {"bare": bare, **_calls(byok)}.items()
            }
            results = bench_circuit.measure(calls, times)
            cells = [
                f"{n} {v:.2f} ms ({v / results['bare']:.2f})"
                for n, v in results.items()
            ]
            print(f"  {title:<38}", " | ".join(cells), flush=True)

        db.session.rollback()
        byok.state.database.flush(force=True)
        rows.drop()


def _calls(byok: BYOK) -> dict[str, Call]:
    def caller(company: int) -> Call:
        return lambda: byok.client_for(company).chat(QUESTION).text

    return {
        "company key": caller(bench_circuit.WITH_KEY),
        "system key": caller(bench_circuit.WITHOUT_KEY),
    }


def _in_memory(db: SQLAlchemy) -> bool:
    return db.engine.url.database in (None, "", ":memory:")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", action="append", help="a database; SQLite without")
    parser.add_argument("--calls", type=int, default=150, help="of each kind")
    options = parser.parse_args()

    with answering() as url:
        for database_url in options.url or [None, "sqlite://"]:
            measure(database_url, url, options.calls)

    return 0


if __name__ == "__main__":
    sys.exit(main())
