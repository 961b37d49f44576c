"""Fallback and tenancy: who pays, what is told, what is left of a company."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import typing as t
import uuid

import pytest
import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import orm

from flask_byok import BYOK
from flask_byok import CredentialMixin
from flask_byok import current_ai_client
from flask_byok import errors
from flask_byok.secret import Secret
from flask_byok.service.drafting import DraftWish
from flask_byok.testing import Simulator
from flask_byok.vault.models import COMPANY_LENGTH
from flask_byok.vault.models import word_type
from tests.call.test_proxy import finish
from tests.call.test_proxy import make_app
from tests.support.calls import CallHost
from tests.support.calls import calling
from tests.support.host import BETTER
from tests.support.host import GOOD


def write(host: CallHost, **values: t.Any) -> None:
    """Change columns of every stored key, past all of the package."""
    table = host.byok.state.tables.credential

    with host.byok.state.database.write() as connection:
        connection.execute(sa.update(table).values(**values))


def read(host: CallHost, name: str) -> t.Any:
    table = host.byok.state.tables.credential

    with host.byok.state.database.read() as connection:
        return connection.scalar(sa.select(table.c[name]))


def flip(host: CallHost, at: int) -> None:
    blob = bytearray(read(host, "blob"))
    blob[at] ^= 1
    write(host, blob=bytes(blob))


def swap_company(host: CallHost) -> None:
    host.byok.save_key(2, "OPENAI", BETTER)
    table = host.byok.state.tables.credential
    select = sa.select(table.c.blob).where(table.c.company_id == "i:2")

    with host.byok.state.database.write() as connection:
        blob = connection.scalar(select)
        connection.execute(sa.update(table).values(blob=blob))

    host.simulator.clear()


SPOILED: t.Final[dict[str, cabc.Callable[[CallHost], None]]] = {
    "malformed": lambda host: write(host, blob=b"not-a-real-key-in-the-column"),
    "unsupported_format": lambda host: flip(host, 0),
    "header_mismatch": lambda host: write(host, key_id="k009"),
    "unknown_key_id": lambda host: write(
        host, key_id="k009", blob=b"\x01\x01k009" + read(host, "blob")[6:]
    ),
    "wrong_key_or_context": lambda host: flip(host, 10),
    "tampered": lambda host: flip(host, -1),
}


@pytest.mark.case("A1", "A4", "A6", "A7", "A8", "F12", "F16", "F17")
@pytest.mark.parametrize("policy", ["auto", "outage_only", "never"])
@pytest.mark.parametrize("reason", [*SPOILED, "moved"])
@pytest.mark.parametrize("manner", ["chat", "stream"])
def test_an_unreadable_key_under_each_policy(
    sqlite_host: CallHost, reason: str, policy: str, manner: str
) -> None:
    """Only ``auto`` lets the system key answer; the row stays and nobody guesses."""
    host = sqlite_host
    host.store(api_key=GOOD)
    host.byok.set_policy(1, fallback=policy)
    SPOILED.get(reason, swap_company)(host)
    reason = "wrong_key_or_context" if reason == "moved" else reason
    before = read(host, "blob")
    ask = host.chat if manner == "chat" else host.stream

    if policy == "auto":
        ask()
        assert host.paid == "s"
        (attempt,) = [a for a in host.attempts() if a.source == "system"]
        assert (attempt.state, attempt.reason) == ("done", None)
        assert host.client.fallback_active
    else:
        with pytest.raises(errors.StoredKeyUnreadable) as caught:
            ask()

        assert caught.value.reason == reason and host.paid == ""
        assert caught.value.__context__ is None

    (told,) = host.told("key_unreadable")
    assert (told["reason"], told["company_id"]) == (reason, 1)
    assert host.actions().count("key_unreadable") == 1
    assert read(host, "blob") == before and host.circuit().circuit == "closed"
    assert host.byok.credentials(1)[0].unreadable_at is not None


@pytest.mark.case("F14", "F15", "F16")
def test_the_ledger_tells_whose_key_and_why(host: CallHost) -> None:
    """Each attempt has its source and its reason; nobody sees the system key."""
    host.store(api_key=GOOD)
    host.fail("revoked", times=1)
    host.chat(label="greeting")
    rows = [(row.source, row.reason, row.label) for row in host.attempts()]
    assert rows == [("company", "auth", "greeting"), ("system", None, "greeting")]
    host.fail("revoked", "*", keys="system")
    error = host.refuse(errors.CallError)
    assert "s" in host.paid and "SyS" not in repr(vars(error))
    seen = f"{error} {error.attempts} {host.byok.status(1)} {host.byok.history(1)}"
    assert "not-a-real-system" not in seen
    assert all("not-a-real-system" not in repr(row) for row in host.attempts())


def leftovers(engine: sa.Engine, byok: BYOK) -> dict[str, set[str]]:
    """Name the companies each of our tables still has rows of."""
    found = {}

    with engine.connect() as connection:
        for table in byok.state.tables.all():
            if "company_id" in table.c:
                ids = connection.scalars(sa.select(table.c.company_id))
                found[table.name] = set(ids)

    return found


@pytest.mark.case("F19")
@pytest.mark.parametrize("enforced", [True, False])
def test_forgetting_beside_a_cascading_foreign_key(
    bare_database_url: str, byok_simulator: Simulator, enforced: bool
) -> None:
    """A host class with a foreign key to its companies: no row of ours is left.

    Whether the database takes the key's row along, or not at all as SQLite without
    ``foreign_keys``, ``forget_company`` leaves nothing behind, and no other company's
    row is touched.
    """

    class Base(orm.DeclarativeBase):
        pass

    db = SQLAlchemy(model_class=Base)

    class Company(db.Model):  # type: ignore[name-defined,misc]
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        byok_id: orm.Mapped[str] = orm.mapped_column(
            word_type(COMPANY_LENGTH), unique=True
        )

    class Credential(CredentialMixin, db.Model):  # type: ignore[name-defined,misc]
        company_id: orm.Mapped[str] = orm.mapped_column(
            word_type(COMPANY_LENGTH),
            sa.ForeignKey("company.byok_id", ondelete="CASCADE"),
        )

    byok = BYOK(db=db, credential_class=Credential)
    app = make_app(
        bare_database_url,
        byok_simulator,
        BYOK_SYSTEM_BUDGET={"requests": 100},
    )
    db.init_app(app)
    byok.init_app(app)

    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            word = "ON" if enforced else "OFF"
            sa.event.listen(
                db.engine,
                "connect",
                lambda raw, record: raw.execute(f"PRAGMA foreign_keys = {word}"),
            )

        db.create_all()
        db.session.add_all(Company(id=n, byok_id=f"i:{n}") for n in (1, 2))
        db.session.commit()

        for company in (1, 2):
            byok.client_for(company).chat("on the system key")
            byok.save_key(company, "OPENAI", GOOD)
            byok.client_for(company).chat("on its own")
            byok.set_policy(company, fallback="never")
            draft = DraftWish(
                company=f"i:{company}",
                provider="OPENAI",
                verdict="could_not_ask",
                actor=None,
            )
            byok.state.drafting.keep(draft, Secret(BETTER))

        byok.state.database.flush(force=True)
        # The attempts on their own keys become sums of the day; the others stay.
        later = byok.status(1).now + dt.timedelta(hours=1)
        byok.state.desk.ledger.roll_up.move(later, most=2)
        assert set(map(frozenset, leftovers(db.engine, byok).values())) == {
            frozenset({"i:1", "i:2"})
        }
        db.session.delete(db.session.get(Company, 1))
        db.session.commit()
        is_cascading = enforced or db.engine.dialect.name != "sqlite"
        kept = leftovers(db.engine, byok)["byok_credential"]
        assert kept == ({"i:2"} if is_cascading else {"i:1", "i:2"})
        byok.forget_company(1)
        byok.forget_company(1)
        assert set(map(frozenset, leftovers(db.engine, byok).values())) == {
            frozenset({"i:2"})
        }

    finish(app, db, byok)


@pytest.mark.case("F20")
def test_a_company_nobody_forgot_leaves_its_key_to_the_next(
    sqlite_url: str, byok_simulator: Simulator
) -> None:
    """What cannot be told apart, pinned: an id given out twice inherits the key.

    SQLite gives the id of a deleted last row to the next one. With ``forget_company``
    the next company starts with nothing.
    """
    db = SQLAlchemy()

    class Company(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)

    byok = BYOK(db=db)
    app = make_app(sqlite_url, byok_simulator)
    db.init_app(app)
    byok.init_app(app)

    def found() -> int:
        company = Company()
        db.session.add(company)
        db.session.commit()
        return t.cast("int", company.id)

    def close(company: int) -> None:
        db.session.delete(db.session.get(Company, company))
        db.session.commit()

    with app.app_context():
        db.create_all()
        first = found()
        byok.save_key(first, "OPENAI", GOOD)
        close(first)
        heir = found()
        assert heir == first
        assert byok.client_for(heir).chat("hello").source == "company"
        byok.forget_company(heir)
        close(heir)
        assert found() == first
        assert byok.client_for(first).chat("hello").source == "system"

    finish(app, db, byok)


@pytest.mark.case("F3", "F5")
def test_objects_on_g_and_nested_names(sqlite_host: CallHost) -> None:
    """One client kept on ``g`` stays its company's; the proxy asks anew each time."""
    from flask import g

    host = sqlite_host
    keys = {}

    for company in ("a", "b", 3, uuid.UUID(int=4)):
        keys[company] = f"not-a-real-key-of-company-{len(keys)}"
        assert host.byok.save_key(company, "OPENAI", keys[company]).saved

    host.simulator.clear()

    with host.byok.as_company("a") as g.kept:
        with host.byok.as_company("b"):
            current_ai_client.chat("b")
            g.kept.chat("a")

            with host.app.app_context(), host.byok.as_company(3):
                current_ai_client.chat("3")

            with host.app.test_request_context():
                current_ai_client.chat("b")

        current_ai_client.chat("a")
        host.byok.client_for(uuid.UUID(int=4)).chat("4")

    paid = [keys[name] for name in ("b", "a", 3, "b", "a", uuid.UUID(int=4))]
    assert host.who_paid() == paid


