"""Is each change of a key made once, on the key that was seen?"""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
import sqlalchemy as sa

from flask_byok.errors import CredentialChanged
from flask_byok.errors import CredentialNotFound
from flask_byok.errors import StateUnavailable
from flask_byok.secret import Secret
from flask_byok.vault.keyring import API_KEY
from flask_byok.vault.keyring import SealContext
from flask_byok.vault.types import Credential
from flask_byok.vault.types import SealedKey
from tests.support import vectors
from tests.support.vault_room import any_row
from tests.support.vault_room import AT
from tests.support.vault_room import COMPANY
from tests.support.vault_room import in_threads
from tests.support.vault_room import open_room
from tests.support.vault_room import Room
from tests.support.vault_room import sealed_key


@pytest.mark.case("G5")
def test_a_replaced_key_starts_anew(room: Room) -> None:
    """Key and state change in one statement; the counters go on."""
    sealed = room.put()
    room.change(
        circuit="open",
        reason="auth",
        code="invalid_api_key",
        opened_at=AT,
        open_until=AT,
        open_count=3,
        closed_at=AT,
        episode=7,
        episode_at=AT,
        fail_count=2,
        fail_since=AT,
        probe_token="token",
        probe_until=AT,
        model_blocks="{}",
        blocks_rev=5,
        last_ok_at=AT,
        unreadable_at=AT,
        unreadable_reason="tampered",
        fallback_episode=7,
        noticed_episode=6,
        noticed_kind="failing",
    )
    room.put(dataclasses.replace(sealed, blob=b"other" * 30, last4="wxyz"), seen=1)
    (credential,) = room.store.read_state(COMPANY).credentials
    circuit = credential.circuit._asdict()

    kept = {
        "id": sealed.id,
        "generation": 2,
        "circuit": "closed",
        "open_count": 0,
        "episode": 7,
        "fail_count": 0,
        "blocks_rev": 6,
        "fallback_episode": 7,
        "noticed_episode": 6,
        "noticed_kind": "failing",
    }
    assert {name: value for name, value in circuit.items() if value is not None} == kept
    assert credential.blob == b"other" * 30


@pytest.mark.case("F7")
def test_a_key_added_again_is_not_the_one_that_was_seen(room: Room) -> None:
    """No generation of a company's keys ever comes back."""
    room.put()
    room.put(sealed_key(provider="CLAUDE"))
    seen = [generations(room)]

    for _ in range(2):
        remove(room, "OPENAI")
        room.put()
        seen.append(generations(room))

    assert seen == [[1, 1], [1, 2], [1, 3]]
    remove(room, "CLAUDE")
    remove(room, "OPENAI")
    sealed = room.put()
    assert generations(room) == [4]
    room.put(sealed, seen=4)

    with room.database.write() as connection, pytest.raises(CredentialChanged):
        room.store.delete(connection, COMPANY, "OPENAI", seen_generation=1)


def remove(room: Room, provider: str) -> None:
    """Delete a key as a person does."""
    with room.database.write() as connection:
        room.store.delete(connection, COMPANY, provider)


def generations(room: Room) -> list[int]:
    """Read the generations of the stored keys, by provider."""
    keys = room.store.read_state(COMPANY).credentials
    return [credential.generation for credential in keys]


@pytest.mark.case("F7")
def test_a_save_on_an_old_view_changes_nothing(room: Room) -> None:
    """Of two people who saw the same key one is told to look again."""
    sealed = room.put()
    room.put(dataclasses.replace(sealed, last4="2222"), seen=1)

    for seen in (1, 3, None):
        with pytest.raises(CredentialChanged) as caught:
            room.put(dataclasses.replace(sealed, last4="3333"), seen=seen)

        assert caught.value.__context__ is None

    (info,) = room.store.credentials(COMPANY)
    assert (info.last4, info.generation) == ("2222", 2)


