"""A provider has trouble, is silent or cannot be reached."""

from __future__ import annotations

import collections.abc as cabc
import time

import pytest

from flask_byok import errors
from tests.support.fault_room import FaultHost
from tests.support.told import OUT
from tests.support.told import REJECTED

Make = cabc.Callable[..., FaultHost]


@pytest.mark.fault(17, got="answer", served="c1 s1")
def test_one_error(host: FaultHost) -> None:
    """It may happen; nobody is told."""
    host.store()
    host.fail("outage", times=1)
    assert host.chat().source == "system"
    assert host.circuit().circuit == "closed"


@pytest.mark.fault(18, got="answer", served="c2 s2", seen=OUT, when="within a minute")
def test_two_errors(host: FaultHost) -> None:
    """The second opens the circuit for half a minute."""
    host.store()
    host.fail("outage")
    host.chat()
    host.chat()
    circuit = host.circuit()
    assert (circuit.circuit, circuit.reason) == ("open", "outage")
    assert 26 < host.rest(circuit.open_until) < 33


@pytest.mark.fault(18, got="answer", served="c2 s2", when="61 seconds apart")
def test_two_errors_apart(host: FaultHost) -> None:
    """They do not add up."""
    host.store()
    host.fail("outage")
    host.chat()
    host.move_clock(seconds=61)
    host.chat()
    assert host.circuit().circuit == "closed"


@pytest.mark.fault(19, got="answer", served="c3 s2", when="a success")
def test_success_between(host: FaultHost) -> None:
    """The count begins anew."""
    host.store()

    for fault in ("outage", None, "outage"):
        host.fail(fault)
        host.chat()

    assert host.circuit().circuit == "closed"


@pytest.mark.fault(
    19,
    got="answer, RequestRefused, answer",
    served="c3 s2",
    seen=OUT,
    when="a bad request",
)
def test_bad_request_between(host: FaultHost) -> None:
    """It says nothing of the key: two in a minute they are."""
    host.store()
    host.fail("outage")
    host.chat()
    host.fail("bad_request")
    host.refuse(errors.RequestRefused)
    host.fail("outage")
    host.chat()
    assert host.circuit().circuit == "open"


@pytest.mark.fault(20, got="answer", served="c1 s1")
@pytest.mark.parametrize(
    ("provider", "fault"),
    [
        ("CLAUDE", "overloaded"),
        ("OPENAI", "html_200"),
        ("GEMINI", "empty"),
        ("CLAUDE", "cut"),
        ("OPENAI", "cut_body"),
    ],
)
def test_no_answer_in_it(host: FaultHost, provider: str, fault: str) -> None:
    """529, and 200 with a page, with nothing, with half of the JSON: trouble each."""
    host.store(provider)
    host.fail(fault, provider)
    answer = host.chat()
    assert answer.attempts[0].reason == "outage"
    assert host.circuit(provider).fail_count == 1


@pytest.mark.fault(
    20, got="answer", served="c1 s1", seen=REJECTED, when="the account is limited"
)
def test_limited_account(host: FaultHost) -> None:
    """Gemini says so in a 200 without candidates: the key may not."""
    host.store("GEMINI")
    host.fail("pup_limited", "GEMINI")
    assert host.chat().attempts[0].reason == "permission"


def cut_off(make: Make, address: str) -> FaultHost:
    """Give a host with a stored key whose provider has moved to ``address``."""
    before = make()
    before.store()
    return make(
        BYOK_PROVIDER_URLS={**before.simulator.urls, "OPENAI": address},
        BYOK_MODELS={"OPENAI": {"alone": "gpt-5.6-luna"}},
    )


#: A port nobody listens on, and a name nobody has.
NOWHERE = ("http://127.0.0.1:9/v1", "https://nobody.invalid/v1")


@pytest.mark.fault(21, got="answer", served="c0 s1", when="another provider may")
@pytest.mark.parametrize("address", NOWHERE)
def test_no_connection(make: Make, address: str) -> None:
    """The system key of that host is not tried: the next provider answers."""
    host = cut_off(make, address)
    answer = host.chat()
    assert (answer.provider, answer.source) == ("GEMINI", "system")
    assert [a.provider for a in answer.attempts] == ["OPENAI", "GEMINI"]
    assert [a.sent for a in answer.attempts] == [False, True]


