"""The circuit of a key: opens, is probed by one, closes."""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime as dt
import sqlite3
import subprocess
import sys

import pytest

from flask_byok.failover.reasons import Letter
from tests.support import circuit_room
from tests.support.circuit_room import CircuitRoom
from tests.support.circuit_room import run_everywhere
from tests.support.circuit_room import verdict

LEASE = 60.0


# --- opening --------------------------------------------------------------------------


@pytest.mark.parametrize("letter", ["A", "B", "C"])
def test_opens_at_first_rejection(room: CircuitRoom, letter: Letter) -> None:
    """A key that is rejected, forbidden or out of credit is out at once."""
    change = room.fail(letter)
    state = room.credential().circuit

    assert change is not None
    assert (change.kind, change.reason, change.episode) == (
        "opened",
        verdict(letter).reason,
        1,
    )
    assert (change.source, change.company_id, change.provider) == (
        "company",
        "i:42",
        "OPENAI",
    )
    assert (state.circuit, state.episode, state.open_count) == ("open", 1, 1)
    assert state.open_until == change.until
    assert state.opened_at is not None


def test_an_opening_claims_its_notice(room: CircuitRoom) -> None:
    """Whoever opens an episode that somebody must act on tells the company of it."""
    change = room.open_circuit()
    state = room.credential().circuit

    assert change.due is not None
    assert (change.due.kind, change.due.reason) == ("failing", change.reason)
    assert (change.due.since, change.due.until) == (state.opened_at, state.open_until)
    assert (state.noticed_episode, state.noticed_kind) == (1, "failing")
    assert (state.noticed_at, state.noticed_reason) == (state.opened_at, change.reason)


@pytest.mark.parametrize("letter", ["E", "F", "K"])
def test_an_opening_that_may_pass_claims_nothing(
    room: CircuitRoom, letter: Letter
) -> None:
    """Trouble that may pass by itself is told once it lasts."""
    room.fail(letter)
    change = room.open_circuit(letter)
    state = room.credential().circuit

    assert change.due is None
    assert (state.noticed_episode, state.noticed_at) == (0, None)


def test_second_failure_tells_nothing(room: CircuitRoom) -> None:
    """A failure of a key that is out already changes nothing."""
    room.open_circuit()
    before = room.credential()

    assert room.fail("A") is None
    assert room.fail("E") is None
    assert room.credential() == before


@pytest.mark.parametrize("letter", ["E", "F", "K"])
def test_opens_at_second_trouble_within_a_minute(
    room: CircuitRoom, letter: Letter
) -> None:
    """One trouble is counted, the second within 60 s opens."""
    assert room.fail(letter) is None
    assert room.credential().circuit.fail_count == 1

    room.move(seconds=50)
    change = room.fail(letter)

    assert change is not None
    assert change.kind == "opened"
    assert room.credential().circuit.circuit == "open"


def test_old_trouble_no_longer_counts(room: CircuitRoom) -> None:
    """Two troubles more than a minute apart leave the circuit closed."""
    room.fail("E")
    room.move(seconds=61)

    assert room.fail("E") is None
    state = room.credential().circuit
    assert (state.circuit, state.fail_count) == ("closed", 1)


@pytest.mark.parametrize("letter", ["G", "J", "L", "H"])
def test_neutral_classes_touch_nothing(room: CircuitRoom, letter: Letter) -> None:
    """A mistake of the caller, of ours or of nobody is not the key's."""
    room.fail("E")
    before = room.credential()

    assert room.fail(letter) is None
    assert room.credential() == before


def test_success_between_two_troubles_clears_the_count(room: CircuitRoom) -> None:
    """Trouble, answer, trouble: the circuit stays closed."""
    room.fail("E")
    room.circuits.marks.succeeded(room.credential(), room.now())

    assert room.credential().circuit.fail_count == 0
    assert room.fail("E") is None


