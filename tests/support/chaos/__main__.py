"""The command: ``python -m tests.support.chaos --minutes 10``."""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import random
import sys

from tests.support import servers
from tests.support.chaos.run import run
from tests.support.chaos.server import CutServer
from tests.support.chaos.server import find_binaries
from tests.support.chaos.server import own_server
from tests.support.chaos.server import Server

_EPILOG = """\
Several workers of gunicorn on PostgreSQL serve chats and streams of six companies,
while providers fail at random, workers are killed, the database crashes, the clock
jumps, and keys are saved, replaced and removed. At the end it says what happened and
which promises did not hold. Exit code: 0 when all held, 1 when one did not.
"""


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.chaos",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=1.0, help="how long (1)")
    parser.add_argument(
        "--database",
        metavar="URL",
        help="an empty PostgreSQL database, whose connections are cut; without it a "
        "server of its own is started and crashes, if PostgreSQL is installed",
    )
    parser.add_argument(
        "--kind", choices=("gthread", "gevent"), default="gthread", help="of workers"
    )
    parser.add_argument("--seed", help="of what is drawn by lot; else a new one")
    return parser


def open_server(stack: contextlib.ExitStack, url: str | None) -> Server:
    """Find a database to shake: the one that is named, our own, or one to be cut."""
    if url is not None:
        return CutServer(url)

    if binaries := find_binaries():
        return stack.enter_context(own_server(binaries))

    databases = servers.Databases(pathlib.Path())
    stack.callback(databases.drop_all)
    return CutServer(databases.make(servers.POSTGRESQL))


def main() -> int:
    """Run it and report."""
    options = build_parser().parse_args()
    seed = options.seed or str(random.randrange(10**6))
    print(f"seed {seed}", flush=True)

    with contextlib.ExitStack() as stack:
        server = open_server(stack, options.database)
        report = run(
            server,
            options.minutes * 60,
            seed=seed,
            kind=options.kind,
            say=lambda line: print(line, flush=True),
        )

    for line in report.lines():
        print(line)

    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
