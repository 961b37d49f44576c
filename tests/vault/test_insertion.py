"""One row, the quick way: one statement that is its own transaction."""

from __future__ import annotations

import collections.abc as cabc
import concurrent.futures
import logging
import sqlite3
import time
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok.vault.database import Database
from flask_byok.vault.database import DuplicateRow
from flask_byok.vault.database import Insertion
from flask_byok.vault.database import WriteBusy
from tests.support.vault_room import any_row
from tests.support.vault_room import COMPANY
from tests.support.vault_room import kill_pooled
from tests.support.vault_room import open_room
from tests.support.vault_room import Room

SERVERS = ["postgresql", "mariadb"]


def insertion_of(room: Room) -> Insertion:
    """Make the statement for the ledger's rows."""
    return Insertion(room.tables.attempt)


def ids(room: Room) -> list[str]:
    """Read which rows are there."""
    return sorted(row["id"] for row in room.rows(room.tables.attempt))


def test_every_kind_of_value_arrives_as_by_the_usual_way(room: Room) -> None:
    """Times, numbers, booleans and texts: the row equals one that SQLAlchemy wrote."""
    table = room.tables.attempt
    row = {
        **any_row(table, "i:1"),
        "label": 'it\'s 100% \u00fc \\ "q" :name %(name)s ?',
        "input_tokens": 2**40,
        "streamed": True,
    }
    room.database.try_insert(insertion_of(room), row)

    with room.host.begin() as connection:
        connection.execute(sa.insert(table), {**row, "id": "usual"})

    quick, usual = room.rows(table)
    assert {**quick, "id": ""} == {**usual, "id": ""}
    assert quick["label"] == row["label"]


def test_a_row_that_exists_is_a_duplicate(room: Room) -> None:
    """The ledger's ids are unique, by this way too."""
    row = any_row(room.tables.attempt, COMPANY)
    room.database.try_insert(insertion_of(room), row)

    with pytest.raises(DuplicateRow):
        room.database.try_insert(insertion_of(room), row)

    assert ids(room) == [COMPANY]


def test_without_a_table_it_is_kept(room: Room) -> None:
    """What cannot be written waits, and is there when the table is."""
    table = room.tables.attempt
    table.drop(room.host)
    assert not room.database.record_row(insertion_of(room), any_row(table, COMPANY))

    table.create(room.host)
    room.database.flush(force=True)
    assert ids(room) == [COMPANY]


