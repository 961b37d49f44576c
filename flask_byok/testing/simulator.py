"""The command: ``python -m flask_byok.testing.simulator --port 8600``."""

from __future__ import annotations

import argparse
import collections.abc as cabc
import signal
import sys
import threading

from .server import Simulator as Simulator

_EPILOG = """\
Prints the base URL of each provider, as BYOK_PROVIDER_URLS takes them, then
"ready", and serves until Ctrl-C or SIGTERM.

Any key works. A key that contains one of these words fails accordingly:
revoked, expired, restricted, nocredit, ratelimited, overloaded, outage, slow,
hang, cut. A model named fault-<name> chooses any fault; GET /faults lists the
names. The page at / switches faults on and off while it runs; GET /requests
shows what was received, keys included.
"""


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m flask_byok.testing.simulator",
        description="Simulate OPENAI, CLAUDE and GEMINI on this machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--port", type=int, default=0, help="the port; 0 (default) takes a free one"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)"
    )
    parser.add_argument(
        "--pace",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="wait so long between two pieces of a stream (0)",
    )
    parser.add_argument(
        "--slow",
        type=float,
        default=6.0,
        metavar="SECONDS",
        help="what a key with 'slow' in it waits (6)",
    )
    parser.add_argument(
        "--vendor",
        action="append",
        default=[],
        metavar="ID",
        help="also serve a registered vendor, such as GROQ; may be repeated",
    )
    return parser


def main(arguments: cabc.Sequence[str] | None = None) -> int:
    """Serve until told to stop.

    :return: the exit code: 0, or 1 when the port cannot be opened.
    """
    options = build_parser().parse_args(arguments)
    return run(
        host=options.host,
        port=options.port,
        pace=options.pace,
        slow=options.slow,
        vendors=options.vendor,
    )


def run(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    pace: float = 0.0,
    slow: float = 6.0,
    vendors: cabc.Iterable[str] = (),
) -> int:
    """Serve until Ctrl-C or SIGTERM; must run in the main thread."""
    try:
        simulator = Simulator(
            host=host, port=port, pace=pace, slow_seconds=slow, vendors=vendors
        )
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1

    try:
        simulator.start()
    except (OSError, OverflowError):
        print(f"Cannot listen on {host} port {port}. Is it in use?", file=sys.stderr)
        return 1

    try:
        # An exception, and no event set by a handler: a signal that comes just when the
        # event begins to wait would find its lock taken by the thread it interrupts.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)

        for provider, url in simulator.urls.items():
            print(provider, url, flush=True)

        print("ready", flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        simulator.stop()

    return 0


if __name__ == "__main__":
    sys.exit(main())
