"""The example app on a simulator, without the demo's instance folder."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import html
import re
import typing as t

import flask
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import example_app
from example_app import demo_keys
from example_app import settings
from example_app.extensions import byok
from example_app.extensions import db
from example_app.people import ACCOUNTS
from example_app.people import PASSWORD
from example_app.people import prepare_database
from flask_byok.masterkeys import generate
from flask_byok.testing import Simulator
from flask_byok.testing.fixtures import _byok_simulator_server as _byok_simulator_server
from flask_byok.testing.fixtures import byok_simulator as byok_simulator

#: Company ids, in the order the demo makes them.
IDS = {"northwind": 1, "blueharbor": 2}


@dataclasses.dataclass
class Studio:
    """The example app, and what a test needs to know of it."""

    app: flask.Flask
    simulator: Simulator

    def visit(self, name: str = "Ada") -> Visitor:
        """Sign in with a demo account, by first name."""
        visitor = Visitor(self.app.test_client())
        account = next(one for one in ACCOUNTS if one.name.startswith(name))
        answer = visitor.post("/sign-in", email=account.email, password=PASSWORD)
        assert answer.status_code == 303
        return visitor

    def save(self, provider: str = "OPENAI", slug: str = "northwind") -> str:
        """Store a demo key without the page, and forget the requests of its check."""
        api_key = demo_keys.company_keys(slug)[provider]

        with self.app.app_context():
            assert byok.save_key(IDS[slug], provider, api_key).saved

        self.simulator.clear()
        return api_key


class Visitor:
    """A browser without a browser: no script runs."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str) -> TestResponse:
        """Open a page."""
        return self.client.get(path)

    def post(self, path: str, accept: str = "text/html", **form: str) -> TestResponse:
        """Send a form with the token of this session."""
        data = {"csrf_token": self.token(), **form}
        return self.client.post(path, data=data, headers={"Accept": accept})

    def run(self, slug: str, text: str = "A text of ours.") -> TestResponse:
        """Run a tool and follow to its answer."""
        answer = self.post(f"/{slug}", text=text)

        if answer.status_code != 303:
            return answer

        return self.get(answer.headers["Location"])

    def token(self) -> str:
        """Read the token off any page."""
        page = self.client.get("/settings/", follow_redirects=True).text
        found = re.search(r'name="csrf_token"\s+value="([^"]+)"', page)
        assert found is not None
        return found[1]


def text_of(answer: TestResponse | str) -> str:
    """Read a page's text: tags out, white space folded."""
    page = answer if isinstance(answer, str) else answer.text
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.fixture
def make_studio(
    sqlite_url: str, byok_simulator: Simulator
) -> cabc.Iterator[cabc.Callable[..., Studio]]:
    """Make the app; keyword arguments change settings."""
    made: list[flask.Flask] = []

    def make(**changes: t.Any) -> Studio:
        config = {
            "SECRET_KEY": "for this test alone",
            "SQLALCHEMY_DATABASE_URI": sqlite_url,
            "BYOK_MASTER_KEYS": {"k001": generate()},
            **settings.simulated(byok_simulator.address),
            **changes,
        }
        app = example_app.create_app(config)
        made.append(app)

        with app.app_context():
            prepare_database()

        return Studio(app=app, simulator=byok_simulator)

    yield make

    for app in made:
        close(app)


def close(app: flask.Flask) -> None:
    """Close every connection of an app."""
    with app.app_context():
        byok.state.database.close()
        byok.state.sender.close()

        for engine in db.engines.values():
            engine.dispose()


@pytest.fixture
def studio(make_studio: cabc.Callable[..., Studio]) -> Studio:
    """The app with the demo's settings."""
    return make_studio()
