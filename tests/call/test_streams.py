"""Streams: before the first content like any call, after it never elsewhere."""

from __future__ import annotations

import pytest

from flask_byok import errors
from tests.support.calls import CallHost

PROVIDERS = ("OPENAI", "GEMINI", "CLAUDE")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_is_whole_and_settled(host: CallHost, provider: str) -> None:
    """The pieces make the answer; usage stands in the ledger once."""
    host.store(provider)

    with host.client.stream("Say hello.", label="greet") as stream:
        text = "".join(chunk.text or "" for chunk in stream)

    row = host.attempts()[-1]
    assert text == stream.response.text != "" and host.paid == "c"
    assert (row.state, row.label, bool(row.streamed)) == ("done", "greet", True)
    assert row.output_tokens == stream.response.usage.output_tokens > 0


@pytest.mark.parametrize(
    ("provider", "fault", "reason"),
    [
        ("OPENAI", "revoked", "auth"),
        ("OPENAI", "quota_in_stream", "quota"),
        ("OPENAI", "cut_before_content", "outage"),
        ("CLAUDE", "stream_overloaded", "outage"),
        ("GEMINI", "raw_error", "outage"),
    ],
)
def test_before_the_first_content_a_stream_falls_back(
    host: CallHost, provider: str, fault: str, reason: str
) -> None:
    """The consumer sees one beginning only, of the route that answered."""
    host.store(provider)
    host.fail(fault, provider)
    stream = host.client.stream("Say hello.")
    text = "".join(chunk.text or "" for chunk in stream)
    assert host.paid == "cs" and stream.source == "system"
    assert text == stream.response.text
    assert [a.reason for a in stream.response.attempts] == [reason, None]


@pytest.mark.case("F18")
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("fault", ["cut", "no_end_mark", "error_after_content"])
def test_a_broken_stream_is_never_a_clean_end(
    host: CallHost, provider: str, fault: str
) -> None:
    """What came stays readable; no other key is asked to go on."""
    host.store(provider)
    host.fail(fault, provider)
    stream, seen = host.client.stream("Say hello."), []

    with pytest.raises(errors.StreamInterrupted) as caught:
        seen.extend(chunk.text or "" for chunk in stream)

    assert host.paid == "c" and caught.value.partial
    assert caught.value.__context__ is None
    assert host.attempts()[-1].state == "unknown"
    assert list(stream) == []


@pytest.mark.parametrize("how", ["close", "with", "drop", "generator"])
@pytest.mark.parametrize("source", ["company", "system"])
def test_a_client_that_leaves_is_counted_as_cancelled(
    host: CallHost, how: str, source: str
) -> None:
    """Leaving early, in whatever way, closes the connection and settles the row."""
    if source == "company":
        host.store()

    stream = host.client.stream("Say hello.")

    if how == "close":
        stream.close()
    elif how == "with":
        with stream:
            next(stream)
    elif how == "generator":
        pieces = (chunk for chunk in stream)
        next(pieces)
        pieces.close()

    del stream

    if how == "generator":
        del pieces

    row = host.attempts()[-1]
    assert (row.source, row.state, row.reason) == (source, "cancelled", "cancelled")
    assert host.byok.state.database.pending == 0


def test_a_cancelled_probe_had_its_success(host: CallHost) -> None:
    """The first content closes the circuit, whoever leaves afterwards."""
    host.store()
    host.fail("revoked", times=1)
    host.chat()
    host.move_clock(minutes=20)
    host.client.stream("Say hello.").close()
    assert host.circuit().circuit == "closed"


def test_a_stream_on_the_system_key_charges_what_it_used(host: CallHost) -> None:
    """A broken stream on the system key is charged, not refunded."""
    host.fail("cut", keys=None)

    with pytest.raises(errors.StreamInterrupted):
        host.stream()

    assert [r.state for r in host.attempts()] == ["unknown"] and host.paid == "s"


def test_a_response_before_the_end_is_refused(host: CallHost) -> None:
    """Half an answer is not handed out as a whole one."""
    host.store()

    with host.client.stream("Say hello.") as stream:
        with pytest.raises(RuntimeError, match="not ended"):
            assert stream.response
