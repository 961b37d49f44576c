"""What the people of a company are told by mail: when, how often, and of what not."""

from __future__ import annotations

import collections.abc as cabc
import concurrent.futures
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok import signals
from tests.call.test_state import spoil
from tests.support.calls import CallHost
from tests.support.host import BETTER
from tests.support.host import GOOD

#: By reason word: the simulator's fault that leads to it at once.
URGENT = {"auth": "revoked", "permission": "restricted", "quota": "nocredit"}


def kinds(host: CallHost) -> list[str]:
    """List the kinds of the notices so far."""
    return [notice["kind"] for notice in host.told("notice_due")]


def break_down(host: CallHost) -> None:
    """Let the key meet an outage twice, which opens its circuit."""
    host.fail("outage")

    for _ in range(2):
        assert host.chat().source == "system"

    assert host.circuit().circuit == "open"


def sweep(host: CallHost) -> int:
    """Look for notices as ``flask byok sweep`` does."""
    now = host.byok.state.store.read_state("i:1").now()
    return host.byok.state.desk.teller.notices.sweep(now)


@pytest.mark.parametrize("reason", URGENT)
def test_who_has_to_act_is_told_at_once(any_host: CallHost, reason: str) -> None:
    """Once for an episode, by whom, why, since and until when; once at its end."""
    host = any_host
    host.store()
    host.fail(URGENT[reason])

    for _ in range(3):
        host.chat()

    (notice,) = host.told("notice_due")
    circuit = host.circuit()
    assert notice == {
        "company_id": 1,
        "provider": "OPENAI",
        "kind": "failing",
        "reason": reason,
        "since": circuit.opened_at,
        "until": circuit.open_until,
    }

    host.fail(None)
    host.move_clock(hours=13)
    assert host.chat().source == "company"
    host.chat()
    notice = host.told("notice_due")[1]
    assert (notice["kind"], notice["reason"], notice["until"]) == (
        "recovered",
        reason,
        None,
    )
    assert 0 <= -host.rest(notice["since"]) < 60
    assert kinds(host) == ["failing", "recovered"]


@pytest.mark.parametrize("by", ["call", "sweep"])
def test_an_outage_is_told_once_it_lasts(any_host: CallHost, by: str) -> None:
    """Not after 14 minutes; after 15 once, and once more a day later."""
    host = any_host
    host.store()
    break_down(host)

    def look() -> None:
        host.chat() if by == "call" else sweep(host)

    began = host.circuit().opened_at
    host.move_clock(minutes=14)
    look()
    assert kinds(host) == []
    host.move_clock(minutes=1)
    look()
    look()
    assert kinds(host) == ["failing"]
    assert host.told("notice_due")[0]["since"] == began
    host.move_clock(hours=23, minutes=59)
    look()
    assert kinds(host) == ["failing"]
    host.move_clock(minutes=1)
    look()
    look()
    host.move_clock(hours=24)
    look()
    assert kinds(host) == ["failing", "reminder"]


def test_an_hour_of_rate_limits_is_told_to_nobody(any_host: CallHost) -> None:
    """Nor is a model that a key has not."""
    host = any_host
    host.store()
    host.fail("ratelimited")

    for _ in range(7):
        host.chat()
        host.move_clock(minutes=10)

    host.fail("project_no_model_access")
    host.chat()
    assert sweep(host) == 0
    assert kinds(host) == []


def test_a_short_outage_has_no_end_to_tell(host: CallHost) -> None:
    """Who was not told of the trouble is not told that it is over."""
    host.store()
    break_down(host)
    host.fail(None)
    host.move_clock(minutes=1)
    assert host.chat().source == "company"
    assert sweep(host) == 0
    assert kinds(host) == []


def test_what_opens_again_soon_is_the_same_episode(host: CallHost) -> None:
    """No second notice; a reminder if it is still out a day after the last word."""
    host.store()
    host.fail("revoked")
    host.chat()
    host.fail(None)
    host.move_clock(minutes=17)
    host.chat()
    host.fail("revoked")
    host.move_clock(minutes=5)
    host.chat()
    assert host.circuit().episode == 1
    assert kinds(host) == ["failing", "recovered"]
    host.move_clock(hours=24)
    host.chat()
    assert kinds(host) == ["failing", "recovered", "reminder"]


def test_an_outage_that_turns_out_a_dead_key_is_told_at_once(host: CallHost) -> None:
    """The probe brings the word on which somebody has to act."""
    host.store()
    break_down(host)
    host.fail("revoked")
    host.move_clock(minutes=1)
    host.chat()
    assert [n["reason"] for n in host.told("notice_due")] == ["auth"]


def test_a_key_that_does_not_open_is_told_at_once(any_host: CallHost) -> None:
    """A day later again; and once more when it opens, not each time it does."""
    host = any_host
    host.store()
    spoil(host)
    host.chat()
    host.chat()
    (notice,) = host.told("notice_due")
    assert (notice["kind"], notice["reason"]) == ("failing", "unreadable")
    assert notice["until"] is None
    host.move_clock(hours=24)
    host.chat()
    host.chat()
    assert kinds(host) == ["failing", "reminder"]
    spoil(host)
    host.chat()
    host.chat()
    assert kinds(host) == ["failing", "reminder", "recovered"]


def test_one_worker_without_the_master_key_is_told_of_daily(host: CallHost) -> None:
    """While the others open the key, which clears its mark each time."""
    host.store()

    for _ in range(4):
        spoil(host)
        host.chat()
        spoil(host)
        host.chat()
        host.move_clock(hours=2)

    assert kinds(host) == ["failing", "recovered"]


