"""Are choices, and check values of master keys, kept once?"""

from __future__ import annotations

import typing as t

import pytest
import sqlalchemy as sa

from flask_byok.errors import VaultClosed
from flask_byok.secret import Secret
from flask_byok.vault.keyring import Keyring
from tests.support import vectors
from tests.support.vault_room import any_row
from tests.support.vault_room import AT
from tests.support.vault_room import COMPANY
from tests.support.vault_room import in_threads
from tests.support.vault_room import Room


def test_choices_are_kept_apart(room: Room) -> None:
    """Setting one leaves the others as they are."""
    plan: tuple[dict[str, t.Any], ...] = (
        {"fallback": "never"},
        {"active_provider": "CLAUDE"},
        {"use_other_keys": True},
        {"fallback": "auto", "use_other_keys": False},
    )
    found = []

    for choice in plan:
        with room.database.write() as connection:
            room.store.set_policy(connection, COMPANY, **choice)

        state = room.store.read_state(COMPANY)
        found.append((state.fallback, state.active_provider, state.use_other_keys))

    assert found == [
        ("never", None, False),
        ("never", "CLAUDE", False),
        ("never", "CLAUDE", True),
        ("auto", "CLAUDE", False),
    ]


def test_the_active_provider_may_be_nobody(room: Room) -> None:
    """As after the last key is removed."""
    for provider in ("OPENAI", None):
        with room.database.write() as connection:
            room.store.set_active(connection, COMPANY, provider)

        assert room.store.read_state(COMPANY).active_provider == provider


def test_two_first_choices_meet_in_one_row(room: Room) -> None:
    """Whoever comes second updates what the first one inserted."""
    words = ("auto", "never")

    def choose(number: int) -> None:
        with room.database.write() as connection:
            room.store.set_policy(connection, COMPANY, fallback=words[number])

    assert in_threads(choose, 2) == ["done", "done"]
    assert [row["fallback"] in words for row in room.rows(room.tables.company)] == [
        True
    ]


@pytest.mark.parametrize("database_url", ["postgresql", "mariadb"], indirect=True)
def test_a_choice_that_comes_second_goes_on_in_its_transaction(room: Room) -> None:
    """The row appears between its UPDATE and its INSERT; what it did before stays."""
    table, audit = room.tables.company, room.tables.audit
    seen: list[str] = []

    @sa.event.listens_for(room.database.engine, "before_execute")
    def be_quicker(connection: object, statement: object, *args: object) -> None:
        if isinstance(statement, sa.Insert) and statement.table is table:
            seen.append("insert")
            row = {"company_id": COMPANY, "use_other_keys": True, "updated_at": AT}

            with room.host.begin() as other:
                other.execute(sa.insert(table), row)

    with room.database.write() as connection:
        connection.execute(sa.insert(audit), any_row(audit, COMPANY))
        room.store.set_policy(connection, COMPANY, fallback="never")

    state = room.store.read_state(COMPANY)
    assert seen == ["insert"]
    assert (state.fallback, state.use_other_keys) == ("never", True)
    assert len(room.rows(audit)) == 1


def ensure(room: Room, keyring: Keyring) -> None:
    """Do what each save does first."""
    with room.database.write() as connection:
        room.store.ensure_check_value(connection, keyring)


def test_a_first_seal_leaves_its_check_value(room: Room) -> None:
    """Once; a later save finds it and says nothing."""
    ring = vectors.keyring(primary="k001")

    for _ in range(2):
        ensure(room, ring)

    (row,) = room.rows(room.tables.keyring)
    assert row["kcv"] == vectors.CHECK_VALUES["k001"]
    assert (row["namespace"], row["retired_at"]) == (ring.namespace, None)
    assert room.store.keyring_problems(ring) == []


@pytest.mark.case("B7", "G3")
@pytest.mark.parametrize(
    ("column", "value", "kind"),
    [
        ("kcv", "0" * 32, "other_bytes"),
        ("namespace", "staging", "other_namespace"),
        ("retired_at", AT, "retired"),
    ],
)
def test_nothing_is_sealed_beside_the_wrong_rows(
    room: Room,
    caplog: pytest.LogCaptureFixture,
    column: str,
    value: object,
    kind: str,
) -> None:
    """Other bytes, another namespace, a retired key: refused and told the operator."""
    ring = vectors.keyring(primary="k001")
    ensure(room, ring)

    with room.host.begin() as connection:
        connection.execute(sa.update(room.tables.keyring).values({column: value}))

    with pytest.raises(VaultClosed, match="k001"):
        ensure(room, ring)

    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert [each.kind for each in room.store.keyring_problems(ring)] == [kind]


@pytest.mark.case("B7")
def test_of_two_workers_with_different_bytes_one_is_refused(room: Room) -> None:
    """Whoever commits first decides what the id means in this database."""
    rings = [
        Keyring({"k001": Secret(text)}, primary="k001", namespace="default")
        for text in ("A" * 42 + "8", "B" * 42 + "8")
    ]
    ends = in_threads(lambda number: ensure(room, rings[number]), 2)

    assert ends == ["VaultClosed", "done"]
    assert len(room.rows(room.tables.keyring)) == 1
