"""Commands of the studio itself; those of flask-byok come with it."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from .people import prepare_database


@click.command("init-db")
@with_appcontext
def init_db() -> None:
    """Make the tables and the demo accounts."""
    prepare_database()
    click.echo("The database is ready.")
