"""Does the store give back what was stored, to the right company?"""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
import typing as t

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from flask_byok.errors import CredentialNotFound
from flask_byok.errors import StateUnavailable
from flask_byok.vault.database import Database
from flask_byok.vault.models import build_tables
from flask_byok.vault.models import CIRCUIT_COLUMNS
from flask_byok.vault.models import CredentialMixin
from flask_byok.vault.rows import read_company
from flask_byok.vault.store import Store
from flask_byok.vault.types import CredentialInfo
from tests.support.vault_room import AT
from tests.support.vault_room import COMPANY
from tests.support.vault_room import insert_company
from tests.support.vault_room import Room
from tests.support.vault_room import sealed_key


@pytest.mark.case("F21")
def test_one_query_tells_all(sqlite_room: Room) -> None:
    """Two keys, the policy and the clock; nothing is opened or closed around it."""
    sqlite_room.put()
    sqlite_room.put(sealed_key(provider="CLAUDE"))
    statements: list[str] = []
    engine = sqlite_room.database.engine
    engine.dispose()

    @sa.event.listens_for(engine, "connect")
    def trace(connection: t.Any, record: object) -> None:
        connection.set_trace_callback(statements.append)

    sqlite_room.store.read_state(COMPANY)
    statements.clear()
    state = sqlite_room.store.read_state(COMPANY)

    assert len(statements) == 1, statements
    assert [each.provider for each in state.credentials] == ["CLAUDE", "OPENAI"]


def test_an_unknown_company_has_a_clock(room: Room) -> None:
    """Nothing else is known of it."""
    state = room.store.read_state("i:1")

    assert (state.fallback, state.active_provider) == (None, None)
    assert (state.use_other_keys, state.credentials) == (False, ())
    assert abs(state.now() - dt.datetime.now(dt.timezone.utc)).total_seconds() < 5


def test_the_state_is_what_was_stored(room: Room) -> None:
    """Every column of the circuit, its times aware and exact."""
    sealed = room.put(sealed_key(model="m-1", expires_on=dt.date(2031, 2, 3)))
    values = {
        "circuit": "open",
        "reason": "auth",
        "code": "invalid_api_key",
        "opened_at": AT,
        "open_until": AT + dt.timedelta(minutes=15),
        "open_count": 3,
        "closed_at": AT,
        "episode": 2,
        "episode_at": AT,
        "fail_count": 4,
        "fail_since": AT,
        "probe_token": "t" * 36,
        "probe_until": AT,
        "model_blocks": "{}",
        "blocks_rev": 5,
        "last_ok_at": AT,
        "unreadable_at": AT,
        "unreadable_reason": "tampered",
        "unreadable_told_at": AT,
        "fallback_episode": 1,
        "noticed_episode": 2,
        "noticed_at": AT,
        "noticed_kind": "reminder",
        "noticed_reason": "auth",
    }
    room.change(**values)
    (credential,) = room.store.read_state(COMPANY).credentials

    circuit = credential.circuit._asdict()
    assert circuit == {**values, "id": sealed.id, "generation": 1}
    assert circuit["open_until"].tzinfo is dt.timezone.utc
    assert credential.blob == sealed.blob
    assert credential.expires_on == dt.date(2031, 2, 3)
    assert (credential.id, credential.model) == (sealed.id, "m-1")


def test_the_clock_of_a_state_goes_on(sqlite_room: Room) -> None:
    """By this machine's monotonic time, which nobody sets."""
    state = sqlite_room.store.read_state(COMPANY)
    time.sleep(0.01)

    assert state.now() - state.clock >= dt.timedelta(milliseconds=10)


@pytest.mark.case("A22")
def test_ids_are_compared_exactly(sqlite_url: str) -> None:
    """A host's collation that ignores case hands nobody another company's key."""

    class Base(orm.DeclarativeBase):
        pass

    class Mine(CredentialMixin, Base):
        __tablename__ = "mine"
        company_id = orm.mapped_column(sa.String(257, collation="NOCASE"))
        provider = orm.mapped_column(sa.String(32, collation="NOCASE"))

    tables = build_tables(Base.metadata, credential=t.cast("t.Any", Mine.__table__))
    host = sa.create_engine(sqlite_url)
    Base.metadata.create_all(host)
    database = Database(lambda: host)
    store = Store(database, tables)

    with database.write() as connection:
        sealed = sealed_key(company_id="s:Acme")
        store.put(connection, sealed, seen_generation=None, actor=None)

    assert len(store.read_state("s:Acme").credentials) == 1
    assert store.read_state("s:acme").credentials == ()
    assert store.credentials("s:acme") == ()

    for company, provider in (("s:acme", "OPENAI"), ("s:Acme", "openai")):
        with pytest.raises(CredentialNotFound), database.write() as connection:
            store.delete(connection, company, provider)

    database.close()
    host.dispose()


