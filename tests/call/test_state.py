"""What a key's state does to the next call: probes, leases, saves in between."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import signal
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok import asking
from flask_byok import errors
from flask_byok.errors import StoredKeyUnreadable
from flask_byok.failover.rooms import Call
from flask_byok.failover.routes import Ask
from flask_byok.failover.routes import Route
from flask_byok.masterkeys import generate
from flask_byok.messages import read_messages
from flask_byok.providers.types import ChatAnswer
from flask_byok.providers.types import ChatRequest
from flask_byok.testing import Simulator
from tests.support.calls import CallHost
from tests.support.calls import calling
from tests.support.host import BETTER

Make = cabc.Callable[..., CallHost]


def test_a_probe_that_works_closes_the_circuit(any_host: CallHost) -> None:
    """After the cool-down one call asks the company key again, and it serves."""
    any_host.store()
    any_host.fail("revoked")
    any_host.chat()
    any_host.move_clock(minutes=20)
    any_host.fail(None)
    assert any_host.chat().source == "company"
    assert any_host.paid == "csc" and any_host.circuit().circuit == "closed"
    assert len(any_host.told("circuit_closed")) == 1
    assert any_host.actions()[-2:] == ["fallback_started", "fallback_ended"]
    assert not any_host.client.fallback_active


def test_a_first_fallback_asks_little_of_the_database(host: CallHost) -> None:
    """What an episode's opening writes is one transaction, and so is its telling."""
    host.chat()  # the system key has its row from here on
    host.store()
    host.fail("revoked")
    engine = host.byok.state.database.engine
    uses: list[object] = []

    def note(*connection: object) -> None:
        uses.append(connection)

    sa.event.listen(engine, "checkout", note)
    assert host.chat().source == "system"
    sa.event.remove(engine, "checkout", note)

    # Company and system key are read; two attempts, the opening, the telling and the
    # end of the second attempt are written.
    assert len(uses) == 7
    assert host.actions()[-1] == "fallback_started"
    assert [notice["kind"] for notice in host.told("notice_due")] == ["failing"]


def test_a_history_that_takes_no_line_costs_no_answer(host: CallHost) -> None:
    """The fallback is told by the first call whose line is written."""
    host.store()
    host.fail("revoked")

    with host.byok.state.database.write() as conn:
        conn.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON byok_audit "
            "BEGIN SELECT RAISE(ABORT, 'full'); END"
        )

    assert host.chat().source == "system"
    assert host.told("fallback_used") == []

    with host.byok.state.database.write() as conn:
        conn.exec_driver_sql("DROP TRIGGER full")

    assert host.chat().source == host.chat().source == "system"
    assert len(host.told("fallback_used")) == 1
    assert host.actions()[-1] == "fallback_started"


def test_a_probe_that_fails_rests_longer(host: CallHost) -> None:
    """A, B and C grow fourfold or twofold; nobody is told a second time."""
    host.store()
    host.fail("revoked")
    host.chat()
    host.move_clock(minutes=20)
    assert (host.chat().source, host.paid) == ("system", "cscs")
    assert 50 * 60 < host.rest(host.circuit().open_until) < 70 * 60
    assert len(host.told("circuit_opened")) == len(host.told("fallback_used")) == 1


def test_a_list_says_nothing_of_generation(host: CallHost) -> None:
    """A key that may not list, or count, generates all the same; and the reverse."""
    host.store()
    host.fail("generate_only")
    host.counted(host.client.models)
    assert [row.source for row in host.attempts()] == ["company", "system"]
    assert host.circuit().open_until is None
    assert (host.chat().source, host.paid) == ("company", "c")

    host.fail("nocredit")
    host.chat()
    host.move_clock(hours=30)
    host.counted(host.client.models)
    assert host.attempts()[-1].source == "company"
    assert host.circuit().open_until is not None
    assert len(host.told("circuit_closed")) == 0
    host.fail(None)
    assert host.chat().source == "company"
    assert len(host.told("circuit_closed")) == 1


@pytest.mark.parametrize("fault", ["bad_request", "ratelimited_38s"])
def test_a_probe_without_a_verdict_gives_its_lease_back(
    host: CallHost, fault: str
) -> None:
    """400 and 429 say nothing of a rejected key: the next caller probes."""
    host.store()
    host.fail("revoked")
    host.chat()
    host.move_clock(minutes=20)
    host.fail(fault, times=1)

    if fault == "bad_request":
        host.refuse(errors.RequestRefused)
    else:
        host.chat()

    assert host.circuit().circuit == "open" and host.circuit().probe_token is None
    host.fail(None)
    assert host.chat().source == "company"


def test_a_probe_is_not_spent_on_a_blocked_model(host: CallHost) -> None:
    """A model that is missing would be asked by every call while the circuit waits."""
    host.store()
    host.fail("project_no_model_access")
    host.chat()
    host.fail("outage")
    host.chat(model="fast")
    host.chat(model="fast")
    host.move_clock(minutes=1)
    host.fail(None)
    assert host.paid == "cscscs"
    assert (host.chat().source, host.paid) == ("system", "s")
    assert (host.chat(model="fast").source, host.paid) == ("company", "c")


