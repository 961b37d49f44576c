"""The proxy: whose company, whose app, whose tables."""

from __future__ import annotations

import collections.abc as cabc
import gc
import threading
import typing as t
import uuid
import weakref

import flask
import pytest
import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import orm

from flask_byok import BYOK
from flask_byok import CredentialMixin
from flask_byok import current_ai_client
from flask_byok import errors
from flask_byok.testing import Simulator
from tests.support.calls import CallHost
from tests.support.calls import calling
from tests.support.host import BETTER
from tests.support.host import close_host
from tests.support.host import GOOD
from tests.support.host import Host
from tests.support.host import make_host
from tests.support.host import MASTER_KEYS

Make = cabc.Callable[..., CallHost]


def test_outside_an_app_the_proxy_says_so() -> None:
    """No app, no client: a sentence that tells what to push."""
    with pytest.raises(errors.SetupError, match="app_context"):
        current_ai_client.chat("Say hello.")


def test_an_app_without_the_extension_is_named() -> None:
    """A forgotten ``init_app`` is told as such."""
    with flask.Flask("bare").app_context():
        with pytest.raises(errors.SetupError, match="init_app"):
            current_ai_client.chat("Say hello.")


@pytest.mark.case("F3")
def test_without_a_loader_nobody_is_served(
    sqlite_url: str, byok_simulator: Simulator
) -> None:
    """No ``company_loader``: an error, and nothing is sent."""
    host = make_host(sqlite_url, byok_simulator)
    host.byok._company_loader = None

    with host.app.app_context():
        with pytest.raises(errors.SetupError, match="company_loader"):
            current_ai_client.chat("Say hello.")

    assert host.who_paid() == []
    close_host(host)


@pytest.mark.case("A12", "F3")
@pytest.mark.parametrize(
    "company", [None, "", " acme", True, False, 1.0, b"acme", [], "a\x00b", "a" * 256]
)
def test_what_is_no_company_is_nobody(host: CallHost, company: t.Any) -> None:
    """Anything but a usable id is closed, never the system key in silence."""
    host.company = company

    for use in (
        lambda: current_ai_client.chat("Say hello."),
        lambda: current_ai_client.source,
        lambda: host.byok.client_for(company),
    ):
        with pytest.raises(errors.NoCompany):
            use()

    assert host.paid == ""


@pytest.mark.case("F3")
def test_a_loader_that_raises_reaches_the_host(host: CallHost) -> None:
    """The host's own error is the host's to see; nothing is sent."""

    @host.byok.company_loader
    def load() -> int:
        raise LookupError("no such user")

    with pytest.raises(LookupError):
        current_ai_client.chat("Say hello.")

    assert host.paid == ""


@pytest.mark.case("A12")
@pytest.mark.parametrize("company", [7, "acme", uuid.uuid4()])
def test_the_client_knows_the_hosts_id(host: CallHost, company: t.Any) -> None:
    """Ids come back as the host gave them, and look alike to nobody."""
    host.company = company
    assert current_ai_client.company_id == company
    assert type(current_ai_client.company_id) is type(company)


@pytest.mark.case("F5")
def test_one_pushed_context_serves_two_companies(host: CallHost) -> None:
    """Nothing is kept between two uses of the proxy."""
    host.store()
    assert current_ai_client.chat("Say hello.").source == "company"
    host.company = 2
    assert current_ai_client.chat("Say hello.").source == "system"
    assert current_ai_client.company_id == 2


@pytest.mark.case("F5")
def test_as_company_nests_and_ends(host: CallHost) -> None:
    """The innermost company counts, and the one before comes back."""
    with host.byok.as_company("a") as client:
        assert client.company_id == current_ai_client.company_id == "a"

        with pytest.raises(ZeroDivisionError), host.byok.as_company("b"):
            assert current_ai_client.company_id == "b"
            raise ZeroDivisionError

        assert current_ai_client.company_id == "a"

    assert current_ai_client.company_id == 1


@pytest.mark.case("F3")
def test_as_company_refuses_what_is_no_company(host: CallHost) -> None:
    """A job without a company must not run as whoever called before."""
    for company in (None, ""):
        with pytest.raises(errors.NoCompany):
            with host.byok.as_company(t.cast("t.Any", company)):
                current_ai_client.chat("Say hello.")

    assert current_ai_client.company_id == 1 and host.paid == ""


