"""``flask byok simulator``."""

from __future__ import annotations

import sys

import click

from .group import byok_cli


@byok_cli.command("simulator", with_appcontext=False)
@click.option(
    "--port",
    default=8901,
    show_default=True,
    type=click.IntRange(0, 65_535),
    help="0 picks a free one.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="To listen on.")
@click.option(
    "--pace",
    default=0.0,
    show_default=True,
    help="Seconds between the pieces of a stream.",
)
@click.option(
    "--vendor",
    "vendors",
    multiple=True,
    metavar="ID",
    help="Also serve a registered vendor, such as GROQ; may be repeated.",
)
def simulator(port: int, host: str, pace: float, vendors: tuple[str, ...]) -> None:
    """Run a local stand-in for OpenAI, Gemini and Claude.

    Prints the base URLs, the line for your shell that sets BYOK_PROVIDER_URLS to them,
    then 'ready'. Keys that contain words such as 'revoked' or 'ratelimited' fail that
    way; any other key works.
    """
    # Here alone: production never loads the test aids.
    from ..testing.simulator import run

    sys.exit(run(host=host, port=port, pace=pace, vendors=vendors))
