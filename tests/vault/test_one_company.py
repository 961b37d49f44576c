"""Queries about a company touch that company's rows and no others."""

from __future__ import annotations

import typing as t

import pytest

from flask_byok.vault.rows import state_query
from tests.support.vault_room import COMPANY
from tests.support.vault_room import Room
from tests.support.vault_room import sealed_key

OTHERS = ("i:4", "i:421", "s:42")


def fill(room: Room) -> None:
    """Store keys and choices of four companies; this one has two keys."""
    room.put(sealed_key(provider="CLAUDE"))

    for company in (COMPANY, *OTHERS):
        room.put(sealed_key(company_id=company))
        choose(room, company, "auto")


def choose(room: Room, company: str, fallback: str) -> None:
    """Store what a company chose."""
    with room.database.write() as connection:
        room.store.set_policy(connection, company, fallback=fallback)


@pytest.mark.case("F1", "F21")
@pytest.mark.parametrize("shown", [False, True])
def test_the_database_hands_over_no_other_companys_rows(
    room: Room, shown: bool
) -> None:
    """The filter stands in the query: nothing is left to sort out afterwards."""
    fill(room)
    query = state_query(room.tables, shown=shown)
    rows: list[t.Any] = room.database.fetch(query, {"company": COMPANY})

    assert len(rows) == 2
    assert not [cell for row in rows for cell in row if cell in OTHERS]


@pytest.mark.case("F1")
def test_a_choice_of_one_is_no_choice_of_another(room: Room) -> None:
    """Policy, active provider and other keys of the others stay."""
    fill(room)
    choose(room, COMPANY, "never")

    with room.database.write() as connection:
        room.store.set_active(connection, COMPANY, "CLAUDE")

    for company in OTHERS:
        state = room.store.read_state(company)
        assert (state.fallback, state.active_provider) == ("auto", None)

    state = room.store.read_state(COMPANY)
    assert (state.fallback, state.active_provider) == ("never", "CLAUDE")