@pytest.mark.fault(21, got="ProviderOutage", served="c0 s0", when="no other may")
@pytest.mark.parametrize("address", NOWHERE)
def test_no_connection_and_no_other_provider(make: Make, address: str) -> None:
    """A model that only one provider has."""
    host = cut_off(make, address)
    error = host.refuse(errors.ProviderOutage, model="alone")
    assert [a.sent for a in error.attempts] == [False]


#: What waits for a share of a call's time does so on one database: how an attempt is
#: booked on each is seen on the system key. The last route needs its own share.
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@on_one_database
@pytest.mark.fault(22, got="answer", served="c1 s1")
def test_silence(make: Make) -> None:
    """The next key answers; the silent attempt may have been billed."""
    host = make(BYOK_SYSTEM_BUDGET={"tokens": 1_000_000})
    host.store()
    host.fail("hang")
    assert host.chat(timeout=8).attempts[0].reason == "timeout"
    assert [row.state for row in host.attempts()] == ["unknown", "done"]


@pytest.mark.fault(22, got="ProviderTimeout", served="c0 s1", when="on the system key")
def test_silence_on_the_system_key(make: Make) -> None:
    """What was reserved for it is charged: it may have been used."""
    budget = {"tokens": 1_000_000, "requests": 10}
    host = make(BYOK_SYSTEM_BUDGET=budget, BYOK_FALLBACK_SCOPE="same_provider")
    host.watch.begin()
    host.fail("hang", keys="system")
    host.refuse(errors.ProviderTimeout, timeout=0.4, max_tokens=300)
    (row,) = host.attempts()
    used = {a.unit: a.used for a in host.byok.allowance(1)}
    assert row.state == "unknown"
    assert used["requests"] == 1 and used["tokens"] == row.est_tokens >= 300


@pytest.mark.fault(23, got="ProviderTimeout", served="c1 s0")
@pytest.mark.parametrize("how", ["policy", "argument"])
def test_silence_and_no_other_key(make: Make, how: str) -> None:
    """The one attempt has the whole time."""
    host = make(BYOK_FALLBACK="never" if how == "policy" else "auto")
    host.store()
    host.fail("hang")
    began = time.monotonic()
    host.refuse(errors.ProviderTimeout, timeout=0.8, fallback=how == "policy")
    assert time.monotonic() - began >= 0.78


@on_one_database
@pytest.mark.fault(24, got="answer", served="c1 s1")
def test_dripping_answer(host: FaultHost) -> None:
    """Signs of life do not stretch an attempt's share of the time."""
    host.store()
    host.fail("drip")
    began = time.monotonic()
    answer = host.chat(timeout=8)
    assert [a.reason for a in answer.attempts] == ["timeout", None]
    assert time.monotonic() - began >= 5.9


@on_one_database
@pytest.mark.fault(25, got="ProviderTimeout", served="c1 s1")
def test_silence_everywhere(host: FaultHost) -> None:
    """The third route has no time left; the error names the deadline."""
    host.store()

    for provider in ("OPENAI", "GEMINI", "CLAUDE"):
        host.fail("hang", provider, keys=None)

    error = host.refuse(errors.ProviderTimeout, timeout=4)
    assert "4 s" in str(error)
    assert [a.reason for a in error.attempts] == ["timeout", "timeout"]


@pytest.mark.fault(26, got="answer", served="c2 s0")
def test_stale_connection(host: FaultHost) -> None:
    """Asked once more on a fresh one; nothing is counted against the key."""
    host.store()
    host.chat()
    host.watch.begin()
    host.fail("reset_reused", times=1)
    assert host.chat().source == "company"
    assert host.circuit().fail_count == 0


@pytest.mark.fault(26, got="answer", served="c2 s1", when="and the fresh one, too")
def test_stale_connection_twice(host: FaultHost) -> None:
    """Then it is silence like any other."""
    host.store()
    host.chat()
    host.watch.begin()
    host.fail("reset", times=2)
    answer = host.chat()
    assert [a.reason for a in answer.attempts] == ["timeout", "timeout", None]
    assert host.circuit().fail_count == 1
