"""Can a master key be retired while a stored key needs it? Never."""

from __future__ import annotations

import collections.abc as cabc
import random
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok.errors import RetireRefused
from flask_byok.errors import VaultClosed
from flask_byok.secret import Secret
from flask_byok.vault.keyring import Keyring
from flask_byok.vault.ring_rows import retire as retire_rows
from tests.support import vectors
from tests.support.rotation_room import Beside
from tests.support.rotation_room import BOTH
from tests.support.rotation_room import fill
from tests.support.rotation_room import NEW
from tests.support.rotation_room import opened
from tests.support.rotation_room import ring
from tests.support.rotation_room import rotate
from tests.support.rotation_room import sealed
from tests.support.rotation_room import stored
from tests.support.rotation_room import under
from tests.support.vault_room import any_row
from tests.support.vault_room import in_threads
from tests.support.vault_room import Room

on_servers = pytest.mark.parametrize(
    "database_url", ["postgresql", "mariadb"], indirect=True
)
RECORDS: t.Final = [f"7b0f6a52-3c1e-4d8a-9f27-1e5c40aa{n:04}" for n in range(100)]


def retire(room: Room, key_id: str = "k001", keyring: Keyring | None = None) -> None:
    """Retire as the command does."""
    keyring = ring(BOTH, "k002") if keyring is None else keyring

    with room.database.write() as connection:
        now = room.database.now(connection)
        retire_rows(connection, room.tables, keyring, key_id, now)


def begin_save(room: Room, connection: sa.Connection, record: str) -> None:
    """Do what a save of a worker does that still seals under ``k001``."""
    keyring, company = ring(BOTH, "k001"), f"s:{record[-4:]}"
    room.store.ensure_check_value(connection, keyring)
    row = any_row(room.tables.credential, company)
    row.update(sealed(keyring, record, company, "OPENAI"))
    connection.execute(sa.insert(room.tables.credential), row)


def save(room: Room, record: str = RECORDS[0]) -> None:
    """Save one key under ``k001``."""
    with room.database.write() as connection:
        begin_save(room, connection, record)


def retired(room: Room) -> list[str]:
    """List the retired ids."""
    rows = room.rows(room.tables.keyring)
    return [row["key_id"] for row in rows if row["retired_at"] is not None]


@pytest.mark.case("B15")
def test_a_master_key_without_rows_is_retired(room: Room) -> None:
    """After the rotation nothing needs it; it need not be loaded any more."""
    kept = fill(room, 5, "k001", "k002")
    rotate(room)
    retire(room, keyring=ring(NEW, "k002"))

    assert retired(room) == ["k001"]
    assert opened(room, ring(NEW, "k002")) == kept


@pytest.mark.case("B15")
def test_one_row_is_enough_to_refuse(room: Room) -> None:
    """The sentence says how many are left and what to do."""
    fill(room, 5, "k002", "k001", "k002", "k002", "k002")

    with pytest.raises(RetireRefused, match="'k001': 1 stored keys.*byok rotate"):
        retire(room)

    assert retired(room) == []


@pytest.mark.case("B15")
@pytest.mark.parametrize(
    ("key_id", "said"),
    [("k002", "is the primary"), ("k009", "has ever sealed"), ("", "has ever sealed")],
)
def test_the_primary_and_unknown_ids_are_refused(
    room: Room, key_id: str, said: str
) -> None:
    """A typo retires nothing."""
    fill(room, 2, "k002", "k001")
    rotate(room)

    with pytest.raises(RetireRefused, match=said):
        retire(room, key_id)

    assert retired(room) == []


@pytest.mark.case("B15")
def test_there_is_no_way_back(room: Room) -> None:
    """Retired twice is refused; as a primary it seals nothing, and rotates nothing."""
    fill(room, 2)
    rotate(room)
    retire(room)
    (row,) = (row for row in room.rows(room.tables.keyring) if row["retired_at"])

    with pytest.raises(RetireRefused, match="already"):
        retire(room)

    with pytest.raises(VaultClosed, match="retired"):
        save(room)

    with pytest.raises(VaultClosed, match="retired"):
        rotate(room, ring(BOTH, "k001"))

    assert under(room) == {"k002": 2}
    assert row in room.rows(room.tables.keyring)


@pytest.mark.case("B7", "B15")
def test_another_ring_retires_nothing(room: Room) -> None:
    """Whoever runs beside the wrong database does no harm to it."""
    fill(room, 2)
    rotate(room)
    other = ring({"k002": bytes(range(32, 64))}, "k002")

    with pytest.raises(VaultClosed, match="k002"):
        retire(room, keyring=other)

    assert retired(room) == []


@on_servers
@pytest.mark.case("B22")
def test_a_save_under_way_is_waited_for(room: Room) -> None:
    """The count comes after the wait: the row it has just got is seen."""
    fill(room, 3)
    rotate(room)
    beside = Beside(room, lambda: retire(room))

    with room.database.write() as connection:
        begin_save(room, connection, RECORDS[0])
        beside.begin()
        assert beside.is_alive

    with pytest.raises(RetireRefused, match="1 stored keys"):
        beside.end()

    assert retired(room) == []
    assert under(room) == {"k001": 1, "k002": 3}


