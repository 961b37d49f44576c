"""The monthly allowance: reserved before, settled once, never overdrawn by a race."""

from __future__ import annotations

import collections
import concurrent.futures
import datetime as dt
import subprocess
import sys
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok.errors import SystemBudgetExceeded
from flask_byok.errors import SystemKeyRefused
from flask_byok.ledger.budget import Budget
from flask_byok.ledger.budget import Crossing
from flask_byok.ledger.usage import AttemptEnd
from flask_byok.ledger.usage import EndState
from flask_byok.ledger.usage import Ledger
from flask_byok.providers.types import Usage
from tests.support.ledger_room import DONE
from tests.support.ledger_room import ESTIMATE
from tests.support.ledger_room import ESTIMATE_MICROS
from tests.support.ledger_room import LedgerRoom
from tests.support.ledger_room import NOW
from tests.support.ledger_room import reserve_everywhere
from tests.support.ledger_room import start_at
from tests.support.vault_room import COMPANY

USAGE = Usage(input_tokens=10, output_tokens=5)


# --- reserving ------------------------------------------------------------------------


def test_reservation_and_attempt_stand_before_the_call(room: LedgerRoom) -> None:
    """Before anything is sent the budget is reserved and the attempt is noted."""
    started = start_at(room.ledger(requests=10))
    (attempt,) = room.attempts()

    assert (attempt["id"], attempt["state"], attempt["source"]) == (
        started.id,
        "started",
        "system",
    )
    assert (attempt["period"], attempt["est_tokens"]) == ("2026-11", 100)
    assert room.budget() == {
        "reserved_requests": 1,
        "used_requests": 0,
        "reserved_tokens": 100,
        "used_tokens": 0,
        "reserved_micros": 0,
        "used_micros": 0,
    }


@pytest.mark.case("F11")
def test_last_request_is_granted_and_the_next_refused(room: LedgerRoom) -> None:
    """The limit itself may be used up; one more may not."""
    ledger = room.ledger(requests=2)
    start_at(ledger)
    start_at(ledger)

    with pytest.raises(SystemBudgetExceeded, match="used up") as caught:
        start_at(ledger)

    assert caught.value.resets_on == dt.date(2026, 12, 1)
    assert len(room.attempts()) == 2


def test_every_unit_must_hold(room: LedgerRoom) -> None:
    """Where requests are left but tokens are not, the call is refused."""
    ledger = room.ledger(requests=100, tokens=250)
    start_at(ledger)
    start_at(ledger)

    with pytest.raises(SystemBudgetExceeded):
        start_at(ledger)

    start_at(ledger, est=50)
    assert room.budget()["reserved_tokens"] == 250


def test_budget_of_nothing_grants_nothing(room: LedgerRoom) -> None:
    """A limit of 0 is a limit."""
    with pytest.raises(SystemBudgetExceeded):
        start_at(room.ledger(requests=0))


def test_next_month_begins_anew(room: LedgerRoom) -> None:
    """What was used in November says nothing of December."""
    ledger = room.ledger(requests=1)
    start_at(ledger)
    start_at(ledger, NOW + dt.timedelta(days=10))

    assert len(room.vault.rows(room.vault.tables.budget)) == 2


def test_december_is_followed_by_january(room: LedgerRoom) -> None:
    """The last month of a year resets on the first day of the next year."""
    ledger = room.ledger(requests=0)
    silvester = dt.datetime(2026, 12, 31, 23, 59, 59, tzinfo=dt.timezone.utc)

    with pytest.raises(SystemBudgetExceeded) as caught:
        start_at(ledger, silvester)

    assert caught.value.resets_on == dt.date(2027, 1, 1)


