"""Tests of stored keys, removal, policy and what is told of a company."""

from __future__ import annotations

import contextlib
import datetime as dt
import typing as t

import pytest

from flask_byok import CallError
from flask_byok import CheckLimited
from flask_byok import CredentialChanged
from flask_byok import CredentialNotFound
from flask_byok.testing import Simulator
from tests.support.host import BETTER
from tests.support.host import close_host
from tests.support.host import GOOD
from tests.support.host import Host
from tests.support.host import make_host


def test_a_good_key_passes_all_three_checks(host: Host) -> None:
    """Valid, fast enough and permitted, with milliseconds and models."""
    host.byok.save_key(1, "GEMINI", GOOD)

    report = host.byok.test_connection(1)

    assert report.verdict == "working"
    assert [report.key, report.latency, report.list, report.generate] == ["pass"] * 4
    assert report.latency_ms is not None
    assert "gemini-3.8-flash" in report.models


@pytest.mark.case("D18", "D19", "D20", "D21")
@pytest.mark.parametrize(
    ("fault", "verdict", "reason", "grades"),
    [
        ("revoked", "rejected", "auth", ["fail", "unknown", "unknown", "unknown"]),
        ("expired", "rejected", "expired", ["fail", "unknown", "unknown", "unknown"]),
        ("restricted", "not_usable", "permission", ["pass", "unknown", "pass", "fail"]),
        ("nocredit", "not_usable", "quota", ["pass", "unknown", "pass", "remark"]),
        ("outage", "could_not_ask", "outage", ["unknown"] * 4),
    ],
)
def test_a_test_says_what_is_wrong(
    host: Host, fault: str, verdict: str, reason: str, grades: list[str]
) -> None:
    """Each kind of trouble has its verdict, its word and its grades."""
    host.byok.save_key(1, "CLAUDE", GOOD)
    host.simulator.set_fault("CLAUDE", fault, keys=GOOD)

    report = host.byok.test_connection(1)

    assert (report.verdict, report.reason) == (verdict, reason)
    assert [report.key, report.latency, report.list, report.generate] == grades


@pytest.mark.parametrize("fault", ["revoked", "nocredit", "outage"])
def test_a_test_marks_no_key_as_broken(host: Host, fault: str) -> None:
    """Only a call's own failure opens the circuit."""
    host.byok.save_key(1, "CLAUDE", GOOD)
    host.simulator.set_fault("CLAUDE", fault, keys=GOOD)

    host.byok.test_connection(1)

    info = host.byok.credentials(1)[0]
    assert (info.state, info.circuit) == ("working", "closed")


def test_a_test_that_works_ends_the_episode(host: Host) -> None:
    """After the repair one test brings the company back to its own key."""
    host.byok.save_key(1, "CLAUDE", GOOD)
    host.simulator.set_fault("CLAUDE", "expired", keys=GOOD)
    assert host.byok.client_for(1).chat("hello").source == "system"
    host.simulator.clear_faults()

    host.byok.test_connection(1)

    assert host.byok.client_for(1).chat("hello").source == "company"


def test_nothing_to_test(host: Host) -> None:
    """A company without a key is told so."""
    with pytest.raises(CredentialNotFound):
        host.byok.test_connection(1)


@pytest.mark.case("G1")
def test_removing_switches_back_at_once(host: Host) -> None:
    """The row is gone and the next call runs on the system key."""
    host.byok.save_key(1, "OPENAI", GOOD)

    host.byok.remove_key(1, "OPENAI", actor="ada")

    answer = host.byok.client_for(1).chat("hello")
    assert (answer.source, host.byok.credentials(1)) == ("system", [])
    entry = host.byok.history(1)[0]
    assert (entry.action, entry.actor) == ("key_removed", "ada")


def test_the_first_working_key_inherits(host: Host) -> None:
    """Removing the active key passes over one that never worked."""
    host.byok.save_key(1, "OPENAI", "not-a-real-nocredit-key-0004")
    host.byok.save_key(1, "GEMINI", GOOD)
    host.byok.save_key(1, "CLAUDE", BETTER)

    host.byok.remove_key(1, "CLAUDE")

    assert host.byok.policy(1).active_provider == "GEMINI"


def test_a_removal_of_a_changed_key_is_refused(host: Host) -> None:
    """Who looked at an older key removes nothing."""
    host.byok.save_key(1, "OPENAI", GOOD)
    host.byok.save_key(1, "OPENAI", BETTER)

    with pytest.raises(CredentialChanged):
        host.byok.remove_key(1, "OPENAI", generation=1)

    assert len(host.byok.credentials(1)) == 1


def test_a_removal_spares_a_key_added_anew(host: Host) -> None:
    """Who looked at the key before it, the same provider's, removes nothing."""
    host.byok.save_key(1, "OPENAI", GOOD)
    seen = host.byok.credentials(1)[0].generation
    host.byok.remove_key(1, "OPENAI")
    host.byok.save_key(1, "OPENAI", BETTER)

    with pytest.raises(CredentialChanged):
        host.byok.remove_key(1, "OPENAI", generation=seen)

    assert not host.byok.save_key(1, "OPENAI", GOOD, generation=seen).saved
    assert host.byok.credentials(1)[0].masked.endswith(BETTER[-4:])


