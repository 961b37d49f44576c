"""What this package costs beside what a team would use instead, all in one run.

Run it from the repository: ``python benchmarks/bench_peers.py``. The first time it
makes an environment for each peer in ``.venv-peers``. It prints one table of ratios and
targets; ``docs/benchmarks.md`` says how to read it.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import signal
import sys
import time

from peers.calls import measure_calls
from peers.databases import making
from peers.growth import measure_growth
from peers.processes import OTHERS
from peers.served import measure_served
from peers.served import measure_streams
from peers.setting import Results
from peers.setting import Setting
from peers.start import measure_start
from peers.table import build_table
from peers.table import write_page
from shared.provider import answering
from shared.provider import Pace

PARTS = ("calls", "served", "streams", "growth", "start")
PEERS = ("litellm", "litellm-proxy", "any-llm")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--peers", choices=PEERS, nargs="*", default=PEERS)
    parser.add_argument("--quick", action="store_true", help="only show that it works")
    parser.add_argument(
        "--url", help="a PostgreSQL database; others are made beside it"
    )
    parser.add_argument("--page", type=pathlib.Path, help="write the table into it")
    options = parser.parse_args()
    os.sched_setaffinity(0, OTHERS)
    # Who ends a run early leaves no server and no database behind, either.
    signal.signal(signal.SIGTERM, lambda *ignored: sys.exit(1))
    pace = Pace(40, 0.05) if options.quick else Pace(100, 0.05)

    with answering(pace) as url, making(options.url) as databases:
        setting = Setting(
            url=url,
            databases=databases,
            quick=options.quick,
            peers=frozenset(options.peers),
        )
        table = build_table(measure(setting, options.only, pace))

    print(table)

    if options.page:
        write_page(options.page, table)

    return 0


def measure(setting: Setting, parts: tuple[str, ...], pace: Pace) -> Results:
    """Measure one part after the other."""
    results: Results = {}
    measures = {
        "calls": measure_calls,
        "served": measure_served,
        "streams": lambda setting: measure_streams(setting, pace),
        "growth": measure_growth,
        "start": measure_start,
    }

    for name in parts:
        began = time.monotonic()
        results |= measures[name](setting)
        took = time.monotonic() - began
        print(f"{name}: measured in {took:.0f} s", file=sys.stderr)

    return results


if __name__ == "__main__":
    sys.exit(main())
