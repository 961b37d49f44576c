"""Is no record lost, and does nobody wait for one?"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok.vault import bookkeeping
from flask_byok.vault.database import Database
from flask_byok.vault.database import WriteBusy
from tests.support.vault_room import companies
from tests.support.vault_room import COMPANY
from tests.support.vault_room import insert_company
from tests.support.vault_room import open_room
from tests.support.vault_room import Room
from tests.support.vault_room import set_fallback


def test_bookkeeping_waits_for_nobody(
    contested: tuple[Room, sa.Connection],
) -> None:
    """It is refused at once, kept, and written when the host is done."""
    room, connection = contested
    told: list[int] = []
    began = time.monotonic()

    with pytest.raises(WriteBusy):
        room.database.try_write(set_fallback(room, "never"))

    kept = room.database.record(set_fallback(room, "never"), then=told.append)
    took = time.monotonic() - began

    assert (kept, room.database.pending, told) == (False, 1, [])
    assert took < 1.5
    connection.rollback()
    room.database.flush(force=True)
    assert (room.database.pending, told) == (0, [1])
    assert room.rows(room.tables.company)[0]["fallback"] == "never"


def test_a_commit_that_a_reader_refuses_is_undone(sqlite_room: Room) -> None:
    """SQLite keeps the transaction, and its lock would shut every reader out."""
    url = sqlite_room.host.url
    reader = sa.create_engine(url, poolclass=sa.NullPool).raw_connection()
    reads = reader.cursor()
    reads.execute("SELECT 1 FROM byok_company")  # nothing yet: no lock is kept
    sqlite_room.database.record(insert_company(sqlite_room, "i:1"))
    sqlite_room.database.record(insert_company(sqlite_room, "i:2"))
    reads.execute("SELECT company_id FROM byok_company")
    reads.fetchone()

    with pytest.raises(WriteBusy):
        sqlite_room.database.try_write(insert_company(sqlite_room, "i:3"))

    assert companies(sqlite_room) == ["i:1", "i:2"]
    reads.close()
    reader.close()
    sqlite_room.database.try_write(insert_company(sqlite_room, "i:3"))
    assert companies(sqlite_room) == ["i:1", "i:2", "i:3"]


def test_workers_that_stop_together_write_all(sqlite_room: Room) -> None:
    """One that finds another at its last writes waits for it a little."""
    holder = sqlite_room.host.connect()
    holder.exec_driver_sql("BEGIN IMMEDIATE")
    sqlite_room.database.record(insert_company(sqlite_room, "i:1"))
    other = threading.Timer(0.3, holder.close)
    other.start()
    sqlite_room.database.close()
    other.join()
    assert companies(sqlite_room) == ["i:1"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_lock_that_costs_time_is_not_asked_again_at_once(
    contested: tuple[Room, sa.Connection],
) -> None:
    """PostgreSQL waits a quarter of a second; the calls after the first do not."""
    room, connection = contested
    room.database.record(set_fallback(room, "never"))
    began = time.monotonic()

    for number in range(20):
        room.database.record(insert_company(room, f"i:{number}"))
        room.database.flush()

    assert time.monotonic() - began < 0.2
    assert room.database.pending == 21
    connection.rollback()
    room.database.flush(force=True)
    assert room.database.pending == 0


def test_bookkeeping_may_wait_a_little(
    contested: tuple[Room, sa.Connection],
) -> None:
    """A reservation waits for others' short writes as long as it says."""
    room, connection = contested
    timer = threading.Timer(0.3, connection.commit)
    timer.start()

    assert room.database.try_write(set_fallback(room, "never"), wait=3) == 1
    timer.join()


def test_a_locked_table_delays_reads_and_no_records(mariadb_url: str) -> None:
    """Somebody alters the tables: a read waits for it, a record is kept at once."""
    with open_room(mariadb_url) as room, room.host.connect() as connection:
        room.store.read_state(COMPANY)
        assert room.database.record(insert_company(room))
        connection.exec_driver_sql(
            "LOCK TABLES byok_company WRITE, byok_credential WRITE"
        )
        began = time.monotonic()
        assert not room.database.record(insert_company(room, "i:43"))
        assert time.monotonic() - began < 0.5

        unlock = "UNLOCK TABLES"
        timer = threading.Timer(0.3, connection.exec_driver_sql, args=(unlock,))
        timer.start()
        assert room.store.read_state(COMPANY).credentials == ()
        assert time.monotonic() - began > 0.3
        timer.join()
        room.database.flush(force=True)
        assert companies(room) == ["i:42", "i:43"]


def test_records_are_written_in_order(contested: tuple[Room, sa.Connection]) -> None:
    """Also those that could be written at once, behind one that could not."""
    room, connection = contested
    told: list[object] = []
    room.database.record(set_fallback(room, "never"), then=told.append)

    for number in range(5):
        work = insert_company(room, f"i:{number}")
        assert not room.database.record(work, then=told.append)

    connection.rollback()
    room.database.flush(force=True)
    assert told == [1, "i:0", "i:1", "i:2", "i:3", "i:4"]


def test_the_next_record_writes_those_before_it(sqlite_room: Room) -> None:
    """No teardown is needed: a worker of a queue has none."""
    with sqlite_room.host.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        assert not sqlite_room.database.record(insert_company(sqlite_room, "i:1"))

    sqlite_room.database.record(insert_company(sqlite_room, "i:2"))
    assert sqlite_room.database.pending == 0
    assert companies(sqlite_room) == ["i:1", "i:2"]