@pytest.mark.case("F1")
def test_another_companys_key_is_not_there(host: Host) -> None:
    """No method reaches over to the next company."""
    host.byok.save_key(1, "OPENAI", GOOD)

    for reach in (host.byok.remove_key, host.byok.test_connection):
        with pytest.raises(CredentialNotFound):
            reach(2, "OPENAI")

    assert len(host.byok.credentials(1)) == 1


def test_a_policy_changes_only_what_is_given(host: Host) -> None:
    """An absent choice stays, and each change stands in the history."""
    host.byok.set_policy(1, fallback="never")

    policy = host.byok.set_policy(1, use_other_keys=True)

    assert (policy.fallback, policy.use_other_keys) == ("never", True)
    assert [entry.details["to"] for entry in host.byok.history(1)] == [True, "never"]


def test_an_active_key_must_exist(host: Host) -> None:
    """AI features cannot be sent to a key that is not stored."""
    with pytest.raises(CredentialNotFound):
        host.byok.set_policy(1, active_provider="CLAUDE")


def test_an_unknown_policy_is_refused(host: Host) -> None:
    """A typo does not become a policy."""
    with pytest.raises(ValueError, match="outage_only"):
        host.byok.set_policy(1, fallback="sometimes")


@pytest.mark.case("E17")
def test_a_dead_counter_stops_checks_not_calls(
    sqlite_url: str, byok_simulator: Simulator
) -> None:
    """Checks fail closed; AI requests do not need the counter."""
    host = make_host(
        sqlite_url,
        byok_simulator,
        BYOK_RATE_LIMIT={"all": 5},
        BYOK_RATE_LIMIT_STORAGE="redis://127.0.0.1:1",
    )

    with host.app.app_context():
        with pytest.raises(CheckLimited) as caught:
            host.byok.save_key(1, "OPENAI", GOOD)

        assert caught.value.retry_after is None
        assert host.byok.client_for(1).chat("hello").source == "system"

    close_host(host)


@pytest.mark.case("F16")
def test_usage_tells_whose_key_paid(host: Host) -> None:
    """Own key and provided key stand in rows of their own."""
    host.byok.client_for(1).chat("hello", label="greeting")
    host.byok.save_key(1, "OPENAI", GOOD)
    host.byok.client_for(1).chat("hello", label="greeting")
    today = dt.datetime.now(dt.timezone.utc).date()

    rows = host.byok.usage(1, today, today)

    assert [(row.source, row.label, row.requests) for row in rows] == [
        ("company", "greeting", 1),
        ("system", "greeting", 1),
    ]


def test_a_day_is_a_date(host: Host) -> None:
    """A text of one is not the database's trouble."""
    today = dt.datetime.now(dt.timezone.utc).date()
    words = "'{}' must be a datetime.date, and is a {}."

    with pytest.raises(TypeError, match=words.format("expires_on", "str")):
        host.byok.save_key(1, "OPENAI", GOOD, expires_on=t.cast(dt.date, "2030-01-01"))

    with pytest.raises(TypeError, match=words.format("since", "str")):
        host.byok.usage(1, t.cast(dt.date, "2030-01-01"), today)

    with pytest.raises(TypeError, match=words.format("until", "datetime")):
        host.byok.usage(1, today, dt.datetime.now(dt.timezone.utc))

    assert not host.byok.credentials(1)


@pytest.mark.case("F19", "G1")
def test_a_forgotten_company_leaves_nothing(host: Host) -> None:
    """The host's own delete takes every row of ours along, and no other company's."""
    for company in (1, 2):
        host.byok.save_key(company, "OPENAI", GOOD)
        host.byok.client_for(company).chat("hello")
        host.byok.set_policy(company, fallback="never")

    host.byok.forget_company(1)

    tables = host.byok.state.tables.all()

    with host.byok.state.database.read() as connection:
        left = {
            row.company_id
            for table in tables
            if "company_id" in table.c
            for row in connection.execute(table.select())
        }

    assert left == {"i:2"}


@pytest.mark.parametrize(("fallback", "paid"), [("auto", 1), ("never", 0)])
def test_a_key_of_a_provider_that_is_gone_is_still_a_key(
    host: Host, fallback: str, paid: int
) -> None:
    """Its company's policy guards the system key as before."""
    host.byok.save_key(1, "OPENAI", GOOD)
    host.byok.set_policy(1, fallback=fallback)
    table = host.byok.state.tables.credential

    with host.byok.state.database.write() as connection:
        connection.execute(table.update().values(provider="GONE"))

    host.simulator.clear()

    with contextlib.suppress(CallError):
        host.byok.client_for(1).chat("hello")

    assert len(host.who_paid()) == paid
