"""Which keys may answer, in which order, under which policy."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok import BYOK
from flask_byok import current_ai_client
from flask_byok import errors
from tests.support.calls import CallHost
from tests.support.host import BETTER
from tests.support.host import SYSTEM

Make = cabc.Callable[..., CallHost]

#: A fault of OPENAI for each class, and the error it raises where nobody answers.
CLASSES: t.Final = {
    "A": ("revoked", errors.KeyRejected),
    "B": ("restricted", errors.KeyForbidden),
    "M": ("project_no_model_access", errors.ModelNotFound),
    "C": ("nocredit", errors.QuotaExceeded),
    "D": ("ratelimited_38s", errors.RateLimited),
    "E": ("outage", errors.ProviderOutage),
    "F": ("hang", errors.ProviderTimeout),
    "G": ("bad_request", errors.RequestRefused),
    "L": ("redirect", errors.OurSideError),
}
OUTAGES: t.Final = ("D", "E", "F")

#: What keeps a call with its provider.
BOUND: t.Final[dict[str, dict[str, t.Any]]] = {
    "raw model": {"model": "gpt-4o-mini"},
    "extra": {"extra": {"user": "u1"}},
}


def store_two(host: CallHost) -> None:
    """Store two keys of the company, of which the second may answer for the first."""
    host.store("OPENAI", "CLAUDE")
    host.byok.set_policy(1, use_other_keys=True)


def test_the_other_own_key_comes_before_the_system_key(any_host: CallHost) -> None:
    """With ``use_other_keys`` on, the company's second key answers."""
    store_two(any_host)
    any_host.fail("revoked")
    answer = any_host.chat()
    assert any_host.paid == "cc"
    assert (answer.provider, answer.source) == ("CLAUDE", "company")
    assert not any_host.told("fallback_used") and any_host.client.fallback_active


def lines(host: CallHost) -> list[tuple[str, str | None, dict[str, t.Any]]]:
    """List the starts and ends in the history, oldest first."""
    host.byok.state.database.flush(force=True)
    return [
        (entry.action.removeprefix("fallback_"), entry.provider, dict(entry.details))
        for entry in reversed(host.byok.history(1, 100))
        if entry.action.startswith("fallback_")
    ]


def to(provider: str, source: str, reason: str = "auth") -> dict[str, t.Any]:
    """Give the details of a start."""
    return {"reason": reason, "to": provider, "source": source}


def test_an_own_key_that_takes_over_stands_in_the_history(any_host: CallHost) -> None:
    """One line for its start and one for its end, and nobody is sent anything."""
    store_two(any_host)
    any_host.fail("revoked")
    assert [any_host.chat().provider for _ in range(3)] == ["CLAUDE"] * 3
    assert any_host.stream()
    assert lines(any_host) == [("started", "OPENAI", to("CLAUDE", "company"))]
    any_host.move_clock(minutes=20)
    any_host.fail(None)
    assert any_host.chat().provider == "OPENAI"
    assert lines(any_host)[1:] == [("ended", "OPENAI", {"reason": "auth"})]
    assert not any_host.told("fallback_used")


def test_a_system_key_is_still_told_after_an_own_one(host: CallHost) -> None:
    """In one episode the own key serves first, then the system key: each is told."""
    store_two(host)
    host.fail("revoked")
    host.chat()
    host.fail("revoked", "CLAUDE")
    assert host.chat().source == host.chat().source == "system"
    assert lines(host) == [
        ("started", "OPENAI", to("CLAUDE", "company")),
        ("started", "OPENAI", to("OPENAI", "system")),
    ]
    assert len(host.told("fallback_used")) == 1
    host.move_clock(minutes=20)
    host.fail(None)
    host.chat()
    assert [line[0] for line in lines(host)] == ["started", "started", "ended"]


def test_an_own_key_for_a_busy_model_stands_in_the_history(host: CallHost) -> None:
    """A block is noted like an episode: once, with its end."""
    store_two(host)
    host.fail("ratelimited_38s")
    assert [host.chat().provider for _ in range(2)] == ["CLAUDE"] * 2
    started = ("started", "OPENAI", to("CLAUDE", "company", "rate_limit"))
    assert lines(host) == [started]
    host.move_clock(minutes=5)
    host.fail(None)
    host.chat()
    assert lines(host) == [started, ("ended", "OPENAI", {"reason": "rate_limit"})]


