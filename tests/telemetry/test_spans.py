"""What spans a call leaves, whatever becomes of it."""

from __future__ import annotations

import contextlib
import gc
import logging
import uuid

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind
from opentelemetry.trace import StatusCode

from flask_byok import ChatChunk
from flask_byok import errors
from flask_byok import signals
from flask_byok.testing import LeakGuard
from flask_byok.testing import make_canary
from flask_byok.testing import Simulator
from tests.telemetry.conftest import seeing
from tests.telemetry.conftest import SeenHost

PROMPT = "A prompt that must stay here."


def test_a_call_is_a_span_with_its_attempt_below(host: SeenHost) -> None:
    """Both tell the same route; the call tells the answer's facts, not its words."""
    host.store()
    answer = host.client.chat(PROMPT, label="summary", max_tokens=50)
    (attempt,), span = host.attempts_seen(), host.span
    (row,) = host.attempts()

    assert span.name == f"chat {host.client.model}"
    assert attempt.name == f"attempt {host.client.model}"
    assert span.kind == attempt.kind == SpanKind.CLIENT
    assert attempt.parent is not None and span.parent is None
    assert attempt.parent.span_id == span.context.span_id
    assert span.status.status_code == attempt.status.status_code == StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": host.client.model,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.response.model": answer.model,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": answer.usage.input_tokens,
        "gen_ai.usage.output_tokens": answer.usage.output_tokens,
        "byok.call_id": row.call_id,
        "byok.company_id": "i:1",
        "byok.label": "summary",
        "byok.source": "company",
        "byok.attempts": 1,
        "byok.fallback": False,
        "byok.outcome": "answered",
    }


def test_a_fallback_shows_both_attempts(host: SeenHost) -> None:
    """The failed one with its reason and the circuit that opened, then the other."""
    host.store()
    host.fail("revoked")
    host.chat()
    first, second = host.attempts_seen()
    span = host.span

    assert first.attributes["error.type"] == "auth"
    assert first.attributes["http.response.status_code"] == 401
    assert first.attributes["byok.code"] == "invalid_api_key"
    assert first.status.status_code == StatusCode.ERROR
    assert (first.attributes["byok.source"], second.attributes["byok.source"]) == (
        "company",
        "system",
    )
    assert second.attributes["byok.attempt.kind"] == "fallback"
    assert second.status.status_code == StatusCode.UNSET
    assert (span.attributes["byok.fallback"], span.attributes["byok.attempts"]) == (
        True,
        2,
    )
    assert span.attributes["byok.source"] == "system"
    (event,) = span.events
    assert event.name == "byok.key.changed"
    assert event.attributes["byok.change"] == "opened"
    assert event.attributes["byok.episode"] == 1


def test_a_retry_is_told_from_a_fallback(host: SeenHost) -> None:
    """The same route once more, after a short limit."""
    host.store()
    host.fail("ratelimited_1s", times=1)
    host.chat()

    kinds = [span.attributes["byok.attempt.kind"] for span in host.attempts_seen()]
    assert kinds == ["first", "retry"]
    assert host.span.attributes["byok.fallback"] is False


def test_a_key_that_is_out_is_an_event(host: SeenHost) -> None:
    """No request, so no span; the call says which route it passed by, and why."""
    host.store()
    host.fail("revoked")
    host.chat()
    host.exporter.clear()
    host.chat()
    (event,), (attempt,) = host.span.events, host.attempts_seen()

    assert event.name == "byok.route.skipped"
    assert event.attributes["byok.reason"] == "auth"
    assert event.attributes["byok.source"] == "company"
    assert attempt.attributes["byok.attempt.kind"] == "fallback"


def test_a_probe_is_half_open_and_closes(host: SeenHost) -> None:
    """The attempt tells how it met the circuit, the call what came of it."""
    host.store()
    host.fail("revoked", times=1)
    host.chat()
    host.exporter.clear()
    host.move_clock(minutes=20)
    host.chat()
    (attempt,), (event,) = host.attempts_seen(), host.span.events

    assert attempt.attributes["byok.circuit"] == "half_open"
    assert event.attributes["byok.change"] == "closed"


