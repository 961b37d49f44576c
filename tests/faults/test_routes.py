"""Which key answers next, under which policy."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import pytest

from flask_byok import current_ai_client
from flask_byok import errors
from tests.support.fault_room import FaultHost
from tests.support.fault_room import PROVIDERS
from tests.support.told import BLOCKED_TO_OWN
from tests.support.told import BUSY
from tests.support.told import BUSY_LONG
from tests.support.told import CLOSED
from tests.support.told import REJECTED
from tests.support.told import REJECTED_OFF
from tests.support.told import REJECTED_TO_OWN
from tests.support.told import URGENT_OFF
from tests.support.told import URGENT_TO_OWN

Make = cabc.Callable[..., FaultHost]

#: Calls that no other provider may answer, and why.
BOUND: t.Final[dict[str, dict[str, t.Any]]] = {
    "raw model": {"model": "gpt-4o-mini"},
    "extra": {"extra": {"user": "u1"}},
}


@pytest.mark.fault(27, got="answer", served="c2 s0", seen=REJECTED_TO_OWN)
def test_second_key(host: FaultHost) -> None:
    """The company's other key answers; its managers read that prompts go elsewhere."""
    host.store("OPENAI", "CLAUDE")
    host.byok.set_policy(1, use_other_keys=True)
    host.watch.begin()
    host.fail("revoked")
    answer = host.chat()
    assert (answer.provider, answer.source) == ("CLAUDE", "company")


@pytest.mark.fault(28, got="answer", served="c1 s1", seen=REJECTED)
@pytest.mark.parametrize("why", ["off", "scope", "raw model"])
def test_second_key_that_may_not(make: Make, why: str) -> None:
    """Off, by the operator's scope, or for a model of one provider."""
    host = make(BYOK_FALLBACK_SCOPE="same_provider" if why == "scope" else "any")
    host.store("OPENAI", "CLAUDE")
    host.byok.set_policy(1, use_other_keys=why != "off")
    host.watch.begin()
    host.fail("revoked")
    assert host.chat(**BOUND.get(why, {})).provider == "OPENAI"
    assert {request.provider for request in host.simulator.requests} == {"OPENAI"}


@pytest.mark.fault(
    29,
    got="answer",
    served="c2 s1",
    seen="flash banner log:WARNING×2 circuit_opened×2 key_rejected×2 fallback_used "
    "notice_due×2 history:fallback_started",
)
def test_three_rejected_keys(host: FaultHost) -> None:
    """The third request is kept for the system key."""
    host.store(*PROVIDERS)
    host.byok.set_policy(1, use_other_keys=True)
    host.watch.begin()

    for provider in PROVIDERS:
        host.fail("revoked", provider)

    assert host.chat().source == "system"


@pytest.mark.fault(30, got="answer", served="c1 s2")
def test_provider_down(host: FaultHost) -> None:
    """A system key of another provider answers, as the third request."""
    host.store()
    host.fail("outage", keys=None)
    answer = host.chat()
    assert (answer.provider, answer.source) == ("GEMINI", "system")


@pytest.mark.fault(31, got="ProviderOutage", served="c1 s1")
@pytest.mark.parametrize("why", ["scope", "raw model", "extra"])
def test_provider_down_and_no_other(make: Make, why: str) -> None:
    """The company key's error is raised: it names what a person can mend."""
    host = make(BYOK_FALLBACK_SCOPE="same_provider" if why == "scope" else "any")
    host.store()
    host.fail("outage", keys=None)
    error = host.refuse(errors.ProviderOutage, **BOUND.get(why, {}))
    assert error.source == "company"
    assert [a.source for a in error.attempts] == ["company", "system"]


@pytest.mark.fault(32, got="answer", served="c1 s1", seen=REJECTED)
def test_vectors(host: FaultHost) -> None:
    """Of the same provider and model, or the index is spoiled."""
    host.store()
    host.fail("revoked")
    found = host.embed()
    assert (found.provider, found.source) == ("OPENAI", "system")
    models = {request.model for request in host.simulator.requests}
    assert models == {found.model}


@pytest.mark.fault(
    32,
    got="KeyRejected",
    served="c1 s1",
    seen="banner log:WARNING×2 log:ERROR circuit_opened×2 key_rejected "
    "notice_due system_key_failed",
    when="the system key is out, too",
)
def test_vectors_of_nobody(host: FaultHost) -> None:
    """Another provider would answer, and is not asked."""
    host.store()
    host.fail("revoked", keys=None)

    with pytest.raises(errors.KeyRejected):
        host.embed()