def test_one_opener_of_forty(room: CircuitRoom, database_url: str) -> None:
    """However many callers fail at once, one of them opened the circuit."""
    told = run_everywhere(
        circuit_room.act_fail, database_url, dt.timedelta(0), letter="A"
    )

    assert told == 1
    assert room.credential().circuit.circuit == "open"


def test_one_opener_of_forty_troubles(room: CircuitRoom, database_url: str) -> None:
    """The same where failures are counted first: none of the counts is lost."""
    told = run_everywhere(
        circuit_room.act_fail, database_url, dt.timedelta(0), letter="E"
    )
    state = room.credential().circuit

    assert told == 1
    assert (state.circuit, state.open_count, state.fail_count) == ("open", 1, 2)


@pytest.mark.case("F7")
def test_old_generation_changes_nothing(room: CircuitRoom) -> None:
    """A verdict about a key that was replaced meanwhile finds no row."""
    old, now = room.credential(), room.now()
    room.vault.change(generation=2)
    before = room.credential()

    assert room.circuits.failed(old, verdict("A"), now) is None
    assert room.circuits.blocks.block(old, "any", verdict("D"), now) is None
    assert room.circuits.marks.unreadable(old, "malformed", now) is None
    assert room.circuits.marks.succeeded(old, now) is None
    assert not room.circuits.marks.claim_fallback_notice(old, 1)
    assert room.credential() == before


# --- episodes -------------------------------------------------------------------------


def test_opening_soon_after_closing_continues_the_episode(room: CircuitRoom) -> None:
    """Within 10 minutes the number stays and the cool-down grows."""
    room.make_due()
    close(room)
    room.move(minutes=9)
    change = room.open_circuit()

    assert (change.episode, change.continued, change.due) == (1, True, None)
    assert room.credential().circuit.open_count == 2
    assert minutes_out(room) > 50


def test_opening_later_is_a_new_episode(room: CircuitRoom) -> None:
    """After 10 minutes the next opening has a number of its own and begins anew."""
    room.make_due()
    close(room)
    room.move(minutes=11)
    change = room.open_circuit()

    assert (change.episode, change.continued) == (2, False)
    assert room.credential().circuit.open_count == 1
    assert minutes_out(room) < 17


def test_growth_survives_a_failed_probe(room: CircuitRoom) -> None:
    """Every probe that fails makes the next cool-down longer, up to the cap."""
    found = []

    for _ in range(6):
        if room.credential().circuit.circuit == "closed":
            room.make_due("C")
        else:
            probe_fails(room)

        found.append(minutes_out(room))

    assert [round(minutes / 15) for minutes in found[1:3]] == [2, 4]
    assert found[-1] <= 6 * 60 * 1.1


# --- the probe ------------------------------------------------------------------------


def test_no_probe_before_the_cool_down_ends(room: CircuitRoom) -> None:
    """A key that is out is not tried early."""
    room.open_circuit()

    assert room.circuits.claim(room.credential(), LEASE, room.now()) is None


def test_one_prober_of_forty(room: CircuitRoom, database_url: str) -> None:
    """When the cool-down is over, one caller of forty tries the key."""
    room.make_due()
    offset = room.vault.database.clock_offset

    assert run_everywhere(circuit_room.act_claim, database_url, offset) == 1
    assert room.circuits.claim(room.credential(), LEASE, room.now()) is None


def test_claim_waits_for_who_reads(sqlite_room: CircuitRoom) -> None:
    """SQLite refuses a commit beside a reader: the claim waits until it has read."""
    room = sqlite_room
    room.make_due()
    database = room.vault.host.url.database
    assert database is not None
    credential, now = room.credential(), room.now()

    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT id FROM byok_credential").fetchall()

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            claim = pool.submit(room.circuits.claim, credential, 60.0, now)
            wait_until_readers_are_shut_out(database, claim)
            reader.execute("ROLLBACK")
            assert claim.result(30) is not None