def test_as_company_pushes_the_only_app(
    sqlite_url: str, byok_simulator: Simulator
) -> None:
    """A script needs no app context of its own."""
    host = make_host(sqlite_url, byok_simulator)

    with host.byok.as_company(5):
        assert current_ai_client.chat("Say hello.").source == "system"
        assert current_ai_client.company_id == 5

    assert not flask.has_app_context()
    close_host(host)


def test_a_name_for_one_app_says_nothing_to_another(
    host: CallHost, make_database: cabc.Callable[[str], str], byok_simulator: Simulator
) -> None:
    """``as_company`` of one app does not reach into a second one."""
    with calling(make_database("sqlite"), byok_simulator) as other:
        other.company = 2

        with host.app.app_context(), host.byok.as_company("first"):
            with other.app.app_context():
                assert current_ai_client.company_id == 2

            assert current_ai_client.company_id == "first"


@pytest.mark.case("B19")
def test_two_apps_keep_their_settings(
    host: CallHost, make_database: cabc.Callable[[str], str], byok_simulator: Simulator
) -> None:
    """Two apps of one process: own keys, own policy, own database."""
    host.store()
    other_url = make_database("sqlite")

    with calling(
        other_url, byok_simulator, BYOK_FALLBACK="never", BYOK_SYSTEM_KEYS={}
    ) as other:
        with pytest.raises(errors.NoRoute):
            current_ai_client.chat("Say hello.")

        assert other.byok.policy(1).fallback == "never"

    assert current_ai_client.chat("Say hello.").source == "company"
    assert host.byok.policy(1).fallback == "auto"


@pytest.mark.case("C27", "F5")
def test_eight_threads_are_eight_companies(host: CallHost) -> None:
    """No thread sees another's company."""
    for company in range(8):
        host.company = company
        host.store(api_key=f"not-a-real-company-key-000{company}-AbCd")

    seen: list[tuple[int, t.Any]] = []
    barrier = threading.Barrier(8)

    def work(company: int) -> None:
        with host.app.app_context(), host.byok.as_company(company):
            for _ in range(3):
                barrier.wait(30)
                seen.append((company, current_ai_client.company_id))
                current_ai_client.chat(f"I am {company}.")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    [thread.start() for thread in threads]
    [thread.join(60) for thread in threads]
    asked = [(str(r.body), r.api_key) for r in host.simulator.requests]
    assert len(seen) == 24 and all(a == b for a, b in seen)
    assert len(asked) == 24
    assert all(f"I am {key[-6]}." in body for body, key in asked)


