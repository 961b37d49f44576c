"""A small host app with companies, managers and members, on a simulator."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import re
import typing as t

import flask
import flask_sqlalchemy
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from flask_byok import BYOK
from flask_byok import Provider
from flask_byok.masterkeys import generate
from flask_byok.testing import Simulator
from flask_byok.testing.fixtures import _byok_simulator_server as _byok_simulator_server
from flask_byok.testing.fixtures import byok_simulator as byok_simulator

#: A key that the simulator takes and that looks like nothing real.
GOOD_KEY = "not-a-real-company-key-0001-AbCd"
OTHER_KEY = "not-a-real-company-key-0002-EfGh"


@dataclasses.dataclass
class Host:
    """A host app and what a test needs to know of it."""

    app: flask.Flask
    byok: BYOK
    simulator: Simulator

    def client(self, user: str | None = "ada", company: int | None = 1) -> Visitor:
        """Sign somebody in: ``ada`` is an administrator, ``max`` is not."""
        return Visitor(self.app.test_client(), user, company)

    def chat(self, company: int = 1) -> t.Any:
        """Make an AI request of a company."""
        with self.app.app_context():
            return self.byok.client_for(company).chat("hello")

    def save(self, provider: str = "OPENAI", api_key: str = GOOD_KEY, **more: t.Any):
        """Store a key without the page."""
        with self.app.app_context():
            return self.byok.save_key(1, provider, api_key, **more)

    def status(self, company: int = 1) -> t.Any:
        """Read how a company stands."""
        with self.app.app_context():
            return self.byok.status(company)


class Visitor:
    """A signed-in browser session without a browser."""

    def __init__(
        self, client: FlaskClient, user: str | None, company: int | None
    ) -> None:
        self.client = client
        self.pages: list[TestResponse] = []

        with client.session_transaction() as session:
            session["user"], session["company"] = user, company

    def get(self, path: str = "/", **more: t.Any) -> TestResponse:
        """Get a page of ours."""
        return self._keep(self.client.get(f"/settings/ai{path}", **more))

    def token(self) -> str:
        """Read the CSRF token off a page of the host."""
        return self.client.get("/token").get_data(as_text=True)

    def post(self, path: str, follow: bool = True, **form: t.Any) -> TestResponse:
        """Post a form of ours, with its token, and follow to the next page."""
        form = {"csrf_token": self.token(), **form}
        answer = self._keep(self.client.post(f"/settings/ai{path}", data=form))

        if not follow or answer.status_code != 303:
            return answer

        return self._keep(self.client.get(answer.headers["Location"]))

    def save(self, api_key: str = GOOD_KEY, **form: t.Any) -> TestResponse:
        """Press *Save* in the key form."""
        form = {"provider": "OPENAI", "activate": "1", **form}
        return self.post("/key", action="save", api_key=api_key, **form)

    def call(self, method: str, path: str, body: t.Any = None, **more: t.Any) -> t.Any:
        """Call the JSON API, with the token in its header."""
        headers = {"X-CSRFToken": self.token(), **more.pop("headers", {})}
        if body is not None:
            more["json"] = body

        return self._keep(
            self.client.open(
                f"/settings/ai/api{path}", method=method, headers=headers, **more
            )
        )

    def _keep(self, answer: TestResponse) -> TestResponse:
        self.pages.append(answer)
        return answer

    def session(self) -> dict[str, t.Any]:
        """Read the session as the host sees it."""
        with self.client.session_transaction() as session:
            return dict(session)


def text_of(answer: TestResponse) -> str:
    """Read a page's text: tags out, white space folded."""
    body = re.sub(r"<(script|style|datalist).*?</\1>", " ", answer.text, flags=re.S)
    body = re.sub(r"<[^>]+>", " ", body)
    body = body.replace("&#39;", "'").replace("&amp;", "&").replace("&#34;", '"')
    return re.sub(r"\s+", " ", body)


def state_of(answer: TestResponse) -> str:
    """Read the slug of a page's state."""
    found = re.search(r'data-byok-state="([^"]+)"', answer.text)
    assert found is not None
    return found[1]


Prepare = cabc.Callable[[flask.Flask], object]
MakeHost = cabc.Callable[..., Host]


@pytest.fixture
def make_host(sqlite_url: str, byok_simulator: Simulator) -> cabc.Iterator[MakeHost]:
    """Make host apps; ``make_host(BYOK_FALLBACK="never")`` changes settings."""
    made: list[tuple[flask.Flask, t.Any]] = []

    def make(
        *,
        prepare: cabc.Callable[[flask.Flask], object] | None = None,
        providers: cabc.Sequence[Provider] = (),
        **settings: t.Any,
    ) -> Host:
        app = flask.Flask("host")
        app.config.update(
            SECRET_KEY="a secret of the host",
            SQLALCHEMY_DATABASE_URI=sqlite_url,
            BYOK_MASTER_KEYS={"k001": generate()},
            BYOK_SYSTEM_KEYS={"OPENAI": "not-a-real-system-key-0001-SyS1"},
            BYOK_PROVIDER_URLS=byok_simulator.urls,
            BYOK_RATE_LIMIT={"company": 1000},
            BYOK_APP_NAME="Studio",
        )
        app.config.update(settings)
        db = flask_sqlalchemy.SQLAlchemy()

        if prepare is not None:
            prepare(app)

        byok = BYOK(db=db)

        for provider in providers:
            byok.register_provider(provider)

        db.init_app(app)
        byok.init_app(app)
        _register(app, byok)

        with app.app_context():
            db.create_all()

        made.append((app, db))
        return Host(app=app, byok=byok, simulator=byok_simulator)

    yield make

    for app, db in made:
        _close(app, db)


def _close(app: flask.Flask, db: t.Any) -> None:
    byok = app.extensions["byok"]

    with app.app_context():
        byok.state.database.close()
        byok.state.sender.close()

        for engine in db.engines.values():
            engine.dispose()


def _register(app: flask.Flask, byok: BYOK) -> None:
    from flask_wtf.csrf import generate_csrf

    @byok.company_loader
    def company() -> int | None:
        return t.cast("int | None", flask.session.get("company"))

    @byok.access_check
    def may_manage() -> bool:
        if flask.session.get("user") is None:
            flask.abort(401)

        return flask.session.get("user") == "ada"

    @byok.actor_loader
    def actor() -> str | None:
        return t.cast("str | None", flask.session.get("user"))

    @app.get("/token")
    def token() -> str:
        return str(generate_csrf())


@pytest.fixture
def host(make_host: MakeHost) -> Host:
    """A host app with the usual settings."""
    return make_host()
