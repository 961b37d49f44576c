"""A host app that a real gunicorn loads; it says when it is ready."""

from __future__ import annotations

import sys

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_byok import BYOK
from flask_byok.masterkeys import generate


def create_app(timeout: float = 60.0) -> Flask:
    """Make the app, as a host's factory does."""
    app, db = Flask("served"), SQLAlchemy()
    app.config.update(
        SQLALCHEMY_DATABASE_URI="sqlite:///:memory:",
        BYOK_MASTER_KEYS={"k001": generate()},
        BYOK_TIMEOUT=timeout,
    )
    db.init_app(app)
    BYOK(app, db=db)
    print("the app is ready", file=sys.stderr, flush=True)
    return app