@pytest.mark.case("C27", "F5")
def test_a_thread_inherits_no_company(host: CallHost) -> None:
    """A thread started inside ``as_company`` asks the loader, not its parent."""
    found: list[t.Any] = []

    def work() -> None:
        with host.app.app_context():
            found.append(current_ai_client.company_id)

    with host.byok.as_company("parent"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    assert found == [1]


def make_app(url: str, simulator: Simulator, **config: t.Any) -> flask.Flask:
    """Make a bare app with the settings of the tests."""
    app = flask.Flask("host")
    app.config.update(
        SECRET_KEY="not-a-real-secret",
        SQLALCHEMY_DATABASE_URI=url,
        BYOK_MASTER_KEYS=dict(MASTER_KEYS),
        BYOK_PROVIDER_URLS=dict(simulator.urls),
        BYOK_SYSTEM_KEYS={"OPENAI": "not-a-real-system-key-openai"},
        BYOK_RATE_LIMIT={},
    )
    app.config.update(config)
    return app


def finish(app: flask.Flask, db: SQLAlchemy, byok: BYOK) -> None:
    """Give every connection back."""
    close_host(Host(app, db, byok, t.cast("t.Any", None)))


def test_a_second_app_of_one_db_and_extension(
    sqlite_url: str, byok_simulator: Simulator
) -> None:
    """A factory that is called twice gives two working apps on one module's objects."""
    db = SQLAlchemy()
    byok = BYOK(db=db)
    apps = []

    for company in (1, 2):
        app = make_app(sqlite_url, byok_simulator)
        db.init_app(app)
        byok.init_app(app)
        apps.append(app)

        with app.app_context():
            db.create_all()
            byok.save_key(company, "OPENAI", GOOD)

    for app in apps:
        with app.app_context():
            sources = [byok.client_for(n).chat("hi").source for n in (1, 2, 3)]
            assert sources == ["company", "company", "system"]

    with pytest.raises(errors.SetupError, match="already"):
        byok.init_app(apps[0])

    for app in apps:
        finish(app, db, byok)


def test_the_db_may_come_late(sqlite_url: str, byok_simulator: Simulator) -> None:
    """``BYOK()`` and ``init_app(app, db=db)``; without any db a sentence."""
    db, byok = SQLAlchemy(), BYOK()
    app = make_app(sqlite_url, byok_simulator)
    db.init_app(app)

    with pytest.raises(errors.SetupError, match="db=db"):
        byok.init_app(app)

    byok.init_app(app, db=db)

    with app.app_context():
        db.create_all()
        byok.save_key(1, "OPENAI", GOOD)
        assert byok.client_for(1).chat("hi").source == "company"

    finish(app, db, byok)


def tables_in(engine: sa.Engine) -> set[str]:
    """Name the tables of ours that a database has."""
    return {n for n in sa.inspect(engine).get_table_names() if n.startswith("byok_")}


@pytest.mark.parametrize("early", [True, False])
def test_a_bind_holds_the_tables_alone(
    make_database: cabc.Callable[[str], str], byok_simulator: Simulator, early: bool
) -> None:
    """``BYOK_BIND_KEY``: the tables stand in that database and in no other."""
    db = SQLAlchemy()
    byok = BYOK(db=db) if early else BYOK()
    app = make_app(
        make_database("sqlite"),
        byok_simulator,
        SQLALCHEMY_BINDS={"keys": make_database("sqlite")},
        BYOK_BIND_KEY="keys",
    )
    db.init_app(app)
    byok.init_app(app, db=db)

    with app.app_context():
        db.create_all()
        byok.save_key(1, "OPENAI", GOOD)
        assert byok.client_for(1).chat("hi").source == "company"
        assert "byok_credential" in tables_in(db.engines["keys"])
        assert tables_in(db.engine) == set()

    finish(app, db, byok)


@pytest.mark.case("F19", "F20")
def test_a_credential_class_of_the_host(
    bare_sqlite_url: str, byok_simulator: Simulator
) -> None:
    """A host's own class with a foreign key to its companies."""

    class Base(orm.DeclarativeBase):
        pass

    db = SQLAlchemy(model_class=Base)

    class Company(db.Model):  # type: ignore[name-defined,misc]
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)

    class Credential(CredentialMixin, db.Model):  # type: ignore[name-defined,misc]
        host_company: orm.Mapped[int | None] = orm.mapped_column(
            sa.ForeignKey("company.id")
        )

    byok = BYOK(db=db, credential_class=Credential)
    app = make_app(bare_sqlite_url, byok_simulator)
    db.init_app(app)
    byok.init_app(app)

    with app.app_context():
        db.create_all()
        byok.save_key(1, "OPENAI", GOOD)
        byok.save_key(1, "OPENAI", BETTER)
        assert byok.client_for(1).chat("hi").source == "company"
        assert db.session.query(Credential).one().company_id == "i:1"
        db.session.rollback()
        byok.remove_key(1, "OPENAI")
        assert byok.client_for(1).chat("hi").source == "system"

    finish(app, db, byok)


def test_a_dropped_app_is_collected(sqlite_url: str, byok_simulator: Simulator) -> None:
    """Nothing of ours keeps an app alive: test suites make hundreds."""
    byok, kept = BYOK(), []

    def use() -> weakref.ref[flask.Flask]:
        db = SQLAlchemy()
        app = make_app(sqlite_url, byok_simulator)
        db.init_app(app)
        byok.init_app(app, db=db)
        kept.append(app.extensions["byok"])

        with app.app_context():
            db.create_all()
            byok.client_for(1).chat("hi")

        finish(app, db, byok)
        return weakref.ref(app)

    ref = use()
    gc.collect()
    assert ref() is None and len(byok._states) == 0