@pytest.mark.case("F7")
def test_a_removed_key_is_not_brought_back(room: Room) -> None:
    """A save that saw it finds nothing to replace."""
    sealed = room.put()

    with room.database.write() as connection:
        room.store.delete(connection, COMPANY, "OPENAI", seen_generation=1)

    with pytest.raises(CredentialChanged):
        room.put(sealed, seen=1)

    assert room.rows(room.tables.credential) == []


@pytest.mark.case("F6")
def test_two_first_saves_end_in_one_row(room: Room) -> None:
    """The slower one is told, and nobody sees an error of the database."""
    ends = in_threads(lambda number: room.put(), 2)

    assert ends == ["CredentialChanged", "done"]
    assert len(room.rows(room.tables.credential)) == 1


@pytest.mark.case("F6")
def test_eight_savers_of_one_view_end_in_one_save(room: Room) -> None:
    """Compare-and-set: one generation, one winner."""
    sealed = room.put()
    ends = in_threads(lambda number: room.put(sealed, seen=1), 8)

    assert ends == ["CredentialChanged"] * 7 + ["done"]
    assert room.store.read_state(COMPANY).credentials[0].generation == 2


@pytest.mark.case("A18", "A19")
@pytest.mark.parametrize(
    "damage",
    ["blob = substr(blob, 1, 50)", "company_id = 'i:4'", "key_id = 'k00'"],
)
def test_bytes_that_were_not_kept_are_not_saved(sqlite_room: Room, damage: str) -> None:
    """A column that cuts or re-codes is found out before the commit."""
    with sqlite_room.host.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER cut AFTER INSERT ON byok_credential BEGIN"
            f" UPDATE byok_credential SET {damage}; END"
        )

    with pytest.raises(StateUnavailable, match="Nothing was saved"):
        sqlite_room.put()

    assert sqlite_room.rows(sqlite_room.tables.credential) == []


@pytest.mark.case("A18")
def test_a_lenient_mariadb_is_found_out(mariadb_url: str) -> None:
    """Without strict mode it cuts a long company text and only warns."""
    options = {"connect_args": {"sql_mode": ""}}

    with open_room(mariadb_url, **options) as room:
        with pytest.raises(StateUnavailable, match="Nothing was saved"):
            room.put(sealed_key(company_id="s:" + "x" * 300))

        assert room.rows(room.tables.credential) == []


@pytest.mark.case("A17")
def test_a_moved_row_does_not_open(room: Room) -> None:
    """Whoever edits company, provider or id by hand gets no key out of it."""
    ring, api_key = vectors.keyring(), Secret("not-a-real-openai-key-0009-AbCd")
    sealed = sealed_key()
    blob = ring.seal(api_key, context_of(sealed))
    room.put(dataclasses.replace(sealed, blob=blob))

    (found,) = room.store.read_state(COMPANY).credentials
    assert ring.open(found.blob, context_of(found), key_id=found.key_id) == api_key

    room.change(company_id="i:43")
    (moved,) = room.store.read_state("i:43").credentials
    reason = vectors.reason_of(ring, moved.blob, context_of(moved))
    assert reason == "wrong_key_or_context"


@pytest.mark.case("A16")
def test_an_older_state_of_a_row_opens(room: Room) -> None:
    """What remains: whoever writes to the database can put an old key back."""
    ring = vectors.keyring()
    old, new = (Secret(f"not-a-real-openai-key-000{n}-AbCd") for n in (1, 2))
    sealed = sealed_key()
    before = ring.seal(old, context_of(sealed))
    room.put(dataclasses.replace(sealed, blob=before))
    after = ring.seal(new, context_of(sealed))
    room.put(dataclasses.replace(sealed, blob=after), seen=1)
    room.change(blob=before)

    (found,) = room.store.read_state(COMPANY).credentials
    assert ring.open(found.blob, context_of(found), key_id="k001") == old


def context_of(row: Credential | SealedKey) -> SealContext:
    """Bind a key to the row it stands in."""
    return SealContext(
        purpose=API_KEY, company=row.company_id, provider=row.provider, record=row.id
    )