def fail_everywhere(host: FaultHost, fault: str, error: type[Exception]) -> None:
    """Chat, stream and ask for vectors, each as a company of its own."""
    doors = (host.embed, host.stream, host.chat)

    for company, _ in enumerate(doors, start=1):
        host.company = company
        host.store()

    host.fail(fault)

    for company, ask in enumerate(doors, start=1):
        host.company = company

        with pytest.raises(error):
            ask()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(
            "revoked",
            errors.KeyRejected,
            marks=pytest.mark.fault(
                33,
                got="KeyRejected",
                served="c3 s0",
                seen="banner log:WARNING×3 circuit_opened×3 key_rejected×3 "
                "notice_due×3",
                when="rejected",
            ),
        ),
        pytest.param(
            "restricted",
            errors.KeyForbidden,
            marks=pytest.mark.fault(
                33,
                got="KeyForbidden",
                served="c3 s0",
                # A key that may not embed is left its chats.
                seen="banner log:WARNING×2 circuit_opened×2 key_rejected×2 "
                "notice_due×2",
                when="forbidden",
            ),
        ),
        pytest.param(
            "project_no_model_access",
            errors.ModelNotFound,
            marks=pytest.mark.fault(
                33,
                got="ModelNotFound",
                served="c3 s0",
                seen="banner",
                when="no such model",
            ),
        ),
        pytest.param(
            "nocredit",
            errors.QuotaExceeded,
            marks=pytest.mark.fault(
                33,
                got="QuotaExceeded",
                served="c3 s0",
                seen="banner log:WARNING×3 circuit_opened×3 notice_due×3",
                when="no credit",
            ),
        ),
        pytest.param(
            "ratelimited_38s",
            errors.RateLimited,
            marks=pytest.mark.fault(33, got="RateLimited", served="c3 s0", when="busy"),
        ),
        pytest.param(
            "outage",
            errors.ProviderOutage,
            marks=pytest.mark.fault(
                33, got="ProviderOutage", served="c3 s0", when="trouble"
            ),
        ),
        pytest.param(
            "hang",
            errors.ProviderTimeout,
            marks=pytest.mark.fault(
                33, got="ProviderTimeout", served="c3 s0", when="silence"
            ),
        ),
        pytest.param(
            "bad_request",
            errors.RequestRefused,
            marks=pytest.mark.fault(
                33, got="RequestRefused", served="c3 s0", when="a wrong request"
            ),
        ),
        pytest.param(
            "redirect",
            errors.OurSideError,
            marks=pytest.mark.fault(
                33, got="OurSideError", served="c3 s0", seen=CLOSED, when="our side"
            ),
        ),
    ],
)
def test_never(make: Make, fault: str, error: type[Exception]) -> None:
    """Under ``never`` no failure of a chat, a stream or vectors reaches our key."""
    host = make(BYOK_FALLBACK="never", BYOK_TIMEOUT=0.5 if fault == "hang" else 60)
    fail_everywhere(host, fault, error)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            "revoked",
            marks=pytest.mark.fault(
                33,
                got="answer",
                served="c2 s0",
                seen=REJECTED_TO_OWN,
                when="rejected, with a second own key",
            ),
        ),
        pytest.param(
            "outage",
            marks=pytest.mark.fault(
                33,
                got="answer",
                served="c2 s0",
                when="trouble, with a second own key",
            ),
        ),
        pytest.param(
            "nocredit",
            marks=pytest.mark.fault(
                33,
                got="answer",
                served="c2 s0",
                seen=URGENT_TO_OWN,
                when="no credit, with a second own key",
            ),
        ),
        pytest.param(
            "restricted",
            marks=pytest.mark.fault(
                33,
                got="answer",
                served="c2 s0",
                seen=REJECTED_TO_OWN,
                when="forbidden, with a second own key",
            ),
        ),
        pytest.param(
            "project_no_model_access",
            marks=pytest.mark.fault(
                33,
                got="answer",
                served="c2 s0",
                seen=BLOCKED_TO_OWN,
                when="no such model, with a second own key",
            ),
        ),
        pytest.param(
            "ratelimited_38s",
            marks=pytest.mark.fault(
                33,
                got="answer",
                served="c2 s0",
                seen=BLOCKED_TO_OWN,
                when="busy, with a second own key",
            ),
        ),
    ],
)
def test_never_and_a_second_key(make: Make, fault: str) -> None:
    """The policy guards the system key alone."""
    host = make(BYOK_FALLBACK="never")
    host.store("OPENAI", "CLAUDE")
    host.byok.set_policy(1, use_other_keys=True)
    host.watch.begin()
    host.fail(fault)
    assert host.chat().provider == "CLAUDE"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(
            "ratelimited_38s",
            None,
            marks=pytest.mark.fault(
                34, got="answer", served="c1 s1", seen=BUSY, when="busy"
            ),
        ),
        pytest.param(
            "outage",
            None,
            marks=pytest.mark.fault(34, got="answer", served="c1 s1", when="trouble"),
        ),
        pytest.param(
            "hang",
            None,
            marks=pytest.mark.fault(34, got="answer", served="c1 s1", when="silence"),
        ),
        pytest.param(
            "revoked",
            errors.KeyRejected,
            marks=pytest.mark.fault(
                34,
                got="KeyRejected",
                served="c1 s0",
                seen=REJECTED_OFF,
                when="rejected",
            ),
        ),
        pytest.param(
            "restricted",
            errors.KeyForbidden,
            marks=pytest.mark.fault(
                34,
                got="KeyForbidden",
                served="c1 s0",
                seen=REJECTED_OFF,
                when="forbidden",
            ),
        ),
        pytest.param(
            "project_no_model_access",
            errors.ModelNotFound,
            marks=pytest.mark.fault(
                34,
                got="ModelNotFound",
                served="c1 s0",
                seen="banner",
                when="no such model",
            ),
        ),
        pytest.param(
            "nocredit",
            errors.QuotaExceeded,
            marks=pytest.mark.fault(
                34,
                got="QuotaExceeded",
                served="c1 s0",
                seen=URGENT_OFF,
                when="no credit",
            ),
        ),
        pytest.param(
            "bad_request",
            errors.RequestRefused,
            marks=pytest.mark.fault(
                34, got="RequestRefused", served="c1 s0", when="a wrong request"
            ),
        ),
        pytest.param(
            "redirect",
            errors.OurSideError,
            marks=pytest.mark.fault(
                34, got="OurSideError", served="c1 s0", seen=CLOSED, when="our side"
            ),
        ),
    ],
)
def test_outage_only(make: Make, fault: str, error: type[Exception] | None) -> None:
    """What passes by itself may be covered, what a person must mend may not."""
    host = make(BYOK_FALLBACK="outage_only", BYOK_TIMEOUT=3 if fault == "hang" else 60)
    host.store()
    host.fail(fault)

    if error is None:
        assert host.chat().source == "system"
    else:
        host.refuse(error)