@pytest.mark.parametrize(
    ("policy", "fault", "error"),
    [("never", "revoked", errors.KeyRejected), ("auto", "status_418", None)],
)
def test_a_failed_call_is_an_error(
    host: SeenHost, policy: str, fault: str, error: type[Exception] | None
) -> None:
    """The status says so, and the class that was raised; never a message."""
    host.store()
    host.byok.set_policy(1, fallback=policy)
    host.fail(fault)
    wanted = error or errors.RequestRefused
    host.refuse(wanted)

    assert host.span.status.status_code == StatusCode.ERROR
    assert host.span.attributes["error.type"] == wanted.__name__
    assert host.span.attributes["byok.outcome"] == "failed"
    assert [event.name for event in host.span.events if event.name == "exception"] == []


def test_a_call_without_a_route_has_no_attempt(host: SeenHost) -> None:
    """Nothing was sent: the span tells what was asked for and what was raised."""
    host.store()
    host.byok.set_policy(1, fallback="never")
    host.fail("revoked")
    host.refuse(errors.KeyRejected)
    host.exporter.clear()
    host.refuse(errors.CompanyKeyUnavailable)

    assert host.attempts_seen() == []
    assert host.span.attributes["byok.attempts"] == 0
    assert host.span.attributes["error.type"] == "CompanyKeyUnavailable"


def test_rows_that_cannot_be_read_are_an_error(host: SeenHost) -> None:
    """The span ends, too, when the call ends before its first route."""
    host.byok.state.tables.credential.drop(host.db.engine)
    host.refuse(errors.StateUnavailable)

    assert host.span.name == "chat"
    assert host.span.attributes["error.type"] == "StateUnavailable"


def test_embeddings_and_lists_have_their_own_names(host: SeenHost) -> None:
    """The operation stands in front."""
    host.store()
    host.client.embed("a text")
    assert host.span.attributes["gen_ai.operation.name"] == "embeddings"
    host.exporter.clear()
    host.client.models()
    assert host.span.attributes["gen_ai.operation.name"] == "list_models"


def test_a_stream_ends_its_spans_at_its_end(host: SeenHost) -> None:
    """Nothing is exported before; the time to the first content is told."""
    host.store()

    with host.client.stream("Say hello.") as stream:
        assert host.spans() == []
        assert not trace.get_current_span().get_span_context().is_valid
        list(stream)

    (attempt,), span = host.attempts_seen(), host.span
    first = span.attributes["gen_ai.response.time_to_first_chunk"]
    assert span.attributes["gen_ai.request.stream"] is True
    assert 0 < first < (span.end_time - span.start_time) / 1e9
    assert span.attributes["byok.outcome"] == "answered"
    assert span.attributes["gen_ai.usage.output_tokens"] > 0
    assert attempt.end_time <= span.end_time


def test_a_stream_that_breaks_is_an_error(host: SeenHost) -> None:
    """Both spans end with the break, and keep what had been used."""
    host.store()
    host.fail("cut")

    with pytest.raises(errors.StreamInterrupted):
        host.stream()

    (attempt,), span = host.attempts_seen(), host.span
    assert span.status.status_code == attempt.status.status_code == StatusCode.ERROR
    assert span.attributes["error.type"] == "StreamInterrupted"
    assert attempt.attributes["error.type"] == "interrupted"
    assert span.attributes["byok.outcome"] == "interrupted"


def test_a_stream_that_is_left_is_no_error(host: SeenHost) -> None:
    """Closed after the first piece, or dropped without a word."""
    host.store()
    stream = host.client.stream("Say hello.")
    next(stream)
    del stream
    gc.collect()

    assert host.span.attributes["byok.outcome"] == "cancelled"
    assert host.span.status.status_code == StatusCode.UNSET
    assert len(host.attempts_seen()) == 1


def test_a_stream_that_never_began_falls_back(host: SeenHost) -> None:
    """The failed attempt ends at once, the other one with the stream."""
    host.store()
    host.fail("revoked")
    host.stream()

    first, second = host.attempts_seen()
    assert first.attributes["error.type"] == "auth"
    assert first.end_time < second.end_time
    assert host.span.attributes["byok.fallback"] is True


