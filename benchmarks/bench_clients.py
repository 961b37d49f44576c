"""What an AI call costs beside what a team would use instead, all in one run.

Run it from the repository: ``python benchmarks/bench_clients.py [--url DATABASE_URL]
[--litellm PYTHON]``. The CPU time of the client alone is measured; the server is
another process on loopback. The rounds of all clients are interleaved, and of each
client a quiet round counts, the tenth percentile, because a busy machine adds to a
round and never takes away. Ratios are to ``requests.Session.post(...).json()``.

``--litellm`` names the Python of an environment that has litellm; without it, litellm
is left out.
"""

from __future__ import annotations

import argparse
import collections.abc as cabc
import contextlib
import dataclasses
import functools
import json
import multiprocessing
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time
import typing as t

import anthropic
import bench_call
import bench_sender as sender_bench
import openai
import requests
from flask import Flask
from google import genai
from google.genai import types as genai_types

from flask_byok import BYOK
from flask_byok.masterkeys import generate
from flask_byok.secret import Secret
from flask_byok.vault.keyring import API_KEY as PURPOSE
from flask_byok.vault.keyring import SealContext

PROVIDERS = tuple(bench_call.COMPANIES)
FOLDER = pathlib.Path(__file__).parent


class Host(t.NamedTuple):
    """An app of the benchmark."""

    app: Flask
    byok: BYOK


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What one client does once.

    :param run: is measured.
    :param host: whose context it needs; ``None`` for none.
    :param prepare: comes before each run and is not measured.
    :param share: of the runs of a round; dear clients make fewer.
    """

    run: cabc.Callable[[], object]
    host: Host | None = None
    prepare: cabc.Callable[[], object] | None = None
    share: float = 1.0

    def spend(self, times: int) -> float:
        """Give the CPU microseconds of one run."""
        times, spent = max(1, int(times * self.share)), 0.0
        context = self.host.app.app_context() if self.host else contextlib.nullcontext()

        with context:
            for _ in range(times):
                if self.prepare is not None:
                    self.prepare()

                started = time.process_time()
                self.run()
                spent += time.process_time() - started

        return spent / times * 1e6


class LiteLLM:
    """The process of ``peer_litellm.py``."""

    def __init__(self, python: str, url: str) -> None:
        self._process = subprocess.Popen(
            [
                python,
                str(FOLDER / "peer_litellm.py"),
                url,
                sender_bench.API_KEY,
                sender_bench.QUESTION,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def spend(self, provider: str, times: int) -> float:
        """Give the CPU microseconds of one call."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{provider} {max(2, times // 4)}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def measure(
    works: cabc.Mapping[str, cabc.Callable[[int], float]], rounds: int, times: int
) -> dict[str, float]:
    """Give the CPU microseconds of each, of a quiet round."""
    spent: dict[str, list[float]] = {name: [] for name in works}
    order = list(works)

    for spend in works.values():
        spend(2)

    for number in range(rounds):
        shift = number % len(order)

        for name in order[shift:] + order[:shift]:
            spent[name].append(works[name](times))

    return {name: sorted(found)[len(found) // 10] for name, found in spent.items()}


def whole_call(host: Host, provider: str) -> Work:
    """A chat of a company on its key: look-up, opening, sending, the row."""
    return Work(run=bench_call.build_whole(host.byok)[0][provider], host=host)


def whole_stream(host: Host, provider: str) -> Work:
    """The same as a stream, read to its end."""
    run = bench_call.build_whole(host.byok)[1][provider]
    return Work(run=run, host=host, share=0.2)


def first_chunk(host: Host, provider: str) -> Work:
    """A stream that is left behind its first piece."""
    company = bench_call.COMPANIES[provider]

    def run() -> None:
        client = host.byok.client_for(company)

        with client.stream(sender_bench.QUESTION, max_tokens=64) as pieces:
            next(iter(pieces))

    return Work(run=run, host=host)


def bare_first_chunk(url: str, provider: str) -> Work:
    """The same by ``requests``."""
    session = requests.Session()
    path = sender_bench._PATHS[provider][1]
    body = {"model": "m", "input": sender_bench.QUESTION, "stream": True}
    headers = {"Authorization": f"Bearer {sender_bench.API_KEY}"}

    def run() -> None:
        with session.post(
            url + path, json=body, headers=headers, timeout=60, stream=True
        ) as answer:
            for line in answer.iter_lines():
                if line.startswith(b"data: "):
                    json.loads(line[6:])
                    return

    return Work(run=run)


def fallback(host: Host, provider: str) -> Work:
    """A chat whose company key is refused, answered on the system key.

    Before each, the company's key is as if it had never failed.
    """
    with host.app.app_context():
        state = host.byok.state

    record = bench_call.RECORDS[provider]
    context = SealContext(
        purpose=PURPOSE,
        company=f"i:{bench_call.COMPANIES[provider]}",
        provider=provider,
        record=record,
    )
    blob = state.desk.open_keyring().seal(Secret(sender_bench.REFUSED), context)
    table = state.store._tables.credential

    def prepare() -> None:
        with state.database.write() as connection:
            connection.execute(
                table.update()
                .where(table.c.id == record)
                .values(blob=blob, circuit="closed", closed_at=None, open_count=0)
            )

    run = bench_call.build_whole(host.byok)[0][provider]
    return Work(run=run, host=host, prepare=prepare, share=0.3)


def sdk_per_call(url: str) -> dict[str, cabc.Callable[[], object]]:
    """A client of the official SDK made for each call, as most code makes it."""
    api_key, question = sender_bench.API_KEY, sender_bench.QUESTION
    turns: t.Any = [{"role": "user", "content": question}]

    def ask_openai() -> object:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key=api_key, max_retries=0)
        return client.responses.create(model="m", input=question)

    def ask_claude() -> object:
        client = anthropic.Anthropic(base_url=url, api_key=api_key, max_retries=0)
        return client.messages.create(model="m", max_tokens=64, messages=turns)

    def ask_gemini() -> object:
        client = genai.Client(
            api_key=api_key,
            http_options=genai_types.HttpOptions(base_url=url, api_version="v1beta"),
        )
        return client.models.generate_content(model="m", contents=question)

    return {"OPENAI": ask_openai, "CLAUDE": ask_claude, "GEMINI": ask_gemini}


def report(title: str, results: cabc.Mapping[str, float], per: int = 1) -> None:
    """Print ratios to ``requests``."""
    base = results["requests"]
    print(f"\n{title} (requests: {base / per:.1f} us here)")

    for name, value in results.items():
        print(f"  {name:<26} {value / base:8.2f}")

    sys.stdout.flush()


@contextlib.contextmanager
def hosts(urls: cabc.Mapping[str, str], server: str) -> cabc.Iterator[dict[str, Host]]:
    """Make an app on each database."""
    config = {
        "BYOK_MASTER_KEYS": {"k001": generate()},
        "BYOK_SYSTEM_KEYS": dict.fromkeys(PROVIDERS, sender_bench.API_KEY),
    }
    made: dict[str, Host] = {}

    with contextlib.ExitStack() as stack:
        for name, url in urls.items():
            app, db, byok = bench_call.build_app(url, server, **config)
            made[name] = Host(app, byok)

            with app.app_context():
                engine, database = db.engine, byok.state.database

            stack.callback(engine.dispose)
            stack.callback(database.close)

        yield made


def choose_urls(folder: pathlib.Path, url: str | None) -> dict[str, str]:
    """Name the databases: files of SQLite in both journal modes, and another one."""
    urls = {}

    kinds = (("SQLite", "DELETE"), ("SQLite, WAL", "WAL"), ("refused", "WAL"))

    for name, mode in kinds:
        file = folder / f"{name}.db"

        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute(f"PRAGMA journal_mode = {mode}")

        urls[name] = f"sqlite:///{file}"

    if url is not None:
        urls[url.partition(":")[0].partition("+")[0]] = url

    # Its rows are not written; the look-up is on the database that stands last.
    urls["no row"] = url or urls["SQLite, WAL"]
    return urls


def run(made: dict[str, Host], server: str, options: t.Any) -> None:
    """Measure and print everything."""
    refused = made.pop("refused")
    silent = made["no row"]

    with silent.app.app_context():
        silent.byok.state.database.record_row = lambda *args: True  # type: ignore[method-assign]

    bare = sender_bench.build_bare(server)
    kept = sender_bench.build_official(server)
    anew = sdk_per_call(server)
    peer = LiteLLM(options.litellm, server) if options.litellm else None

    for provider in PROVIDERS:
        works = {"requests": Work(run=bare[0][provider])}
        works |= {name: whole_call(host, provider) for name, host in made.items()}
        works["SDK, kept"] = Work(run=kept[0][provider])
        works["SDK, made per call"] = Work(run=anew[provider], share=0.05)
        works["falls back after a 401"] = fallback(refused, provider)
        spends = {name: work.spend for name, work in works.items()}

        if peer is not None:
            spends["litellm"] = functools.partial(peer.spend, provider)

        report(f"{provider}: a call", measure(spends, options.rounds, options.calls))
        firsts = {
            "requests": bare_first_chunk(server, provider),
            "no row": first_chunk(silent, provider),
        }
        report(
            f"{provider}: the first piece of a stream",
            measure(
                {name: work.spend for name, work in firsts.items()},
                options.rounds,
                options.calls,
            ),
        )
        report_chunks(provider, made, bare, kept, options)

    if peer is not None:
        peer.close()


def report_chunks(
    provider: str, made: dict[str, Host], bare: t.Any, kept: t.Any, options: t.Any
) -> None:
    """Print what one more piece of a stream costs: a stream, less a call."""
    pairs = {
        "requests": (Work(run=bare[0][provider]), Work(run=bare[1][provider])),
        "no row": (
            whole_call(made["no row"], provider),
            whole_stream(made["no row"], provider),
        ),
        "SDK, kept": (Work(run=kept[0][provider]), Work(run=kept[1][provider])),
    }
    spends: dict[str, cabc.Callable[[int], float]] = {}

    for name, (call, stream) in pairs.items():
        spends[f"{name}, call"] = call.spend
        spends[f"{name}, stream"] = dataclasses.replace(stream, share=0.2).spend

    found = measure(spends, options.rounds, options.calls)
    report(
        f"{provider}: one more piece of a stream",
        {name: found[f"{name}, stream"] - found[f"{name}, call"] for name in pairs},
        sender_bench.PIECES,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="one more database, beside files of SQLite")
    parser.add_argument("--litellm", help="a Python that has litellm")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--calls", type=int, default=40, help="per round")
    options = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=sender_bench._serve, args=(theirs,), daemon=True)
    process.start()
    server = f"http://127.0.0.1:{ours.recv()}"

    try:
        with tempfile.TemporaryDirectory() as folder:
            urls = choose_urls(pathlib.Path(folder), options.url)

            with hosts(urls, server) as made:
                run(made, server, options)
    finally:
        process.terminate()
        process.join()

    return 0


if __name__ == "__main__":
    sys.exit(main())
