"""Do all keys go over to another master key, while people go on saving?"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import tracemalloc
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok.errors import ApiKeyFormatError
from flask_byok.errors import RotationStopped
from flask_byok.errors import StoredKeyUnreadable
from flask_byok.errors import VaultClosed
from flask_byok.secret import Secret
from flask_byok.vault import rotation as rotation_module
from flask_byok.vault.keyring import Keyring
from flask_byok.vault.keyring import SealContext
from flask_byok.vault.rotation import can_skip_locked
from flask_byok.vault.rotation import count_left
from flask_byok.vault.sealed_rows import open_all
from flask_byok.vault.sealed_rows import page_query
from flask_byok.vault.sealed_rows import SealedRow
from flask_byok.vault.types import SealedKey
from tests.support import vectors
from tests.support.rotation_room import Beside
from tests.support.rotation_room import BOTH
from tests.support.rotation_room import counted
from tests.support.rotation_room import fill
from tests.support.rotation_room import InterruptedKeyring
from tests.support.rotation_room import NEW
from tests.support.rotation_room import opened
from tests.support.rotation_room import ring
from tests.support.rotation_room import rotate
from tests.support.rotation_room import rotation
from tests.support.rotation_room import stored
from tests.support.rotation_room import under
from tests.support.vault_room import Room

on_servers = pytest.mark.parametrize(
    "database_url", ["postgresql", "mariadb"], indirect=True
)


@pytest.fixture(params=["locked", "unlocked"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Move as this database does, and as one without ``SKIP LOCKED`` does."""
    if request.param == "unlocked":
        monkeypatch.setattr(rotation_module, "can_skip_locked", lambda dialect: False)

    return t.cast("str", request.param)


@pytest.mark.case("B9")
def test_ten_thousand_keys_go_over(room: Room) -> None:
    """Of three master keys, all open with the new one alone and are what they were."""
    kept = fill(room, 10_000, "k000", "k001", "k001", "k002")
    total = rotate(room)

    assert (total.moved, total.changed, total.unreadable) == (7_500, 0, [])
    assert opened(room, ring(NEW, "k002")) == kept
    assert counted(room, ring(NEW, "k002")) == {"k002": 10_000}
    assert count_left(room.database, room.tables.credential, "k002") == {}


@pytest.mark.case("B18")
def test_nothing_but_blob_and_key_id_changes(room: Room, way: str) -> None:
    """In no column, in no other row and in no other table."""
    fill(room, 20, "k001", "k002")
    before = snapshot(room)
    rotate(room, batch=7)
    after = snapshot(room)
    moved = [row for row in before["byok_credential"] if row["key_id"] == "k001"]

    assert len(moved) == 10
    assert after.keys() == before.keys()
    assert [row for name in after for row in after[name] if "blob" not in row] == [
        row for name in before for row in before[name] if "blob" not in row
    ]

    for old, new in zip(
        before["byok_credential"], after["byok_credential"], strict=True
    ):
        changed = {name for name in old if old[name] != new[name]}
        assert changed == ({"blob", "key_id"} if old in moved else set())


def snapshot(room: Room) -> dict[str, list[dict[str, t.Any]]]:
    """Read every table, in a fixed order."""
    return {
        table.name: sorted(room.rows(table), key=str) for table in room.tables.all()
    }


def test_the_tables_of_sealed_keys_are_those_rotated(room: Room) -> None:
    """A table that gets a blob one day must not be forgotten by a rotation."""
    found = [
        table.name
        for table in room.tables.all()
        for column in table.c
        if isinstance(column.type, sa.LargeBinary)
    ]

    assert found == [room.tables.credential.name, room.tables.draft.name]


@pytest.mark.case("B14")
def test_a_damaged_key_holds_nobody_up(room: Room, way: str) -> None:
    """It is named with its reason, once, and keeps its bytes; the others go over."""
    kept = fill(room, 50)
    victim, stranger = list(kept)[7], list(kept)[33]
    damaged = damage(room, victim, lambda blob: blob[:-1] + bytes([blob[-1] ^ 1]))
    damage(room, stranger, lambda blob: blob[:60])
    total = rotate(room, batch=10)
    found = {key.record_id: (key.key_id, key.reason) for key in total.unreadable}

    assert total.moved == 48
    assert len(total.unreadable) == 2
    assert found == {victim: ("k001", "tampered"), stranger: ("k001", "malformed")}
    assert [row.blob for row in stored(room) if row.id == victim] == [damaged]
    assert under(room) == {"k001": 2, "k002": 48}


