"""The command: ``python -m example_app.demo``, which ``make demo`` runs.

It serves with werkzeug's own threaded server: right for one machine and one visitor. In
production an app runs behind a server made for it.
"""

from __future__ import annotations

import argparse
import collections.abc as cabc
import contextlib
import logging
import pathlib
import signal
import socket
import sys
import textwrap
import typing as t

from flask import Flask
from werkzeug.serving import make_server
from werkzeug.serving import WSGIRequestHandler

from flask_byok.testing import Simulator

from . import create_app
from . import demo_keys
from . import settings
from .layouts import LAYOUTS
from .people import ACCOUNTS
from .people import COMPANIES
from .people import PASSWORD
from .people import prepare_database

_HOST: t.Final = "127.0.0.1"

#: Seconds between two pieces of a simulated stream: slow enough to be seen.
_PACE: t.Final = 0.05

_EPILOG: t.Final = f"""\
Everything listens on this machine alone. Database and secrets stand in the instance
folder, which git ignores. With {settings.REAL_VARIABLE}=1 in the environment the studio
asks the real providers, on keys you save there, in a database of its own; the key the
studio pays for comes from FLASK_BYOK_SYSTEM_KEYS, as JSON: {{"OPENAI": "..."}}.
"""


class Handler(WSGIRequestHandler):
    """Takes it quietly when a visitor stops a stream or closes the window."""

    def finish(self) -> None:
        """End a connection, also one that is gone."""
        with contextlib.suppress(ConnectionError):
            super().finish()


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m example_app.demo",
        description="Start Content Studio, with a provider simulator behind it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=8000,
        help="the studio's port (8000; a free one when that is taken)",
    )
    parser.add_argument(
        "--simulator-port",
        type=_port,
        default=8600,
        metavar="PORT",
        help="the simulator's port (8600; a free one when that is taken)",
    )
    parser.add_argument(
        "--pace",
        type=float,
        default=_PACE,
        metavar="SECONDS",
        help=f"what the simulator waits between two pieces of a stream ({_PACE})",
    )
    parser.add_argument(
        "--folder",
        type=pathlib.Path,
        help="keep database and secrets here instead of in the instance folder",
    )
    parser.add_argument(
        "--layout",
        choices=tuple(LAYOUTS),
        default="studio",
        help="what the settings page stands in (studio)",
    )
    parser.add_argument(
        "--reset", action="store_true", help="forget saved keys, texts and history"
    )
    return parser


def main(arguments: cabc.Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    options = build_parser().parse_args(arguments)
    folder = None if options.folder is None else str(options.folder.resolve())

    # Also where a script started us in the background: SIGINT is ignored there.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)

    set_up_logging()

    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.suppress(KeyboardInterrupt))
        simulator = None

        if not settings.is_real():
            simulator = start_simulator(options.simulator_port, options.pace)
            stack.callback(simulator.stop)

        app = build_app(folder, simulator, reset=options.reset, layout=options.layout)
        listener = stack.enter_context(open_port(options.port))
        port = listener.getsockname()[1]
        server = make_server(
            _HOST,
            port,
            app,
            threaded=True,
            request_handler=Handler,
            fd=listener.fileno(),
        )
        print(describe(f"http://{_HOST}:{port}", simulator), flush=True)
        server.serve_forever()

    print("\nStopped.", flush=True)
    return 0


def set_up_logging() -> None:
    """Show what flask-byok tells an operator, and leave out the access log."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    logging.getLogger("flask_byok").setLevel(logging.INFO)


def start_simulator(port: int, pace: float) -> Simulator:
    """Start the providers' simulator, on a free port when ``port`` is taken."""
    try:
        return Simulator(host=_HOST, port=port, pace=pace).start()
    except OSError:
        return Simulator(host=_HOST, pace=pace).start()


def build_app(
    folder: str | None, simulator: Simulator | None, *, reset: bool, layout: str
) -> Flask:
    """Make the app and its database.

    :param folder: the instance folder; ``None`` for the usual one.
    :param layout: of the settings page.
    """
    place = pathlib.Path(folder or Flask("example_app").instance_path)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)

    if simulator is not None:
        settings.write_simulator_url(place, simulator.address)

    if reset:
        # What SQLite keeps beside a database must not outlive it.
        for ending in ("", "-journal", "-wal", "-shm"):
            path = f"{settings.database_path(place)}{ending}"
            pathlib.Path(path).unlink(missing_ok=True)

    app = create_app(instance_path=folder, layout=layout)

    with app.app_context():
        prepare_database()

    return app


def open_port(port: int) -> socket.socket:
    """Listen on a port of this machine, on a free one when it is taken."""
    try:
        return socket.create_server((_HOST, port))
    except OSError:
        return socket.create_server((_HOST, 0))


def describe(address: str, simulator: Simulator | None) -> str:
    """Say where the studio is, who may sign in, and what to try."""
    accounts = [
        f"  {account.email:<25} {account.role:<7} {COMPANIES[account.slug]}"
        for account in ACCOUNTS
    ]
    parts = [
        f"Content Studio      {address}",
        f"Sign in as, each with the password {PASSWORD}:",
        *accounts,
    ]

    if simulator is None:
        return "\n".join(["", *parts, "", _REAL_PROVIDERS])

    parts.insert(1, f"Provider simulator  {simulator.address}")

    for slug, name in COMPANIES.items():
        parts.append(f"Demo keys of {name}:")
        parts += [
            f"  {provider:<8} {api_key}"
            for provider, api_key in demo_keys.company_keys(slug).items()
        ]

    return "\n".join(["", *parts, "", _TO_TRY])


_REAL_PROVIDERS: t.Final = textwrap.dedent(
    f"""\
    {settings.REAL_VARIABLE} is set: keys saved here are real, and providers bill them.
    Ctrl-C ends it.
    """
)
_TO_TRY: t.Final = textwrap.dedent(
    """\
    What to try:
      1. Sign in as Ada and run a tool: the key provided by the studio pays.
      2. Settings > AI Configuration: save a demo key and press Test Connection.
      3. Run a tool again: now the company's own key pays.
      4. Dashboard: break the provider, run a tool, and see the answer still come.
      5. Repair it, press Test Connection, and see the warning go.
    Ctrl-C ends it.
    """
)


def _port(text: str) -> int:
    port = int(text)

    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")

    return port


if __name__ == "__main__":
    sys.exit(main())
