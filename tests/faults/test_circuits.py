"""A key is out and comes back; a key that does not open; rows that cannot be read."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok import errors
from flask_byok.testing import FakeKeyService
from tests.call.test_state import leaving_after
from tests.call.test_state import set_columns
from tests.support.fault_room import FaultHost
from tests.support.fault_room import make_key
from tests.support.told import OUT
from tests.support.told import RECOVERED
from tests.support.told import REJECTED
from tests.support.told import REJECTED_FOR_LONG
from tests.support.told import UNREADABLE
from tests.tenancy.test_fallback import SPOILED

Make = cabc.Callable[..., FaultHost]

MINUTE: t.Final = 60.0
HOUR: t.Final = 60 * MINUTE


def rejected(host: FaultHost) -> None:
    """Let the key be rejected, and begin when it may be tried again."""
    host.store()
    host.fail("revoked")
    host.chat()
    host.fail(None)
    host.move_clock(minutes=20)
    host.watch.begin()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(
            "bad_request",
            errors.RequestRefused,
            marks=pytest.mark.fault(
                43,
                got="RequestRefused, answer",
                served="c2 s0",
                seen=RECOVERED,
                when="a wrong request",
            ),
        ),
        pytest.param(
            "model_not_found",
            None,
            marks=pytest.mark.fault(
                43,
                got="answer",
                served="c2 s1",
                seen=RECOVERED,
                when="no such model",
            ),
        ),
        pytest.param(
            "ratelimited_38s",
            None,
            marks=pytest.mark.fault(
                43,
                got="answer",
                served="c2 s1",
                seen=RECOVERED,
                when="busy",
            ),
        ),
        pytest.param(
            "hang",
            SystemExit,
            marks=pytest.mark.fault(
                43,
                got="SystemExit, answer",
                served="c2 s0",
                seen=RECOVERED,
                when="its worker is stopped",
            ),
        ),
    ],
)
def test_try_that_says_nothing(
    host: FaultHost, fault: str, error: type[BaseException] | None
) -> None:
    """The key is out as before, and the next caller tries it."""
    rejected(host)
    host.fail(fault)

    if error is None:
        assert host.chat().source == "system"
    elif error is SystemExit:
        with leaving_after(0.5, error), pytest.raises(error):
            host.chat()
    else:
        with pytest.raises(error):
            host.chat()

    circuit = host.circuit()
    assert (circuit.circuit, circuit.probe_token) == ("open", None)
    host.fail(None)
    assert host.chat().source == "company"


@pytest.mark.fault(44, got="answer", served="c3 s0", seen=RECOVERED)
def test_try_that_works(make: Make) -> None:
    """Every worker's next call runs on the company's key."""
    host = make()
    rejected(host)
    ahead = host.byok.state.database.clock_offset
    other = make()
    other.byok.state.database.clock_offset = ahead
    assert host.chat().source == "company" and other.circuit().circuit == "closed"
    assert other.chat().source == host.chat().source == "company"


@pytest.mark.parametrize(
    ("fault", "rests"),
    [
        pytest.param(
            "revoked",
            [15 * MINUTE, HOUR, 4 * HOUR, 16 * HOUR, 24 * HOUR, 24 * HOUR],
            marks=pytest.mark.fault(
                45,
                got="answer",
                served="c6 s6",
                seen=REJECTED_FOR_LONG,
                when="rejected",
            ),
        ),
        pytest.param(
            "outage",
            [30.0, 60.0, 120.0, 240.0, 300.0, 300.0],
            marks=pytest.mark.fault(
                45, got="answer", served="c7 s7", seen=OUT, when="trouble"
            ),
        ),
    ],
)
def test_try_that_fails(host: FaultHost, fault: str, rests: list[float]) -> None:
    """It rests longer each time, up to a cap, a tenth more or less; told once."""
    host.store()
    host.fail(fault)

    if fault == "outage":
        host.chat()

    for rest in rests:
        host.chat()
        assert 0.89 * rest < host.rest(host.circuit().open_until) < 1.11 * rest
        host.move_clock(seconds=1.11 * rest)


@pytest.mark.fault(46, got="answer", served="c1 s1", seen="banner circuit_opened")
def test_again_after_five_minutes(host: FaultHost) -> None:
    """The same episode goes on: it rests longer, and nobody is told twice."""
    rejected(host)
    episode = host.circuit().episode
    host.chat()
    host.watch.begin()
    host.move_clock(minutes=5)
    host.fail("revoked")
    host.chat()
    assert host.circuit().episode == episode
    assert 0.89 * HOUR < host.rest(host.circuit().open_until) < 1.11 * HOUR


@pytest.mark.fault(47, got="answer", served="c2 s1", seen="history:key_replaced")
def test_key_replaced_in_mid_call(host: FaultHost) -> None:
    """The old key's failure says nothing of the new one, which serves at once."""
    host.store()
    host.fail("revoked")
    better = make_key(f"better {host.api_key}")
    host.guard.watch_also(better)

    with host.in_mid_call(lambda: host.client.chat("Say hello.")) as job:
        with host.watch.aside():
            assert host.byok.save_key(1, "OPENAI", better).saved

    assert job.value.source == "system"
    assert host.circuit().circuit == "closed" and not host.told("circuit_opened")
    assert host.chat().source == "company"