def test_a_locked_table_is_not_waited_for(room: Room) -> None:
    """It is refused at once, kept, and written when the lock is gone."""
    table = room.tables.attempt
    lock = {
        "sqlite": "BEGIN IMMEDIATE",
        "postgresql": "LOCK TABLE byok_attempt",
        "mysql": "LOCK TABLES byok_attempt WRITE",
    }
    began = time.monotonic()

    with room.host.connect() as connection:
        connection.exec_driver_sql(lock[connection.dialect.name])

        with pytest.raises(WriteBusy):
            room.database.try_insert(insertion_of(room), any_row(table, "i:1"))

        assert not room.database.record_row(insertion_of(room), any_row(table, "i:2"))

        if connection.dialect.name == "mysql":
            connection.exec_driver_sql("UNLOCK TABLES")

        connection.rollback()

    assert time.monotonic() - began < 5
    room.database.flush(force=True)
    assert ids(room) == ["i:2"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_its_limits_end_with_it(room: Room) -> None:
    """A pooler may give the connection to somebody else: nothing stays set."""
    room.database.try_insert(insertion_of(room), any_row(room.tables.attempt, COMPANY))

    with room.database.read() as connection:
        for name in ("lock_timeout", "statement_timeout"):
            assert connection.exec_driver_sql(f"SHOW {name}").scalar() == "0"


def test_a_call_is_two_statements(sqlite_room: Room) -> None:
    """One read and one row: nothing is said to the connection between them."""
    said: list[str] = []
    insertion = insertion_of(sqlite_room)

    def call(row_id: str) -> None:
        sqlite_room.store.read_state(COMPANY)
        sqlite_room.database.try_insert(
            insertion, any_row(sqlite_room.tables.attempt, row_id)
        )

    call("i:1")
    connection = sqlite_room.database.engine.raw_connection()
    t.cast("sqlite3.Connection", connection.dbapi_connection).set_trace_callback(
        said.append
    )
    connection.close()
    call("i:2")

    read, written = said
    assert read.startswith("SELECT")
    assert written.startswith("INSERT")


def test_a_connection_that_refused_a_row_takes_the_next(room: Room) -> None:
    """It is kept, and so is what its driver learned of the statement."""
    table, insertion = room.tables.attempt, insertion_of(room)
    kept: list[object] = []
    sa.event.listen(room.database.engine, "connect", lambda *ignored: kept.append(1))
    room.database.try_insert(insertion, any_row(table, "i:1"))

    with pytest.raises(DuplicateRow):
        room.database.try_insert(insertion, any_row(table, "i:1"))

    room.database.try_insert(insertion, any_row(table, "i:2"))
    assert ids(room) == ["i:1", "i:2"]
    assert len(kept) == 1


def test_in_memory_the_hosts_open_work_is_left_alone(memory_room: Room) -> None:
    """In the host's only connection a row waits for the host to end."""
    table = memory_room.tables.attempt
    row = any_row(table, COMPANY)

    with memory_room.host.connect() as connection:
        connection.execute(sa.insert(table), any_row(table, "host"))

        with pytest.raises(WriteBusy):
            memory_room.database.try_insert(insertion_of(memory_room), row)

        connection.rollback()

    memory_room.database.try_insert(insertion_of(memory_room), row)
    assert ids(memory_room) == [COMPANY]


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("was_written", [False, True])
def test_a_connection_that_died_costs_no_row(
    name: str,
    was_written: bool,
    make_database: cabc.Callable[[str], str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is written once, also where the dead connection had written it already."""
    with open_room(make_database(name)) as room:
        row = any_row(room.tables.attempt, COMPANY)
        room.store.read_state(COMPANY)
        kill_pooled(room)

        if was_written:
            with room.host.begin() as connection:
                connection.execute(sa.insert(room.tables.attempt), row)

        with caplog.at_level(logging.WARNING):
            assert room.database.record_row(insertion_of(room), row)

        assert ids(room) == [COMPANY]
        assert caplog.text == ""


def put_off(room: Room, rows: cabc.Iterable[dict[str, t.Any]]) -> None:
    """Let the host hold the table while rows come in."""
    table = room.tables.attempt
    insertion = insertion_of(room)
    table.drop(room.host)

    for row in rows:
        assert not room.database.record_row(insertion, row)

    table.create(room.host)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_rows_that_were_put_off_share_transactions(room: Room) -> None:
    """Threads add them faster than a transaction for each could write them."""
    table = room.tables.attempt
    put_off(room, (any_row(table, f"i:{number}") for number in range(60)))
    room.database.flush(force=True)

    with room.host.connect() as connection:
        writers = connection.exec_driver_sql(
            "SELECT count(*), count(DISTINCT xmin::text) FROM byok_attempt"
        ).one()

    assert tuple(writers) == (60, 2)


def test_rows_that_are_there_already_keep_no_others_back(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection that died at the last word leaves its row behind, and no error."""
    table = room.tables.attempt
    put_off(room, (any_row(table, f"i:{number}") for number in range(4)))

    with room.host.begin() as connection:
        connection.execute(sa.insert(table), any_row(table, "i:2"))

    room.database.flush(force=True)
    assert ids(room) == ["i:0", "i:1", "i:2", "i:3"]
    assert room.database.pending == 0
    assert not [one for one in caplog.records if one.name.startswith("flask_byok")]


def test_a_row_that_is_refused_keeps_no_others_back(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    """It alone is given up."""
    table = room.tables.attempt
    bad = {**any_row(table, "i:bad"), "provider": None}
    put_off(room, [any_row(table, "i:1"), bad, any_row(table, "i:2")])
    room.database.flush(force=True)

    assert ids(room) == ["i:1", "i:2"]
    assert caplog.text.count("gave up a record") == 1


def test_threads_that_call_at_once_lose_no_row(sqlite_room: Room) -> None:
    """Each is refused for the others, and the rows pile up on a healthy database."""
    insertion = insertion_of(sqlite_room)
    table = sqlite_room.tables.attempt
    database = Database(lambda: sqlite_room.host)

    def call(thread: int) -> None:
        for number in range(400):
            database.record_row(insertion, any_row(table, f"{thread}-{number}"))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(8)))

    database.close()
    assert (database.lost, len(ids(sqlite_room))) == (0, 3200)
