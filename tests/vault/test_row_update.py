"""One row's change, the quick way: one statement that is its own transaction."""

from __future__ import annotations

import collections.abc as cabc

import pytest
import sqlalchemy as sa

from flask_byok.vault.bookkeeping import of_row
from flask_byok.vault.connections import Connections
from flask_byok.vault.database import RowUpdate
from tests.support.vault_room import any_row
from tests.support.vault_room import COMPANY
from tests.support.vault_room import kill_pooled
from tests.support.vault_room import open_room
from tests.support.vault_room import Room

#: Texts that a statement written out, as one message, must carry unharmed.
TEXT = 'it\'s 100% \u00fc \\ "q" :name %(name)s ?'
VALUES = {"wanted": COMPANY, "state": "done", "label": TEXT, "status": None}


def start_row(room: Room) -> RowUpdate:
    """Put a row there that has begun; give the statement that ends it."""
    table = room.tables.attempt

    with room.host.begin() as connection:
        row = {**any_row(table, COMPANY), "state": "started", "status": 200}
        connection.execute(sa.insert(table), row)

    return RowUpdate(
        sa.update(table).where(
            table.c.id == sa.bindparam("wanted"), table.c.state == "started"
        ),
        sets=("state", "label", "status"),
    )


def record(room: Room, update: RowUpdate, told: list[int]) -> bool:
    """End the row; note what is told of it."""
    return room.database.record_update(
        update, VALUES, weight="settlement", then=told.append
    )


def test_its_row_count_says_who_did_it(room: Room) -> None:
    """The first finds the row as its conditions say, the second does not."""
    told: list[int] = []
    update = start_row(room)
    assert record(room, update, told)
    assert record(room, update, told)

    (row,) = room.rows(room.tables.attempt)
    assert told == [1, 0]
    assert (row["state"], row["label"], row["status"]) == ("done", TEXT, None)


def test_behind_a_lock_it_is_kept_and_told_later(room: Room) -> None:
    """Nobody is waited for: it is made, and its count told, when the lock is gone."""
    told: list[int] = []
    update = start_row(room)
    lock = {
        "sqlite": "BEGIN IMMEDIATE",
        "postgresql": "LOCK TABLE byok_attempt",
        "mysql": "LOCK TABLES byok_attempt WRITE",
    }

    with room.host.connect() as connection:
        connection.exec_driver_sql(lock[connection.dialect.name])
        assert not record(room, update, told)

        if connection.dialect.name == "mysql":
            connection.exec_driver_sql("UNLOCK TABLES")

        connection.rollback()

    assert told == []
    room.database.flush(force=True)
    assert told == [1]


@pytest.mark.parametrize("name", ["postgresql", "mariadb"])
def test_a_connection_that_died_is_replaced(
    name: str, make_database: cabc.Callable[[str], str]
) -> None:
    """It died in the pool, so nothing was done on it: the count is that of the next."""
    told: list[int] = []

    with open_room(make_database(name)) as room:
        update = start_row(room)
        room.store.read_state(COMPANY)
        kill_pooled(room)
        assert record(room, update, told)

    assert told == [1]


def test_a_parameter_that_lacks_is_an_error(sqlite_room: Room) -> None:
    """NULL in its place would change a row, or find none, in silence."""
    update = start_row(sqlite_room)

    with pytest.raises(KeyError, match="label"):
        of_row(update, {"wanted": COMPANY, "state": "done", "status": 1})(
            Connections(lambda: sqlite_room.host)
        )
