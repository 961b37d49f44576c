"""Flask-Login and Flask-Security-Too say who is who, as the page shows it."""

from __future__ import annotations

import types
import typing as t

import flask
import flask_login
import pytest
import sqlalchemy as sa

from tests.works.conftest import Host
from tests.works.conftest import PAGE

PEOPLE: t.Final = {
    "ada": types.SimpleNamespace(is_admin=True, company_id=7, email="ada@example.org"),
    "max": types.SimpleNamespace(is_admin=False, company_id=7, email="max@example.org"),
}


class Person(flask_login.UserMixin):
    """Somebody of company 7."""

    def __init__(self, name: str) -> None:
        self.id = name
        vars(self).update(vars(PEOPLE[name]))


def test_flask_login(host: Host) -> None:
    """Nobody, a member, a manager, and a manager who signed in long ago."""
    host.wire("Flask-Login")
    host.names["login_manager"].user_loader(Person)

    @host.app.route("/login", methods=["GET", "POST"])
    def login() -> str:
        flask_login.login_user(Person(flask.request.form["name"]))
        return "in"

    client = host.app.test_client()
    sent = client.get(PAGE)
    assert sent.status_code == 302 and "/login?next=" in sent.location

    client.post("/login", data={"name": "max"})
    assert client.get(PAGE).status_code == 403

    client.post("/login", data={"name": "ada"})
    assert host.save(client).status_code == 303

    with host.app.app_context():
        assert host.byok.client_for(7).chat("hello").source == "company"
        assert host.byok.history(7)[0].actor == "ada@example.org"

    with client.session_transaction() as session:
        session["_fresh"] = False

    again = client.get(PAGE)
    assert again.status_code == 302 and again.location.startswith("/login")


def _people_with_roles(host: Host) -> t.Any:
    """Make the models of Flask-Security-Too and its store of people."""
    import flask_security
    from flask_security.models import fsqla_v3

    fsqla_v3.FsModels.set_db_info(host.db)

    class Role(host.db.Model, fsqla_v3.FsRoleMixin):  # type: ignore[misc,name-defined]
        pass

    class User(host.db.Model, fsqla_v3.FsUserMixin):  # type: ignore[misc,name-defined]
        company_id = sa.Column(sa.Integer)

    store = flask_security.SQLAlchemyUserDatastore(host.db, User, Role)
    host.app.config["SECURITY_PASSWORD_SALT"] = "not-a-real-salt"
    host.app.config["SECURITY_PASSWORD_HASH"] = "pbkdf2_sha512"
    flask_security.Security(host.app, store)
    return store


# What its older versions import says so, and is imported first in here.
@pytest.mark.filterwarnings("ignore:'crypt' is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:pkg_resources is deprecated:DeprecationWarning")
def test_flask_security_too(host: Host) -> None:
    """Roles decide, and a sign-in of yesterday must be renewed."""
    store = _people_with_roles(host)
    from flask_security import hash_password

    host.wire("Flask-Security-Too")

    with host.app.app_context():
        host.db.create_all()
        admin = store.create_role(name="admin")

        for name, person in PEOPLE.items():
            store.create_user(
                email=person.email,
                company_id=person.company_id,
                password=hash_password("not-a-real-password"),
                roles=[admin] if name == "ada" else [],
            )

        store.commit()

    def sign_in(name: str) -> t.Any:
        client = host.app.test_client()
        token = client.get("/token").text
        person = {"email": PEOPLE[name].email, "password": "not-a-real-password"}
        answer = client.post("/login", data={**person, "csrf_token": token})
        assert answer.status_code == 302, answer.text
        return client

    sent = host.app.test_client().get(PAGE)
    assert sent.status_code == 302 and "/login?next=" in sent.location
    assert sign_in("max").get(PAGE).status_code == 403

    client = sign_in("ada")
    assert host.save(client).status_code == 303

    with host.app.app_context():
        assert host.byok.history(7)[0].actor == "ada@example.org"

    with client.session_transaction() as session:
        session["fs_paa"] -= 2 * 60 * 60
        # How long a renewed sign-in is good for every page that asks for one.
        session["fs_gexp"] -= 2 * 60 * 60

    again = client.get(PAGE)
    assert again.status_code == 302 and "/verify" in again.location