@pytest.mark.case("A12", "A22")
@pytest.mark.parametrize("manner", ["read", "save", "remove"])
@pytest.mark.parametrize("database_url", ["sqlite", "mariadb"], indirect=True)
def test_a_loose_collation_mixes_nobody_up(
    database_url: str, byok_simulator: Simulator, manner: str
) -> None:
    """A column that ignores case and blanks gives rows of others: they are not taken.

    The host altered the tables so; the ids are compared once more in Python.
    """
    with calling(database_url, byok_simulator) as host:
        loosen(host)
        assert host.byok.save_key("acme", "OPENAI", GOOD).saved
        host.simulator.clear()
        other = "ACME"

        if manner == "read":
            assert host.byok.credentials(other) == []
            assert host.byok.client_for(other).chat("hello").source == "system"
        elif manner == "remove":
            with pytest.raises(errors.CredentialNotFound):
                host.byok.remove_key(other, "OPENAI")

            with pytest.raises(errors.CredentialNotFound):
                host.byok.test_connection(other, "OPENAI")
        elif manner == "save":
            try:
                host.byok.save_key(other, "OPENAI", BETTER)
            except errors.StateUnavailable:
                pass

        host.simulator.clear()
        assert host.byok.client_for("acme").chat("hello").source == "company"
        assert host.who_paid() == [GOOD]
        assert len(host.byok.credentials("acme")) == 1


