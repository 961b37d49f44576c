"""The ledger and the budget of the system key, when something fails beside them."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok import errors
from tests.support.fault_room import FaultHost
from tests.support.locks import writes_locked
from tests.support.told import REJECTED_AND_SPENT
from tests.support.told import REJECTED_OFF
from tests.support.told import SYSTEM_REJECTED

Make = cabc.Callable[..., FaultHost]

_COUNTERS: t.Final = ("reserved_requests", "used_requests", "reserved_tokens")


def months(host: FaultHost) -> dict[str, tuple[int, ...]]:
    """Read by month: requests reserved, requests used, tokens reserved."""
    table = host.byok.state.tables.budget
    columns = [table.c[name] for name in ("period", *_COUNTERS)]

    with host.db.engine.connect() as connection:
        rows = connection.execute(sa.select(*columns)).all()

    return {period: tuple(map(int, counters)) for period, *counters in rows}


@pytest.mark.fault(66, got="SystemKeyRefused", served="c0 s0", when="with a budget")
def test_a_ledger_that_cannot_be_written(make: Make) -> None:
    """What cannot be counted is not spent."""
    host = make(BYOK_SYSTEM_BUDGET={"requests": 5})

    with writes_locked(host):
        host.refuse(errors.SystemKeyRefused)

    assert host.attempts() == []


@pytest.mark.fault(66, got="answer", served="c1 s1", when="without a budget")
def test_a_ledger_that_cannot_be_written_without_a_budget(host: FaultHost) -> None:
    """Company key and system key answer; their rows are written later, both of them."""
    host.store()
    writer = host.byok.state.database

    with writes_locked(host):
        assert host.chat().source == "company"

        with host.as_company(2):
            assert host.chat().source == "system"

    writer.flush(force=True)
    rows = {(row.company_id, row.source, row.state) for row in host.attempts()}
    assert rows == {("i:1", "company", "done"), ("i:2", "system", "done")}


@pytest.mark.fault(68, got="answer", served="c0 s1", seen="log:WARNING")
def test_an_attempt_settled_after_the_sweep(make: Make) -> None:
    """The sweep took it for lost: its estimate is charged, and nothing more."""
    host = make(BYOK_SYSTEM_BUDGET={"requests": 5})
    state = host.byok.state

    with host.in_mid_call(lambda: host.client.chat("Hello."), keys=host.system_key):
        (row,) = host.attempts()
        later = row.expires_at.replace(tzinfo=dt.timezone.utc) + dt.timedelta(seconds=1)
        assert state.desk.ledger.sweep(later) == 1
        charged = months(host)

    assert [row.state for row in host.attempts()] == ["unknown"]
    assert list(charged.values()) == [(0, 1, 0)]
    assert months(host) == charged


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(
            "revoked",
            errors.KeyRejected,
            marks=pytest.mark.fault(
                69,
                got="KeyRejected",
                served="c0 s1",
                seen=SYSTEM_REJECTED,
                when="rejected",
            ),
        ),
        pytest.param(
            "ratelimited",
            errors.RateLimited,
            marks=pytest.mark.fault(69, got="RateLimited", served="c0 s1", when="busy"),
        ),
        pytest.param(
            "outage",
            errors.ProviderOutage,
            marks=pytest.mark.fault(
                69, got="ProviderOutage", served="c0 s1", when="trouble"
            ),
        ),
        pytest.param(
            "bad_request",
            errors.RequestRefused,
            marks=pytest.mark.fault(
                69, got="RequestRefused", served="c0 s1", when="a wrong request"
            ),
        ),
    ],
)
def test_a_system_key_that_fails(
    make: Make, fault: str, error: type[Exception]
) -> None:
    """Its reservation is given back whole: nobody pays for nothing."""
    host = make(BYOK_SYSTEM_BUDGET={"requests": 5}, BYOK_FALLBACK_SCOPE="same_provider")
    host.fail(fault, keys="system")
    host.refuse(error)
    assert [row.state for row in host.attempts()] == ["failed"]
    assert list(months(host).values()) == [(0, 0, 0)]


@pytest.mark.fault(70, got="answer", served="c0 s1")
def test_a_call_over_the_end_of_a_month(make: Make) -> None:
    """It is charged to the month it was reserved in."""
    host = make(BYOK_SYSTEM_BUDGET={"requests": 5})
    host.set_clock(dt.datetime(2031, 11, 30, 23, 59, 50, tzinfo=dt.timezone.utc))

    with host.in_mid_call(lambda: host.client.chat("Hello."), keys=host.system_key):
        assert months(host)["2031-11"][:2] == (1, 0)
        host.move_clock(minutes=1)

    assert months(host) == {"2031-11": (0, 1, 0)}


@pytest.mark.fault(72, got="SystemKeyRefused", served="c0 s0")
def test_money_and_a_model_without_a_price(make: Make) -> None:
    """Nobody can tell whether it would hold: the key is not used."""
    host = make(
        BYOK_SYSTEM_BUDGET={"money": "5"},
        BYOK_MODELS={"OPENAI": {"default": "a-model-without-a-price"}},
    )
    host.refuse(errors.SystemKeyRefused)
    assert host.attempts() == []


@pytest.mark.fault(
    73,
    got="answer, SystemBudgetExceeded",
    served="c1 s1",
    seen=REJECTED_AND_SPENT,
)
def test_a_rejected_key_and_a_spent_budget(make: Make) -> None:
    """The error tells what the company key said, and when the budget begins anew."""
    host = make(BYOK_SYSTEM_BUDGET={"requests": 1})
    host.store()
    host.fail("revoked")
    host.chat()
    caught = host.refuse(errors.SystemBudgetExceeded)
    assert isinstance(caught.first, errors.CompanyKeyUnavailable)
    assert caught.first.reason == "auth"
    assert caught.resets_on.day == 1


@pytest.mark.fault(
    73,
    got="SystemBudgetExceeded",
    served="c1 s0",
    seen=REJECTED_OFF,
    when="in the same call",
)
def test_a_spent_budget_in_the_call_that_is_rejected(make: Make) -> None:
    """Its first error is the company key's own."""
    host = make(BYOK_SYSTEM_BUDGET={"requests": 0})
    host.store()
    host.fail("revoked")
    caught = host.refuse(errors.SystemBudgetExceeded)
    assert isinstance(caught.first, errors.KeyRejected)