def wait_until_readers_are_shut_out(
    database: str, claim: concurrent.futures.Future[str | None]
) -> None:
    """Wait until a writer waits to commit, which nobody may read beside."""
    while not claim.done():
        with contextlib.closing(sqlite3.connect(database, timeout=0)) as other:
            try:
                other.execute("SELECT id FROM byok_credential").fetchall()
            except sqlite3.OperationalError:
                return


def test_probe_closes(room: CircuitRoom) -> None:
    """The prober's success closes the circuit and tells of it once."""
    room.make_due()
    credential, now = room.credential(), room.now()
    token = room.circuits.claim(credential, LEASE, now)
    change = room.circuits.close(credential, now, token=token)

    assert change is not None
    assert (change.kind, change.reason, change.episode) == ("closed", "auth", 1)
    assert room.circuits.close(credential, now, token=token) is None
    state = room.credential().circuit
    assert (state.circuit, state.fail_count, state.probe_token) == ("closed", 0, None)
    assert state.closed_at == state.last_ok_at == now


def test_wrong_token_changes_nothing(room: CircuitRoom) -> None:
    """Who does not hold the lease neither closes, nor re-opens, nor releases."""
    room.make_due()
    room.circuits.claim(room.credential(), LEASE, room.now())
    before, now = room.credential(), room.now()

    assert room.circuits.close(before, now, token="no-such-token") is None
    assert room.circuits.reopen(before, verdict("A"), now, "no-such-token") is None
    room.circuits.release(before, "no-such-token", now)
    assert room.credential() == before


@pytest.mark.parametrize("letter", ["A", "B", "C", "E", "F", "K"])
def test_failed_probe_reopens(room: CircuitRoom, letter: Letter) -> None:
    """A probe that fails keeps the circuit open, in the same episode."""
    room.make_due()
    change = probe_fails(room, letter)
    state = room.credential().circuit

    assert change is not None
    assert (change.kind, change.episode) == ("reopened", 1)
    assert (state.circuit, state.open_count, state.probe_token) == ("open", 2, None)
    assert state.reason == verdict(letter).reason
    assert state.open_until == change.until
    assert room.circuits.claim(room.credential(), LEASE, room.now()) is None


@pytest.mark.parametrize("letter", ["D", "M", "G", "J", "L", "H"])
def test_probe_without_verdict_is_given_back(room: CircuitRoom, letter: Letter) -> None:
    """A probe that says nothing of the key leaves it open; the next caller probes."""
    room.make_due()
    before = room.credential()
    token = room.circuits.claim(before, LEASE, room.now())

    assert room.fail(letter, token=token, model="any") is None
    assert room.credential() == before
    assert room.circuits.claim(before, LEASE, room.now()) is not None


def test_killed_prober_is_replaced_after_its_lease(
    room: CircuitRoom, database_url: str
) -> None:
    """A prober that is killed holds the probe for its lease and no longer."""
    room.open_circuit()
    room.move(hours=1)
    code = (
        "import sys; from tests.support.circuit_room import claim_and_hang; "
        "claim_and_hang(sys.argv[1])"
    )

    with subprocess.Popen(
        [sys.executable, "-c", code, database_url], stdout=subprocess.PIPE, text=True
    ) as prober:
        assert prober.stdout is not None
        assert prober.stdout.readline() == "True\n"
        prober.kill()

    assert room.circuits.claim(room.credential(), LEASE, room.now()) is None
    room.move(seconds=91)
    assert room.circuits.claim(room.credential(), LEASE, room.now()) is not None


def test_last_resort_closes_trouble_alone(room: CircuitRoom) -> None:
    """A success without a token closes what was out for an outage, not a rejection."""
    room.open_circuit("A")
    assert room.circuits.close(room.credential(), room.now()) is None
    room.vault.change(reason="outage")
    change = room.circuits.close(room.credential(), room.now())

    assert change is not None
    assert change.reason == "outage"
    assert room.credential().circuit.circuit == "closed"