def test_who_leaves_in_mid_call_is_no_error(host: SeenHost) -> None:
    """A worker that is told to stop ends both spans, without an error."""
    host.store()

    def stop(sender: object, **payload: object) -> None:
        raise SystemExit

    host.fail("revoked")

    with signals.circuit_opened.connected_to(stop, sender=host.app):
        with pytest.raises(SystemExit):
            host.chat()

    assert host.span.attributes["byok.outcome"] == "cancelled"
    assert host.span.status.status_code == StatusCode.UNSET


def test_the_hosts_span_is_the_parent(host: SeenHost) -> None:
    """A request's span is above the call's; afterwards it is the current one again."""
    host.store()
    tracer = host.tracer_provider.get_tracer("host")

    with tracer.start_as_current_span("GET /summary") as request:
        host.chat()
        assert trace.get_current_span() is request
        host.fail("status_418", keys=None)

        with pytest.raises(errors.RequestRefused):
            host.chat()

        assert trace.get_current_span() is request

    calls = [span for span in host.spans() if span.name.startswith("chat")]
    parents = [span.parent.span_id for span in calls if span.parent is not None]
    assert parents == [request.get_span_context().span_id] * 2


def test_what_happens_inside_stands_below(host: SeenHost) -> None:
    """A receiver of a signal and the sending of a request see the right span."""
    host.store()
    host.fail("revoked")
    seen: dict[str, str] = {}

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen["sending"] = getattr(trace.get_current_span(), "name", "")

    def receive(sender: object, **payload: object) -> None:
        seen["telling"] = getattr(trace.get_current_span(), "name", "")

    logger, listener = logging.getLogger("urllib3"), Listener()
    before = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(listener)

    try:
        with signals.circuit_opened.connected_to(receive, sender=host.app):
            host.chat()
    finally:
        logger.removeHandler(listener)
        logger.setLevel(before)

    assert seen["sending"].startswith("attempt ")
    assert seen["telling"].startswith("chat ")


def test_companies_are_named_as_in_the_ledger(
    sqlite_url: str, byok_simulator: Simulator
) -> None:
    """With the type of their id: three that print alike stay three."""
    with seeing(sqlite_url, byok_simulator) as host:
        for host.company in (7, "7", uuid.UUID(int=7)):
            host.chat()

        ids = [s.attributes.get("byok.company_id") for s in host.spans()]

    assert [i for i in ids if i] == ["i:7", "s:7", f"u:{uuid.UUID(int=7)}"]


def test_a_hashed_company_is_the_same_and_no_other(
    sqlite_url: str, byok_simulator: Simulator
) -> None:
    """Two calls of one company share a value that does not hold its name."""
    with seeing(sqlite_url, byok_simulator, company_ids="hashed") as host:
        for host.company in ("acme", "acme", "globex"):
            host.chat()

        ids = [s.attributes["byok.company_id"] for s in host.spans() if not s.parent]
        text = "".join(span.to_json() for span in host.spans())

    assert ids[0] == ids[1] != ids[2]
    assert "acme" not in text and "globex" not in text


def test_a_company_may_be_left_out(sqlite_url: str, byok_simulator: Simulator) -> None:
    """Then nothing tells which one called."""
    with seeing(sqlite_url, byok_simulator, company_ids="off") as host:
        host.company = "acme"
        host.chat()

        assert "byok.company_id" not in (host.span.attributes or {})
        assert "acme" not in "".join(span.to_json() for span in host.spans())


@pytest.mark.parametrize("fault", [None, "cut", "revoked", "restricted"])
def test_no_key_prompt_or_answer_is_told(host: SeenHost, fault: str | None) -> None:
    """Neither in spans nor in metrics, whether it works, breaks or falls back."""
    guard = LeakGuard(make_canary("telemetry"))
    host.store(api_key=guard.canary)
    host.fail(fault, keys=guard.canary)
    answers = ["not reached"]

    for call in (host.client.chat, host.client.stream):
        with contextlib.suppress(errors.ProviderError):
            answer = call(PROMPT, system=PROMPT)
            answers.append(getattr(answer, "text", "") or "".join(map(text_of, answer)))

    told = "".join(span.to_json() for span in host.spans())
    told += host.reader.get_metrics_data().to_json()
    guard.look("logs", told)
    assert guard.leaks == []
    assert not [text for text in (PROMPT, "system-key", *answers) if text in told]
    guard.look("logs", told + guard.canary[-4:])
    assert guard.leaks


def text_of(chunk: ChatChunk) -> str:
    return chunk.text or ""