@pytest.mark.case("A22")
def test_another_companys_choices_are_not_ours() -> None:
    """A row that a padding collation took for the company's is passed over."""
    nothing = (None,) * (7 + len(CIRCUIT_COLUMNS))
    row = (AT, "s:acme ", "auto", "OPENAI", True, *nothing)
    state = read_company("s:acme", [row], lambda value: value)

    assert (state.fallback, state.active_provider) == (None, None)
    assert not state.use_other_keys


def test_keys_come_in_a_fixed_order(room: Room) -> None:
    """By provider id, however the database happens to keep them."""
    for provider in ("OPENAI", "GEMINI", "CLAUDE"):
        room.put(sealed_key(provider=provider))

    found = room.store.read_state(COMPANY).credentials
    assert [each.provider for each in found] == ["CLAUDE", "GEMINI", "OPENAI"]
    assert room.store.read_state(COMPANY).credential("GEMINI") is not None
    assert room.store.read_state(COMPANY).credential("gemini") is None


def test_a_row_that_cannot_be_read_is_said_to_be(sqlite_room: Room) -> None:
    """Never guessed at: the state is unknown, and so is the opt-out."""
    sqlite_room.put()

    with sqlite_room.host.begin() as connection:
        connection.exec_driver_sql("UPDATE byok_credential SET open_until = 'rubbish'")

    with pytest.raises(StateUnavailable, match="doctor") as caught:
        sqlite_room.store.read_state(COMPANY)

    assert caught.value.__context__ is None


@pytest.mark.case("C1", "C14")
def test_sealed_bytes_are_not_printed(sqlite_room: Room) -> None:
    """Neither what is saved nor what is read shows them."""
    sealed = sqlite_room.put(sealed_key(blob=b"canary" * 20))
    state = sqlite_room.store.read_state(COMPANY)

    assert "canary" not in f"{sealed!r}{state!r}"


def test_schemas_are_translated(postgresql_url: str) -> None:
    """A host that keeps its tables in another schema is followed there."""
    host = sa.create_engine(
        postgresql_url,
        execution_options={"schema_translate_map": {None: "tenants"}},
    )
    metadata = sa.MetaData()
    tables = build_tables(metadata)

    with host.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA tenants")
        metadata.create_all(connection)

    database = Database(lambda: host)
    store = Store(database, tables)

    with database.write() as connection:
        store.put(connection, sealed_key(), seen_generation=None, actor=None)

    assert len(store.read_state(COMPANY).credentials) == 1

    with host.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA tenants CASCADE")

    database.close()
    host.dispose()


def test_what_managers_see(room: Room) -> None:
    """Masked, in the order of the ids, with the active one marked."""
    room.put(sealed_key(provider="OPENAI", prefix="sk-", last4="abcd"))
    room.put(sealed_key(provider="CLAUDE", prefix="", last4=""))
    room.put(sealed_key(company_id="i:43"))

    with room.database.write() as connection:
        room.store.set_active(connection, COMPANY, "OPENAI")

    found = room.store.credentials(COMPANY)
    assert [(each.provider, each.masked) for each in found] == [
        ("CLAUDE", "..."),
        ("OPENAI", "sk-...abcd"),
    ]
    assert [each.active for each in found] == [False, True]
    assert found[1].tested_at is not None
    assert found[1].created_at == found[1].updated_at
    assert found[1].created_at.tzinfo is dt.timezone.utc
    assert found[1].report == '{"checks": []}'


@pytest.mark.case("E9")
def test_a_masked_listing_has_no_sealed_bytes() -> None:
    """What a page gets cannot show them."""
    names = {field.name for field in dataclasses.fields(CredentialInfo)}
    assert not names & {"blob", "key_id", "id", "company_id", "prefix"}


def test_companies_with_keys_are_listed(room: Room) -> None:
    """Each once, whatever its row holds beside the id."""
    for company, provider in (("s:b", "CLAUDE"), ("s:a", "OPENAI"), ("s:b", "OPENAI")):
        room.put(sealed_key(company_id=company, provider=provider))

    assert room.store.companies() == ("s:a", "s:b")


def test_missing_tables_and_columns_are_named(room: Room) -> None:
    """``doctor`` tells what lacks; an app that never migrated lacks all."""
    assert room.store.missing_tables() == ()

    with room.host.begin() as connection:
        room.tables.audit.drop(connection)
        connection.exec_driver_sql("ALTER TABLE byok_company DROP COLUMN fallback")

    assert room.store.missing_tables() == ("byok_company.fallback", "byok_audit")
    room.database.record(insert_company(room))
    room.metadata.drop_all(room.host)
    assert len(room.store.missing_tables()) == len(room.tables.all())
