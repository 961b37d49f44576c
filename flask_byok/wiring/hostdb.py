"""The host's ``db``, and the engine behind it."""

from __future__ import annotations

import collections.abc as cabc
import typing as t
import weakref

import sqlalchemy as sa
from flask import current_app
from flask import Flask
from flask import has_app_context

from ..errors import SetupError

#: What is said of a ``db`` that is missing, or none.
NO_DB: t.Final = (
    "BYOK needs the app's Flask-SQLAlchemy object. "
    "Pass it: 'BYOK(db=db)' or 'byok.init_app(app, db=db)'."
)

#: How Flask-SQLAlchemy-Lite calls the engine that has no other name.
_LITE_DEFAULT: t.Final = "default"


class HostDb(t.Protocol):
    """The host's ``db``: that of Flask-SQLAlchemy, or of Flask-SQLAlchemy-Lite."""

    @property
    def engines(self) -> cabc.Mapping[t.Any, sa.Engine]:
        """The engines of the current app by name."""
        ...


def engine_getter(
    app: Flask, db: HostDb, bind_key: str | None
) -> cabc.Callable[[], sa.Engine]:
    """Give a function that finds the host's engine once somebody needs it."""
    app_ref = weakref.ref(app)

    def get_engine() -> sa.Engine:
        host = app_ref()

        if host is None:
            raise SetupError("The app of this extension is gone.")

        if has_app_context() and current_app == host:
            return _engine(db, bind_key)

        with host.app_context():
            return _engine(db, bind_key)

    return get_engine


def _engine(db: HostDb, bind_key: str | None) -> sa.Engine:
    engines = None

    try:
        engines = db.engines
    except RuntimeError:
        # What both say of an app they were not given.
        pass

    if engines is None:
        raise SetupError(
            "The 'db' given to BYOK does not know this app. Call 'db.init_app(app)' on "
            "that same 'db'."
        )

    for name in (bind_key,) if bind_key is not None else (None, _LITE_DEFAULT):
        if name in engines:
            return engines[name]

    if bind_key is None:
        raise SetupError(
            "This app's 'db' has no default database, and 'BYOK_BIND_KEY' names none. "
            "Set 'SQLALCHEMY_DATABASE_URI', or the bind that holds the tables."
        )

    raise SetupError(
        "'BYOK_BIND_KEY' names no database of this app. Add it to 'SQLALCHEMY_BINDS', "
        "or correct the name."
    )
