"""What a whole call costs: look-up, opening the key, sending, and the ledger's row.

Run it from the repository: ``python benchmarks/bench_call.py [--url DATABASE_URL]``.
Beside it in the same run: bare ``requests`` and the official SDKs kept warm. CPU time
of this process; the server is another one. It also counts the statements and the
connections of one healthy call, and compares the import with Flask's own.
"""

from __future__ import annotations

import argparse
import collections.abc as cabc
import contextlib
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import typing as t

import bench_sender
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from shared.provider import answering
from shared.replies import API_KEY
from shared.replies import PIECES
from shared.replies import QUESTION

from flask_byok import BYOK
from flask_byok.masterkeys import generate
from flask_byok.secret import Secret
from flask_byok.vault.keyring import API_KEY as PURPOSE
from flask_byok.vault.keyring import SealContext
from flask_byok.vault.types import SealedKey

COMPANIES = {"OPENAI": 1, "CLAUDE": 2, "GEMINI": 3}
RECORDS = {
    "OPENAI": "c2d41f08-96b7-4e35-8a60-f3917be20c44",
    "CLAUDE": "7b0f6a52-3c1e-4d8a-9f27-1e5c40aa9d13",
    "GEMINI": "e81a2c77-0b4d-4c59-a3f6-92d05b7e1c3a",
}


def build_app(
    database_url: str, url: str, *, api_key: str = API_KEY, **config: object
) -> tuple[Flask, SQLAlchemy, BYOK]:
    """Make a host app with one company per provider, each with a stored key.

    :param url: of the provider.
    :param api_key: of each company.
    :param config: further settings.
    """
    db = SQLAlchemy()
    byok = BYOK(db=db)
    app = Flask("benchmark")
    app.config.update(
        SQLALCHEMY_DATABASE_URI=database_url,
        BYOK_MASTER_KEYS={"k001": generate()},
        BYOK_PROVIDER_URLS={
            "OPENAI": f"{url}/v1",
            "CLAUDE": f"{url}/v1",
            "GEMINI": f"{url}/v1beta",
        },
    )
    app.config.update(config)
    db.init_app(app)
    byok.init_app(app)

    with app.app_context():
        db.create_all()

        for provider in COMPANIES:
            byok.forget_company(COMPANIES[provider])
            store_key(byok, provider, COMPANIES[provider], RECORDS[provider], api_key)

    return app, db, byok


@contextlib.contextmanager
def hosting(
    database_url: str | None, url: str, **config: object
) -> cabc.Iterator[tuple[SQLAlchemy, BYOK]]:
    """Make that host, and work in its context.

    :param database_url: ``None`` for a SQLite file.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "benchmark.db"
        app, db, byok = build_app(database_url or f"sqlite:///{file}", url, **config)

        with app.app_context():
            yield db, byok
            byok.state.database.close()
            byok.state.sender.close()
            db.engine.dispose()


def seal(byok: BYOK, text: str, provider: str, company_id: int, record: str) -> bytes:
    """Seal a key as the row of that id holds it."""
    context = SealContext(
        purpose=PURPOSE, company=f"i:{company_id}", provider=provider, record=record
    )
    return byok.state.desk.open_keyring().seal(Secret(text), context)


def store_key(
    byok: BYOK, provider: str, company_id: int, record: str, api_key: str = API_KEY
) -> None:
    """Store a key without asking anybody: the server here answers content alone."""
    state = byok.state
    keyring = state.desk.open_keyring()
    sealed = SealedKey(
        id=record,
        company_id=f"i:{company_id}",
        provider=provider,
        blob=seal(byok, api_key, provider, company_id, record),
        key_id=keyring.primary,
        prefix="",
        last4="",
        model="m",
        expires_on=None,
        state="working",
    )

    with state.database.write() as connection:
        state.store.put(connection, sealed, seen_generation=None, actor=None)


def build_whole(
    byok: BYOK,
) -> tuple[dict[str, bench_sender.Call], dict[str, bench_sender.Stream]]:
    """Give one whole call and one whole stream per provider."""
    calls: dict[str, bench_sender.Call] = {}
    streams: dict[str, bench_sender.Stream] = {}

    for provider, company in COMPANIES.items():

        def call(company: int = company) -> object:
            client = byok.client_for(company)
            return client.chat(QUESTION, max_tokens=64).text

        def stream(company: int = company) -> int:
            client = byok.client_for(company)

            with client.stream(QUESTION, max_tokens=64) as pieces:
                return sum(1 for piece in pieces if piece.text)

        calls[provider] = call
        streams[provider] = stream

    return calls, streams


@contextlib.contextmanager
def counting(engine: sa.Engine) -> cabc.Iterator[dict[str, int]]:
    """Count what one engine is asked for: check-outs, and what SQLAlchemy executes."""
    seen = {"check-outs": 0}

    def note(*ignored: object) -> None:
        seen["check-outs"] += 1

    sa.event.listen(engine, "checkout", note)

    try:
        yield seen
    finally:
        sa.event.remove(engine, "checkout", note)


def report_database(byok: BYOK, call: bench_sender.Call) -> None:
    """Print how often a healthy call takes a connection, and for what."""
    with counting(byok.state.database.engine) as seen:
        call()

    print(
        f"A healthy call takes a connection {seen['check-outs']} times: one indexed "
        "query before the request, one short write after it."
    )


def report_import() -> None:
    """Print what the import costs beside the one of Flask and Flask-SQLAlchemy."""
    base = _import_cost("import flask, flask_sqlalchemy, requests, cryptography")
    ours = _import_cost("import flask_byok")
    print(f"import flask_byok: {ours / base:.2f} of importing what it stands on")


def _import_cost(statement: str) -> float:
    """Give CPU seconds of a fresh process, the least of five."""
    return min(_run_once(statement) for _ in range(5))


def _run_once(statement: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True, env=os.environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def measure(byok: BYOK, url: str, options: t.Any) -> None:
    """Measure and print calls and pieces of streams."""
    built = {
        "flask-byok": build_whole(byok),
        "requests": bench_sender.build_bare(url),
        "official SDK": bench_sender.build_official(url),
    }
    print("CPU time of the client, and its ratio to bare requests")

    for provider in COMPANIES:
        calls = {name: made[0][provider] for name, made in built.items()}
        whole = bench_sender.measure(calls, options.rounds, options.calls)
        bench_sender.report(f"{provider} call", whole)
        streams = {name: made[1][provider] for name, made in built.items()}
        results = bench_sender.measure(streams, options.rounds, options.streams)
        pieces = bench_sender.take_pieces(results, whole)
        bench_sender.report(f"{provider} chunk", pieces, PIECES)

    report_database(byok, built["flask-byok"][0]["OPENAI"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="the database; else a SQLite file")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=60, help="per round")
    parser.add_argument("--streams", type=int, default=4, help="per round")
    options = parser.parse_args()

    with answering() as url, hosting(options.url, url) as (_, byok):
        measure(byok, url, options)

    report_import()
    return 0


if __name__ == "__main__":
    sys.exit(main())
