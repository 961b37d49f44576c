"""A host app for worker processes that rotate, and that stop where a test wants it.

``flask --app tests.support.rotation_app byok rotate`` and the like, with these
environment variables:

``ROTATION_URL``, ``ROTATION_KEYS``, ``ROTATION_PRIMARY``
    The database; the master keys as one text; the one that seals.
``ROTATION_STOP``
    ``inside 3``: say ``stopped`` and wait for ever in the third batch, written and not
    committed; ``between 3``: before the third batch, when the second is committed.
"""

from __future__ import annotations

import os
import signal
import typing as t

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_byok import BYOK


def create_app() -> Flask:
    """Make the app."""
    app, db = Flask("rotation"), SQLAlchemy()
    byok = BYOK(db=db)
    app.config.update(
        SECRET_KEY="not-a-real-secret",
        SQLALCHEMY_DATABASE_URI=os.environ["ROTATION_URL"],
        BYOK_MASTER_KEYS=os.environ["ROTATION_KEYS"],
        BYOK_PRIMARY_KEY_ID=os.environ["ROTATION_PRIMARY"],
    )
    db.init_app(app)
    byok.init_app(app)
    _stop_where(os.environ.get("ROTATION_STOP", ""))
    return app


def _stop_where(place: str) -> None:
    where, _, number = place.partition(" ")

    if where == "inside":
        sa.event.listen(sa.Engine, "after_cursor_execute", _stop("UPDATE", number))
    elif where == "between":
        sa.event.listen(sa.Engine, "before_cursor_execute", _stop("SELECT", number))


def _stop(verb: str, number: str) -> t.Callable[..., None]:
    """Stop at the so-manieth statement of a batch that begins with a verb."""
    left = [int(number)]

    def stop(connection: t.Any, cursor: t.Any, statement: str, *details: t.Any) -> None:
        if not statement.startswith(verb) or "byok_credential.generation" not in (
            statement
        ):
            return

        left[0] -= 1

        if left[0] == 0:
            print("stopped", flush=True)
            signal.pause()

    return stop