def test_claim_of_an_old_generation_is_lost(room: CircuitRoom) -> None:
    """A key that was replaced meanwhile is not probed for its forerunner."""
    room.make_due()
    old = room.credential()
    room.vault.change(generation=2)

    assert room.circuits.claim(old, LEASE, room.now()) is None


# --- successes ------------------------------------------------------------------------


def test_healthy_success_writes_every_five_minutes(room: CircuitRoom) -> None:
    """A success of a healthy key costs no write, but for one in 5 minutes."""
    room.circuits.marks.succeeded(room.credential(), room.now())
    first = room.credential().circuit.last_ok_at
    room.move(minutes=4)
    room.circuits.marks.succeeded(room.credential(), room.now())
    assert room.credential().circuit.last_ok_at == first

    room.move(minutes=2)
    room.circuits.marks.succeeded(room.credential(), room.now())
    assert room.credential().circuit.last_ok_at != first


def test_reset_closes_and_forgets(room: CircuitRoom) -> None:
    """A test that finds the key working ends everything it remembers."""
    room.open_circuit()
    room.circuits.blocks.block(room.credential(), "any", verdict("D"), room.now())
    room.circuits.marks.unreadable(room.credential(), "malformed", room.now())
    credential = room.credential()

    with room.vault.database.write() as connection:
        change = room.circuits.reset(connection, credential, room.now())

    state = room.credential().circuit
    assert change is not None
    assert (change.kind, change.reason) == ("closed", "auth")
    assert (state.circuit, state.model_blocks, state.unreadable_at) == (
        "closed",
        None,
        None,
    )
    assert state.open_count == 0


def test_reset_of_a_healthy_key_tells_nothing(room: CircuitRoom) -> None:
    """Where no circuit was open there is nothing to tell."""
    with room.vault.database.write() as connection:
        change = room.circuits.reset(connection, room.credential(), room.now())

    assert change is None


# --- the notice of a fallback ---------------------------------------------------------


def test_one_notice_of_forty(room: CircuitRoom, database_url: str) -> None:
    """The fallback of an episode is told once, however many calls ran on it."""
    room.open_circuit()
    told = run_everywhere(
        circuit_room.act_claim_notice, database_url, dt.timedelta(0), episode=1
    )
    told += int(room.circuits.marks.claim_fallback_notice(room.credential(), 1))

    assert told == 1


def test_closing_says_whether_the_fallback_was_told(room: CircuitRoom) -> None:
    """The end of a fallback is told where its start was."""
    room.make_due()
    room.circuits.marks.claim_fallback_notice(room.credential(), 1)
    change = close(room)

    assert change is not None
    assert change.fell_back


# --- the line that another own key answers --------------------------------------------


def test_one_line_of_forty(room: CircuitRoom, database_url: str) -> None:
    """However many calls ran on another own key, their episode has one line."""
    room.open_circuit()
    act = circuit_room.act_note_own_key
    noted = run_everywhere(act, database_url, dt.timedelta(0), episode=1)
    noted += act(room, room.credential(), room.now(), 40, episode=1)
    assert noted == 1 and len(room.lines()) == 1


def test_a_line_and_a_notice_are_told_apart(room: CircuitRoom) -> None:
    """Whichever key answers first, the other one's fallback is told as well."""
    room.make_due()
    note_own_key(room)
    assert room.circuits.marks.claim_fallback_notice(room.credential(), 1)
    assert close(room) is not None
    room.move(hours=1)
    room.open_circuit()
    assert room.circuits.marks.claim_fallback_notice(room.credential(), 2)
    note_own_key(room)
    assert len(room.lines()) == 2


@pytest.mark.parametrize("why", ["over", "replaced"])
def test_no_line_of_what_is_over(room: CircuitRoom, why: str) -> None:
    """A call that ends after its episode leaves no line that nothing would end."""
    room.make_due()
    seen, now = room.credential(), room.now()

    if why == "over":
        close(room)
    else:
        room.vault.change(generation=seen.generation + 1)

    circuit_room.act_note_own_key(room, seen, now, 1, episode=1)
    assert room.lines() == []