def damage(room: Room, record: str, change: cabc.Callable[[bytes], bytes]) -> bytes:
    """Change the stored bytes of one row; give them."""
    table = room.tables.credential
    (row,) = (row for row in stored(room) if row.id == record)

    with room.host.begin() as connection:
        connection.execute(
            sa.update(table).where(table.c.id == record).values(blob=change(row.blob))
        )

    return change(row.blob)


@on_servers
def test_many_damaged_keys_cost_no_transaction_each(room: Room) -> None:
    """They are met batch by batch, told once, and nobody waits for them one by one."""
    fill(room, 60)
    total = rotate(room, ring(NEW, "k002"), batch=10)

    assert len(total.unreadable) == len({key.record_id for key in total.unreadable})
    assert len(total.unreadable) == 60
    assert total.steps == 2 * 7


def test_a_text_in_the_column_is_no_key(sqlite_room: Room) -> None:
    """SQLite keeps a plaintext somebody put there by hand; nobody takes it for one."""
    (record,) = fill(sqlite_room, 1)

    with sqlite_room.host.begin() as connection:
        connection.exec_driver_sql("UPDATE byok_credential SET blob = 'not-a-key'")

    assert [key.reason for key in rotate(sqlite_room).unreadable] == ["malformed"]
    assert counted(sqlite_room, ring(BOTH, "k001")) == {"failed": 1}


def test_a_master_key_that_is_not_loaded_is_named(room: Room) -> None:
    """Whoever rotates without the old key moves nothing and hears which it is."""
    fill(room, 3)
    total = rotate(room, ring(NEW, "k002"))

    assert total.moved == 0
    assert {(key.key_id, key.reason) for key in total.unreadable} == {
        ("k001", "unknown_key_id")
    }
    assert under(room) == {"k001": 3}


def test_a_second_run_finds_nothing_to_do(room: Room) -> None:
    """The rows are the state."""
    fill(room, 30)
    rotate(room, batch=10)
    before = stored(room)

    assert rotate(room).moved == 0
    assert stored(room) == before


def test_a_run_stops_after_as_many_keys_as_asked(room: Room, way: str) -> None:
    """And the next one goes on there; a key that does not open does not count."""
    kept = fill(room, 20)
    first = min(kept)
    damage(room, first, lambda blob: blob[:-1])

    assert [rotate(room, batch=4, most=6).moved for _ in range(4)] == [6, 6, 6, 1]
    assert under(room) == {"k001": 1, "k002": 19}


def test_each_batch_is_committed(room: Room, way: str) -> None:
    """What a step tells is in the database, for everybody; one left behind is not."""
    fill(room, 10)
    steps = rotation(room, ring(BOTH, "k002"), batch=4).run()

    assert next(steps).moved == 4
    assert under(room) == {"k001": 6, "k002": 4}
    steps.close()
    assert under(room) == {"k001": 6, "k002": 4}


def test_the_way_is_told(room: Room) -> None:
    """The position grows from batch to batch and ends at 1."""
    fill(room, 200)
    positions = [
        step.position for step in rotation(room, ring(BOTH, "k002"), batch=20).run()
    ]
    first = positions[: positions.index(1.0) + 1]

    assert len(first) == 11
    assert first == sorted(first)
    assert abs(first[4] - 0.5) < 0.2


@pytest.mark.case("B11", "F8")
def test_a_key_saved_meanwhile_wins(room: Room, way: str) -> None:
    """The save waits for one batch at most, or the rotation sees that it lost."""
    kept = fill(room, 12)
    victim = target(room)
    saved = interrupt(room, way, lambda: save(room, victim, ring(BOTH, "k002")))

    assert opened(room, ring(NEW, "k002")) == {**kept, victim.id: "not-a-real-newer"}
    (row,) = (row for row in stored(room) if row.id == victim.id)
    assert row.generation == victim.generation + 1
    assert saved == victim.generation + 1