def test_a_new_key_ends_the_episode(host: CallHost) -> None:
    """A replaced key serves at once; the old one's circuit is no matter."""
    host.store()
    host.fail("revoked", times=1)
    host.chat()
    host.store(api_key=BETTER)
    assert (host.chat().source, host.paid) == ("company", "c")


@pytest.mark.case("F7")
def test_a_late_verdict_of_an_old_key_changes_nothing(host: CallHost) -> None:
    """A call under way while the key is replaced must not close the new one out."""
    host.store()
    host.fail("revoked", keys="0001")
    ask = asking.chat(ChatRequest(messages=read_messages("Say hello.")))

    def replace_and_ask(route: Route, *rest: t.Any) -> ChatAnswer:
        if route.source == "company":
            host.store(api_key=BETTER)

        return ask(route, *rest)

    call = Call(company="i:1", ask=Ask())
    arrived = host.byok.state.engine.run(call, replace_and_ask)

    assert arrived.route.source == "system"
    assert host.paid == "cs" and host.circuit().circuit == "closed"
    assert not host.told("circuit_opened")


@pytest.mark.case("F7")
def test_a_key_removed_under_a_stream_stays_removed(host: CallHost) -> None:
    """The stream ends well, no row comes back, and the next call is ours."""
    host.store()
    stream = host.client.stream("Say hello.")
    host.byok.remove_key(1, "OPENAI")
    assert "".join(c.text or "" for c in stream) == stream.response.text != ""
    assert host.byok.credentials(1) == []
    assert (host.chat().source, host.paid) == ("system", "cs")


def test_a_test_that_works_closes_one_that_fails_opens_nothing(
    host: CallHost,
) -> None:
    """Test Connection may mend a circuit and never breaks one."""
    host.store()
    host.fail("revoked")
    host.byok.test_connection(1)
    assert host.circuit().circuit == "closed"
    host.chat()
    host.fail(None)
    assert host.circuit().circuit == "open"
    assert host.byok.test_connection(1).verdict == "working"
    host.simulator.clear()
    assert (host.chat().source, host.paid) == ("company", "c")


def test_an_outage_is_tried_anyway_when_there_is_nothing_else(make: Make) -> None:
    """Open for an outage and no other route: refusing would make a bad patch sure."""
    host = make(BYOK_FALLBACK="never")
    host.store()
    host.fail("outage", times=2)

    for _ in range(2):
        host.refuse(errors.ProviderOutage)

    assert host.circuit().circuit == "open"
    assert host.chat().source == "company"
    assert host.paid == "ccc" and host.circuit().circuit == "closed"


def test_a_rejected_key_is_not_tried_again(make: Make) -> None:
    """Its answer is known: nothing is sent, and the caller reads until when."""
    host = make(BYOK_FALLBACK="never")
    host.store()
    host.fail("revoked")
    host.refuse(errors.KeyRejected)
    error = host.refuse(errors.CompanyKeyUnavailable)
    assert host.paid == "c" and error.reason == "auth"
    assert 13 * 60 < host.rest(error.until) < 17 * 60


def test_broken_streams_fall_back_like_an_outage(host: CallHost) -> None:
    """Two streams cut open the circuit; the next call may use the system key."""
    host.store()
    host.fail("cut", times=2)

    for _ in range(2):
        with pytest.raises(errors.StreamInterrupted):
            host.stream()

    assert host.circuit().reason == "interrupted"
    host.simulator.clear()
    assert host.client.source == "system"
    assert (host.chat().source, host.paid) == ("system", "s")


def spoil(host: CallHost) -> None:
    """Make the stored key unreadable."""
    table = host.byok.state.tables.credential

    with host.byok.state.database.write() as conn:
        blob = bytearray(conn.scalar(sa.select(table.c.blob)))
        blob[-1] ^= 1
        conn.execute(sa.update(table).values(blob=bytes(blob)))


@pytest.mark.case("F12", "F17")
def test_an_unreadable_key_falls_back_and_is_told_once(any_host: CallHost) -> None:
    """Under ``auto`` the system key serves; the circuit stays closed."""
    any_host.store()
    spoil(any_host)
    answers = [any_host.chat() for _ in range(3)]
    assert any_host.paid == "sss" and any_host.circuit().circuit == "closed"
    assert [a.attempts[0].reason for a in answers] == ["unreadable"] * 3
    assert [n for n, _ in any_host.signals] == ["key_unreadable", "notice_due"]
    assert any_host.actions().count("key_unreadable") == 1
    assert any_host.byok.status(1).reason == "unreadable"


@pytest.mark.case("F12", "F17")
@pytest.mark.parametrize("how", ["never", "outage_only", "fallback=False"])
def test_an_unreadable_key_is_not_covered_up(host: CallHost, how: str) -> None:
    """Where only outages may fall back, or nothing, the call fails."""
    host.store()
    spoil(host)

    if how in ("never", "outage_only"):
        host.byok.set_policy(1, fallback=how)

    error = host.refuse(StoredKeyUnreadable, fallback=how != "fallback=False")
    assert host.paid == "" and error.reason in ("tampered", "wrong_key_or_context")