@pytest.mark.fault(48, got="answer", served="c1 s1", seen="history:key_removed")
def test_key_removed_in_mid_call(host: FaultHost) -> None:
    """The call ends well, no row comes back, and the next call is ours."""
    host.store()

    with host.in_mid_call(lambda: host.client.chat("Say hello.")) as job:
        host.byok.remove_key(1, "OPENAI")

    assert job.value.source == "company"
    assert host.byok.credentials(1) == []
    assert host.chat().source == "system"


@pytest.mark.fault(
    49,
    got="answer",
    served="c1 s0",
    seen="circuit_closed notice_due history:key_tested history:fallback_ended",
    when="it works",
)
def test_connection_works(host: FaultHost) -> None:
    """A working key is back at once."""
    rejected(host)
    host.move_clock(minutes=-20)

    with host.watch.aside():
        assert host.byok.test_connection(1).verdict == "working"

    assert host.circuit().circuit == "closed"
    assert host.chat().source == "company"


@pytest.mark.fault(
    49, got="answer", served="c1 s0", seen="history:key_tested", when="it fails"
)
def test_connection_fails(host: FaultHost) -> None:
    """A test opens nothing: the next call finds out by itself."""
    host.store()
    host.fail("revoked")

    with host.watch.aside():
        host.byok.test_connection(1)

    assert host.circuit().circuit == "closed"
    host.fail(None)
    assert host.chat().source == "company"


@pytest.mark.fault(51, got="answer", served="c1 s0", seen="circuit_closed")
def test_outage_and_no_other_key(make: Make) -> None:
    """It is tried anyway: to refuse would make a bad moment a sure failure."""
    host = make(BYOK_FALLBACK="never")
    host.store()
    host.fail("outage", times=2)

    for _ in range(2):
        host.refuse(errors.ProviderOutage)

    assert host.circuit().circuit == "open"
    host.watch.begin()
    assert host.chat().source == "company"
    assert host.circuit().circuit == "closed"


@pytest.mark.fault(52, got="CompanyKeyUnavailable", served="c0 s0", seen="banner")
def test_rejection_and_no_other_key(make: Make) -> None:
    """Its answer is known: nothing is sent, and the caller reads until when."""
    host = make(BYOK_FALLBACK="never")
    host.store()
    host.fail("revoked")
    host.refuse(errors.KeyRejected)
    host.watch.begin()
    error = host.refuse(errors.CompanyKeyUnavailable)
    assert error.reason == "auth" and error.until == host.circuit().open_until
    assert [a.sent for a in error.attempts] == [False]


@pytest.mark.fault(
    54,
    got="answer",
    served="c3 s1",
    seen="flash fallback_used history:fallback_started log:ERROR",
)
def test_damaged_blocks(host: FaultHost) -> None:
    """They count as none, are told once and mended by the next write."""
    host.store()
    set_columns(host, model_blocks='{"gpt-6-sol": {"unt')
    assert host.chat().source == host.chat().source == "company"
    host.fail("ratelimited_38s")
    model = host.chat().attempts[0].model
    assert host.block(model).reason == "rate_limit"