@pytest.mark.parametrize("how", ["replaced", "tested"])
def test_a_person_mends_it(host: CallHost, how: str) -> None:
    """A working key in its place, or a test that finds it working: recovered, once."""
    host.store()
    host.fail("revoked")
    host.chat()
    host.fail(None)

    if how == "replaced":
        assert host.byok.save_key(1, "OPENAI", BETTER).saved
    else:
        assert host.byok.test_connection(1).verdict == "working"

    assert kinds(host) == ["failing", "recovered"]
    host.chat()
    sweep(host)
    assert kinds(host) == ["failing", "recovered"]


def test_a_key_nobody_could_try_has_not_recovered(host: CallHost) -> None:
    """Its first answer tells; until then nothing is known of it."""
    host.store()
    host.fail("revoked")
    host.chat()
    host.fail("outage")
    saved = host.byok.save_key(1, "OPENAI", BETTER, confirm="could_not_ask")
    assert saved.saved and sweep(host) == 0
    assert kinds(host) == ["failing"]
    host.fail(None)
    assert host.chat().source == "company"
    assert kinds(host) == ["failing", "recovered"]


def test_a_removed_key_has_not_recovered(host: CallHost) -> None:
    """Nor has the next one: it never failed."""
    host.store()
    host.fail("revoked")
    host.chat()
    host.byok.remove_key(1, "OPENAI")
    host.fail(None)
    host.move_clock(hours=25)
    assert host.chat().source == "system"
    assert sweep(host) == 0
    host.store(api_key=GOOD)
    assert host.chat().source == "company"
    assert kinds(host) == ["failing"]


def test_a_sweep_sends_so_many_and_each_once(any_host: CallHost) -> None:
    """The reminders of companies that make no calls; the next sweep goes on."""
    host = any_host

    for company in (1, 2, 3):
        host.company = company
        host.store()

    host.fail("revoked")

    for company in (1, 2, 3):
        host.company = company
        host.chat()

    host.move_clock(hours=25)
    now = host.byok.state.store.read_state("i:1").now()
    notices = host.byok.state.desk.teller.notices
    assert notices.count(now) == 3
    assert notices.sweep(now, most=2) == 2
    assert notices.count(now) == 1
    assert notices.sweep(now) == 1
    assert (notices.count(now), notices.sweep(now)) == (0, 0)
    reminded = [n for n in host.told("notice_due") if n["kind"] == "reminder"]
    assert {n["company_id"] for n in reminded} == {1, 2, 3}


def test_a_sweep_reads_on_behind_its_first_rows(host: CallHost) -> None:
    """Keys that are out and of which nothing is due do not stand in the way."""
    host.store()
    host.fail("revoked")
    host.chat()
    table = host.byok.state.tables.credential

    with host.byok.state.database.write() as conn:
        row = dict(conn.execute(sa.select(table)).mappings().one())
        others = [
            {**row, "id": f"{number:036}", "company_id": f"i:{number}"}
            for number in range(2, 450)
        ]
        conn.execute(sa.insert(table), others)
        last = sa.update(table).where(table.c.id == others[-1]["id"])
        conn.execute(last.values(noticed_episode=0))

    assert sweep(host) == 1
    assert host.told("notice_due")[-1]["company_id"] == 449


def test_many_at_once_send_one(any_host: CallHost) -> None:
    """Forty calls meet an open circuit whose notice is due."""
    host = any_host
    host.store()
    break_down(host)
    host.move_clock(minutes=15)
    app = host.app

    def call(_: int) -> None:
        with app.app_context():
            host.client.chat("hi")

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        list(pool.map(call, range(40)))

    assert kinds(host) == ["failing"]


def test_of_those_who_saw_the_same_row_one_sends(any_host: CallHost) -> None:
    """However late the others come: what they read has been told since."""
    host = any_host
    host.store()
    break_down(host)
    host.move_clock(minutes=15)
    seen = host.byok.state.store.read_state("i:1")
    credential = seen.credential("OPENAI")
    assert credential is not None

    for _ in range(3):
        notices = host.byok.state.desk.teller.notices
        notices.look(credential, credential.circuit, seen.now())

    assert kinds(host) == ["failing"]


def test_a_receiver_that_raises_costs_nothing(
    host: CallHost, caplog: pytest.LogCaptureFixture
) -> None:
    """The call answers, the others hear it, and the log names the signal alone."""

    def broken(sender: t.Any, **notice: t.Any) -> None:
        raise RuntimeError("smtp.example: 550 no such user")

    host.store()
    host.fail("revoked")

    with signals.notice_due.connected_to(broken, sender=host.app):
        assert host.chat().source == "system"

    assert kinds(host) == ["failing"]
    assert "byok-notice-due raised RuntimeError" in caplog.text
    assert "550" not in caplog.text


def outside(host: CallHost, act: cabc.Callable[[], t.Any]) -> t.Any:
    """Run ``act`` in a thread of its own, without a request."""

    def work() -> t.Any:
        with host.app.app_context():
            return act()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_threads_and_commands_tell_too(host: CallHost) -> None:
    """No page, no session: signals go out, nothing is flashed, nothing raises."""
    host.store()
    host.fail("revoked")

    @host.app.cli.command("ask")
    def ask() -> None:
        assert host.client.chat("hi").source == "system"

    if outside(host, lambda: host.client.chat("hi").source) != "system":
        raise AssertionError

    result = host.app.test_cli_runner().invoke(args=["ask"])
    assert result.exit_code == 0, result.output
    assert kinds(host) == ["failing"]
    assert len(host.told("fallback_used")) == 1
