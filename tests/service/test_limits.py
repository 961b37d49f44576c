"""A stolen key can be tried by saving it: slowly, and not unseen."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import socket
import time
import typing as t

import pytest

from flask_byok import CheckLimited
from flask_byok import signals
from flask_byok.service.limits import CheckLimiter
from flask_byok.service.limits import PATIENCE
from flask_byok.service.refusals import MANY
from flask_byok.testing import Simulator
from tests.support.host import BETTER
from tests.support.host import close_host
from tests.support.host import GOOD
from tests.support.host import Host
from tests.support.host import make_host

MakeHost = cabc.Callable[..., Host]


@pytest.fixture
def make(sqlite_url: str, byok_simulator: Simulator) -> cabc.Iterator[MakeHost]:
    """Make one host on SQLite with limits of its own, in its app context."""
    with contextlib.ExitStack() as stack:

        def made(**config: t.Any) -> Host:
            host = make_host(sqlite_url, byok_simulator, **config)
            stack.callback(close_host, host)
            stack.enter_context(host.app.app_context())
            return host

        yield made


def refused(key: int) -> str:
    """Name a key that every provider refuses."""
    return f"not-a-real-revoked-key-{key:04}"


@pytest.mark.case("E16")
@pytest.mark.parametrize(
    ("scope", "others"),
    [
        ("user", [(1, "grace"), (2, "ada")]),
        ("company", [(2, "ada"), ("1", "ada")]),
        ("all", []),
    ],
)
def test_each_scope_has_a_limit_of_its_own(
    make: MakeHost, scope: str, others: list[tuple[t.Any, str]]
) -> None:
    """The service itself counts; who is outside of the scope goes on."""
    host = make(BYOK_RATE_LIMIT={scope: 2})
    host.byok.save_key(1, "OPENAI", GOOD, actor="ada")
    host.byok.test_connection(1, "OPENAI", actor="ada")
    asked = len(host.simulator.requests)

    for call in (
        lambda: host.byok.save_key(1, "OPENAI", BETTER, actor="ada"),
        lambda: host.byok.save_key(1, "OPENAI", None, model="gpt-4o", actor="ada"),
        lambda: host.byok.test_connection(1, "OPENAI", actor="ada"),
    ):
        with pytest.raises(CheckLimited) as caught:
            call()

        assert caught.value.retry_after is not None
        assert 0 < caught.value.retry_after <= 60
        assert caught.value.__context__ is None

    assert len(host.simulator.requests) == asked
    assert host.byok.credentials(1)[0].generation == 1

    for company, actor in others:
        assert host.byok.save_key(company, "CLAUDE", GOOD, actor=actor).saved


@pytest.mark.case("E16")
def test_a_key_of_nobody_counts_for_all(make: MakeHost) -> None:
    """``check_key`` knows no company; the limit of all together holds."""
    host = make(BYOK_RATE_LIMIT={"all": 1})
    assert host.byok.check_key("OPENAI", GOOD).verdict == "working"

    with pytest.raises(CheckLimited):
        host.byok.check_key("OPENAI", BETTER)


@pytest.mark.case("E16")
def test_companies_in_turn_have_a_limit(make: MakeHost) -> None:
    """Many companies of one person do not get around the limit of all together."""
    host = make(BYOK_RATE_LIMIT={"all": 2})
    assert host.byok.save_key(1, "OPENAI", GOOD, actor="ada").saved
    assert host.byok.save_key(2, "OPENAI", GOOD, actor="grace").saved

    with pytest.raises(CheckLimited):
        host.byok.save_key(3, "OPENAI", GOOD, actor="eve")


@pytest.mark.case("E16")
def test_people_of_two_companies_share_no_counter(make: MakeHost) -> None:
    """However ids and names are put together, they stay two."""
    host = make(BYOK_RATE_LIMIT={"user": 1})
    assert host.byok.save_key("a", "OPENAI", GOOD, actor="b c").saved
    assert host.byok.save_key("a b", "OPENAI", GOOD, actor="c").saved


@pytest.mark.case("E16")
def test_what_sends_nothing_has_no_limit(make: MakeHost) -> None:
    """Reading, removing, a new date and the policy go on at the limit."""
    host = make(BYOK_RATE_LIMIT={"company": 1})
    host.byok.save_key(1, "OPENAI", GOOD)
    host.byok.save_key(1, "OPENAI", None, model=None, expires_on=None)
    host.byok.set_policy(1, fallback="never")
    assert host.byok.client_for(1).chat("hello").source == "company"
    host.byok.remove_key(1, "OPENAI")


@pytest.mark.case("E16")
def test_a_shared_counter(redis_url: str) -> None:
    """Two workers on one Redis count together; another app there counts apart."""
    one, two = (CheckLimiter({"company": 2}, redis_url) for _ in range(2))
    other = CheckLimiter({"company": 2}, redis_url, namespace="shop.prod")
    one.hit(company="i:1")
    two.hit(company="i:1")

    for worker in (one, two):
        with pytest.raises(CheckLimited) as caught:
            worker.hit(company="i:1")

        assert caught.value.retry_after is not None

    other.hit(company="i:1")
    one.hit(company="i:2")


@pytest.fixture
def silent() -> cabc.Iterator[str]:
    """A server that lets people in and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield f"redis://:not-a-real-password@127.0.0.1:{server.getsockname()[1]}/0"