@pytest.mark.parametrize("how", ["replaced", "tested"])
def test_what_a_person_mends_has_its_end_in_the_history(
    host: CallHost, how: str
) -> None:
    """A new key, or a test that finds the old one working."""
    store_two(host)
    host.fail("revoked")
    host.chat()
    host.fail(None)

    if how == "replaced":
        host.byok.save_key(1, "OPENAI", BETTER)
    else:
        host.byok.test_connection(1, "OPENAI")

    assert [line[0] for line in lines(host)] == ["started", "ended"]


def test_an_episode_without_a_fallback_has_no_end(make: Make) -> None:
    """Where nothing took over, nothing is said to be used again."""
    host = make(BYOK_FALLBACK="never")
    host.store()
    host.fail("revoked")
    host.refuse(errors.KeyRejected)
    host.move_clock(minutes=20)
    host.fail(None)
    host.chat()
    assert lines(host) == []


def test_a_key_that_is_out_and_answers_took_over_from_nobody(make: Make) -> None:
    """The last resort asks it all the same; a list of models closes no circuit."""
    host = make(BYOK_FALLBACK="never")
    host.store()
    host.fail("outage")
    host.refuse(errors.ProviderOutage)
    host.refuse(errors.ProviderOutage)
    host.fail(None)
    assert host.counted(host.client.models)
    assert host.circuit().circuit == "open" and lines(host) == []


def test_later_calls_of_an_episode_write_no_more(host: CallHost) -> None:
    """Once the line stands there, a call on the other key asks for it no more."""
    store_two(host)
    host.fail("revoked")
    host.chat()
    statements: list[str] = []

    def keep(*event: t.Any) -> None:
        statements.append(event[2])

    engine = host.byok.state.database.engine
    sa.event.listen(engine, "before_cursor_execute", keep)
    host.chat()
    sa.event.remove(engine, "before_cursor_execute", keep)
    assert not [text for text in statements if "byok_audit" in text]
    assert not [text for text in statements if text.startswith("SELECT")]


@pytest.mark.parametrize("why", ["off", "scope", "raw model", "extra"])
def test_the_other_own_key_is_left_alone(make: Make, why: str) -> None:
    """Off, by the operator's scope, or for a model only one provider has."""
    scope = "same_provider" if why == "scope" else "any"
    host = make(BYOK_FALLBACK_SCOPE=scope)
    host.store("OPENAI", "CLAUDE")
    host.byok.set_policy(1, use_other_keys=why != "off")
    host.fail("revoked")
    assert host.chat(**BOUND.get(why, {})).provider == "OPENAI"
    assert host.paid == "cs"


@pytest.mark.case("F18")
def test_the_third_request_is_the_system_keys(host: CallHost) -> None:
    """Three own keys, all rejected: two are tried, then the system key."""
    host.store("OPENAI", "GEMINI", "CLAUDE")
    host.byok.set_policy(1, use_other_keys=True)

    for provider in ("OPENAI", "GEMINI", "CLAUDE"):
        host.fail("revoked", provider)

    assert host.chat().source == "system"
    assert host.paid == "ccs"


@pytest.mark.case("F18")
def test_without_a_system_key_all_three_are_the_companys(make: Make) -> None:
    """Nothing is kept back for a system key that does not exist."""
    host = make(BYOK_SYSTEM_KEYS={})
    host.store("OPENAI", "GEMINI", "CLAUDE")
    host.byok.set_policy(1, use_other_keys=True)
    host.fail("revoked", "OPENAI")
    host.fail("revoked", "GEMINI")
    assert host.chat().provider == "CLAUDE"
    assert host.paid == "ccc"


def test_the_system_key_of_another_provider_comes_last(host: CallHost) -> None:
    """Own key and system key of one provider down: another system key answers."""
    host.store()
    host.fail("outage", keys=None)
    answer = host.chat()
    assert host.paid == "css"
    assert (answer.provider, answer.source) == ("GEMINI", "system")


@pytest.mark.parametrize("why", ["raw model", "scope", "extra"])
def test_no_other_provider_without_a_mapped_model(make: Make, why: str) -> None:
    """The company key's error is raised: it names what a person can mend."""
    scope = "same_provider" if why == "scope" else "any"
    host = make(BYOK_FALLBACK_SCOPE=scope)
    host.store()
    host.fail("outage", keys=None)
    error = host.refuse(errors.ProviderOutage, **BOUND.get(why, {}))
    assert host.paid == "cs" and error.source == "company"
    assert [a.source for a in error.attempts] == ["company", "system"]


