"""Does the host's own work stay the host's?"""

from __future__ import annotations

import collections.abc as cabc
import threading
import time
import typing as t

import flask
import flask_sqlalchemy
import pytest
import sqlalchemy as sa

from flask_byok.errors import StateUnavailable
from flask_byok.vault.database import Database
from flask_byok.vault.database import WriteBusy
from flask_byok.vault.models import build_tables
from flask_byok.vault.store import Store
from flask_byok.vault.waiting import READ_WAIT
from tests.support import servers
from tests.support.vault_room import companies
from tests.support.vault_room import COMPANY
from tests.support.vault_room import insert_company
from tests.support.vault_room import Room

DATABASES = (*servers.reachable_databases(), "memory")


class Beside(t.NamedTuple):
    """A host with Flask-SQLAlchemy, its notes, and the vault."""

    host: flask.Flask
    db: flask_sqlalchemy.SQLAlchemy
    note: t.Any
    room: Room


def beside(url: str) -> cabc.Iterator[Beside]:
    host = flask.Flask("host")
    host.config["SQLALCHEMY_DATABASE_URI"] = url
    db = flask_sqlalchemy.SQLAlchemy()

    class Note(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        text = db.Column(db.String(50))

    tables = build_tables(db.metadata)
    db.init_app(host)

    with host.app_context():
        db.create_all()
        engine = db.engine

    database = Database(lambda: engine)
    room = Room(engine, tables, database, Store(database, tables), db.metadata)
    yield Beside(host, db, Note, room)
    database.close()
    engine.dispose()


@pytest.fixture(params=DATABASES)
def guest(
    request: pytest.FixtureRequest, make_database: cabc.Callable[[str], str]
) -> cabc.Iterator[Beside]:
    """A vault beside Flask-SQLAlchemy on each database, in memory too."""
    memory = request.param == "memory"
    url = "sqlite://" if memory else make_database(request.param)
    yield from beside(url)


@pytest.fixture
def memory_guest() -> cabc.Iterator[Beside]:
    """The same in memory alone."""
    yield from beside("sqlite://")


def count_notes(guest: Beside) -> int:
    """Count the host's notes in a session of its own."""
    with guest.host.app_context():
        return int(guest.db.session.query(guest.note).count())


@pytest.mark.parametrize(("end", "notes"), [("rollback", 0), ("commit", 1)])
def test_the_hosts_work_ends_as_the_host_wants(
    guest: Beside, end: str, notes: int
) -> None:
    """Flush, read, write, then roll back or commit: our row stays in any case."""
    room = guest.room

    with guest.host.app_context():
        guest.db.session.add(guest.note(text="pending"))
        guest.db.session.flush()
        began = time.monotonic()
        room.store.read_state(COMPANY)
        room.store.credentials(COMPANY)
        room.store.missing_tables()
        room.database.record(insert_company(room))
        assert time.monotonic() - began < READ_WAIT
        getattr(guest.db.session, end)()

    room.database.flush(force=True)
    assert count_notes(guest) == notes
    assert companies(room) == [COMPANY]


def test_pending_objects_stay_pending(guest: Beside) -> None:
    """Nothing of ours flushes, expires or commits the host's session."""
    with guest.host.app_context():
        note = guest.note(text="pending")
        guest.db.session.add(note)
        guest.room.store.read_state(COMPANY)
        guest.room.database.record(insert_company(guest.room))

        assert note in guest.db.session.new
        assert sa.inspect(note).pending


def test_in_memory_bookkeeping_waits_for_the_hosts_end(memory_guest: Beside) -> None:
    """Written at once when the host has nothing open, else at the next chance."""
    room = memory_guest.room
    assert room.database.record(insert_company(room, "i:1"))

    with memory_guest.host.app_context():
        memory_guest.db.session.add(memory_guest.note(text="a"))
        memory_guest.db.session.flush()
        assert not room.database.record(insert_company(room, "i:2"))

        with pytest.raises(WriteBusy):
            room.database.try_write(insert_company(room, "i:3"), wait=1)

        room.database.flush(force=True)
        assert room.database.pending == 1
        memory_guest.db.session.commit()

    room.database.flush(force=True)
    assert companies(room) == ["i:1", "i:2"]
    assert room.database.is_in_memory


def test_in_memory_a_persons_change_says_what_to_do(memory_guest: Beside) -> None:
    """It cannot wait for its own thread."""
    room = memory_guest.room

    with memory_guest.host.app_context():
        memory_guest.db.session.query(memory_guest.note).all()
        room.put()
        memory_guest.db.session.add(memory_guest.note(text="a"))
        memory_guest.db.session.flush()

        with pytest.raises(StateUnavailable, match="BYOK_BIND_KEY") as caught:
            room.put()

        assert caught.value.__context__ is None
        memory_guest.db.session.commit()

    assert count_notes(memory_guest) == 1


def test_in_memory_a_failed_change_leaves_nothing(memory_guest: Beside) -> None:
    """And the host goes on as before."""
    room = memory_guest.room

    with pytest.raises(LookupError), room.database.write() as connection:
        insert_company(room)(connection)
        raise LookupError

    assert companies(room) == []
    room.database.try_write(insert_company(room))
    assert companies(room) == [COMPANY]


def test_in_memory_threads_write_one_after_the_other(memory_room: Room) -> None:
    """There is one connection, so there is one writer."""
    threads = [
        threading.Thread(
            target=memory_room.database.record,
            args=(insert_company(memory_room, f"i:{number}"),),
        )
        for number in range(16)
    ]

    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join()

    memory_room.database.flush(force=True)
    assert len(companies(memory_room)) == 16


def test_in_memory_a_disposed_engine_is_taken_anew(memory_room: Room) -> None:
    """Hosts dispose their engine between tests; the database is a new one then."""
    memory_room.store.read_state(COMPANY)
    memory_room.host.dispose()

    with pytest.raises(StateUnavailable, match="Run your migrations"):
        memory_room.store.read_state(COMPANY)

    memory_room.metadata.create_all(memory_room.host)
    assert memory_room.store.read_state(COMPANY).credentials == ()