@on_servers
@pytest.mark.case("B22")
def test_a_replaced_key_under_way_is_waited_for(room: Room) -> None:
    """An UPDATE back to the old id counts as well as a new row."""
    fill(room, 3)
    rotate(room)
    beside = Beside(room, lambda: retire(room))
    keyring, row = ring(BOTH, "k001"), stored(room)[0]

    with room.database.write() as connection:
        room.store.ensure_check_value(connection, keyring)
        blob = keyring.seal(Secret("not-a-real-newer"), row.context)
        table = room.tables.credential
        connection.execute(
            sa.update(table)
            .where(table.c.id == row.id)
            .values(blob=blob, key_id="k001", generation=row.generation + 1)
        )
        beside.begin()
        assert beside.is_alive

    with pytest.raises(RetireRefused, match="1 stored keys"):
        beside.end()

    assert retired(room) == []


@on_servers
@pytest.mark.case("B22")
def test_a_save_that_comes_late_is_refused(room: Room) -> None:
    """It waits for the retirement, and then nothing is sealed."""
    fill(room, 3)
    rotate(room)
    beside = Beside(room, lambda: save(room))

    with room.database.write() as connection:
        now = room.database.now(connection)
        retire_rows(connection, room.tables, ring(BOTH, "k002"), "k001", now)
        beside.begin()
        assert beside.is_alive

    with pytest.raises(VaultClosed, match="retired"):
        beside.end()

    assert retired(room) == ["k001"]
    assert under(room) == {"k002": 3}


@on_servers
@pytest.mark.case("B22")
def test_a_rotation_back_is_waited_for(room: Room) -> None:
    """A batch that writes under the old id locks its row like a save."""
    fill(room, 3)
    rotate(room)
    beside = Beside(room, lambda: retire(room))

    class Back(Keyring):
        """Seals under ``k001``; the retirement begins in the middle of it."""

        def seal(self, *details: t.Any) -> bytes:
            if beside.is_new:
                beside.begin()
                assert beside.is_alive

            return super().seal(*details)

    secrets = {id: Secret(vectors.text_of(each)) for id, each in BOTH.items()}
    assert rotate(room, Back(secrets, "k001", "default")).moved == 3

    with pytest.raises(RetireRefused, match="3 stored keys"):
        beside.end()

    assert retired(room) == []


@on_servers
@pytest.mark.case("B22")
def test_never_a_row_under_a_retired_id(room: Room) -> None:
    """Saves and retirements at the same moment: one of them gives way, each time."""
    fill(room, 1)
    rotate(room)
    outcomes = set()

    for number, record in enumerate(RECORDS[:40]):
        works: list[cabc.Callable[[], None]] = [
            lambda record=record: save(room, record),  # type: ignore[misc]
            lambda: retire(room),
        ]
        random.Random(number).shuffle(works)
        in_threads(lambda each, works=works: works[each](), 2)  # type: ignore[misc]
        rows, gone = under(room).get("k001", 0), retired(room)

        assert not (rows and gone)
        outcomes.add("retired" if gone else "saved")
        begin_again(room)

    assert outcomes <= {"retired", "saved"}


def begin_again(room: Room) -> None:
    """Take the retirement back by hand, and the row that was saved."""
    with room.host.begin() as connection:
        table = room.tables.credential
        connection.execute(sa.delete(table).where(table.c.key_id == "k001"))
        connection.execute(sa.update(room.tables.keyring).values(retired_at=None))


@pytest.mark.case("G4")
@pytest.mark.parametrize("whole", [True, False])
def test_a_backup_from_before_a_retirement(room: Room, whole: bool) -> None:
    """It opens with the retired key loaded and not without; a rotation repairs it.

    The backup is of the whole database, or of the stored keys alone.
    """
    kept = fill(room, 9)
    tables = [room.tables.credential, *([room.tables.keyring] if whole else [])]
    backup = [(table, room.rows(table)) for table in tables]
    rotate(room)
    retire(room)
    restore(room, backup)
    assert opened(room, ring(NEW, "k002")) == dict.fromkeys(kept, "unknown_key_id")
    assert opened(room, ring(BOTH, "k002")) == kept

    assert rotate(room, ring(NEW, "k002")).moved == 0
    assert rotate(room, ring(BOTH, "k002")).moved == 9
    assert opened(room, ring(NEW, "k002")) == kept
    assert retired(room) == ([] if whole else ["k001"])


def restore(room: Room, backup: list[tuple[sa.Table, list[dict[str, t.Any]]]]) -> None:
    """Put tables back as they were."""
    with room.host.begin() as connection:
        for table, rows in backup:
            connection.execute(sa.delete(table))
            connection.execute(sa.insert(table), rows)


@pytest.mark.case("B7", "G3")
def test_a_backup_beside_another_ring_is_not_written_to(room: Room) -> None:
    """The same id with other bytes: told as that, and the rows stay as they are."""
    fill(room, 3)
    before = stored(room)
    other = ring({"k001": bytes(range(32, 64)), "k002": bytes(range(64, 96))}, "k002")

    for work in (lambda: rotate(room, other), lambda: retire(room, "k001", other)):
        with pytest.raises(VaultClosed, match="other bytes"):
            work()

    assert stored(room) == before
    assert set(opened(room, other).values()) == {"wrong_key_or_context"}