@pytest.mark.case("B11")
def test_a_key_saved_under_the_old_master_key_meanwhile_wins(
    room: Room, way: str
) -> None:
    """A worker that does not know the new primary yet: its key is not overwritten."""
    kept = fill(room, 12)
    victim = target(room)
    interrupt(room, way, lambda: save(room, victim, ring(BOTH, "k001")))

    assert opened(room, ring(BOTH, "k002")) == {**kept, victim.id: "not-a-real-newer"}
    rotate(room)
    assert counted(room, ring(NEW, "k002")) == {"k002": 12}


@pytest.mark.case("B12", "F8")
def test_a_key_removed_meanwhile_stays_removed(room: Room, way: str) -> None:
    """A rotation never inserts."""
    kept = fill(room, 12)
    victim = target(room)
    interrupt(room, way, lambda: remove(room, victim))
    del kept[victim.id]

    assert opened(room, ring(NEW, "k002")) == kept


@pytest.mark.case("B11", "B12")
def test_a_key_removed_and_added_again_meanwhile_wins(room: Room, way: str) -> None:
    """It is another record, and the old one's bytes are not put into it."""
    fill(room, 12)
    victim = target(room)
    again = dataclasses.replace(victim, id="3f6f3f0e-6a52-4e0e-9c1b-0d9d6c8a7b11")

    def swap() -> None:
        remove(room, victim)
        save(room, again, ring(BOTH, "k002"), first=True)

    interrupt(room, way, swap)
    assert opened(room, ring(NEW, "k002"))[again.id] == "not-a-real-newer"
    assert counted(room, ring(NEW, "k002")) == {"k002": 12}


