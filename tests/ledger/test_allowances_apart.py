"""Each company has a monthly allowance of its own."""

from __future__ import annotations

import pytest

from flask_byok.errors import SystemBudgetExceeded
from flask_byok.ledger.usage import Ledger
from flask_byok.ledger.usage import Started
from flask_byok.providers.types import Usage
from tests.support.ledger_room import DONE
from tests.support.ledger_room import LedgerRoom
from tests.support.ledger_room import NOW
from tests.support.ledger_room import START


def start(ledger: Ledger, company: str) -> Started:
    """Start an attempt of a company on a system key."""
    of_company = START._replace(company_id=company)
    estimate = Usage(input_tokens=5, output_tokens=5)
    return ledger.start(of_company, estimate=estimate, lifetime=60, now=NOW)


def used(ledger: Ledger, company: str) -> tuple[int, int]:
    """Tell what a company has used and reserved."""
    (unit,) = ledger.allowance(company, NOW)
    return unit.used, unit.reserved


@pytest.mark.case("F1", "F11")
def test_one_company_does_not_use_up_anothers_allowance(room: LedgerRoom) -> None:
    """Ids that look alike included: reserved, settled and refused one by one."""
    ledger = room.ledger(requests=1)
    begun = start(ledger, "i:4")
    start(ledger, "i:42")
    ledger.settle(begun, DONE)

    assert used(ledger, "i:4") == (1, 0)
    assert used(ledger, "i:42") == (0, 1)
    assert used(ledger, "s:42") == (0, 0)

    for company in ("i:4", "i:42"):
        with pytest.raises(SystemBudgetExceeded):
            start(ledger, company)

    start(ledger, "s:42")
