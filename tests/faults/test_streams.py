"""Streams that fail before their first content, behind it, or are left alone."""

from __future__ import annotations

import collections.abc as cabc
import time

import pytest

from flask_byok import errors
from flask_byok.providers import streams
from tests.support.fault_room import FaultHost
from tests.support.told import REJECTED_IN_STREAM


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param(
            "revoked",
            "auth",
            marks=pytest.mark.fault(
                61,
                got="answer",
                served="c1 s1",
                seen=REJECTED_IN_STREAM,
                when="rejected",
            ),
        ),
        pytest.param(
            "quota_in_stream",
            "quota",
            marks=pytest.mark.fault(
                61,
                got="answer",
                served="c1 s1",
                seen="banner log:WARNING circuit_opened fallback_used "
                "history:fallback_started",
                when="no credit, told in the stream",
            ),
        ),
    ],
)
def test_before_the_first_content(host: FaultHost, fault: str, reason: str) -> None:
    """The reader sees one beginning, that of the route that answered."""
    host.store()
    host.fail(fault)

    def read() -> tuple[str, str]:
        with host.client.stream("Say hello.") as stream:
            text = "".join(chunk.text or "" for chunk in stream)

        assert stream.source == "system"
        assert [a.reason for a in stream.response.attempts] == [reason, None]
        return text, stream.response.text

    seen, whole = host.counted(read)
    assert seen == whole != ""


def read_on(host: FaultHost, each: cabc.Callable[[], None] = lambda: None) -> list[str]:
    """Read a stream that breaks; the error knows what the reader has seen."""
    seen: list[str] = []

    def read() -> None:
        for chunk in host.client.stream("Say hello."):
            seen.append(chunk.text or "")
            each()

    with pytest.raises(errors.StreamInterrupted) as caught:
        host.counted(read)

    assert caught.value.partial == "".join(seen) != ""
    return seen


@pytest.mark.fault(62, got="StreamInterrupted", served="c1 s0")
@pytest.mark.parametrize("provider", ["OPENAI", "GEMINI", "CLAUDE"])
@pytest.mark.parametrize("fault", ["cut", "no_end_mark", "error_after_content"])
def test_behind_the_first_content(host: FaultHost, provider: str, fault: str) -> None:
    """No other key goes on with it, and it is no clean end."""
    host.store(provider)
    host.fail(fault, provider)
    read_on(host)
    assert host.attempts()[-1].state == "unknown"


@pytest.fixture
def pace(host: FaultHost) -> cabc.Iterator[cabc.Callable[[float], None]]:
    """Let the provider pause between two pieces of a stream."""

    def set_pace(seconds: float) -> None:
        host.simulator.pace = seconds

    yield set_pace
    host.simulator.pace = 0.0


@pytest.mark.fault(62, got="StreamInterrupted", served="c1 s0", when="a long gap")
def test_gap(
    host: FaultHost,
    pace: cabc.Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Silence between two pieces ends it; 30 s, which is shortened here."""
    monkeypatch.setattr(streams, "GAP_LIMIT", 1.0)
    host.store()
    pace(0.2)
    assert read_on(host, lambda: pace(5.0))


@pytest.mark.fault(63, got="answer", served="c2 s0")
def test_reader_who_leaves(host: FaultHost) -> None:
    """Both streams are closed and noted as cancelled; the key is not to blame."""
    host.store()

    def leave() -> None:
        first, second = host.client.stream("One."), host.client.stream("Two.")
        next(iter(first))
        first.close()
        second.close()
        assert list(first) == list(second) == []

    host.counted(leave)
    assert [row.state for row in host.attempts()] == ["cancelled", "cancelled"]
    assert host.circuit().fail_count == 0


@pytest.mark.fault(64, got="answer", served="c1 s0")
def test_slow_reader(host: FaultHost) -> None:
    """Its own time is not the provider's: the deadline passes, the stream ends well."""
    host.store()

    def read() -> str:
        stream = host.client.stream("Say hello.", timeout=0.5)
        text = next(stream).text or ""
        time.sleep(0.8)
        text += "".join(chunk.text or "" for chunk in stream)
        assert text == stream.response.text
        return text

    assert host.counted(read)
