"""What our routes add to the official SDKs: the same call, bare and through the engine.

Run it from the repository: ``python benchmarks/bench_sdk.py [--url DATABASE_URL]``. CPU
time of this process, interleaved rounds in one run; the server is another process. The
bare SDKs hold their key themselves and are kept warm. Beside them, what the engine does
for any call, an SDK's or not: the bare call, and right behind it a call of the engine
that asks nobody, with its look-up, its key and its row. What is left is the adapter. At
the end: what it costs to make a client.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
import typing as t
import uuid

import bench_call
import bench_sender
from shared.provider import answering
from shared.replies import PIECES

from flask_byok import BYOK
from flask_byok.failover.rooms import Call
from flask_byok.failover.routes import Ask
from flask_byok.providers.relay import RelayAnswer
from flask_byok.providers.types import Usage

KINDS = {"OPENAI": "openai", "CLAUDE": "anthropic", "GEMINI": "google"}


def build_routed(
    byok: BYOK,
) -> tuple[dict[str, bench_sender.Call], dict[str, bench_sender.Stream]]:
    """Give the same calls as ``build_official``, each SDK on our routes."""
    made: t.Any = {
        provider: byok.client_for(bench_call.COMPANIES[provider]).sdk(kind)
        for provider, kind in KINDS.items()
    }
    return bench_sender.build_asking(made["OPENAI"], made["CLAUDE"], made["GEMINI"])


def build_engine(byok: BYOK, provider: str) -> bench_sender.Call:
    """Give a call of the engine whose attempt is answered without a request."""
    call = Call(
        company=f"i:{bench_call.COMPANIES[provider]}",
        ask=Ask(model="m", one_provider=True, provider=provider),
        output_tokens=64,
    )
    answer = RelayAnswer(
        status=200, headers={}, body=b"", usage=Usage(input_tokens=1, output_tokens=1)
    )
    engine = byok.state.engine
    return lambda: engine.run(
        dataclasses.replace(call, id=str(uuid.uuid4())), lambda *ignored: answer
    )


def add_engine(byok: BYOK, provider: str, bare: bench_sender.Call) -> bench_sender.Call:
    """Give the bare call with the engine's behind it: apart, each would run warmer."""
    engine = build_engine(byok, provider)
    return lambda: (bare(), engine())


def report(title: str, results: t.Mapping[str, float], per: int = 1) -> None:
    """Print one row: microseconds, and what ours adds to the bare SDK."""
    ours, bare = results["on our routes"], results["bare SDK"]
    line = (
        f"{title:<14} bare SDK {bare / per:8.1f} us | on our routes "
        f"{ours / per:8.1f} us ({ours / bare - 1:+.1%})"
    )

    if "with the engine" in results:
        engine = results["with the engine"]
        line += f" | engine {engine / bare - 1:+.1%}, adapter {ours / engine - 1:+.1%}"

    print(line, flush=True)


def report_making(byok: BYOK, bare: t.Mapping[str, float]) -> None:
    """Print what it costs to make a client.

    :param bare: microseconds of one call of each bare SDK, by its provider.
    """
    for provider, kind in KINDS.items():
        client = byok.client_for(bench_call.COMPANIES[provider])
        client.sdk(kind)
        began = time.process_time()

        for _ in range(50):
            client.sdk(kind)

        spent = (time.process_time() - began) / 50 * 1e6
        share = spent / bare[provider]
        print(f"{kind:<14} a client made {spent:8.1f} us ({share:.2f} of a bare call)")


def measure(byok: BYOK, url: str, options: t.Any) -> None:
    """Measure and print calls and pieces of streams."""
    built = {
        "bare SDK": bench_sender.build_official(url),
        "on our routes": build_routed(byok),
    }

    spent: dict[str, float] = {}

    for provider in bench_call.COMPANIES:
        calls = {name: made[0][provider] for name, made in built.items()}
        calls["with the engine"] = add_engine(byok, provider, calls["bare SDK"])
        whole = bench_sender.measure(calls, options.rounds, options.calls)
        report(f"{provider} call", whole)
        spent[provider] = whole["bare SDK"]
        streams = {name: made[1][provider] for name, made in built.items()}
        results = bench_sender.measure(streams, options.rounds, options.streams)
        pieces = bench_sender.take_pieces(results, whole)
        report(f"{provider} chunk", pieces, PIECES)

    report_making(byok, spent)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="the database; else a SQLite file")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=60, help="per round")
    parser.add_argument("--streams", type=int, default=4, help="per round")
    options = parser.parse_args()

    with answering() as url, bench_call.hosting(options.url, url) as (_, byok):
        measure(byok, url, options)

    return 0


if __name__ == "__main__":
    sys.exit(main())
