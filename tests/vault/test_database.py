"""Is the vault a good user of the database?"""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import os
import threading
import time
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok.errors import StateUnavailable
from flask_byok.vault.buffer import Record
from flask_byok.vault.database import Database
from flask_byok.vault.database import DuplicateRow
from flask_byok.vault.database import WriteBusy
from tests.support.vault_room import companies
from tests.support.vault_room import COMPANY
from tests.support.vault_room import insert_company
from tests.support.vault_room import kill_pooled
from tests.support.vault_room import open_room
from tests.support.vault_room import Room
from tests.support.vault_room import set_fallback

UTC = dt.timezone.utc
NEVER_PREPARE = {"connect_args": {"prepare_threshold": None}}


def test_the_clock_is_the_databases(room: Room) -> None:
    """Aware, in UTC, and it goes on inside a transaction."""
    with room.database.write() as connection:
        first = room.database.now(connection)
        connection.execute(sa.select(sa.literal_column("1")))
        time.sleep(0.005)
        second = room.database.now(connection)

    assert first.tzinfo is UTC
    assert abs(first - dt.datetime.now(UTC)) < dt.timedelta(seconds=5)
    assert second > first


def test_tests_may_move_the_clock(room: Room) -> None:
    """Every time handed out moves by the same offset."""
    room.database.clock_offset = dt.timedelta(hours=2)
    state = room.store.read_state(COMPANY)

    assert state.now() - dt.datetime.now(UTC) > dt.timedelta(minutes=119)

    with room.database.read() as connection:
        assert room.database.now(connection) - state.clock < dt.timedelta(minutes=1)


def test_nothing_connects_before_the_first_use() -> None:
    """Building an app asks for no database."""

    def never() -> sa.Engine:
        raise AssertionError("asked too early")

    database = Database(never)
    assert database.pending == 0


def test_no_connection_stays_out(room: Room) -> None:
    """Read, write, failure: each gives its connection back, outside a transaction."""
    room.store.read_state(COMPANY)
    room.database.try_write(insert_company(room))

    with pytest.raises(DuplicateRow):
        room.database.try_write(insert_company(room))

    with pytest.raises(LookupError), room.database.write():
        raise LookupError

    with room.database.read() as connection:
        connection.execute(sa.select(room.tables.company)).all()

    assert t.cast("sa.QueuePool", room.database.engine.pool).checkedout() == 0


def test_nothing_of_ours_is_idle_in_a_transaction(postgresql_url: str) -> None:
    """The server itself says so, also after a block that failed."""
    with open_room(postgresql_url) as room:
        with pytest.raises(LookupError), room.database.write() as connection:
            insert_company(room)(connection)
            raise LookupError

        room.store.read_state(COMPANY)

        with room.host.connect() as connection:
            states = connection.exec_driver_sql(
                "SELECT state FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            ).scalars()
            assert set(states) == {"idle"}


def test_a_block_that_raises_is_rolled_back(room: Room) -> None:
    """And what it raised arrives as it was."""
    with pytest.raises(LookupError), room.database.write() as connection:
        insert_company(room)(connection)
        raise LookupError

    assert companies(room) == []


def test_a_full_host_pool_does_not_matter(database_url: str) -> None:
    """Our connections are our own."""
    options = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.1}

    with open_room(database_url, **options) as room, room.host.connect():
        assert room.store.read_state(COMPANY).credentials == ()
        assert room.database.record(insert_company(room))


def test_reads_see_through_the_hosts_lock(
    contested: tuple[Room, sa.Connection],
) -> None:
    """The host's uncommitted work is neither waited for nor seen."""
    room, _ = contested
    began = time.monotonic()

    assert room.store.read_state(COMPANY).fallback == "auto"
    assert time.monotonic() - began < 1