def loosen(host: CallHost) -> None:
    """Give the id of a company a collation that ignores case."""
    engine = host.db.engine
    table = "byok_credential"

    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            sql = connection.scalar(
                sa.text(f"SELECT sql FROM sqlite_master WHERE name = '{table}'")
            )
            connection.execute(sa.text(f"DROP TABLE {table}"))
            loose = sql.replace(
                "company_id VARCHAR(257)", "company_id VARCHAR(257) COLLATE NOCASE"
            )
            assert loose != sql
            connection.execute(sa.text(loose))
        else:
            connection.execute(
                sa.text(
                    f"ALTER TABLE {table} MODIFY company_id VARCHAR(257) "
                    "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL"
                )
            )


@pytest.mark.case("A18")
def test_a_column_that_cuts_saves_nothing(sqlite_host: CallHost) -> None:
    """Bytes that come back otherwise than given roll the save back, whole."""
    host = sqlite_host
    host.store(api_key=GOOD)
    before = read(host, "blob")

    with host.db.engine.begin() as connection:
        connection.execute(
            sa.text(
                "CREATE TRIGGER cut AFTER UPDATE OF blob ON byok_credential BEGIN "
                "UPDATE byok_credential SET blob = substr(blob, 1, 100) "
                "WHERE id = NEW.id AND length(blob) > 100; END"
            )
        )

    with pytest.raises(errors.StateUnavailable, match="did not give back"):
        host.byok.save_key(1, "OPENAI", BETTER)

    assert read(host, "blob") == before
    assert host.actions().count("key_replaced") == 0


@pytest.mark.case("A19")
def test_any_byte_comes_back_as_given(host: CallHost) -> None:
    """No database or driver re-codes what is sealed: each byte value survives."""
    host.store(api_key=GOOD)
    blob = bytes(range(256)) * 2
    write(host, blob=blob)
    stored = host.byok.state.store.read_state("i:1").credential("OPENAI")
    assert stored is not None and stored.blob == blob and type(stored.blob) is bytes
