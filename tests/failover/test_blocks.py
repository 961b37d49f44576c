"""Models that are blocked for one key: written, claimed, removed, mended."""

from __future__ import annotations

import datetime as dt
import functools
import json
import logging

import pytest
import sqlalchemy as sa

from flask_byok.failover import blocks
from flask_byok.failover.blocks import Block
from flask_byok.failover.reasons import Letter
from tests.support import circuit_room
from tests.support.circuit_room import CircuitRoom
from tests.support.circuit_room import MODEL
from tests.support.circuit_room import run_everywhere
from tests.support.circuit_room import verdict

LEASE = 60.0
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.timezone.utc)


# --- writing --------------------------------------------------------------------------


def test_rate_limit_blocks_the_model_alone(room: CircuitRoom) -> None:
    """A busy model is out; the key and its other models are not."""
    change = room.fail("D", model=MODEL)
    found = room.circuits.blocks.find(room.credential(), MODEL)

    assert change is not None
    assert (change.kind, change.model, change.reason) == (
        "blocked",
        MODEL,
        "rate_limit",
    )
    assert found is not None
    assert (found.reason, found.count, found.until) == ("rate_limit", 1, change.until)
    assert room.circuits.blocks.find(room.credential(), "another") is None
    assert room.credential().circuit.circuit == "closed"


def test_model_scoped_quota_blocks_the_model_alone(room: CircuitRoom) -> None:
    """A quota of one model leaves the key in use."""
    change = room.circuits.failed(
        room.credential(), verdict("C", model_scoped=True), room.now(), model=MODEL
    )

    assert change is not None
    assert change.kind == "blocked"
    assert room.credential().circuit.circuit == "closed"


def test_model_scoped_failure_of_a_probe_gives_it_back(room: CircuitRoom) -> None:
    """A probe that hits one model's quota blocks the model; the key is still probed."""
    room.make_due()
    credential, now = room.credential(), room.now()
    token = room.circuits.claim(credential, LEASE, now)
    scoped = verdict("C", model_scoped=True)
    change = room.circuits.failed(credential, scoped, now, model=MODEL, token=token)

    assert change is not None
    assert change.kind == "blocked"
    assert room.circuits.claim(room.credential(), LEASE, now) is not None


def test_ambiguous_model_is_not_remembered(room: CircuitRoom) -> None:
    """A model that may only be mistyped is blocked once somebody confirms it."""
    unsure = verdict("M", ambiguous=True)
    credential, now = room.credential(), room.now()
    assert room.circuits.failed(credential, unsure, now, model=MODEL) is None
    assert room.credential().circuit.model_blocks is None

    assert room.circuits.blocks.block(credential, MODEL, unsure, now) is not None
    assert room.circuits.blocks.find(room.credential(), MODEL) is not None


def test_failure_without_a_model_has_a_block_of_its_own(room: CircuitRoom) -> None:
    """Where no model was named, the star is blocked."""
    room.fail("D")

    assert room.circuits.blocks.find(room.credential(), None) is not None
    assert room.circuits.blocks.find(room.credential(), MODEL) is None


def test_one_of_forty_blocks(room: CircuitRoom, database_url: str) -> None:
    """Forty refusals at once are one block, not forty steps of growth."""
    told = run_everywhere(
        circuit_room.act_fail, database_url, dt.timedelta(0), letter="D", model=MODEL
    )
    found = room.circuits.blocks.find(room.credential(), MODEL)

    assert told == 1
    assert found is not None
    assert found.count == 1


def test_blocks_of_several_models_do_not_overwrite_each_other(
    room: CircuitRoom, database_url: str
) -> None:
    """Compare-and-set: what one writer adds, another does not lose."""
    told = run_everywhere(
        circuit_room.act_block_own_model, database_url, dt.timedelta(0)
    )
    text = room.credential().circuit.model_blocks
    stored = blocks.parse_blocks(text)

    assert stored
    assert told == len(stored)


def test_lost_revision_is_tried_once_more(room: CircuitRoom) -> None:
    """A writer that read an older revision writes onto the newer one."""
    stale, now = room.credential(), room.now()
    room.circuits.blocks.block(stale, "one", verdict("D"), now)
    room.circuits.blocks.block(stale, "two", verdict("D"), now)

    stored = blocks.parse_blocks(room.credential().circuit.model_blocks)
    assert stored is not None
    assert set(stored) == {"one", "two"}
    assert room.credential().circuit.blocks_rev == 2


