"""The studio under test, and a visitor who is signed in."""

from __future__ import annotations

import collections.abc as cabc
import pathlib
import typing as t

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_login import FlaskLoginClient

from example_app import create_app
from example_app.extensions import db
from example_app.models import User
from example_app.people import prepare_database


@pytest.fixture
def byok_app(
    byok_settings: cabc.Mapping[str, t.Any], tmp_path: pathlib.Path
) -> cabc.Iterator[Flask]:
    """Make the studio, with a database of its own and the simulator's addresses."""
    app = create_app(
        {
            **byok_settings,
            "SECRET_KEY": "for tests alone",
            "SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path}/studio.sqlite3",
            "WTF_CSRF_ENABLED": False,
        }
    )
    app.test_client_class = FlaskLoginClient

    with app.app_context():
        prepare_database()

    yield app

    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def admin(byok_app: Flask) -> FlaskClient:
    """Sign an administrator of company 1 in."""
    with byok_app.app_context():
        user = db.session.get(User, 1)

    return byok_app.test_client(user=user)