def test_details_change_without_the_key(room: Room) -> None:
    """Another model and date: a new generation, the same circuit."""
    sealed = room.put()
    room.change(circuit="open", open_count=2)

    with room.database.write() as connection:
        generation = room.store.set_details(
            connection,
            COMPANY,
            "OPENAI",
            seen_generation=1,
            model="m-2",
            expires_on=dt.date(2031, 2, 3),
            actor="bob",
        )

    (credential,) = room.store.read_state(COMPANY).credentials
    assert generation == credential.generation == 2
    assert (credential.model, credential.circuit.open_count) == ("m-2", 2)
    assert credential.blob == sealed.blob
    (info,) = room.store.credentials(COMPANY)
    assert (info.created_by, info.updated_by) == ("ann", "bob")
    assert info.expires_on == dt.date(2031, 2, 3)


def test_details_of_another_view_or_key_are_refused(room: Room) -> None:
    """The generation guards them as it guards the key."""
    room.put()
    plan = (
        (COMPANY, "OPENAI", 2, CredentialChanged),
        (COMPANY, "CLAUDE", 1, CredentialNotFound),
        ("i:43", "OPENAI", 1, CredentialNotFound),
    )

    for company, provider, seen, error in plan:
        with pytest.raises(error), room.database.write() as connection:
            room.store.set_details(
                connection,
                company,
                provider,
                seen_generation=seen,
                model="m-2",
                expires_on=None,
                actor=None,
            )

    assert room.store.credentials(COMPANY)[0].model is None


@pytest.mark.case("F7")
def test_a_report_belongs_to_one_generation(room: Room) -> None:
    """A test that ends after a Replace says nothing of the new key."""
    sealed = room.put()

    def save(seen: int) -> bool:
        with room.database.write() as connection:
            return room.store.save_report(
                connection,
                sealed.id,
                seen_generation=seen,
                state="no_model",
                state_reason="model",
                report='{"a": 1}',
            )

    assert save(1)
    room.put(sealed, seen=1)
    assert not save(1)
    (info,) = room.store.credentials(COMPANY)
    assert (info.state, info.report) == ("working", '{"checks": []}')


@pytest.mark.case("G1")
def test_a_deleted_key_leaves_nothing(room: Room) -> None:
    """No flag, no copy: the row is gone; other keys stay."""
    room.put()
    room.put(sealed_key(provider="CLAUDE"))
    room.put(sealed_key(company_id="i:43"))

    with room.database.write() as connection:
        room.store.delete(connection, COMPANY, "OPENAI")

    rows = room.rows(room.tables.credential)
    left = sorted((row["company_id"], row["provider"]) for row in rows)
    assert left == [("i:42", "CLAUDE"), ("i:43", "OPENAI")]


def test_a_delete_on_an_old_view_is_refused(room: Room) -> None:
    """Somebody put another key there since."""
    sealed = room.put()
    room.put(sealed, seen=1)

    with pytest.raises(CredentialChanged), room.database.write() as connection:
        room.store.delete(connection, COMPANY, "OPENAI", seen_generation=1)

    with pytest.raises(CredentialNotFound), room.database.write() as connection:
        room.store.delete(connection, "i:43", "OPENAI")

    assert len(room.rows(room.tables.credential)) == 1


@pytest.mark.case("F19")
def test_a_forgotten_company_has_no_row_anywhere(room: Room) -> None:
    """In no table, and nobody else loses one."""
    tables = [table for table in room.tables.all() if "company_id" in table.c]

    for company in ("i:42", "i:4", "i:421", "s:42"):
        with room.host.begin() as connection:
            for table in tables:
                connection.execute(sa.insert(table), any_row(table, company))

    with room.database.write() as connection:
        room.store.forget(connection, COMPANY)

    assert len(tables) == 7

    for table in tables:
        found = sorted(row["company_id"] for row in room.rows(table))
        assert found == ["i:4", "i:421", "s:42"], table.name
