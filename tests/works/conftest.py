"""A host app for each block of the page ``works-with.md``."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import re
import typing as t

import flask
import flask_sqlalchemy
import pytest
from flask.testing import FlaskClient
from flask_wtf.csrf import generate_csrf
from werkzeug.test import TestResponse

from flask_byok import BYOK
from flask_byok.testing import Simulator
from flask_byok.testing.fixtures import _byok_simulator_server as _byok_simulator_server
from flask_byok.testing.fixtures import byok_simulator as byok_simulator
from tests.support import examples
from tests.support.host import GOOD
from tests.support.host import MASTER_KEYS
from tests.support.host import SYSTEM

PAGE: t.Final = "/settings/ai/"


@dataclasses.dataclass
class Host:
    """An app with a block's wiring; ``names`` holds what the block defines."""

    app: flask.Flask
    db: t.Any
    byok: BYOK
    simulator: Simulator
    names: dict[str, t.Any]

    def wire(self, title: str) -> None:
        """Run the block that stands under a heading, and finish the app."""
        (block,) = examples.section("works-with.md", title)
        examples.run(block, self.names)
        self.db, self.byok = self.names["db"], self.names["byok"]

        if "byok" not in self.app.extensions:
            self.byok.init_app(self.app)

        self.app.add_url_rule("/token", view_func=generate_csrf)

        with self.app.app_context():
            for table in self.byok.state.tables.all():
                table.metadata.create_all(self.db.engine)

    def let_everybody_in(self) -> None:
        """Register loaders where the block has none."""
        self.byok.company_loader(lambda: 1)
        self.byok.access_check(lambda: True)

    def save(self, client: FlaskClient, **options: t.Any) -> TestResponse:
        """Save a key on the page as a browser does."""
        found = re.search(
            r'name="csrf_token"[^>]*value="([^"]+)"', client.get(PAGE, **options).text
        )
        assert found is not None
        form = {"csrf_token": found[1], "action": "save", "provider": "OPENAI"}
        form |= {"api_key": GOOD, "activate": "1"}
        return client.post(f"{PAGE}key", data=form, **options)

    def close(self) -> None:
        """Give every connection back."""
        with self.app.app_context():
            if "byok" in self.app.extensions:
                self.byok.state.database.close()
                self.byok.state.sender.close()

            for engine in self.db.engines.values():
                engine.dispose()


@pytest.fixture
def bare_host(sqlite_url: str, byok_simulator: Simulator) -> cabc.Iterator[Host]:
    """Give ``app``, ``db`` and ``byok``, before anybody put them together."""
    app = flask.Flask("host")
    app.config.update(
        SECRET_KEY="not-a-real-secret",
        SQLALCHEMY_DATABASE_URI=sqlite_url,
        BYOK_MASTER_KEYS=MASTER_KEYS,
        BYOK_PROVIDER_URLS=dict(byok_simulator.urls),
        BYOK_SYSTEM_KEYS={"OPENAI": SYSTEM.format(provider="openai")},
    )
    db = flask_sqlalchemy.SQLAlchemy()
    names: dict[str, t.Any] = {"__name__": "host", "app": app, "db": db}
    names |= {"byok": BYOK(db=db), "database_url": sqlite_url}
    made = Host(app, db, names["byok"], byok_simulator, names)

    with contextlib.closing(made):
        yield made


@pytest.fixture
def host(bare_host: Host) -> Host:
    """Give what the page says stands there: an app with its ``db``, and ``byok``."""
    bare_host.db.init_app(bare_host.app)
    return bare_host