def test_a_line_that_cannot_be_written_is_left_to_the_next(room: CircuitRoom) -> None:
    """A locked row costs the call nothing but the line."""
    room.open_circuit()

    with room.locked():
        note_own_key(room)

    assert room.lines() == []
    note_own_key(room)
    assert len(room.lines()) == 1


# --- unreadable keys ------------------------------------------------------------------


@pytest.mark.case("F12")
def test_unreadable_key_is_told_once(room: CircuitRoom) -> None:
    """A key that does not open here is told once; its circuit stays closed."""
    change = be_unreadable(room)

    assert change is not None
    assert (change.kind, change.reason) == ("unreadable", "unknown_key_id")
    assert be_unreadable(room) is None
    room.move(hours=3)
    assert be_unreadable(room) is None
    assert room.credential().circuit.circuit == "closed"


def test_first_success_ends_unreadable(room: CircuitRoom) -> None:
    """Another worker that opens the key clears it, and tells it once."""
    be_unreadable(room)
    credential, now = room.credential(), room.now()
    change = room.circuits.marks.succeeded(credential, now)

    assert change is not None
    assert change.kind == "readable"
    assert room.circuits.marks.succeeded(credential, now) is None
    assert room.credential().circuit.unreadable_at is None


def test_flapping_key_is_told_hourly(room: CircuitRoom) -> None:
    """Two workers, one with the master key: people are not told at each turn."""
    be_unreadable(room)

    for _ in range(3):
        room.circuits.marks.succeeded(room.credential(), room.now())
        room.move(minutes=10)
        assert be_unreadable(room) is None

    room.move(minutes=45)
    assert be_unreadable(room) is not None


@pytest.mark.case("F12")
def test_one_of_forty_tells_unreadable(room: CircuitRoom, database_url: str) -> None:
    """Forty callers that cannot open the key: one tells it."""
    told = run_everywhere(circuit_room.act_unreadable, database_url, dt.timedelta(0))

    assert told == 1


# --- a busy database ------------------------------------------------------------------


def test_verdict_that_waits_holds_here_already(room: CircuitRoom) -> None:
    """While it cannot be written, an opening holds in this process; then it is told."""
    with room.locked():
        credential, now = room.credential(), room.now()
        assert room.circuits.failed(credential, verdict("A"), now) is None
        assert room.credential().circuit.circuit == "closed"
        assert room.circuits.view(room.credential()).circuit == "open"
        assert room.circuits.failed(room.credential(), verdict("A"), now) is None

    room.vault.database.flush(force=True)

    assert room.credential().circuit.circuit == "open"
    assert [change.kind for change in room.late] == ["opened"]
    assert room.vault.database.pending == 0


def test_counts_that_wait_open_here(room: CircuitRoom) -> None:
    """Two troubles that cannot be written open the circuit in this process."""
    with room.locked():
        for _ in range(2):
            room.circuits.failed(room.credential(), verdict("E"), room.now())

        assert room.circuits.view(room.credential()).circuit == "open"

    room.vault.database.flush(force=True)
    assert room.credential().circuit.circuit == "open"
    assert [change.kind for change in room.late] == ["opened"]


def test_probe_that_closes_while_writes_wait_holds_here(room: CircuitRoom) -> None:
    """A success that cannot be written closes the circuit in this process."""
    room.make_due()
    credential, now = room.credential(), room.now()
    token = room.circuits.claim(credential, LEASE, now)

    with room.locked():
        assert room.circuits.close(credential, now, token=token) is None
        assert room.circuits.view(room.credential()).circuit == "closed"

    room.vault.database.flush(force=True)
    assert room.credential().circuit.circuit == "closed"
    assert [change.kind for change in room.late] == ["closed"]


