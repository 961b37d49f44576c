"""Old attempts become sums per day, and nobody's usage changes by it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime as dt
import subprocess
import sys
import threading

from flask_byok.ledger.usage import AttemptEnd
from flask_byok.ledger.usage import Ledger
from flask_byok.ledger.usage import UsageRow
from flask_byok.providers.types import Usage
from flask_byok.vault.database import WriteBusy
from tests.support.ledger_room import DONE
from tests.support.ledger_room import LedgerRoom
from tests.support.ledger_room import NOW
from tests.support.ledger_room import PRICED
from tests.support.ledger_room import START
from tests.support.ledger_room import start_at
from tests.support.vault_room import COMPANY

DAY = dt.timedelta(days=1)
TODAY = NOW.date()
MIDNIGHT = NOW.replace(hour=0)


def fill(ledger: Ledger, number: int = 40) -> None:
    """Note attempts of many kinds, over four days before today."""
    ends = (
        DONE,
        AttemptEnd(state="failed", reason="auth"),
        AttemptEnd(state="unknown", reason="timeout"),
        AttemptEnd(state="cancelled", usage=Usage(input_tokens=3, cached_tokens=1)),
    )

    for index in range(number):
        start = (PRICED if index % 3 else START)._replace(
            label=(None, "summary")[index % 2],
            company_id=(COMPANY, COMPANY, "s:other")[index % 3],
        )
        moment = NOW - (1 + index % 4) * DAY
        ledger.record(start, ends[index % 4], started_at=moment)

    while ledger._database.pending:
        ledger._database.flush(force=True)


def read(ledger: Ledger, company: str = COMPANY) -> list[UsageRow]:
    return ledger.usage(company, TODAY - 10 * DAY, TODAY)


def move_all(ledger: Ledger, most: int = 7) -> int:
    moved = 0

    while number := ledger.roll_up.move(MIDNIGHT, most=most):
        moved += number

    return moved


def test_usage_stays_what_it_was(room: LedgerRoom) -> None:
    """Days, tokens, states and costs, of each company, batch after batch."""
    ledger = room.ledger()
    fill(ledger)
    before = [read(ledger, company) for company in (COMPANY, "s:other")]
    assert ledger.roll_up.count(MIDNIGHT) == 40

    assert ledger.roll_up.move(MIDNIGHT, most=7) == 7
    assert [read(ledger, company) for company in (COMPANY, "s:other")] == before
    assert move_all(ledger) == 33
    assert [read(ledger, company) for company in (COMPANY, "s:other")] == before
    assert room.attempts() == []
    assert len(room.vault.rows(room.vault.tables.usage_day)) == sum(map(len, before))


def test_recent_and_running_attempts_stay(sqlite_room: LedgerRoom) -> None:
    """Only what is over and old moves."""
    ledger = sqlite_room.ledger()
    ledger.record(START, DONE, started_at=NOW)
    start_at(ledger, NOW - 5 * DAY)

    assert move_all(ledger) == 0
    assert len(sqlite_room.attempts()) == 2


def test_a_late_row_of_an_old_day_is_added(room: LedgerRoom) -> None:
    """What waited in a buffer while its day was added up comes on top, once."""
    ledger = room.ledger()
    ledger.record(START, DONE, started_at=NOW - 3 * DAY)
    move_all(ledger)
    ledger.record(START, DONE, started_at=NOW - 3 * DAY)
    assert [row.requests for row in read(ledger)] == [2]

    move_all(ledger)
    assert [row.requests for row in read(ledger)] == [2]
    assert len(room.vault.rows(room.vault.tables.usage_day)) == 1


def test_a_late_settlement_finds_nothing_to_charge(room: LedgerRoom) -> None:
    """Swept, added up, and only then settled by its own process: charged once."""
    ledger = room.ledger(requests=5)
    started = start_at(ledger, NOW - 3 * DAY)
    ledger.sweep(NOW)
    move_all(ledger)
    ledger.settle(started, DONE)

    assert room.budget()["used_requests"] == 1
    assert [row.requests for row in read(ledger)] == [1]


def test_many_sweeps_and_readers_at_once(room: LedgerRoom) -> None:
    """Four sweeps move the same days; whoever reads meanwhile reads the whole."""
    ledger = room.ledger()
    fill(ledger, 80)
    before = read(ledger)
    moved: list[int] = []
    done = threading.Event()

    def sweep(number: int) -> None:
        batch = 1

        while batch:
            with contextlib.suppress(WriteBusy):
                batch = ledger.roll_up.move(MIDNIGHT, most=3)
                moved.append(batch)

    def look() -> list[list[UsageRow]]:
        seen = [read(ledger)]

        while not done.is_set():
            seen.append(read(ledger))

        return seen

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        looking = pool.submit(look)

        try:
            list(pool.map(sweep, range(4)))
        finally:
            done.set()

    assert sum(moved) == 80
    assert all(seen == before for seen in looking.result())
    assert read(ledger) == before


def test_a_sweep_that_is_killed_has_done_nothing(
    room: LedgerRoom, database_url: str
) -> None:
    """``kill -9`` after deleting, before committing: all is as it was; go on then."""
    ledger = room.ledger()
    fill(ledger, 20)
    before = read(ledger)
    code = (
        "import sys; from tests.support.ledger_room import roll_up_and_hang; "
        "roll_up_and_hang(*sys.argv[1:])"
    )

    with subprocess.Popen(
        [sys.executable, "-c", code, database_url, MIDNIGHT.isoformat()],
        stdout=subprocess.PIPE,
        text=True,
    ) as sweep:
        assert sweep.stdout is not None
        assert sweep.stdout.readline().strip() == "deleted"
        sweep.kill()

    assert read(ledger) == before
    assert len(room.attempts()) == 20
    assert move_until(ledger, 20) == 20
    assert read(ledger) == before


def move_until(ledger: Ledger, number: int) -> int:
    """Move so many: a server needs a moment to see that a client was killed."""
    moved = 0

    for _ in range(100):
        with contextlib.suppress(WriteBusy):
            moved += move_all(ledger)

        if moved >= number:
            break

    return moved


def test_settling_and_sweeping_at_once_charge_once(room: LedgerRoom) -> None:
    """Each attempt belongs to the one who is quicker: its own process or the sweep."""
    ledger = room.ledger(requests=100)
    started = [start_at(ledger) for _ in range(30)]
    later = NOW + dt.timedelta(hours=1)
    go = threading.Barrier(3)

    def settle() -> None:
        go.wait()

        for one in started:
            ledger.settle(one, DONE)

    def sweep() -> None:
        go.wait()
        ledger.sweep(later)

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for future in [pool.submit(work) for work in (settle, sweep, sweep)]:
            future.result()

    while room.vault.database.pending:
        room.vault.database.flush(force=True)

    counters = room.budget()
    states = [attempt["state"] for attempt in room.attempts()]
    assert (counters["used_requests"], counters["reserved_requests"]) == (30, 0)
    assert states.count("done") + states.count("unknown") == 30
    assert counters["used_tokens"] == (
        15 * states.count("done") + 100 * states.count("unknown")
    )


def test_totals_are_those_of_the_days(room: LedgerRoom) -> None:
    """Per company and key source, from attempts and sums together, sorted."""
    ledger = room.ledger()
    fill(ledger)
    ledger.roll_up.move(MIDNIGHT, most=15)
    ledger.settle(start_at(ledger), DONE)
    totals = list(ledger.totals(TODAY - 10 * DAY, TODAY))

    assert [(one.company_id, one.source) for one in totals] == [
        (COMPANY, "company"),
        (COMPANY, "system"),
        ("s:other", "company"),
    ]

    for one in totals:
        days = [d for d in read(ledger, one.company_id) if d.source == one.source]
        assert one.requests == sum(day.requests for day in days)
        assert one.unpriced == sum(day.unpriced for day in days)
        assert one.output_tokens == sum(day.output_tokens for day in days)
        costs = [day.cost for day in days if day.cost is not None]
        assert one.cost == (sum(costs) if costs else None)

    assert list(ledger.totals(TODAY, TODAY, COMPANY)) == [totals[1]]
    assert list(ledger.totals(TODAY + DAY, TODAY + DAY)) == []


def test_forgetting_a_company_takes_its_sums(room: LedgerRoom) -> None:
    """A company that is gone leaves no day behind."""
    ledger = room.ledger()
    fill(ledger, 12)
    move_all(ledger)

    with room.vault.database.write() as connection:
        room.vault.store.forget(connection, COMPANY)

    assert read(ledger) == []
    assert read(ledger, "s:other")