@pytest.mark.case("F11")
def test_two_hundred_at_once_get_exactly_a_hundred(
    room: LedgerRoom, database_url: str
) -> None:
    """However many reserve at the same time, no more is granted than there is."""
    words = reserve_everywhere(
        database_url,
        {"requests": 100},
        processes=4,
        threads=5,
        each=10,
        settle_twice=True,
    )
    counted = collections.Counter(words)

    assert counted["granted"] == 100
    assert counted["spent"] + counted["refused"] == 100
    assert room.budget() == {
        "reserved_requests": 0,
        "used_requests": 100,
        "reserved_tokens": 0,
        "used_tokens": 1500,
        "reserved_micros": 0,
        "used_micros": 500,
    }


@pytest.mark.parametrize(
    "limits",
    [{"tokens": 100 * ESTIMATE}, {"money": 100 * ESTIMATE_MICROS}],
    ids=["tokens", "money"],
)
def test_the_same_of_tokens_and_of_money(
    room: LedgerRoom, database_url: str, limits: dict[str, int]
) -> None:
    """Each unit is exact, not requests alone."""
    words = reserve_everywhere(database_url, limits, processes=4, threads=5, each=10)
    counted = collections.Counter(words)

    assert counted["granted"] == 100
    assert counted["spent"] + counted["refused"] == 100
    assert room.budget()["reserved_tokens"] == 100 * ESTIMATE
    assert room.budget()["reserved_micros"] == 100 * ESTIMATE_MICROS


@pytest.mark.case("F11")
def test_of_many_at_once_one_tells_of_the_end(room: LedgerRoom) -> None:
    """However many settle at the same time, each threshold is crossed once."""
    crossings: list[Crossing] = []
    ledger = Ledger(
        room.vault.database,
        room.vault.tables,
        {"requests": 10, "tokens": 100_000},
        crossed=crossings.append,
    )
    started = [start_at(ledger) for _ in range(10)]

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda one: ledger.settle(one, DONE), started))

    while room.vault.database.pending:
        room.vault.database.flush(force=True)

    told = sorted((c.unit, c.percent, c.used) for c in crossings)
    assert told == [("requests", 80, 8), ("requests", 100, 10)]


def test_first_calls_of_a_month_make_one_row(
    room: LedgerRoom, database_url: str
) -> None:
    """Calls that all miss the month's row make it once, without an error."""
    # On SQLite one writes at a time, and nobody waits longer than five seconds for it.
    threads = 2 if database_url.startswith("sqlite") else 10
    words = reserve_everywhere(
        database_url, {"requests": 100}, processes=4, threads=threads, each=1
    )

    assert words == ["granted"] * 4 * threads
    assert room.budget()["reserved_requests"] == 4 * threads


def test_month_made_by_another_meanwhile_is_no_spent_month(
    room: LedgerRoom, database_url: str
) -> None:
    """Another caller makes the month's row just after ours found none: granted."""
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite writes one transaction at a time.")

    table = room.vault.tables.budget
    others: list[str] = []

    def make_the_row(conn: t.Any, cursor: t.Any, statement: str, *rest: object) -> None:
        if statement.startswith("UPDATE byok_budget") and not others:
            others.append(statement)
            Budget(room.vault.database, room.vault.tables, {}).make_month(
                COMPANY, "2026-11", 0.0
            )

    ledger = room.ledger(requests=1)
    sa.event.listen(room.vault.database.engine, "after_cursor_execute", make_the_row)
    start_at(ledger)

    assert len(others) == 1
    assert len(room.vault.rows(table)) == 1
    assert room.budget()["reserved_requests"] == 1


# --- when it cannot be written --------------------------------------------------------


def test_budget_that_cannot_be_written_refuses(sqlite_room: LedgerRoom) -> None:
    """Where the host holds the write lock, a budgeted system key is not used."""
    room = sqlite_room
    ledger = room.ledger(requests=10)

    with room.vault.host.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

        with pytest.raises(SystemKeyRefused, match="Commit or roll back") as caught:
            start_at(ledger)

        connection.rollback()

    assert caught.value.__context__ is None
    assert room.attempts() == []


