"""What an app shows of its keys once it has started."""

from __future__ import annotations

import collections.abc as cabc
import json
import logging
import pickle
import pprint

import flask
import pytest
from flask_sqlalchemy import SQLAlchemy

from flask_byok import BYOK
from flask_byok.masterkeys import generate
from tests.support.calls import CallHost

MASTER = generate()


@pytest.mark.case("C2", "C20")
def test_a_dump_of_the_config_shows_no_key(
    make: cabc.Callable[..., CallHost],
) -> None:
    """Shells, toolbars and ``pprint`` see masks in ``app.config`` and in settings."""
    keys = {"k001": MASTER}
    host = make(
        BYOK_MASTER_KEYS=keys, BYOK_SYSTEM_KEYS={"OPENAI": "not-a-real-system-key-SyS1"}
    )
    config = dict(host.app.config)

    for shown in (repr(config), str(config), pprint.pformat(config)):
        assert MASTER not in shown
        assert "SyS1" not in shown

    assert "SyS1" not in repr(host.byok.settings)
    assert MASTER not in repr(host.byok.settings)

    for name in ("BYOK_MASTER_KEYS", "BYOK_SYSTEM_KEYS"):
        with pytest.raises(TypeError):
            json.dumps(config[name])

        with pytest.raises(TypeError):
            pickle.dumps(config[name])


@pytest.mark.case("C16")
@pytest.mark.parametrize(("debug", "warnings"), [(True, 1), (False, 0)])
def test_debug_mode_is_warned_of_once(
    caplog: pytest.LogCaptureFixture, debug: bool, warnings: int
) -> None:
    """A debugger's console can read what this package protects."""
    app = flask.Flask("host")
    app.debug = debug
    app.config.update(
        SECRET_KEY="not-a-real-secret",
        SQLALCHEMY_DATABASE_URI="sqlite://",
        BYOK_MASTER_KEYS={"k001": MASTER},
    )
    db = SQLAlchemy(app)
    BYOK(db=db).init_app(app)
    told = [
        record
        for record in caplog.records
        if record.levelno == logging.WARNING and "debug" in record.getMessage().lower()
    ]

    assert len(told) == warnings
