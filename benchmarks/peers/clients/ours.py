"""This package: a company's calls on its stored key, and what comes when it is dead.

The environment says more: ``BENCH_DATABASE`` is the database; ``BENCH_KIND`` may be
``no row`` (nothing is written behind a call), ``refused`` (the provider refuses the
companies' keys) or ``circuit`` (they are known to be refused).
"""

from __future__ import annotations

import collections.abc as cabc
import functools
import os
import sys
import uuid

import bench_call
import bench_circuit
import work

from flask_byok import BYOK

KIND = os.environ.get("BENCH_KIND", "")
API_KEY = os.environ.get("BENCH_KEY", work.API_KEY)
#: The companies of which each has called once begin here.
MANY = 1000


def build(url: str) -> work.Works:
    """Give what it can do."""
    app, _, byok = bench_call.build_app(
        os.environ["BENCH_DATABASE"],
        url,
        api_key=API_KEY,
        BYOK_SYSTEM_KEYS=dict.fromkeys(bench_call.COMPANIES, API_KEY),
    )

    with app.app_context():
        made = {"refused": _refused, "circuit": _circuit}.get(KIND, _healthy)(byok)

    return work.Works(context=app.app_context, app=app, **made)


def _each(run: cabc.Callable[[int], object]) -> dict[str, work.Run]:
    return {
        provider: functools.partial(run, company)
        for provider, company in bench_call.COMPANIES.items()
    }


def _healthy(byok: BYOK) -> dict[str, object]:
    calls, streams = bench_call.build_whole(byok)

    if KIND == "no row":
        byok.state.database.record_row = lambda *args: True  # type: ignore[method-assign]
        before = bench_circuit.count_attempts(byok)
        calls["OPENAI"]()
        assert bench_circuit.count_attempts(byok) == before

    def first(company: int) -> None:
        with byok.client_for(company).stream(work.QUESTION, max_tokens=64) as pieces:
            next(iter(pieces))

    def pieces() -> cabc.Iterator[str]:
        client = byok.client_for(bench_call.COMPANIES["OPENAI"])

        with client.stream(work.QUESTION, max_tokens=64) as opened:
            for piece in opened:
                if piece.text:
                    yield piece.text

    return {
        "runs": {"call": calls, "stream": streams, "first": _each(first)},
        "pieces": pieces,
        "companies": functools.partial(_call_another, byok),
    }


def _call_another(byok: BYOK, number: int) -> object:
    company = MANY + number
    byok.forget_company(company)
    bench_call.store_key(byok, "OPENAI", company, str(uuid.uuid4()), API_KEY)
    client = byok.client_for(company)
    client.chat(work.QUESTION, max_tokens=64)
    return client


def _refused(byok: BYOK) -> dict[str, object]:
    """A chat whose key is refused, with the system key behind it."""
    table = byok.state.tables.credential
    blobs = {
        provider: bench_call.seal(byok, work.REFUSED, provider, company, record)
        for provider, company in bench_call.COMPANIES.items()
        for record in [bench_call.RECORDS[provider]]
    }

    def forget(provider: str) -> None:
        """Let the key be as if it had never failed."""
        with byok.state.database.write() as connection:
            connection.execute(
                table.update()
                .where(table.c.id == bench_call.RECORDS[provider])
                .values(
                    blob=blobs[provider], circuit="closed", closed_at=None, open_count=0
                )
            )

    return {
        "runs": {"fallback": bench_call.build_whole(byok)[0]},
        "prepare": {"fallback": forget},
    }


def _circuit(byok: BYOK) -> dict[str, object]:
    """A chat beside a key that is known to be dead, and one without any key."""
    bench_circuit.open_circuit(byok)
    dead, none = bench_circuit.WITH_KEY, bench_circuit.WITHOUT_KEY

    def ask(company: int) -> object:
        return byok.client_for(company).chat(work.QUESTION, max_tokens=64).text

    ask(dead)  # tells people, once

    return {
        "runs": {
            "circuit open": {"OPENAI": functools.partial(ask, dead)},
            "without a key": {"OPENAI": functools.partial(ask, none)},
        },
        "count": functools.partial(bench_circuit.count_attempts, byok),
    }


if __name__ == "__main__":
    sys.exit(work.serve(build(sys.argv[1])))
