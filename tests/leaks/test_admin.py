"""The real Flask-Admin over stored keys, as the page about models shows it."""

from __future__ import annotations

import types
import typing as t

import flask
import flask_admin
import flask_babel
import flask_sqlalchemy
import pytest
import sqlalchemy as sa

from flask_byok.masterkeys import generate
from flask_byok.testing import LeakGuard
from flask_byok.testing import Simulator
from tests.support import examples

ADMIN: t.Final = "/admin/credential"


class Office:
    """A host with the class and the view of the page."""

    def __init__(self, url: str, simulator: Simulator, *, is_admin: bool) -> None:
        self.app = flask.Flask("office")
        self.app.config.update(
            SECRET_KEY="not-a-real-secret",
            SQLALCHEMY_DATABASE_URI=url,
            BYOK_MASTER_KEYS={"k001": generate()},
            BYOK_PROVIDER_URLS=dict(simulator.urls),
        )
        # Flask-Admin asks it for a language wherever it is installed.
        flask_babel.Babel(self.app)
        db = flask_sqlalchemy.SQLAlchemy()
        own_class, view = examples.blocks("models-and-migrations.md")
        names: dict[str, t.Any] = {
            "__name__": "office",
            "db": db,
            "admin": flask_admin.Admin(self.app),
            "current_user": types.SimpleNamespace(is_admin=is_admin),
        }
        examples.run(own_class, names)
        db.init_app(self.app)
        names["byok"].init_app(self.app)
        examples.run(view, names)
        self.byok, self.table = names["byok"], names["Credential"].__table__
        self.db, self.client = db, self.app.test_client()

        with self.app.app_context():
            db.create_all()

    def rows(self) -> list[t.Any]:
        """Read the stored keys."""
        with self.app.app_context(), self.db.engine.connect() as connection:
            return list(connection.execute(sa.select(self.table)))

    def close(self) -> None:
        """Give every connection back."""
        with self.app.app_context():
            self.byok.state.database.close()
            self.byok.state.sender.close()
            self.db.engine.dispose()


@pytest.mark.case("G8")
def test_it_shows_no_secret_and_changes_nothing(
    sqlite_url: str, byok_simulator: Simulator, guard: LeakGuard, canary: str
) -> None:
    """The list shows a few columns; every way to change a row is closed."""
    office = Office(sqlite_url, byok_simulator, is_admin=True)
    guard.attach(office.app)

    with office.app.app_context():
        assert office.byok.save_key(1, "OPENAI", canary).saved

    (row,) = before = office.rows()
    listed = office.client.get(f"{ADMIN}/")
    assert listed.status_code == 200
    assert "i:1" in listed.text and "OPENAI" in listed.text
    assert canary[-4:] not in listed.text

    for path in ("edit", "delete", "new", "details", "ajax/update"):
        for method in ("get", "post"):
            answer = getattr(office.client, method)(
                f"{ADMIN}/{path}/?id={row.id}",
                **({"data": {"id": row.id, "last4": "x"}} if method == "post" else {}),
            )
            assert answer.status_code in (302, 404, 405), (path, method)

    deleted = {"action": "delete", "rowid": row.id}
    office.client.post(f"{ADMIN}/action/", data=deleted)
    assert office.rows() == before
    guard.require("responses", "tables")
    guard.verify()
    office.close()


@pytest.mark.case("G8")
def test_others_see_nothing_there(sqlite_url: str, byok_simulator: Simulator) -> None:
    """Only those for whom the host says so."""
    office = Office(sqlite_url, byok_simulator, is_admin=False)
    assert office.client.get(f"{ADMIN}/").status_code == 403
    office.close()