@pytest.mark.parametrize(("force", "turn"), [(False, 50), (True, 1)])
def test_a_caller_does_not_write_for_others_for_ever(
    sqlite_room: Room, monkeypatch: pytest.MonkeyPatch, force: bool, turn: int
) -> None:
    """Its own answer would wait for as long as they keep adding."""
    monkeypatch.setattr(bookkeeping, "_REST", 0.0)
    written: list[object] = []

    def add() -> None:
        if len(written) < 100:
            company = insert_company(sqlite_room, f"i:{len(written)}")
            sqlite_room.database.record(company, then=add_another)

    def add_another(result: object) -> None:
        written.append(result)
        add()

    holder = sqlite_room.host.connect()
    holder.exec_driver_sql("BEGIN IMMEDIATE")
    add()
    holder.close()
    sqlite_room.database.flush(force=force)

    assert (len(written), sqlite_room.database.pending) == (turn, 1)


def test_a_record_that_can_never_be_written_blocks_nobody(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    """It is given up with an ERROR that names its kind and no values."""
    room.database.record(insert_company(room))

    assert room.database.record(insert_company(room))
    assert room.database.record(lambda connection: 1 / 0)
    assert room.database.record(insert_company(room, "i:43"))
    assert companies(room) == ["i:42", "i:43"]
    text = caplog.text
    assert "DuplicateRow" in text and "ZeroDivisionError" in text
    assert COMPANY not in text


def test_what_follows_a_record_may_fail(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    """A receiver of the host's that raises does not undo the record."""

    def fail(company: str) -> None:
        raise LookupError(company)

    assert room.database.record(insert_company(room), then=fail)
    assert companies(room) == [COMPANY]
    assert "LookupError" in caplog.text


def test_a_stop_in_mid_write_keeps_the_record(sqlite_room: Room) -> None:
    """What is no ordinary exception passes, and nothing is written twice or lost."""
    database = sqlite_room.database
    stops = [True, False]

    def work(connection: sa.Connection) -> None:
        insert_company(sqlite_room)(connection)

        if stops.pop(0):
            raise KeyboardInterrupt

    with sqlite_room.host.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        database.record(work)

    with pytest.raises(KeyboardInterrupt):
        database.flush(force=True)

    assert (database.pending, companies(sqlite_room)) == (1, [])
    database.flush(force=True)
    assert (database.pending, companies(sqlite_room)) == (0, [COMPANY])


def test_a_full_buffer_gives_up_the_least(
    sqlite_room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    """The oldest company attempt first, settlements last; counted, and told once."""
    database = Database(lambda: sqlite_room.host, buffer_limit=3)
    plan = (
        ("settlement", "i:1"),
        ("attempt", "i:2"),
        ("attempt", "i:3"),
        ("verdict", "i:4"),
        ("settlement", "i:5"),
        ("settlement", "i:6"),
    )

    with sqlite_room.host.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

        for weight, company in plan:
            work = insert_company(sqlite_room, company)
            database.record(work, weight=t.cast("t.Any", weight))

    database.flush(force=True)
    assert companies(sqlite_room) == ["i:1", "i:5", "i:6"]
    assert database.lost == 3
    assert caplog.text.count("could not write its records") == 1
    database.close()


def test_threads_flush_each_record_once(room: Room) -> None:
    """Forty records, eight threads at the end of their requests."""
    database = room.database
    written: list[str] = []
    lock = room.host.connect()
    database.try_write(insert_company(room, "i:-1"))
    lock.execute(sa.update(room.tables.company).values(fallback="host"))
    database.record(set_fallback(room, "auto"))

    for number in range(40):
        database.record(insert_company(room, f"i:{number}"), then=written.append)

    lock.rollback()
    lock.close()
    threads = [
        threading.Thread(target=database.flush, kwargs={"force": True})
        for _ in range(8)
    ]

    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join()

    assert written == [f"i:{number}" for number in range(40)]
    assert len(companies(room)) == 41


def test_a_clean_stop_writes_what_is_kept(sqlite_room: Room) -> None:
    """A worker that ends with a full buffer loses nothing."""
    script = f"""
        from flask_byok.vault.database import Database
        from tests.support.vault_room import insert_company
        from tests.support.vault_room import open_room

        opened = open_room({str(sqlite_room.host.url)!r}, create=False)
        room = opened.__enter__()
        room.database = Database(lambda: room.host)  # which nobody closes
        with room.host.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            for number in range(30):
                room.database.record(insert_company(room, f"i:{{number}}"))
        assert room.database.pending == 30
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=os.path.dirname(os.path.dirname(os.path.dirname(__file__))),
        capture_output=True,
        text=True,
    )

    assert run.returncode == 0, run.stderr
    assert len(companies(sqlite_room)) == 30


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_leaves_its_parents_records_alone(sqlite_room: Room) -> None:
    """Both end cleanly; the record is written by the one that made it."""
    script = f"""
        import os
        import uuid

        import sqlalchemy as sa

        from flask_byok.vault.database import Database
        from tests.support.vault_room import any_row
        from tests.support.vault_room import open_room

        opened = open_room({str(sqlite_room.host.url)!r}, create=False)
        room = opened.__enter__()
        room.database = Database(lambda: room.host)
        audit = room.tables.audit

        def work(connection):
            row = any_row(audit, "i:1") | {{"id": str(uuid.uuid4())}}
            connection.execute(sa.insert(audit), row)

        with room.host.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            room.database.record(work)

        child = os.fork()
        if child:
            os.waitpid(child, 0)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=os.path.dirname(os.path.dirname(os.path.dirname(__file__))),
        capture_output=True,
        text=True,
    )

    assert run.returncode == 0, run.stderr
    assert len(sqlite_room.rows(sqlite_room.tables.audit)) == 1
