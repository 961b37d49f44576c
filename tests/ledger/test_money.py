"""Money: estimated before, settled at the real use, never more than the limit."""

from __future__ import annotations

import datetime as dt
import decimal

import pytest

from flask_byok.errors import SystemBudgetExceeded
from flask_byok.errors import SystemKeyRefused
from flask_byok.ledger.budget import Crossing
from flask_byok.ledger.usage import AttemptEnd
from flask_byok.ledger.usage import Ledger
from flask_byok.providers.types import Usage
from tests.support.ledger_room import DONE
from tests.support.ledger_room import ESTIMATE_MICROS
from tests.support.ledger_room import LedgerRoom
from tests.support.ledger_room import NOW
from tests.support.ledger_room import PRICED
from tests.support.ledger_room import start_at
from tests.support.vault_room import COMPANY


def test_money_is_reserved_and_settled(room: LedgerRoom) -> None:
    """The estimate is held while the call runs; afterwards the real use counts."""
    ledger = room.ledger(money=1000)
    started = start_at(ledger, start=PRICED)
    assert room.budget()["reserved_micros"] == ESTIMATE_MICROS

    ledger.settle(started, DONE)
    counters = room.budget()
    assert (counters["reserved_micros"], counters["used_micros"]) == (0, 5)
    (attempt,) = room.attempts()
    assert (attempt["est_micros"], attempt["cost_micros"]) == (ESTIMATE_MICROS, 5)


def test_no_more_money_is_granted_than_there_is(room: LedgerRoom) -> None:
    """The limit may be reached and not passed by one millionth."""
    ledger = room.ledger(money=2 * ESTIMATE_MICROS)
    start_at(ledger, start=PRICED)
    start_at(ledger, start=PRICED)

    with pytest.raises(SystemBudgetExceeded):
        start_at(ledger, start=PRICED)


@pytest.mark.parametrize("state", ["unknown", "cancelled"])
def test_a_use_nobody_knows_costs_its_estimate(
    sqlite_room: LedgerRoom, state: str
) -> None:
    """It may be billed, so it is charged, and stands in the ledger so."""
    ledger = sqlite_room.ledger(money=1000)
    started = start_at(ledger, start=PRICED)
    ledger.settle(started, AttemptEnd(state=state))  # type: ignore[arg-type]

    assert sqlite_room.budget()["used_micros"] == ESTIMATE_MICROS
    assert sqlite_room.attempts()[0]["cost_micros"] == ESTIMATE_MICROS


def test_a_refused_attempt_costs_nothing(sqlite_room: LedgerRoom) -> None:
    """Providers bill no refusals, whatever the model."""
    ledger = sqlite_room.ledger(money=1000)
    failed = AttemptEnd(state="failed", reason="auth")
    ledger.settle(start_at(ledger, start=PRICED), failed)

    assert sqlite_room.budget()["used_micros"] == 0
    assert sqlite_room.attempts()[0]["cost_micros"] == 0


def test_a_model_without_a_price_is_refused(room: LedgerRoom) -> None:
    """Nobody can tell what it would cost, so under a limit on money it is not used."""
    with pytest.raises(SystemKeyRefused, match="no price is known"):
        start_at(room.ledger(money=1000))

    assert room.attempts() == []


def test_other_limits_take_a_model_without_a_price(sqlite_room: LedgerRoom) -> None:
    """Where money is not limited it is counted as what it is: not priced."""
    ledger = sqlite_room.ledger(requests=5)
    ledger.settle(start_at(ledger), DONE)

    (attempt,) = sqlite_room.attempts()
    assert (attempt["est_micros"], attempt["cost_micros"]) == (None, None)
    assert sqlite_room.budget()["used_tokens"] == 15


def test_a_company_key_is_priced_too(sqlite_room: LedgerRoom) -> None:
    """It is the company's own bill, and it wants to know."""
    ledger = sqlite_room.ledger()
    usage = Usage(input_tokens=1000, cached_tokens=500, output_tokens=100)
    ledger.record(PRICED, AttemptEnd(state="done", usage=usage), started_at=NOW)

    assert sqlite_room.attempts()[0]["cost_micros"] == 173


def test_partly_priced_sums_say_so(room: LedgerRoom) -> None:
    """The cost of what is priced, and how many are not."""
    ledger = room.ledger()
    end = AttemptEnd(state="done", usage=Usage(input_tokens=1000, output_tokens=100))
    ledger.record(PRICED, end, started_at=NOW)
    ledger.record(PRICED, AttemptEnd(state="unknown"), started_at=NOW)
    (row,) = ledger.usage(COMPANY, NOW.date(), NOW.date())

    assert (row.requests, row.cost, row.unpriced) == (2, decimal.Decimal("0.00021"), 1)


def test_the_end_of_the_money_is_told(sqlite_room: LedgerRoom) -> None:
    """80 and 100 percent, in millionths here."""
    crossings: list[Crossing] = []
    ledger = Ledger(
        sqlite_room.vault.database,
        sqlite_room.vault.tables,
        {"money": 100},
        crossed=crossings.append,
    )
    big = AttemptEnd(state="done", usage=Usage(input_tokens=500, output_tokens=10))
    ledger.settle(start_at(ledger, start=PRICED), big)
    ledger.settle(start_at(ledger, start=PRICED, est=20), big)

    told = [(c.unit, c.percent, c.used, c.limit) for c in crossings]
    assert told == [("money", 80, 81, 100), ("money", 100, 162, 100)]


def test_a_swept_attempt_costs_its_estimate(room: LedgerRoom) -> None:
    """Also the process that finds it, days later, charges the money."""
    ledger = room.ledger(money=1000)
    start_at(ledger, start=PRICED)
    assert ledger.sweep(NOW + dt.timedelta(days=2)) == 1

    counters = room.budget()
    assert (counters["reserved_micros"], counters["used_micros"]) == (
        0,
        ESTIMATE_MICROS,
    )