@pytest.mark.case("F17")
@pytest.mark.parametrize("letter", CLASSES)
@pytest.mark.parametrize("streamed", [False, True])
def test_never_means_never(make: Make, letter: str, streamed: bool) -> None:
    """Under ``never`` no class reaches the system key."""
    host = make(BYOK_FALLBACK="never")
    host.store()
    fault, error = CLASSES[letter]
    host.fail(fault)

    with pytest.raises(error):
        ask = host.stream if streamed else host.chat
        ask(timeout=1 if letter == "F" else None)

    assert host.paid == "c"


def test_never_still_lets_the_other_own_keys_serve(make: Make) -> None:
    """The policy guards the system key alone."""
    host = make(BYOK_FALLBACK="never")
    store_two(host)
    host.fail("revoked")
    assert (host.chat().provider, host.paid) == ("CLAUDE", "cc")


@pytest.mark.case("F17")
@pytest.mark.parametrize("letter", CLASSES)
def test_outage_only_is_for_outages(make: Make, letter: str) -> None:
    """``outage_only`` lets D, E and F fall back and nothing else."""
    host = make(BYOK_FALLBACK="outage_only")
    host.store()
    fault, error = CLASSES[letter]
    host.fail(fault)

    if letter in OUTAGES:
        answer = host.chat(timeout=5 if letter == "F" else None)
        assert (answer.source, host.paid) == ("system", "cs")
    else:
        host.refuse(error)
        assert host.paid == "c"


def test_one_own_key_in_an_outage_is_enough(make: Make) -> None:
    """``outage_only``: the first key was rejected before, the second is down now."""
    host = make(BYOK_FALLBACK="outage_only")
    store_two(host)
    host.fail("revoked")
    assert (host.chat().source, host.paid) == ("company", "cc")
    host.fail("outage", "CLAUDE")
    assert (host.chat().source, host.paid) == ("system", "cs")


@pytest.mark.case("F17")
def test_a_locked_policy_is_the_operators(sqlite_url: str, make: Make) -> None:
    """What a company stored before does not count, and a new choice is refused."""
    before = make()
    before.store()
    before.byok.set_policy(1, fallback="never")
    host = make(BYOK_FALLBACK_LOCKED=True)
    assert host.byok.policy(1).fallback == "auto"
    host.fail("revoked")
    assert host.chat().source == "system"

    with pytest.raises(errors.PolicyLocked):
        host.byok.set_policy(1, fallback="never")


@pytest.mark.parametrize("policy", ["auto", "outage_only", "never"])
def test_without_a_key_the_system_key_simply_serves(make: Make, policy: str) -> None:
    """No key stored: under every policy, without a fallback's signs."""
    host = make(BYOK_FALLBACK=policy, BYOK_SYSTEM_BUDGET={"requests": 5})
    answer = host.chat(fallback=False)
    assert (answer.source, host.paid) == ("system", "s")
    assert not host.client.fallback_active and not host.signals
    assert host.byok.allowance(1)[0].used == 1


def test_what_an_account_keeps_is_asked_of_no_other(host: CallHost) -> None:
    """A stored response, a file: only the account that has it can answer."""
    host.store()
    host.fail("revoked")
    host.refuse(errors.KeyRejected, extra={"previous_response_id": "resp_1"})
    assert host.paid == "c"
    assert (host.chat(extra={"user": "u1"}).source, host.paid) == ("system", "s")


def test_no_key_at_all_is_no_route(make: Make) -> None:
    """Neither a company key nor a system key: nothing is sent."""
    host = make(BYOK_SYSTEM_KEYS={})
    assert host.refuse(errors.NoRoute).attempts == ()
    assert host.paid == "" and host.client.source is None


@pytest.mark.case("F3")
def test_an_unknown_company_is_an_error(host: CallHost) -> None:
    """Nobody calling is never served by the system key."""
    host.company = t.cast("int", None)

    with pytest.raises(errors.NoCompany):
        current_ai_client.chat("Say hello.")

    assert host.paid == ""


@pytest.mark.case("F14")
@pytest.mark.parametrize(
    ("system", "code"), [("revoked", "system_key_failed"), ("bad_request", "")]
)
def test_the_first_error_is_the_companys(make: Make, system: str, code: str) -> None:
    """Both keys fail: the company key's error is raised, both attempts are listed."""
    host = make(
        BYOK_FALLBACK_SCOPE="same_provider",
        BYOK_SYSTEM_KEYS={"OPENAI": SYSTEM.format(provider="openai")},
    )
    host.store()
    host.fail("revoked")
    host.fail(system, keys="system-key")
    error = host.refuse(errors.KeyRejected)
    assert host.paid == "cs" and error.source == "company"
    assert [a.source for a in error.attempts] == ["company", "system"]
    assert [name for name, _ in host.signals if name == code] == [code] * bool(code)