@pytest.mark.fault(35, got="answer", served="c1 s1", seen=BUSY_LONG)
def test_outage_only_with_two_keys(make: Make) -> None:
    """One key that is down is enough, whatever the other one is out for."""
    host = make(BYOK_FALLBACK="outage_only")
    host.store("OPENAI", "CLAUDE")
    host.byok.set_policy(1, use_other_keys=True)
    host.fail("revoked")
    assert host.chat().provider == "CLAUDE"
    host.watch.begin()
    host.fail("outage", "CLAUDE")
    assert host.chat().source == "system"


@pytest.mark.fault(36, got="answer", served="c1 s1", seen=REJECTED)
def test_locked_policy(make: Make) -> None:
    """What a company chose before does not count, and a new choice is refused."""
    before = make()
    before.store()
    before.byok.set_policy(1, fallback="never")
    host = make(BYOK_FALLBACK_LOCKED=True)
    host.watch.begin()
    host.fail("revoked")
    assert host.chat().source == "system"

    with pytest.raises(errors.PolicyLocked):
        host.byok.set_policy(1, fallback="never")


@pytest.mark.fault(37, got="answer", served="c0 s2")
@pytest.mark.parametrize("policy", ["auto", "outage_only", "never"])
def test_no_own_key(make: Make, policy: str) -> None:
    """The system key simply serves, and the budget counts."""
    host = make(BYOK_FALLBACK=policy, BYOK_SYSTEM_BUDGET={"requests": 10})
    host.watch.begin()
    assert host.chat().source == host.chat(fallback=False).source == "system"
    assert host.byok.allowance(1)[0].used == 2
    assert not host.client.fallback_active


@pytest.mark.fault(38, got="NoRoute", served="c0 s0", when="no key at all")
def test_no_key_at_all(make: Make) -> None:
    """Nothing is sent."""
    host = make(BYOK_SYSTEM_KEYS={})
    host.watch.begin()
    assert host.refuse(errors.NoRoute).attempts == ()


@pytest.mark.fault(38, got="NoCompany", served="c0 s0", when="no company")
def test_no_company(host: FaultHost) -> None:
    """Nobody is never served by the system key."""
    host.watch.begin()
    host.byok.company_loader(lambda: None)
    host.is_manager = False

    with pytest.raises(errors.NoCompany):
        host.counted(lambda: current_ai_client.chat("Say hello."))


@pytest.mark.fault(39, got="answer", served="c1 s1", seen=REJECTED)
def test_key_that_never_worked(make: Make) -> None:
    """It falls back like any other; the budget alone bounds a free ride."""
    host = make(BYOK_SYSTEM_BUDGET={"requests": 10})
    host.fail("outage")
    host.store()
    assert host.byok.credentials(1)[0].last_ok_at is None
    host.fail("revoked")
    host.chat()
    assert host.byok.allowance(1)[0].used == 1


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            "revoked",
            marks=pytest.mark.fault(
                40,
                got="KeyRejected",
                served="c1 s1",
                seen="banner log:WARNING×2 log:ERROR circuit_opened×2 key_rejected "
                "notice_due system_key_failed",
                when="with 401",
            ),
        ),
        pytest.param(
            "bad_request",
            marks=pytest.mark.fault(
                40,
                got="KeyRejected",
                served="c1 s1",
                seen="banner log:WARNING log:ERROR circuit_opened key_rejected "
                "notice_due",
                when="the system key with 400",
            ),
        ),
    ],
)
def test_both_keys_fail(make: Make, fault: str) -> None:
    """The company key's error is raised, both are listed, the operator reads of it."""
    host = make(BYOK_FALLBACK_SCOPE="same_provider")
    host.store()
    host.fail("revoked")
    host.fail(fault, keys="system")
    error = host.refuse(errors.KeyRejected)
    assert [a.source for a in error.attempts] == ["company", "system"]
