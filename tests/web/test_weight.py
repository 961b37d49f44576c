"""The page with all its parts stays small, in each look and language."""

from __future__ import annotations

import collections.abc as cabc
import pathlib
import typing as t

import flask
import flask_babel
import pytest

import flask_byok
from tests.support import messages
from tests.web.conftest import GOOD_KEY
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import state_of
from tests.web.seeding import add_month
from tests.web.test_keys import cards
from tests.web.test_keys import MOST_BYTES
from tests.web.test_keys import MOST_SCRIPT
from tests.web.test_keys import PROVIDERS

STATIC = pathlib.Path(flask_byok.__file__).parent / "static" / "byok"


def speak(app: flask.Flask) -> None:
    """Let an app speak the language that a request names."""
    flask_babel.Babel(app, locale_selector=lambda: flask.request.args.get("lang", "en"))


def fill(host: Host) -> None:
    """Give a company all there is, a month of it, every key tested."""
    add_month(host)
    ada = host.client()

    for provider in PROVIDERS:
        host.save(provider, GOOD_KEY, activate=provider == "OPENAI", actor="Ada")
        ada.post("/test", provider=provider)

    for _ in range(9):
        ada.post("/policy", fallback="outage_only", use_other_keys=["0", "1"])
        ada.post("/policy", fallback="auto")