def test_a_system_key_that_is_out_is_passed_over(host: CallHost) -> None:
    """The next system route answers; the rejected one rests on a circuit of its own."""
    host.fail("revoked", keys="system-key")
    assert [host.chat().provider for _ in range(2)] == ["GEMINI", "GEMINI"]
    assert host.paid == "sss" and len(host.told("system_key_failed")) == 1
    assert host.told("circuit_opened")[0]["company_id"] is None


@pytest.mark.case("F13")
def test_the_operators_model_runs_on_the_operators_key(make: Make) -> None:
    """What the company chose for its own key is not spent on the app's account."""
    models = {"OPENAI": {"default": "gpt-4.1", "fast": "gpt-5.2"}}
    host = make(BYOK_MODELS=models)
    host.store(model="gpt-4o")
    assert host.chat().attempts[0].model == "gpt-4o"
    host.fail("revoked")
    assert [a.model for a in host.chat().attempts] == ["gpt-4o", "gpt-4.1"]


@pytest.mark.case("F11")
def test_a_spent_budget_is_told_with_the_first_error(make: Make) -> None:
    """The company key fails and the allowance is gone: both are said."""
    host = make(BYOK_SYSTEM_BUDGET={"requests": 1})
    host.store()
    host.fail("outage")
    host.chat()
    error = host.refuse(errors.SystemBudgetExceeded)
    assert host.paid == "csc" and isinstance(error.first, errors.ProviderOutage)
    assert error.resets_on.day == 1


@pytest.mark.parametrize("policy", ["auto", "never"])
def test_vectors_never_change_their_model(make: Make, policy: str) -> None:
    """An embedding falls back to the same provider and model or not at all."""
    host = make(BYOK_FALLBACK=policy)
    host.store()
    assert host.client.embed("hello").source == "company"
    host.fail("revoked", keys=None)

    with pytest.raises(errors.KeyRejected):
        host.counted(lambda: host.client.embed("hello"))

    assert host.paid == ("ccs" if policy == "auto" else "cc")


def test_a_provider_without_vectors_starts_elsewhere(host: CallHost) -> None:
    """CLAUDE has no embeddings: the first route that has them is taken, always."""
    host.store("CLAUDE")
    found = host.client.embed(["one", "two"])
    assert (found.provider, found.source, len(found.vectors)) == (
        "OPENAI",
        "system",
        2,
    )


@pytest.mark.case("F5")
def test_the_extension_answers_for_two_companies(host: CallHost) -> None:
    """One company's broken key says nothing about another's."""
    host.store()
    host.company = 2
    host.store(api_key="not-a-real-company-key-0002-EfGh")
    host.fail("revoked", keys="company-key-0001")
    assert host.chat().source == "company"
    host.company = 1
    assert host.chat().source == "system"
    host.company = 2
    assert host.chat().source == "company"
    assert host.byok is not BYOK and len(host.told("circuit_opened")) == 1


@pytest.mark.parametrize("chosen", ["default", "fast", "gpt-6-sol"])
def test_a_company_may_choose_a_model_by_the_apps_name(
    host: CallHost, chosen: str
) -> None:
    """What the check resolved, the calls resolve too: the company's own key serves."""
    host.store(model=chosen)
    answer = host.chat()
    assert host.paid == "c" and answer.source == "company"
    assert answer.attempts[0].model.startswith("gpt-6-")


@pytest.mark.case("F11")
@pytest.mark.parametrize(
    ("limit", "percents"), [(5, [80, 100]), (2, [100]), (10, [80, 100]), (1, [100])]
)
def test_the_end_of_an_allowance_is_told(
    make: Make, limit: int, percents: list[int]
) -> None:
    """At 80 and at 100 percent, once each, with an own key that is out or without."""
    host = make(BYOK_SYSTEM_BUDGET={"requests": limit})

    for number in range(limit):
        if number == 1:
            host.store()
            host.fail("revoked")

        host.chat()

    host.refuse(errors.SystemBudgetExceeded)
    told = host.told("budget_threshold")
    assert [payload["percent"] for payload in told] == percents
    period = f"{host.byok.status(1).now:%Y-%m}"
    assert told[-1] == {
        "company_id": 1,
        "percent": 100,
        "unit": "requests",
        "used": limit,
        "limit": limit,
        "period": period,
    }
    assert host.actions().count("budget_threshold") == len(percents)