def test_without_tables_a_budget_refuses(room: LedgerRoom) -> None:
    """No rows, no use of a budgeted system key."""
    room.vault.tables.budget.drop(room.vault.host)

    with pytest.raises(SystemKeyRefused):
        start_at(room.ledger(requests=10))


def test_without_a_budget_the_call_goes_on(sqlite_room: LedgerRoom) -> None:
    """Nothing to guard: what cannot be noted before is noted afterwards."""
    room = sqlite_room
    ledger = room.ledger()

    with room.vault.host.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        started = start_at(ledger)
        ledger.settle(started, DONE)
        connection.rollback()

    room.vault.database.flush(force=True)
    (attempt,) = room.attempts()
    assert (attempt["id"], attempt["state"], attempt["input_tokens"]) == (
        started.id,
        "done",
        10,
    )
    assert room.vault.rows(room.vault.tables.budget) == []


def test_in_memory_database_counts_exactly(memory_room: LedgerRoom) -> None:
    """In the host's only connection, too, no more is granted than there is."""
    ledger = memory_room.ledger(requests=50)

    def reserve(number: int) -> bool:
        try:
            start_at(ledger)
        except SystemBudgetExceeded:
            return False

        return True

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(reserve, range(100))) == 50


def test_in_memory_host_that_has_flushed_is_refused(memory_room: LedgerRoom) -> None:
    """Its uncommitted rows share the only connection: a budget cannot be written."""
    room = memory_room
    ledger = room.ledger(requests=50)

    with room.vault.host.connect() as connection:
        connection.execute(
            sa.insert(room.vault.tables.keyring).values(
                key_id="k001", kcv="00", namespace="default", first_seen=NOW
            )
        )

        with pytest.raises(SystemKeyRefused):
            start_at(ledger)

        connection.rollback()

    assert room.vault.rows(room.vault.tables.keyring) == []


# --- settling -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "usage", "requests", "tokens"),
    [
        ("done", USAGE, 1, 15),
        ("done", None, 1, 100),
        ("done", Usage(input_tokens=None, output_tokens=7), 1, 7),
        ("failed", None, 0, 0),
        ("failed", USAGE, 0, 0),
        ("unknown", None, 1, 100),
        ("unknown", USAGE, 1, 15),
        ("cancelled", None, 1, 100),
        ("cancelled", USAGE, 1, 15),
    ],
)
def test_what_is_charged(
    sqlite_room: LedgerRoom,
    state: EndState,
    usage: Usage | None,
    requests: int,
    tokens: int,
) -> None:
    """Real use; the estimate where nobody knows; nothing for what failed."""
    ledger = sqlite_room.ledger(requests=10)
    ledger.settle(start_at(ledger), AttemptEnd(state=state, usage=usage))
    counters = sqlite_room.budget()

    assert (counters["used_requests"], counters["used_tokens"]) == (requests, tokens)
    assert (counters["reserved_requests"], counters["reserved_tokens"]) == (0, 0)
    assert [attempt["state"] for attempt in sqlite_room.attempts()] == [state]