@pytest.mark.parametrize("database_url", ["postgresql", "mariadb"], indirect=True)
def test_writer_in_between_is_not_overwritten(room: CircuitRoom) -> None:
    """Who was overtaken between reading and writing reads again."""
    credential, now = room.credential(), room.now()
    plain = blocks.adding("one", make_block(now + dt.timedelta(hours=1)), now)
    seen: list[set[str]] = []

    def overtaken(stored: dict[str, Block]) -> dict[str, Block] | None:
        if not seen:
            room.circuits.blocks.block(credential, "two", verdict("D"), now)

        seen.append(set(stored))
        return plain(stored)

    def write(connection: sa.Connection) -> bool:
        table = room.vault.tables.credential
        return blocks.write_edit(connection, table, credential.circuit, overtaken)

    assert room.vault.database.try_write(write)
    assert seen == [set(), {"two"}]
    stored = blocks.parse_blocks(room.credential().circuit.model_blocks)
    assert set(stored or {}) == {"one", "two"}


# --- claiming and removing ------------------------------------------------------------


def test_live_block_cannot_be_claimed(room: CircuitRoom) -> None:
    """While the block holds nobody tries the model."""
    room.fail("D", model=MODEL)

    assert not room.circuits.blocks.claim(room.credential(), MODEL, LEASE, room.now())
    assert not room.circuits.blocks.claim(room.credential(), "other", LEASE, room.now())


def test_one_of_forty_tries_an_ended_block(
    room: CircuitRoom, database_url: str
) -> None:
    """When a block is over, one caller tries the model and the others pass on."""
    end_block(room)
    offset = room.vault.database.clock_offset

    assert run_everywhere(circuit_room.act_claim_block, database_url, offset) == 1
    found = room.circuits.blocks.find(room.credential(), MODEL)
    assert found is not None
    assert found.until > room.now()


def test_lost_try_is_free_after_its_lease(room: CircuitRoom) -> None:
    """A caller that never comes back holds the try for its lease and no longer."""
    end_block(room)
    assert room.circuits.blocks.claim(room.credential(), MODEL, LEASE, room.now())
    assert not room.circuits.blocks.claim(room.credential(), MODEL, LEASE, room.now())
    room.move(seconds=LEASE + 1)
    assert room.circuits.blocks.claim(room.credential(), MODEL, LEASE, room.now())


def test_success_of_the_try_removes_the_block(room: CircuitRoom) -> None:
    """The model answers: its block is gone, told once."""
    end_block(room)
    credential, now = room.credential(), room.now()
    room.circuits.blocks.claim(credential, MODEL, LEASE, now)
    change = room.circuits.blocks.unblock(credential, MODEL, now)

    assert change is not None
    assert (change.kind, change.model) == ("unblocked", MODEL)
    assert room.credential().circuit.model_blocks is None
    assert room.circuits.blocks.unblock(credential, MODEL, now) is None


def test_failed_try_blocks_for_longer(room: CircuitRoom) -> None:
    """Refused again, the model rests about twice as long."""
    end_block(room)
    credential, now = room.credential(), room.now()
    room.circuits.blocks.claim(credential, MODEL, LEASE, now)
    change = room.circuits.blocks.block(credential, MODEL, verdict("D"), now)

    assert change is not None
    assert change.until is not None
    assert 36 <= (change.until - now).total_seconds() <= 44


def test_success_without_a_block_writes_nothing(room: CircuitRoom) -> None:
    """A caller that saw no block has nothing to remove."""
    before = room.credential()
    room.fail("D", model=MODEL)
    assert room.circuits.blocks.unblock(before, MODEL, room.now()) is None
    assert room.circuits.blocks.find(room.credential(), MODEL) is not None


def test_newer_block_survives_an_older_success(room: CircuitRoom) -> None:
    """A success that began before the last refusal does not undo it."""
    room.fail("D", model=MODEL)
    old, now = room.credential(), room.now()
    room.circuits.blocks.block(old, MODEL, verdict("D"), now)

    assert room.circuits.blocks.unblock(old, MODEL, now) is None
    assert room.circuits.blocks.find(room.credential(), MODEL) is not None