@pytest.mark.case("B13")
def test_a_key_moved_meanwhile_is_not_moved_twice(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody locks: who is slower sees that the row has the new master key."""
    monkeypatch.setattr(rotation_module, "can_skip_locked", lambda dialect: False)
    kept = fill(room, 12)
    beside = Beside(room, lambda: rotate(room))
    mine = rotate(room, InterruptedKeyring("k002", beside.begin), batch=6)
    theirs: t.Any = beside.end()

    assert (theirs.moved, mine.moved, mine.changed) == (12, 0, 6)
    assert opened(room, ring(NEW, "k002")) == kept


def target(room: Room) -> SealedRow:
    """Pick a row of the first batch."""
    return stored(room)[3]


def interrupt(room: Room, way: str, work: cabc.Callable[[], object]) -> object:
    """Rotate, and let somebody else work while the first batch is in memory."""
    beside = Beside(room, work)
    rotate(room, InterruptedKeyring("k002", beside.begin), batch=6)
    return beside.end()


def save(room: Room, row: SealedRow, keyring: Keyring, *, first: bool = False) -> int:
    """Save another API key there, as a person does."""
    with room.database.write() as connection:
        room.store.ensure_check_value(connection, keyring)
        return room.store.put(
            connection,
            SealedKey(
                id=row.id,
                company_id=row.company_id,
                provider=row.provider,
                blob=keyring.seal(Secret("not-a-real-newer"), row.context),
                key_id=keyring.primary,
                prefix="",
                last4="",
                model=None,
                expires_on=None,
                state="working",
            ),
            seen_generation=None if first else row.generation,
            actor="ann",
        )


def remove(room: Room, row: SealedRow) -> None:
    """Remove the key, as a person does."""
    with room.database.write() as connection:
        room.store.delete(connection, row.company_id, row.provider)


@pytest.mark.case("B13")
def test_two_rotations_at_once_move_each_key_once(room: Room, way: str) -> None:
    """Both end, without a deadlock, and their totals add up."""
    kept = fill(room, 600)
    others = [Beside(room, lambda: rotate(room, batch=20)) for _ in range(2)]

    for other in others:
        other.start()

    totals: list[t.Any] = [other.end() for other in others]

    assert sum(total.moved for total in totals) == 600
    assert [total.unreadable for total in totals] == [[], []]
    assert opened(room, ring(NEW, "k002")) == kept


@on_servers
@pytest.mark.case("B13")
def test_two_rotations_share_the_work(room: Room) -> None:
    """What one has locked the other passes over: it waits for that at the end alone."""
    fill(room, 100)
    others: list[dict[str, int]] = []
    beside = Beside(room, lambda: rotate(room, batch=10))

    def meanwhile() -> None:
        beside.begin()
        others.append(under(room))

    mine = rotate(room, InterruptedKeyring("k002", meanwhile), batch=10)
    theirs: t.Any = beside.end()

    assert others == [{"k001": 10, "k002": 90}]
    assert (mine.moved, theirs.moved) == (10, 90)
    assert mine.changed == theirs.changed == 0


@on_servers
@pytest.mark.case("B10", "B13")
def test_what_a_broken_rotation_held_is_moved_by_the_other(room: Room) -> None:
    """It waits at its end for what it passed over, and takes what is still old then."""
    kept = fill(room, 100)
    beside = Beside(room, lambda: rotate(room, batch=10))
    waits = []

    def meanwhile() -> None:
        beside.begin()
        waits.append(beside.is_alive)
        raise OSError("The machine is gone.")

    with pytest.raises(OSError):
        rotate(room, InterruptedKeyring("k002", meanwhile), batch=10)

    theirs: t.Any = beside.end()
    assert waits == [True]
    assert theirs.moved == 100
    assert opened(room, ring(NEW, "k002")) == kept


@on_servers
def test_a_reader_does_not_wait_for_a_batch(room: Room) -> None:
    """While a batch is locked, every call reads the key as it was."""
    fill(room, 12)
    seen = []

    def read() -> None:
        row = target(room)
        (credential,) = room.store.read_state(row.company_id).credentials
        seen.append(credential.key_id)

    rotate(room, InterruptedKeyring("k002", read))
    assert seen == ["k001"]


@pytest.mark.case("B7")
@pytest.mark.parametrize("column", ["kcv", "namespace", "retired_at"])
def test_nothing_moves_beside_the_wrong_rows(room: Room, column: str) -> None:
    """The primary's row is compared in each batch, and locked until it is written."""
    fill(room, 4, "k001", "k002")
    table = room.tables.keyring
    value = {"kcv": "0" * 32, "namespace": "staging", "retired_at": any_time()}

    with room.host.begin() as connection:
        connection.execute(
            sa.update(table)
            .where(table.c.key_id == "k002")
            .values({column: value[column]})
        )

    with pytest.raises(VaultClosed, match="k002"):
        rotate(room)

    assert under(room) == {"k001": 2, "k002": 2}


@pytest.mark.case("B7")
def test_other_bytes_under_the_old_id_stop_a_rotation_and_a_save(room: Room) -> None:
    """A restored database beside another ring is not written to at all."""
    fill(room, 4)
    other = ring({"k001": bytes(range(32, 64)), **NEW}, "k002")

    with pytest.raises(VaultClosed, match="k001"):
        rotate(room, other)

    with pytest.raises(VaultClosed, match="k001"):
        save(room, target(room), other)

    assert under(room) == {"k001": 4}


def any_time() -> t.Any:
    """Give any time."""
    return sa.func.now()


class FaultyKeyring(Keyring):
    """The real one, until its key service has answered so many times."""

    def __init__(self, answers: int) -> None:
        secrets = {id: Secret(vectors.text_of(each)) for id, each in BOTH.items()}
        super().__init__(secrets, "k002", "default")
        self.answers = answers

    def open(self, blob: bytes, context: SealContext, *, key_id: str) -> Secret:
        self.answers -= 1

        if self.answers < 0:
            raise StoredKeyUnreadable("key_service_unavailable")

        return super().open(blob, context, key_id=key_id)


def test_a_key_service_that_is_down_stops_the_run(room: Room, way: str) -> None:
    """What was committed stays; nothing of the broken batch is written."""
    kept = fill(room, 20)

    with pytest.raises(RotationStopped, match="run it again") as caught:
        rotate(room, FaultyKeyring(7), batch=5)

    assert caught.value.__context__ is None
    assert under(room) == {"k001": 15, "k002": 5}
    rotate(room)
    assert opened(room, ring(NEW, "k002")) == kept


def test_a_key_service_that_is_down_is_no_fault_of_a_row(room: Room) -> None:
    """Opening all keys stops there: the rows after it are not called unreadable."""
    fill(room, 5)

    with pytest.raises(StoredKeyUnreadable) as caught:
        list(open_all(room.database, room.tables.credential, FaultyKeyring(3)))

    assert caught.value.reason == "key_service_unavailable"


@on_servers
def test_no_row_is_locked_while_a_key_service_is_asked(room: Room) -> None:
    """Its answers take their time: whoever saves meanwhile does not wait for them."""

    class ServiceKeyring(InterruptedKeyring):
        service_ids = ("k002",)

    fill(room, 12)
    victim = target(room)
    beside = Beside(room, lambda: save(room, victim, ring(BOTH, "k002")))
    alive = []

    def meanwhile() -> None:
        beside.begin()
        alive.append(beside.is_alive)

    rotate(room, ServiceKeyring("k002", meanwhile))
    beside.end()

    assert alive == [False]
    assert opened(room, ring(NEW, "k002"))[victim.id] == "not-a-real-newer"


class PickyKeyring(InterruptedKeyring):
    """The real one, which refuses to seal the key of one record."""

    refused = ""

    def seal(self, api_key: Secret, context: SealContext) -> bytes:
        if context.record == self.refused:
            raise ApiKeyFormatError("long", "No.")

        return super().seal(api_key, context)


def test_a_key_that_cannot_be_sealed_again_holds_nobody_up(room: Room) -> None:
    """It is told like one that does not open."""
    picky = PickyKeyring("k002")
    picky.refused = list(fill(room, 5))[2]
    total = rotate(room, picky)

    assert [(key.record_id, key.reason) for key in total.unreadable] == [
        (picky.refused, "unsealable")
    ]
    assert under(room) == {"k001": 1, "k002": 4}


def test_keys_are_opened_a_page_at_a_time(room: Room) -> None:
    """Each once, with no connection held between the pages."""
    fill(room, 7, "k001", "k002")
    pool = t.cast("sa.QueuePool", room.database.engine.pool)
    pages = []

    for looked in open_all(
        room.database, room.tables.credential, ring(BOTH, "k002"), size=3
    ):
        assert pool.checkedout() == 0
        pages.append(sum(looked.opened.values()))

    assert pages == [3, 3, 1]


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_a_page_is_read_by_the_primary_key(room: Room) -> None:
    """Through the index of master keys every row would be sorted, and locked, first."""
    fill(room, 2_000, *["k002"] * 99, "k001")
    query = page_query(room.tables.credential, not_under="k002")
    text = query.params(after="", size=500).compile(
        room.host, compile_kwargs={"literal_binds": True}
    )

    with room.host.connect() as connection:
        connection.exec_driver_sql("ANALYZE TABLE byok_credential").all()
        plan = connection.exec_driver_sql(f"EXPLAIN {text}".replace("%%", "%"))
        assert [row["key"] for row in plan.mappings()] == ["PRIMARY"]


def test_a_rotation_in_memory_waits_for_no_one(memory_room: Room) -> None:
    """In the host's only connection it works while the host has nothing open."""
    kept = fill(memory_room, 30)

    assert rotate(memory_room, batch=7).moved == 30
    assert opened(memory_room, ring(NEW, "k002")) == kept


def test_many_rows_need_no_more_memory_than_few(sqlite_room: Room) -> None:
    """Only one batch is held, however many rows there are."""

    def peak(number: int) -> int:
        fill(sqlite_room, number)
        tracemalloc.start()
        rotate(sqlite_room, batch=100)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

        with sqlite_room.host.begin() as connection:
            connection.execute(sa.delete(sqlite_room.tables.credential))

        return used

    peak(150)
    assert peak(1_500) < 1.3 * peak(300)


@pytest.mark.parametrize(
    ("name", "version", "is_mariadb", "expected"),
    [
        ("postgresql", (15, 2), False, True),
        ("sqlite", (3, 40), False, False),
        ("mysql", (10, 11, 6), True, True),
        ("mysql", (10, 5, 20), True, False),
        ("mysql", (8, 0, 30), False, True),
        ("mysql", (5, 7, 40), False, False),
    ],
)
def test_locked_rows_are_skipped_where_the_database_can(
    name: str, version: tuple[int, ...], is_mariadb: bool, expected: bool
) -> None:
    """An older MariaDB or MySQL would refuse the statement."""
    dialect: t.Any = sa.create_mock_engine(
        f"{name}+pymysql://" if name == "mysql" else f"{name}://", lambda *a: None
    ).dialect
    dialect.server_version_info = version
    dialect.is_mariadb = is_mariadb

    assert can_skip_locked(dialect) is expected