def test_success_without_a_token_does_not_hide_a_rejection(room: CircuitRoom) -> None:
    """A slow success beside a rejection that waits leaves the key out here, too."""
    with room.locked():
        credential, now = room.credential(), room.now()
        room.circuits.failed(credential, verdict("A"), now)
        room.circuits.close(credential, now)
        assert room.circuits.view(credential).circuit == "open"

    room.vault.database.flush(force=True)
    assert room.credential().circuit.circuit == "open"


def test_claim_that_cannot_be_written_is_lost(room: CircuitRoom) -> None:
    """Nobody probes on a claim that waits: there might be two."""
    room.make_due()

    with room.locked():
        assert room.circuits.claim(room.credential(), LEASE, room.now()) is None
        assert room.vault.database.pending == 0

    assert room.circuits.claim(room.credential(), LEASE, room.now()) is not None


def test_waiting_verdict_of_a_replaced_key_holds_for_it_alone(
    room: CircuitRoom,
) -> None:
    """What waits about a key says nothing of the one that replaced it."""
    with room.locked():
        room.circuits.failed(room.credential(), verdict("A"), room.now())

    room.vault.change(generation=2)

    assert room.circuits.view(room.credential()).circuit == "closed"
    room.vault.database.flush(force=True)
    assert room.credential().circuit.circuit == "closed"
    assert room.late == []


# --- system keys ----------------------------------------------------------------------


def test_system_key_has_a_circuit(room: CircuitRoom) -> None:
    """A system key's row is made at its first use and opens like any other."""
    system_key = room.circuits.system_key("OPENAI", "print-1")
    change = room.circuits.failed(system_key, verdict("C"), room.now())

    assert change is not None
    assert (change.source, change.company_id, change.provider) == (
        "system",
        None,
        "OPENAI",
    )
    found = room.circuits.system_key("OPENAI", "print-1")
    assert (found.id, found.circuit.circuit) == (system_key.id, "open")
    assert room.credential().circuit.circuit == "closed"


def test_new_system_key_begins_anew(room: CircuitRoom) -> None:
    """Another fingerprint is another key: what the old one suffered is forgotten."""
    old = room.circuits.system_key("OPENAI", "print-1")
    room.circuits.failed(old, verdict("A"), room.now())
    new = room.circuits.system_key("OPENAI", "print-2")

    assert new.circuit.circuit == "closed"
    assert new.generation == old.generation + 1
    assert room.circuits.close(old, room.now()) is None
    assert len(room.vault.rows(room.vault.tables.system_key)) == 1


def test_system_key_without_a_row_counts_as_healthy(room: CircuitRoom) -> None:
    """While its row can be neither read nor made, a system key is not out."""
    room.vault.tables.system_key.drop(room.vault.host)
    system_key = room.circuits.system_key("OPENAI", "print-1")

    assert system_key.circuit.circuit == "closed"
    assert room.circuits.claim(system_key, LEASE, room.now()) is None


# --- helpers --------------------------------------------------------------------------


def close(room: CircuitRoom):
    credential, now = room.credential(), room.now()
    token = room.circuits.claim(credential, LEASE, now)
    return room.circuits.close(credential, now, token=token)


def probe_fails(room: CircuitRoom, letter: Letter = "C"):
    until = room.credential().circuit.open_until
    assert until is not None
    room.move(seconds=max(0.0, (until - room.now()).total_seconds()) + 1)
    token = room.circuits.claim(room.credential(), LEASE, room.now())
    assert token is not None
    return room.fail(letter, token=token)


def minutes_out(room: CircuitRoom) -> float:
    until = room.credential().circuit.open_until
    assert until is not None
    return (until - room.now()).total_seconds() / 60


def note_own_key(room: CircuitRoom) -> int:
    credential, now = room.credential(), room.now()
    episode = credential.circuit.episode
    return circuit_room.act_note_own_key(room, credential, now, 0, episode=episode)


def be_unreadable(room: CircuitRoom):
    return room.circuits.marks.unreadable(
        room.credential(), "unknown_key_id", room.now()
    )