@pytest.mark.fault(55, got="answer", served="c3 s1", seen=REJECTED)
def test_two_companies(host: FaultHost) -> None:
    """One company's broken key says nothing of the other's."""
    second = make_key(f"second {host.api_key}")
    host.guard.watch_also(second)
    host.company = 2
    host.store(api_key=second)
    host.company = 1
    host.store()
    host.fail("revoked")
    sources = []

    for company in (2, 1, 2):
        host.company = company
        sources.append(host.chat().source)

    host.company = 1
    assert sources == ["company", "system", "company"]
    assert host.who_paid().count(second) == 2


@pytest.mark.fault(
    56,
    got="answer, SystemBudgetExceeded",
    served="c1 s50",
    seen="flash banner log:WARNING circuit_opened fallback_used key_rejected "
    "notice_due budget_threshold×2 history:fallback_started "
    "history:budget_threshold×2",
)
def test_a_thousand_calls(make: Make) -> None:
    """One line in the log, one signal and one line in the history tell of the key."""
    host = make(BYOK_SYSTEM_BUDGET={"requests": 50})
    host.store()
    host.fail("revoked")
    host.chat()
    ends = [type(host.try_chat()).__name__ for _ in range(998)]
    assert ends.count("ChatResponse") == 49

    with pytest.raises(errors.SystemBudgetExceeded):
        host.chat()


@pytest.mark.fault(57, got="answer", served="c0 s3", seen=UNREADABLE)
@pytest.mark.parametrize("reason", SPOILED)
def test_unreadable_key(host: FaultHost, reason: str) -> None:
    """The system key serves; it is told once and its circuit stays closed."""
    host.store()
    SPOILED[reason](host)
    answers = [host.chat() for _ in range(3)]
    assert {a.attempts[0].reason for a in answers} == {"unreadable"}
    assert host.told("key_unreadable")[0]["reason"] == reason
    assert host.circuit().circuit == "closed"


def behind_a_service(make: Make, **config: t.Any) -> FaultHost:
    """Give a host whose stored key is wrapped by a service that does not answer."""
    service = FakeKeyService()
    host = make(BYOK_MASTER_KEYS={"k001": service}, **config)
    host.store()
    service.fail("down")
    return host


@pytest.mark.fault(
    57,
    got="answer",
    served="c0 s3",
    seen="flash banner log:ERROR log:WARNING×3 key_unreadable history:key_unreadable",
    when="its key service is down",
)
def test_key_behind_a_service(make: Make) -> None:
    """A key service that does not answer is no other matter."""
    host = behind_a_service(make)
    answers = [host.chat() for _ in range(3)]
    assert {a.attempts[0].reason for a in answers} == {"unreadable"}
    assert host.told("key_unreadable")[0]["reason"] == "key_service_unavailable"


@pytest.mark.fault(
    58,
    got="StoredKeyUnreadable",
    served="c0 s0",
    seen="banner log:ERROR key_unreadable notice_due history:key_unreadable",
)
@pytest.mark.parametrize("how", ["outage_only", "never", "argument"])
def test_unreadable_key_and_no_other(make: Make, how: str) -> None:
    """Not covered up: a person must enter it again."""
    host = make(BYOK_FALLBACK="auto" if how == "argument" else how)
    host.store()
    SPOILED["tampered"](host)
    error = host.refuse(errors.StoredKeyUnreadable, fallback=how != "argument")
    assert error.reason == "tampered"


def rename(host: FaultHost, old: str, new: str) -> None:
    """Take a table away, or bring it back."""
    with host.db.engine.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE {old} RENAME TO {new}"))


@pytest.mark.fault(60, got="StateUnavailable", served="c0 s0", seen="log:ERROR×2")
def test_rows_that_cannot_be_read(host: FaultHost) -> None:
    """What the company allows is unknown, so no key is used on a guess."""
    host.store()
    rename(host, "byok_credential", "byok_away")

    try:
        for ask in (host.chat, host.stream):
            with pytest.raises(errors.StateUnavailable):
                ask()
    finally:
        rename(host, "byok_away", "byok_credential")
