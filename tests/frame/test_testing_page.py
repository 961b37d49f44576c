"""The shorter examples of the page about testing run beside its whole example."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import flask
import pytest

from flask_byok.config import Settings
from tests.support import examples
from tests.support import plugin_runs

#: Stands where the example goes into the file around it.
HERE = "# the example\n"

BY_ENVIRONMENT = """
import pytest

from app import create_app, db
from flask_byok.masterkeys import generate


# the example


def test_the_app_is_led_to_the_simulator(app, client, byok_simulator):
    with app.app_context():
        db.create_all()

    assert client.get("/haiku").json["paid_by"] == "system"
    assert byok_simulator.api_keys_seen() == ["not-a-real-system-key"]

    with app.app_context():
        db.engine.dispose()
"""

IN_MID_CALL = """
import threading

import pytest

from app import byok, create_app, db


@pytest.fixture
def app(byok_settings):
    return create_app(byok_settings)


@pytest.fixture(autouse=True)
def caller(app, request):
    answers = []

    with app.app_context():
        db.create_all()
        request.getfixturevalue("company_key")()
        ask = lambda: answers.append(app.test_client().get("/haiku").json["paid_by"])
        request.module.thread = threading.Thread(target=ask)
        yield
        assert answers == ["company"]
        assert byok.credentials(7) == []
        db.engine.dispose()


# the example
"""

IN_EVERY_STATE = """
import re

import app as host
import pytest

from flask_byok.masterkeys import generate
from flask_byok.testing.states import STATES

made = []


def create_app(config):
    own = {"SQLALCHEMY_DATABASE_URI": "sqlite://"}
    made[:] = [host.create_app({**own, **config})]

    with made[0].app_context():
        host.db.create_all()

    return made[0]


class Session:
    def visit(self, path):
        self.client = vars(self).get("client") or made[0].test_client()
        return self.client.get("/settings/ai" + path)

    def post(self, path, **form):
        page = self.visit("/").text
        form.setdefault(
            "csrf_token", re.search(r'name="csrf_token"\\s+value="([^"]+)"', page)[1]
        )
        path = "/settings/ai" + path
        return self.client.post(path, data=form, follow_redirects=True)


@pytest.fixture(params=["no-key", "removed", "test-ok", "fallback"])
def state(request, monkeypatch):
    monkeypatch.setenv("FLASK_BYOK_MASTER_KEYS", f"k001:{generate()}")
    yield STATES[request.param]

    with made[0].app_context():
        host.db.engine.dispose()


@pytest.fixture
def browser_session():
    return Session()


# the example
"""

WITH_A_SERVICE = """
import app as host
import pytest

from app import byok

given = {}


@pytest.fixture(autouse=True)
def around(byok_simulator):
    given["BYOK_PROVIDER_URLS"] = byok_simulator.urls
    yield

    with given.pop("app").app_context():
        host.db.engine.dispose()


def create_app(config):
    given["app"] = host.create_app({**given, **config})

    with given["app"].app_context():
        host.db.create_all()

    return given["app"]


# the example
"""

#: Each example by how it begins, and what stands around it.
EXAMPLES = {
    "@pytest.fixture\ndef app(byok_connect": (BY_ENVIRONMENT, 1),
    "def test_a_key_removed_in_mid_call": (IN_MID_CALL, 1),
    "from flask_byok.testing.states import": (IN_EVERY_STATE, 4),
    "import pytest\nfrom flask_byok.errors import": (WITH_A_SERVICE, 1),
}


def find(beginning: str) -> str:
    """Copy the one block of the page that begins so."""
    printed = examples.blocks("testing.md")
    (found,) = (block for block in printed if block.startswith(beginning))
    return found


@pytest.mark.parametrize("beginning", EXAMPLES, ids=lambda text: text.split()[-1])
def test_an_example_passes_in_a_hosts_tests(
    beginning: str, tmp_path: pathlib.Path
) -> None:
    """Each stands in a file of its own, beside the app and the conftest of the page."""
    around, number = EXAMPLES[beginning]
    names = plugin_runs.write_example(tmp_path)
    own = tmp_path / "test_own.py"
    own.write_text(around.replace(HERE, find(beginning)), "utf-8")
    environment = {
        **plugin_runs.clean_environment(),
        "PYTHONPATH": str(examples.ROOT),
        "FLASK_SECRET_KEY": "for tests alone",
        "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path / 'host.db'}",
        "FLASK_BYOK_SYSTEM_KEYS__OPENAI": "not-a-real-system-key",
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:schemathesis", own],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "conftest.py" in names
    assert f"{number} passed" in done.stdout, done.stdout + done.stderr


def test_a_master_key_is_made_for_a_run() -> None:
    """The lines at the end of the page give a setting that is taken."""
    app = flask.Flask("host")
    examples.run(find("from flask_byok.masterkeys import generate"), {"app": app})

    assert Settings.from_config(app.config).is_vault_open
