"""What people are shown, and what must come to nobody's eyes."""

from __future__ import annotations

import collections.abc as cabc
import pathlib
import threading
import typing as t

import pytest

from flask_byok import errors
from tests.support.fault_room import FaultHost
from tests.support.told import CLOSED
from tests.support.told import REJECTED
from tests.support.told import REJECTED_IN_STREAM

Make = cabc.Callable[..., FaultHost]


@pytest.mark.fault(85, got="answer", served="c1 s11", seen=REJECTED, when="pages")
def test_many_fallbacks(host: FaultHost) -> None:
    """One flash for ten calls of a request, none for the next request."""
    host.store()
    host.fail("revoked")
    host.in_a_page(lambda: [host.client.chat("Say hello.") for _ in range(10)])
    assert host.page.count("flash") == 1
    host.chat()
    assert "flash" not in host.page


@pytest.mark.fault(
    85, got="answer", served="c1 s1", seen=REJECTED_IN_STREAM, when="no page"
)
@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Dest": "empty"}, {"Accept": "application/json"}],
    ids=["script", "json"],
)
def test_answers_that_are_no_page(host: FaultHost, headers: dict[str, str]) -> None:
    """No flash, and no cookie for it."""
    host.store()
    host.fail("revoked")
    host.in_a_page(lambda: host.client.chat("Say hello."), **headers)
    assert host.visitor.get_cookie("session") is None


@pytest.mark.fault(
    85, got="answer", served="c1 s1", seen=REJECTED_IN_STREAM, when="a stream"
)
def test_streams_flash_nothing(host: FaultHost) -> None:
    """The session of a stream is gone when it ends."""
    host.store()
    host.fail("revoked")
    host.stream()
    assert host.visitor.get_cookie("session") is None


@pytest.mark.fault(
    85, got="answer", served="c1 s1", seen=REJECTED_IN_STREAM, when="no session"
)
def test_no_session(host: FaultHost) -> None:
    """A host without a secret key gets its answer, and no error of ours."""
    host.app.secret_key = None
    host.store()
    host.fail("revoked")
    assert host.chat().source == "system"


@pytest.mark.fault(86, got="answer", served="c1 s1", seen=REJECTED)
@pytest.mark.parametrize("provider", ["OPENAI", "GEMINI", "CLAUDE"])
def test_echoed_key(host: FaultHost, provider: str) -> None:
    """In the text of an error and in its header: it goes no further."""
    host.store(provider)
    host.fail("key_echoed", provider)
    answer = host.chat()
    host.guard.look("pickles", answer)
    host.guard.look("responses", host.look("/settings/ai/"))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(
            "stream_key_echoed",
            None,
            marks=pytest.mark.fault(
                86,
                got="answer",
                served="c1 s1",
                seen=REJECTED_IN_STREAM,
                when="in a stream",
            ),
        ),
        pytest.param(
            "late_key_echoed",
            errors.StreamInterrupted,
            marks=pytest.mark.fault(
                86,
                got="StreamInterrupted",
                served="c1 s0",
                when="behind its first content",
            ),
        ),
    ],
)
def test_echoed_key_in_a_stream(
    host: FaultHost, fault: str, error: type[Exception] | None
) -> None:
    """Nor does an event that repeats it."""
    host.store()
    host.fail(fault)

    if error is None:
        host.guard.look("pickles", host.stream())
    else:
        with pytest.raises(error):
            host.stream()


@pytest.mark.fault(87, got="OurSideError", served="c1 s0", seen=CLOSED, when="redirect")
def test_redirect(host: FaultHost) -> None:
    """A 307 to another host is not followed, so the key goes nowhere."""
    host.store()
    host.fail("redirect_307")
    host.refuse(errors.OurSideError)
    assert {request.provider for request in host.simulator.requests} == {"OPENAI"}


@pytest.mark.fault(87, got="answer", served="c1 s0", when="`.netrc`")
def test_netrc(
    host: FaultHost, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the machine knows about the host is not sent in place of the key."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n", "utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    host.store()
    host.chat()
    assert host.who_paid() == [host.api_key]


@pytest.mark.fault(89, got="answer", served="c1 s1", seen=REJECTED)
def test_model_of_its_own(make: Make) -> None:
    """What a company chose for its own key is not spent on the operator's."""
    host = make(BYOK_MODELS={"OPENAI": {"default": "gpt-6.1-sol"}})
    host.store(model="gpt-6.1-terra")
    host.fail("revoked")
    models = [a.model for a in host.chat().attempts]
    assert models == ["gpt-6.1-terra", "gpt-6.1-sol"]


#: What would tell a company about the operator's account.
BILLING: t.Final = ("the account at", "quota", "billing", "insufficient")


@pytest.mark.fault(
    90,
    got="KeyRejected",
    served="c1 s1",
    seen="banner log:WARNING×2 log:ERROR circuit_opened×2 key_rejected "
    "notice_due "
    "system_key_failed",
)
def test_bill_of_the_operator(make: Make) -> None:
    """The operator reads of it; the company's pages and history do not."""
    host = make(BYOK_FALLBACK_SCOPE="same_provider")
    host.store()
    host.fail("revoked")
    host.fail("nocredit", keys="system")
    error = host.refuse(errors.KeyRejected)
    assert error.source == "company"
    shown = f"{host.look('/settings/ai/')} {host.look()} {host.byok.history(1)}"
    assert [word for word in BILLING if word in shown.lower()] == []


@pytest.mark.fault(84, got="answer", served="c1 s2", seen=REJECTED_IN_STREAM)
def test_calls_outside_of_a_request(host: FaultHost) -> None:
    """A command and a thread: no flash, no exception, and signals are sent."""
    host.store()
    host.fail("revoked")
    asked: list[str] = []

    def ask() -> None:
        asked.append(host.client.chat("hello").source)
        host.watch.note("answer")

    def ask_in_a_thread() -> None:
        with host.app.app_context():
            ask()

    host.app.cli.command("ask")(ask)
    assert host.app.test_cli_runner().invoke(args=["ask"]).exit_code == 0
    thread = threading.Thread(target=ask_in_a_thread)
    thread.start()
    thread.join()
    assert asked == ["system", "system"]


@pytest.mark.fault(
    88,
    got="answer",
    served="c6 s6",
    seen="flash banner log:WARNING circuit_opened fallback_used notice_due×2 "
    "history:fallback_started",
    when="14 minutes, 16 minutes, a day",
)
def test_an_outage_that_lasts(host: FaultHost) -> None:
    """Told once it has lasted a quarter of an hour, and once more after a day."""
    host.store()
    host.fail("outage")
    host.chat()
    host.chat()
    told: list[int] = []

    for span in ({"minutes": 14}, {"minutes": 2}, {"hours": 24}, {"hours": 24}):
        host.move_clock(**span)
        host.chat()
        told.append(len(host.told("notice_due")))

    assert told == [0, 1, 2, 2]
    kinds = [notice["kind"] for notice in host.told("notice_due")]
    assert kinds == ["failing", "reminder"]


@pytest.mark.fault(
    88,
    got="answer",
    served="c6 s6",
    seen="flash fallback_used×3 history:fallback_started×3",
    when="busy for an hour",
)
def test_an_hour_of_rate_limits(host: FaultHost) -> None:
    """Nobody gets a notice, and the circuit stays closed."""
    host.store()
    host.fail("ratelimited")

    for _ in range(6):
        host.chat()
        # Longer than the longest rest: each call tries the key.
        host.move_clock(minutes=12)

    assert host.circuit().circuit == "closed"