def test_a_change_holds_the_write_lock_from_its_start(sqlite_room: Room) -> None:
    """SQLite cannot turn a reader into a writer once others have written."""
    with sqlite_room.database.write(), sqlite_room.host.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")

        with pytest.raises(sa.exc.OperationalError, match="locked"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")


def test_a_persons_change_waits(contested: tuple[Room, sa.Connection]) -> None:
    """A short lock of somebody else is no error on the page."""
    room, connection = contested
    timer = threading.Timer(0.3, connection.commit)
    timer.start()

    with room.database.write() as own:
        assert set_fallback(room, "never")(own) == 1

    timer.join()
    assert room.rows(room.tables.company)[0]["fallback"] == "never"


def test_a_persons_change_gives_up(
    contested: tuple[Room, sa.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a sentence, and nothing of the database's error chained to it."""
    room, _ = contested
    monkeypatch.setattr("flask_byok.vault.database.WRITE_WAIT", 1.0)

    with (
        pytest.raises(StateUnavailable, match="commit or roll back first") as caught,
        room.database.write() as own,
    ):
        set_fallback(room, "never")(own)

    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_missing_tables_are_named_as_such(bare_database_url: str) -> None:
    """In reading and in writing; bookkeeping keeps what it cannot write."""
    with open_room(bare_database_url, create=False) as room:
        with pytest.raises(StateUnavailable, match="Run your migrations") as caught:
            room.store.read_state(COMPANY)

        assert caught.value.__context__ is None

        with pytest.raises(StateUnavailable, match="Run your migrations"):
            room.store.credentials(COMPANY)

        with (
            pytest.raises(StateUnavailable, match="Run your migrations"),
            room.database.write() as own,
        ):
            set_fallback(room, "never")(own)

        assert not room.database.record(insert_company(room))
        room.metadata.create_all(room.host)
        room.database.flush(force=True)
        assert companies(room) == [COMPANY]


@pytest.mark.case("C13")
@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////nowhere/at/all.db",
        "postgresql+psycopg://postgres@127.0.0.1:9/none",
        "mysql+pymysql://root@127.0.0.1:9/none",
    ],
)
def test_a_database_that_is_down_has_its_sentence(url: str) -> None:
    """No address, no user name, nothing chained."""
    host = sa.create_engine(url)
    database = Database(lambda: host)

    with pytest.raises(StateUnavailable, match="cannot be reached") as caught:
        with database.read():
            pass

    assert caught.value.__context__ is None

    with pytest.raises(WriteBusy):
        database.try_write(lambda connection: None)


@pytest.mark.parametrize("name", ["postgresql", "mariadb"])
def test_connections_that_died_are_replaced(
    name: str, make_database: cabc.Callable[[str], str]
) -> None:
    """A server that was restarted costs no call."""
    with open_room(make_database(name)) as room:
        for use in (
            lambda: room.store.read_state(COMPANY),
            lambda: room.store.credentials(COMPANY),
            lambda: room.database.try_write(insert_company(room)),
        ):
            kill_pooled(room)
            use()

        assert companies(room) == [COMPANY]


@pytest.mark.case("B19")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_worker_has_its_own(room: Room) -> None:
    """Its connections, and not its parent's deferred writes."""
    room.store.read_state(COMPANY)
    parent_engine = room.database.engine
    room.database._own().buffer.add(Record(lambda connections: None, "attempt"))
    child = os.fork()

    if not child:
        fine = room.database.pending == 0
        fine = fine and room.database.engine is not parent_engine
        fine = fine and room.store.read_state(COMPANY).credentials == ()
        fine = fine and room.database.record(insert_company(room))
        os._exit(0 if fine else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    room.database._own().buffer.drop(
        t.cast("t.Any", room.database._own().buffer.first())
    )
    assert room.store.read_state(COMPANY).credentials == ()
    assert companies(room) == [COMPANY]


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_reads_succeed_beside_a_busy_committer(sqlite_url: str, mode: str) -> None:
    """SQLite locks the whole file for a moment at each commit; a read waits it out."""
    with open_room(sqlite_url) as room:
        with room.host.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA journal_mode = {mode}")

        done = threading.Event()

        def commit_on_and_on() -> None:
            with room.host.connect() as connection:
                number = 0

                while not done.is_set():
                    number += 1
                    insert_company(room, f"i:{number}")(connection)
                    connection.commit()

        busy = threading.Thread(target=commit_on_and_on)
        busy.start()

        try:
            for _ in range(200):
                room.store.read_state(COMPANY)
        finally:
            done.set()
            busy.join()


def test_the_hosts_way_to_connect_is_ours(sqlite_url: str) -> None:
    """Its connect_args and its listeners apply to our connections too."""
    host = sa.create_engine(sqlite_url, connect_args={"cached_statements": 7})
    seen: list[object] = []

    @sa.event.listens_for(host, "connect")
    def switch_on(connection: t.Any, record: object) -> None:
        connection.execute("PRAGMA foreign_keys = ON")

    @sa.event.listens_for(host, "do_connect")
    def look(dialect: object, record: object, args: object, options: t.Any) -> None:
        seen.append(options["cached_statements"])

    database = Database(lambda: host)

    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1

    assert seen == [7]
    database.close()
    host.dispose()


@pytest.mark.parametrize(("options", "count"), [({}, 1), (NEVER_PREPARE, 0)])
def test_the_host_says_whether_its_server_prepares(
    postgresql_url: str, options: dict[str, t.Any], count: int
) -> None:
    """A pooler that shares connections may not carry prepared statements."""
    with open_room(postgresql_url, **options) as room:
        for _ in range(10):
            room.store.read_state(COMPANY)

        with room.database.read() as connection:
            prepared = "SELECT count(*) FROM pg_prepared_statements"
            assert connection.exec_driver_sql(prepared).scalar() == count


@pytest.mark.case("C13")
def test_parameters_are_hidden(sqlite_room: Room) -> None:
    """An error of our engine, wherever it may be printed, shows no value."""
    with (
        pytest.raises(sa.exc.OperationalError) as caught,
        sqlite_room.database.engine.connect() as connection,
    ):
        connection.execute(sa.text("SELECT :word FROM nowhere"), {"word": "canary"})

    assert "canary" not in str(caught.value)