@pytest.mark.case("B8", "B16")
def test_a_worker_without_the_master_key_is_alone_with_it(
    make: Make, sqlite_url: str, byok_simulator: Simulator
) -> None:
    """Another ring cannot open the key; the worker that can is unaffected."""
    host = make()
    host.store()

    with calling(
        sqlite_url, byok_simulator, BYOK_MASTER_KEYS={"k002": generate()}
    ) as other:
        assert (other.chat().source, other.paid) == ("system", "s")

    assert (host.chat().source, host.paid) == ("company", "c")
    assert host.circuit().unreadable_at is None


class TimeLimit(Exception):
    """What job queues raise out of a signal's handler is an ordinary exception."""


@pytest.mark.parametrize("leaving", [SystemExit, TimeLimit])
def test_a_caller_who_leaves_a_probe_gives_it_back(
    host: CallHost, leaving: type[BaseException]
) -> None:
    """A worker told to stop in mid-request: cancelled, and the next caller probes."""
    host.store()
    host.fail("revoked")
    host.chat()
    host.move_clock(minutes=20)
    host.fail("hang")

    with leaving_after(0.3, leaving), pytest.raises(leaving):
        host.chat()

    assert host.circuit().probe_token is None and host.circuit().circuit == "open"
    assert host.attempts()[-1].state == "cancelled"
    host.fail(None)
    assert host.chat().source == "company"


@contextlib.contextmanager
def leaving_after(seconds: float, leaving: type[BaseException]) -> cabc.Iterator[None]:
    """Stop whatever runs in the main thread, as a server stops its worker."""

    def leave(*_: object) -> None:
        raise leaving

    before = signal.signal(signal.SIGALRM, leave)
    signal.setitimer(signal.ITIMER_REAL, seconds)

    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.case("F17")
@pytest.mark.parametrize("streamed", [False, True])
def test_unknown_state_fails_closed(any_host: CallHost, streamed: bool) -> None:
    """Our rows cannot be read: the company's opt-out is unknown, so nothing is sent."""
    any_host.store()
    any_host.byok.state.tables.credential.drop(any_host.db.engine)

    with pytest.raises(errors.StateUnavailable) as caught:
        any_host.stream() if streamed else any_host.chat()

    assert any_host.paid == "" and caught.value.__context__ is None
    any_host.db.create_all()


@pytest.mark.case("F12")
@pytest.mark.parametrize("damaged", ["not-a-sealed-key-but-a-text", 10**12, b""])
def test_a_damaged_blob_hides_nothing_else(host: CallHost, damaged: object) -> None:
    """Rule U, and the page opens: the key can be entered again."""
    host.store()
    set_columns(host, blob=damaged)
    assert host.chat().source == "system" and host.paid == "s"
    assert host.told("key_unreadable")[0]["reason"] == "malformed"
    assert host.byok.status(1).credentials[0].unreadable_at is not None
    host.store(api_key=BETTER)
    assert host.chat().source == "company"


@pytest.mark.parametrize(
    ("reason", "count"), [("of-another-version", "1"), ("model", "Infinity")]
)
def test_damaged_blocks_count_as_none(host: CallHost, reason: str, count: str) -> None:
    """A word nobody knows is rubbish like any other; the call goes on."""
    host.store()
    set_columns(
        host,
        model_blocks=f'{{"gpt-6-sol": {{"reason": "{reason}", "code": null, '
        f'"count": {count}, "until": "2999-01-01T00:00:00+00:00"}}}}',
    )
    assert host.client.source == "company" and host.chat().source == "company"


def test_a_circuit_open_for_a_word_nobody_knows(host: CallHost) -> None:
    """Neither a crash nor the system key: nobody can tell what the policy says."""
    host.store()
    set_columns(
        host,
        circuit="open",
        reason="of-another-version",
        open_until="2999-01-01 00:00:00.000000",
    )
    assert host.client.source is None
    assert host.refuse(errors.CompanyKeyUnavailable).reason == "of-another-version"
    assert host.paid == ""


def set_columns(host: CallHost, **values: object) -> None:
    """Write into the stored key's row as somebody with the database could."""
    names = ", ".join(f"{name} = :{name}" for name in values)

    with host.db.engine.begin() as conn:
        conn.execute(sa.text(f"UPDATE byok_credential SET {names}"), values)


@pytest.mark.parametrize("own", [True, False])
def test_a_label_that_no_column_takes(host: CallHost, own: bool) -> None:
    """A lone surrogate is replaced; what is no text is refused before anything."""
    if own:
        host.store()

    host.chat(label="a\ud800b")
    assert host.attempts()[-1].label == "a?b"

    with pytest.raises(TypeError):
        host.chat(label=object())

    assert host.byok.state.database.pending == 0