def test_settling_twice_charges_once(
    room: LedgerRoom, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever comes second finds it settled, and says so in the log."""
    ledger = room.ledger(requests=10)
    started = start_at(ledger)
    ledger.settle(started, DONE)
    ledger.settle(started, AttemptEnd(state="unknown"))

    assert room.budget()["used_requests"] == 1
    assert room.budget()["used_tokens"] == 15
    assert [attempt["state"] for attempt in room.attempts()] == ["done"]
    assert "settled before" in caplog.text


def test_refused_attempt_gives_its_reservation_back(room: LedgerRoom) -> None:
    """An attempt that failed costs nothing: the next one is granted."""
    ledger = room.ledger(requests=1)
    ledger.settle(start_at(ledger), AttemptEnd(state="failed", reason="auth"))
    assert room.budget()["reserved_requests"] == 0

    start_at(ledger)
    assert room.budget()["reserved_requests"] == 1


def test_attempt_is_charged_to_the_month_it_was_reserved_in(room: LedgerRoom) -> None:
    """Reserved on 30 November, settled in December: both stand in November."""
    ledger = room.ledger(requests=10)
    late = dt.datetime(2026, 11, 30, 23, 59, 59, tzinfo=dt.timezone.utc)
    ledger.settle(start_at(ledger, late), DONE)

    (row,) = room.vault.rows(room.vault.tables.budget)
    assert (row["period"], row["used_requests"]) == ("2026-11", 1)


def test_settlement_that_waits_is_made_later(sqlite_room: LedgerRoom) -> None:
    """A database that is busy at the end loses no settlement."""
    room = sqlite_room
    ledger = room.ledger(requests=10)
    started = start_at(ledger)

    with room.vault.host.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        ledger.settle(started, DONE)
        connection.rollback()

    assert room.budget()["used_requests"] == 0
    room.vault.database.flush(force=True)
    assert room.budget()["used_requests"] == 1


# --- attempts left behind -------------------------------------------------------------


def test_killed_attempt_is_swept_at_its_estimate(
    room: LedgerRoom, database_url: str
) -> None:
    """What a killed process left is found, called unknown and charged as estimated."""
    code = (
        "import sys; from tests.support.ledger_room import start_and_hang; "
        "start_and_hang(sys.argv[1])"
    )

    with subprocess.Popen(
        [sys.executable, "-c", code, database_url], stdout=subprocess.PIPE, text=True
    ) as caller:
        assert caller.stdout is not None
        attempt_id = caller.stdout.readline().strip()
        caller.kill()

    ledger = room.ledger(requests=10)
    assert ledger.sweep(NOW + dt.timedelta(minutes=5)) == 0
    assert ledger.sweep(NOW + dt.timedelta(minutes=7)) == 1
    assert ledger.sweep(NOW + dt.timedelta(minutes=7)) == 0

    (attempt,) = room.attempts()
    assert (attempt["id"], attempt["state"]) == (attempt_id, "unknown")
    counters = room.budget()
    assert (counters["used_requests"], counters["used_tokens"]) == (1, 100)
    assert counters["reserved_requests"] == 0


def test_settling_after_the_sweep_charges_nothing_more(room: LedgerRoom) -> None:
    """An attempt the sweep gave up stays charged once."""
    ledger = room.ledger(requests=10)
    started = start_at(ledger)
    ledger.sweep(NOW + dt.timedelta(hours=1))
    ledger.settle(started, DONE)

    assert room.budget()["used_requests"] == 1
    assert room.budget()["used_tokens"] == 100


# --- what is left ---------------------------------------------------------------------


def test_allowance_tells_used_reserved_and_left(room: LedgerRoom) -> None:
    """People see what is used of each limit, and from when there is more."""
    ledger = room.ledger(tokens=1000, requests=10)
    ledger.settle(start_at(ledger), DONE)
    start_at(ledger)
    requests, tokens = ledger.allowance(COMPANY, NOW)

    assert (requests.unit, requests.used, requests.reserved, requests.left) == (
        "requests",
        1,
        1,
        8,
    )
    assert (tokens.unit, tokens.used, tokens.reserved, tokens.left) == (
        "tokens",
        15,
        100,
        885,
    )
    assert requests.resets_on == dt.date(2026, 12, 1)


def test_untouched_allowance_is_whole(room: LedgerRoom) -> None:
    """A company that never called has everything left."""
    (requests,) = room.ledger(requests=10).allowance(COMPANY, NOW)

    assert (requests.used, requests.left, requests.limit) == (0, 10, 10)


def test_without_a_budget_there_is_no_allowance(room: LedgerRoom) -> None:
    """Nothing is limited, so nothing is told."""
    assert room.ledger().allowance(COMPANY, NOW) == []
