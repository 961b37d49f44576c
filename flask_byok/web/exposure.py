"""Whether the app is fit for others to reach it; for ``flask byok doctor --deploy``."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from ..errors import SetupError
from ..errors import StateUnavailable
from ..service.findings import error
from ..service.findings import Finding
from ..service.findings import ok
from ..service.findings import warning

if t.TYPE_CHECKING:
    from flask import Flask

    from ..config import Settings
    from ..vault.database import Database

#: Characters of a SECRET_KEY that nobody guesses.
SECRET_LENGTH: t.Final = 16


def look_at_deployment(
    app: Flask, settings: Settings, database: Database, *, debug: bool
) -> cabc.Iterator[Finding]:
    """Look at what is right on a developer's machine and wrong on a server.

    :param debug: whether debug mode is on where the app is served, as far as one knows.
    """
    yield from _look_at_app(app, debug)
    yield from _look_at_counters(settings)

    try:
        yield from _look_at_sqlite(database)
    except (SetupError, StateUnavailable):
        # The look at the tables says so.
        pass


def _look_at_app(app: Flask, debug: bool) -> cabc.Iterator[Finding]:
    if debug:
        yield error(
            "debug",
            "Debug mode is on: its console can read every key this app can open. Take "
            "'--debug', FLASK_DEBUG and DEBUG away.",
        )

    # A prefixed environment variable of digits arrives as a number.
    if app.secret_key and len(str(app.secret_key)) < SECRET_LENGTH:
        yield error(
            "secret-key",
            f"SECRET_KEY has fewer than {SECRET_LENGTH} characters: who guesses it "
            "signs in as anybody. Make one with 'python -c \"import secrets; "
            "print(secrets.token_hex())\"'.",
        )

    if app.config["SESSION_COOKIE_SECURE"]:
        yield ok("cookies", "The session's cookie is sent over HTTPS alone.")
    else:
        yield warning(
            "cookies",
            "SESSION_COOKIE_SECURE is off: the session's cookie, which opens the "
            "settings page, is sent over HTTP as well. Serve the app over HTTPS and "
            "turn it on.",
        )


def _look_at_counters(settings: Settings) -> cabc.Iterator[Finding]:
    if settings.rate_limit and settings.rate_limit_storage.startswith("memory:"):
        yield warning(
            "rate-limit",
            "Each worker counts key checks for itself (BYOK_RATE_LIMIT_STORAGE), so "
            "several let through several times as many. Name a Redis that all of them "
            "reach.",
        )


def _look_at_sqlite(database: Database) -> cabc.Iterator[Finding]:
    if database.engine.dialect.name != "sqlite":
        return

    if database.is_in_memory:
        yield error(
            "sqlite",
            "The tables live in this process's memory: each worker has its own, and "
            "stored keys end with it. Name a database in SQLALCHEMY_DATABASE_URI.",
        )
        return

    with database.read() as connection:
        mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar())

    if mode.lower() != "wal":
        yield warning(
            "sqlite",
            "SQLite does not write ahead here, so workers that read keep the others "
            "from writing. Run 'PRAGMA journal_mode = WAL' on the file, once, or use "
            "PostgreSQL or MariaDB.",
        )