@pytest.mark.case("E17")
def test_a_counter_that_does_not_answer(
    make: MakeHost, silent: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Checks are refused after a moment; calls, pages and removal go on."""
    make().byok.save_key(1, "OPENAI", GOOD)
    host = make(BYOK_RATE_LIMIT={"company": 5}, BYOK_RATE_LIMIT_STORAGE=silent)
    host.simulator.clear()
    began = time.monotonic()

    for call in (
        lambda: host.byok.save_key(1, "OPENAI", BETTER),
        lambda: host.byok.test_connection(1),
    ):
        with pytest.raises(CheckLimited) as caught:
            call()

        assert caught.value.retry_after is None
        assert "password" not in str(caught.value) + repr(vars(caught.value))
        assert caught.value.__context__ is None

    # Left alone the driver waits longer for each, some versions for ever.
    assert time.monotonic() - began < 4 * PATIENCE
    assert host.simulator.requests == []
    assert host.byok.client_for(1).chat("hello").source == "company"
    assert host.byok.credentials(1)[0].masked == "...AbCd"
    host.byok.remove_key(1, "OPENAI")
    assert "password" not in caplog.text


@pytest.mark.case("E17")
def test_the_address_may_name_another_patience(silent: str) -> None:
    """``?socket_timeout=`` in the setting wins over the two seconds."""
    began = time.monotonic()

    with pytest.raises(CheckLimited):
        CheckLimiter({"all": 1}, f"{silent}?socket_timeout=0.05").hit(all="all")

    assert time.monotonic() - began < PATIENCE


@pytest.fixture
def told(host: Host) -> cabc.Iterator[list[dict[str, t.Any]]]:
    """Keep what is told of many refused keys."""
    found: list[dict[str, t.Any]] = []

    def keep(sender: object, **payload: t.Any) -> None:
        found.append(payload)

    with signals.keys_refused.connected_to(keep, sender=host.app):
        yield found


def actions(host: Host, company: int = 1) -> list[str]:
    """List what stands in a company's history."""
    return [entry.action for entry in host.byok.history(company, 100)]


@pytest.mark.case("E16")
def test_many_refused_keys_are_told_once(
    host: Host, told: list[dict[str, t.Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """Ten keys in an hour that are not accepted: history, log and one signal."""
    for number in range(MANY - 1):
        host.byok.save_key(1, "OPENAI", refused(number), actor="eve")

    host.byok.save_key(2, "OPENAI", refused(98), actor="ada")
    assert told == []
    assert actions(host) == ["key_rejected"] * (MANY - 1)
    host.byok.save_key(1, "CLAUDE", refused(99), actor="eve")
    assert told == [{"company_id": 1, "refusals": MANY, "actor": "eve"}]
    assert "Company i:1 tried 10 keys within an hour" in caplog.text
    assert actions(host).count("keys_refused") == 1

    for number in range(3):
        host.byok.save_key(1, "GEMINI", refused(number), actor="eve")

    assert len(told) == 1
    assert actions(host, 2) == ["key_rejected"]
    host.move_clock(minutes=61)
    host.byok.save_key(1, "OPENAI", refused(1), actor="eve")
    assert len(told) == 1

    for number in range(MANY - 1):
        host.byok.save_key(1, "OPENAI", refused(number), actor="eve")

    assert len(told) == 2


@pytest.mark.case("E16")
def test_keys_that_work_and_are_not_kept_count_too(
    host: Host, told: list[dict[str, t.Any]]
) -> None:
    """Over a stored key a stranger's key without credit is tried and noted."""
    host.byok.save_key(1, "OPENAI", GOOD)

    for number in range(MANY):
        result = host.byok.save_key(
            1, "OPENAI", f"not-a-real-nocredit-key-{number:04}", actor="eve"
        )
        assert not result.saved

    assert actions(host).count("key_not_saved") == MANY
    assert [payload["refusals"] for payload in told] == [MANY]


@pytest.mark.case("E16")
def test_an_outage_is_no_alarm(host: Host, told: list[dict[str, t.Any]]) -> None:
    """A provider that cannot be asked says nothing of a key, and nothing is noted."""
    host.byok.save_key(1, "OPENAI", GOOD)
    host.simulator.set_fault("OPENAI", "outage")

    for _ in range(MANY + 1):
        assert host.byok.save_key(1, "OPENAI", BETTER).verdict == "could_not_ask"

    assert told == [] and actions(host) == ["key_saved"]


@pytest.mark.case("E16", "F11")
def test_a_refusal_is_told_without_the_key(host: Host) -> None:
    """What stands in the history has a verdict and a reason, and nothing of the key."""
    host.byok.save_key(1, "OPENAI", refused(1), actor="eve")
    (entry,) = host.byok.history(1)
    assert (entry.action, entry.actor, entry.provider) == (
        "key_rejected",
        "eve",
        "OPENAI",
    )
    assert entry.details == {"verdict": "rejected", "reason": "auth"}
    assert host.byok.credentials(1) == []
