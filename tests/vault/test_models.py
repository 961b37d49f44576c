"""Do the tables fit every host and every database?"""

from __future__ import annotations

import datetime as dt
import typing as t
import uuid

import flask
import flask_sqlalchemy
import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from flask_byok.errors import SetupError
from flask_byok.vault.clock import read_time
from flask_byok.vault.database import Database
from flask_byok.vault.models import build_tables
from flask_byok.vault.models import CIRCUIT_COLUMNS
from flask_byok.vault.models import CREDENTIAL_COLUMNS
from flask_byok.vault.models import CredentialMixin
from flask_byok.vault.store import Store
from flask_byok.vault.types import CircuitState
from flask_byok.vault.types import Credential
from tests.support.vault_room import COMPANY
from tests.support.vault_room import Room
from tests.support.vault_room import sealed_key

NAMES = {
    "byok_attempt",
    "byok_audit",
    "byok_budget",
    "byok_company",
    "byok_credential",
    "byok_draft",
    "byok_keyring",
    "byok_system_key",
    "byok_usage_day",
}


def test_the_tables_stand_in_the_hosts_metadata() -> None:
    """So create_all and migrations see them."""
    metadata = sa.MetaData()
    tables = build_tables(metadata)

    assert set(metadata.tables) == NAMES
    assert {table.name for table in tables.all()} == NAMES
    assert all(table.metadata is metadata for table in tables.all())


def test_the_same_metadata_gives_the_same_tables() -> None:
    """A second app on the same ``db`` builds nothing twice."""
    metadata = sa.MetaData(schema="ai")
    tables = build_tables(metadata)

    assert build_tables(metadata) == tables
    assert build_tables(sa.MetaData(schema="ai")) != tables


def test_a_naming_convention_leaves_our_names_alone() -> None:
    """Names from the table's name are the same in every host's migrations."""
    convention = {"uq": "host_%(constraint_name)s", "ix": "host_%(column_0_label)s"}
    metadata = sa.MetaData(naming_convention=convention)
    table = build_tables(metadata).credential

    unique = {type(c): c.name for c in table.constraints}[sa.UniqueConstraint]
    assert unique == "uq_byok_credential_company_provider"
    assert [index.name for index in table.indexes] == ["ix_byok_credential_key_id"]


def test_no_table_points_at_another() -> None:
    """An INSERT must never wait behind a lock on the host's company."""
    metadata = sa.MetaData()
    tables = build_tables(metadata)

    assert not [table for table in tables.all() if table.foreign_keys]


@pytest.mark.case("G9")
def test_column_types_are_plain() -> None:
    """A migration must run without importing this package."""
    for table in build_tables(sa.MetaData()).all():
        for column in table.c:
            assert type(column.type).__module__.startswith("sqlalchemy."), column
            assert not isinstance(column.type, sa.TypeDecorator), column


def test_every_column_holds_what_it_says(room: Room) -> None:
    """Times keep their microseconds, bytes every value, counters 64 bits."""
    at = dt.datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=dt.timezone.utc)
    blob = bytes(range(256))
    room.put(sealed_key(blob=blob, expires_on=dt.date(2031, 2, 3)))
    room.change(open_until=at, model_blocks="ü" * 9000)

    row = room.rows(room.tables.credential)[0]
    assert read_time(row["open_until"]) == at
    assert row["blob"] == blob
    assert row["expires_on"] == dt.date(2031, 2, 3)
    assert row["model_blocks"] == "ü" * 9000

    with room.host.begin() as connection:
        counters = {
            column.name: 2**40
            for column in room.tables.budget.c
            if isinstance(column.type, sa.BigInteger)
        }
        row = {"company_id": "i:1", "period": "2030-01", **counters}
        connection.execute(sa.insert(room.tables.budget), row)

    assert room.rows(room.tables.budget)[0]["used_micros"] == 2**40


@pytest.mark.case("A22")
def test_companies_that_differ_in_case_are_two(room: Room) -> None:
    """MariaDB's usual collation would take them for one."""
    room.put(sealed_key(company_id="s:Acme", last4="1111"))
    room.put(sealed_key(company_id="s:acme", last4="2222"))
    room.put(sealed_key(company_id="s:ácme", last4="3333"))

    found = [room.store.credentials(f"s:{name}")[0].last4 for name in ("Acme", "acme")]
    assert found == ["1111", "2222"]


def test_the_longest_company_text_fits(room: Room) -> None:
    """``s:`` and 255 bytes."""
    company = "s:" + "x" * 255
    room.put(sealed_key(company_id=company))

    assert room.store.read_state(company).credentials[0].company_id == company


def host_with(base: str) -> tuple[t.Any, sa.MetaData]:
    """Make one of the declarative bases hosts have."""
    if base == "plain":

        class Plain(orm.DeclarativeBase):
            pass

        return Plain, Plain.metadata

    if base == "legacy":
        legacy = orm.declarative_base()
        return legacy, legacy.metadata

    if base == "no_meta":

        class NoMeta(orm.DeclarativeBaseNoMeta):
            pass

        db = flask_sqlalchemy.SQLAlchemy(model_class=NoMeta)
        return db.Model, db.metadata

    if base == "flask_declarative":

        class Declarative(orm.DeclarativeBase):
            pass

        db = flask_sqlalchemy.SQLAlchemy(model_class=Declarative)
        return db.Model, db.metadata

    db = flask_sqlalchemy.SQLAlchemy()
    return db.Model, db.metadata