def test_fallback_of_a_block_is_told_once(room: CircuitRoom) -> None:
    """The first call that ran elsewhere tells it; a new block may be told anew."""
    room.fail("D", model=MODEL)
    assert room.circuits.blocks.claim_notice(room.credential(), MODEL)
    assert not room.circuits.blocks.claim_notice(room.credential(), MODEL)
    assert not room.circuits.blocks.claim_notice(room.credential(), "other")


def test_each_source_of_a_block_is_told_once(room: CircuitRoom) -> None:
    """That another own key answers is told beside the system key, and ends as well."""
    room.fail("D", model=MODEL)
    claim = functools.partial(
        room.circuits.blocks.claim_notice, model=MODEL, source="company"
    )
    assert claim(room.credential())
    assert not claim(room.credential())
    change = room.circuits.blocks.unblock(room.credential(), MODEL, room.now())
    assert change is not None and change.fell_back
    room.fail("D", model=MODEL)
    assert room.circuits.blocks.claim_notice(room.credential(), MODEL)
    assert claim(room.credential())


def test_block_that_waits_holds_here_already(room: CircuitRoom) -> None:
    """While it cannot be written, a block holds in this process."""
    with room.locked():
        assert room.fail("D", model=MODEL) is None
        assert room.circuits.blocks.find(room.credential(), MODEL) is not None
        assert room.credential().circuit.model_blocks is None

    room.vault.database.flush(force=True)
    assert room.circuits.blocks.find(room.credential(), MODEL) is not None
    assert [change.kind for change in room.late] == ["blocked"]


# --- damage and bounds ----------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "rubbish",
        "[]",
        '{"m": 1}',
        '{"m": {"reason": "model"}}',
        '{"m": {"reason": "a", "code": null, "until": "soon", "count": 1}}',
        '{"m": {"reason": "a", "code": null, "until": "2026-11-23", "count": 1}}',
        "[" * 100_000,
    ],
)
def test_damaged_blocks_count_as_none(text: str) -> None:
    """Whatever stands in the column, reading it never fails."""
    assert blocks.parse_blocks(text) is None


@pytest.mark.parametrize("letter", ["D", "M"])
def test_damage_is_told_once_and_mended(
    sqlite_room: CircuitRoom, letter: Letter, caplog: pytest.LogCaptureFixture
) -> None:
    """Rubbish in the column is one ERROR and goes with the next write."""
    room = sqlite_room
    room.vault.change(model_blocks="rubbish")

    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            assert room.circuits.blocks.find(room.credential(), MODEL) is None

    assert len(caplog.records) == 1
    assert "rubbish" not in caplog.text
    room.fail(letter, model=MODEL)
    assert list(json.loads(room.credential().circuit.model_blocks or "")) == [MODEL]


def test_blocks_are_bounded() -> None:
    """Of too many blocks the ones that end soonest go."""
    stored: dict[str, Block] = {}

    for number in range(30):
        until = NOON + dt.timedelta(minutes=30 - number)
        edit = blocks.adding(f"model-{number}", make_block(until), NOON)
        stored = edit(stored) or {}

    assert len(stored) == blocks.MOST_BLOCKS
    assert "model-0" in stored
    assert "model-28" not in stored


def test_ended_blocks_go_with_the_next_write() -> None:
    """What is over does not stay in the row for ever."""
    ended = {"old": make_block(NOON - dt.timedelta(seconds=1))}
    edit = blocks.adding("new", make_block(NOON + dt.timedelta(hours=1)), NOON)

    assert list(edit(ended) or {}) == ["new"]


def test_stored_blocks_read_back() -> None:
    """What is written is what is read."""
    stored = {MODEL: make_block(NOON, code="some_code", told=True)}

    assert blocks.parse_blocks(blocks.render_blocks(stored)) == stored
    assert blocks.render_blocks({}) is None
    assert blocks.parse_blocks(None) == {}


# --- helpers --------------------------------------------------------------------------


def make_block(
    until: dt.datetime, code: str | None = None, told: bool = False
) -> Block:
    return Block(reason="rate_limit", code=code, until=until, count=1, told=told)


def end_block(room: CircuitRoom) -> None:
    """Block the model and move the clock past its time."""
    room.fail("D", model=MODEL)
    room.move(seconds=30)