def company_number(context: t.Any) -> int:
    """What a host writes as default of its foreign key."""
    return int(context.get_current_parameters()["company_id"].removeprefix("i:"))


@pytest.mark.case("F19", "F20")
@pytest.mark.parametrize(
    "base", ["plain", "legacy", "no_meta", "flask", "flask_declarative"]
)
def test_a_host_may_bring_its_own_class(base: str, database_url: str) -> None:
    """On any base, with a foreign key; rows are saved and read as ever."""
    model, metadata = host_with(base)

    class Company(model):  # type: ignore[misc]
        __tablename__ = "company"
        id = orm.mapped_column(sa.Integer, primary_key=True)

    class AiKey(CredentialMixin, model):  # type: ignore[misc]
        __tablename__ = "ai_key"
        owner_id = orm.mapped_column(
            sa.ForeignKey("company.id", ondelete="CASCADE"),
            insert_default=company_number,
        )

    tables = build_tables(metadata, credential=AiKey.__table__)
    host = sa.create_engine(database_url)
    metadata.create_all(host)
    database = Database(lambda: host)
    store = Store(database, tables)

    with host.begin() as connection:
        connection.execute(sa.insert(Company.__table__), {"id": 42})

    with database.write() as connection:
        store.put(connection, sealed_key(), seen_generation=None, actor=None)

    with host.connect() as connection:
        assert connection.scalar(sa.select(AiKey.__table__.c.owner_id)) == 42

    assert len(store.read_state(COMPANY).credentials) == 1
    assert "byok_credential" not in metadata.tables
    names = {constraint.name for constraint in AiKey.__table__.constraints}
    assert "uq_ai_key_company_provider" in names
    database.close()
    host.dispose()


@pytest.mark.case("F6")
def test_a_class_without_the_unique_pair_is_refused() -> None:
    """Two rows of one company and provider would make a save ambiguous."""

    class Base(orm.DeclarativeBase):
        pass

    class Mine(CredentialMixin, Base):
        __tablename__ = "mine"
        __table_args__ = ()

    with pytest.raises(SetupError, match="must be unique together"):
        build_tables(Base.metadata, credential=t.cast("sa.Table", Mine.__table__))


def test_a_unique_index_is_as_good() -> None:
    """What counts is what the database enforces."""

    class Base(orm.DeclarativeBase):
        pass

    class Mine(CredentialMixin, Base):
        __tablename__ = "mine"
        __table_args__ = (sa.Index("one", "provider", "company_id", unique=True),)

    table = t.cast("sa.Table", Mine.__table__)
    assert build_tables(Base.metadata, credential=table).credential is table


def test_a_table_that_lacks_columns_is_refused() -> None:
    """The sentence names what lacks and what to build on."""
    metadata = sa.MetaData()
    columns = [name for name in CREDENTIAL_COLUMNS if name != "blob"]
    mine = sa.Table("mine", metadata, *(sa.Column(n, sa.Text) for n in columns))

    with pytest.raises(SetupError, match="lacks the columns blob, id"):
        build_tables(metadata, credential=mine)


def test_system_keys_remember_like_company_keys() -> None:
    """The same statements work on both tables."""
    tables = build_tables(sa.MetaData())

    assert set(CIRCUIT_COLUMNS) <= set(tables.system_key.c.keys())
    assert set(CIRCUIT_COLUMNS) <= set(tables.credential.c.keys())


def test_a_circuits_state_is_read_in_the_order_of_its_columns() -> None:
    """A row becomes a state without its names."""
    assert CircuitState._fields == CIRCUIT_COLUMNS


def test_a_credential_does_not_print_its_key() -> None:
    """Not even the sealed one."""
    names = Credential._fields
    credential = Credential._make(f"<{name}>" for name in names)
    assert repr(credential) == "Credential(id='<id>', provider='<provider>')"


def test_flask_sqlalchemy_creates_them_on_a_bind(sqlite_url: str) -> None:
    """``BYOK_BIND_KEY`` keeps the tables in another database of the app."""
    host = flask.Flask(f"host_{uuid.uuid4().hex[:6]}")
    host.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    host.config["SQLALCHEMY_BINDS"] = {"ai": sqlite_url}
    db = flask_sqlalchemy.SQLAlchemy()
    db.init_app(host)

    with host.app_context():
        metadata = db.metadatas.setdefault("ai", sa.MetaData(info={"bind_key": "ai"}))
        build_tables(metadata)
        db.create_all()
        assert set(sa.inspect(db.engines["ai"]).get_table_names()) == NAMES
        assert sa.inspect(db.engine).get_table_names() == []

        for engine in db.engines.values():
            engine.dispose()
