"""One span for each call, and one below it for each attempt.

A call's span is current while the call runs in its caller's context, so that it stands
below the host's own span, and an attempt's while its request is under way. A stream's
two spans end with the stream, wherever it is read.
"""

from __future__ import annotations

import collections.abc as cabc
import importlib.metadata
import time
import types
import typing as t

from opentelemetry import context  # pyright: ignore[reportMissingImports]
from opentelemetry import metrics  # pyright: ignore[reportMissingImports]
from opentelemetry import trace  # pyright: ignore[reportMissingImports]

from .. import signals
from ..errors import StreamInterrupted
from ..failover.changes import Change
from ..failover.notes import Step
from ..failover.rooms import Call
from ..failover.watch import CallWatch
from ..failover.watch import Observer
from ..providers.types import Attempt
from ..providers.types import Usage
from . import words
from .measures import Attributes
from .measures import Measures
from .quiet import complain
from .quiet import quietly

_SCOPE: t.Final = "flask_byok"

#: What the metrics of a call are told apart by; the company never is among them.
_DIMENSIONS: t.Final[tuple[str, ...]] = (
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "byok.source",
)


class Telemetry(Observer):
    """Looks at the calls of one app.

    :param name_company: writes a company as it may stand in a span; ``None`` for not
        at all.
    """

    def __init__(
        self,
        tracer_provider: t.Any,
        meter_provider: t.Any,
        name_company: cabc.Callable[[str], str | None],
    ) -> None:
        version = importlib.metadata.version("flask-byok")
        self.tracer: t.Any = trace.get_tracer(_SCOPE, version, tracer_provider)
        meter = metrics.get_meter(_SCOPE, version, meter_provider)
        self.measures: Measures = Measures(meter)
        self._name_company = name_company

    def watch(self, call: Call) -> CallWatch:
        """Begin the span of a call."""
        try:
            return CallSpan(self, call, self._name_company(call.company))
        except Exception as error:
            complain(error)
            return super().watch(call)

    def count_openings(self, app: t.Any) -> None:
        """Count circuits that open in this process, in whatever way."""
        signals.circuit_opened.connect(self._count_opening, app)

    def _count_opening(self, sender: t.Any, **payload: t.Any) -> None:
        self.measures.circuit_opened(
            {
                "gen_ai.provider.name": words.provider_name(payload["provider"]),
                "byok.source": payload["source"],
                "byok.reason": payload["reason"],
            }
        )


class CallSpan(CallWatch):
    """The span of one call, and of its attempts while they last."""

    __slots__ = (
        "_attempt",
        "_attempt_token",
        "_began",
        "_call",
        "_first",
        "_is_open",
        "_known",
        "_last",
        "_sent",
        "_span",
        "_telemetry",
        "_token",
    )

    def __init__(self, telemetry: Telemetry, call: Call, company: str | None) -> None:
        self._telemetry = telemetry
        self._call = call
        self._began = time.perf_counter()
        self._known = words.of_call(call, company)
        self._span = telemetry.tracer.start_span(
            self._name(call.ask.model),
            kind=trace.SpanKind.CLIENT,
            attributes=self._known,
        )
        self._token: t.Any = None
        self._attempt: t.Any = None
        self._attempt_token: t.Any = None
        self._first: Attempt | None = None
        self._last: Attempt | None = None
        self._sent = 0
        #: The call is under way, or its stream is.
        self._is_open = True

    def __enter__(self) -> CallWatch:
        self._token = _make_current(self._span)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self._leave(error)

    @quietly
    def _leave(self, error: BaseException | None) -> None:
        self._detach_attempt()
        _restore(self._token)

        if error is not None:
            self._fail(error)

    @quietly
    def skipped(self, attempt: Attempt) -> None:
        """Put an event on the span."""
        self._meet(attempt)
        self._span.add_event("byok.route.skipped", words.of_attempt(attempt))

    @quietly
    def sending(self, step: Step, *, retried: bool) -> None:
        """Begin the span of an attempt."""
        self._sent += 1
        kind = "first" if self._first is None else "fallback"
        self._attempt = self._telemetry.tracer.start_span(
            f"attempt {step.route.model}",
            kind=trace.SpanKind.CLIENT,
            attributes=words.of_request(step, "retry" if retried else kind),
        )
        self._attempt_token = _make_current(self._attempt)

    @quietly
    def attempted(self, attempt: Attempt) -> None:
        """End the span of an attempt, unless a stream goes on in it."""
        self._meet(attempt)
        self._detach_attempt()

        if self._attempt is not None:
            self._attempt.set_attributes(words.of_outcome(attempt))

        self._telemetry.measures.attempted(_texts(words.of_attempt(attempt)))

        if attempt.reason is not None:
            self._end_attempt(attempt.reason)
        elif not self._call.streamed:
            self._end_attempt(None)

    @quietly
    def changed(self, change: Change | None) -> None:
        """Put an event on the span."""
        if change is not None:
            self._span.add_event("byok.key.changed", words.of_change(change))

    @quietly
    def answered(self, answer: object) -> None:
        """End the call."""
        self._count_fallback()
        self._end("answered", answer=answer, usage=getattr(answer, "usage", None))

    @quietly
    def opened(self) -> None:
        """Measure the time to the first content."""
        seconds = time.perf_counter() - self._began
        self._count_fallback()
        self._know({"gen_ai.response.time_to_first_chunk": seconds})
        self._telemetry.measures.opened(seconds, self._dimensions())

    @quietly
    def finished(self, answer: object) -> None:
        """End the call and its last attempt."""
        self._end("answered", answer=answer, usage=getattr(answer, "usage", None))

    @quietly
    def interrupted(self, error: StreamInterrupted) -> None:
        """End the call and its last attempt, as failed."""
        self._end_attempt(error.reason)
        self._end("interrupted", error=error, usage=error.usage)

    @quietly
    def left(self, usage: Usage | None) -> None:
        """End the call and its last attempt; leaving a stream is no error."""
        self._end("cancelled", usage=usage)

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, Exception):
            self._end("failed", error=error)
        else:
            self._end("cancelled")

    def _meet(self, attempt: Attempt) -> None:
        """Take over the route: the last one stands in the span."""
        self._first = self._first or attempt
        self._last = attempt
        self._know(words.of_route(attempt))
        self._span.update_name(self._name(attempt.model))

    def _know(self, values: dict[str, words.Value]) -> None:
        self._known.update(values)
        self._span.set_attributes(values)

    def _count_fallback(self) -> None:
        first, last = self._first, self._last

        if first is None or last is None or _route(first) == _route(last):
            self._know({"byok.fallback": False})
            return

        self._know({"byok.fallback": True})
        self._telemetry.measures.fell_back(
            {
                "gen_ai.provider.name": words.provider_name(first.provider),
                "byok.reason": first.reason or "",
                "byok.source": last.source,
            }
        )

    def _end(
        self,
        outcome: str,
        *,
        answer: object = None,
        usage: Usage | None = None,
        error: Exception | None = None,
    ) -> None:
        """End the span once; what comes later is late."""
        if not self._is_open:
            return

        self._is_open = False
        self._know(words.of_answer(answer))
        self._know(words.of_usage(usage))
        self._know({"byok.attempts": self._sent, "byok.outcome": outcome})
        problem = None if error is None else type(error).__name__

        if problem is not None:
            self._know({"error.type": problem})
            self._span.set_status(trace.StatusCode.ERROR, problem)

        self._end_attempt(problem)
        self._telemetry.measures.ended(
            time.perf_counter() - self._began, usage, self._dimensions(problem)
        )
        self._span.end()

    def _end_attempt(self, problem: str | None) -> None:
        if self._attempt is None:
            return

        if problem is not None:
            self._attempt.set_attribute("error.type", problem)
            self._attempt.set_status(trace.StatusCode.ERROR, problem)

        self._attempt.end()
        self._attempt = None

    def _detach_attempt(self) -> None:
        _restore(self._attempt_token)
        self._attempt_token = None

    def _dimensions(self, problem: str | None = None) -> Attributes:
        known = {name: self._known[name] for name in _DIMENSIONS if name in self._known}
        return _texts({**known, **words.present({"error.type": problem})})

    def _name(self, model: str | None) -> str:
        operation = self._call.operation
        return operation if model is None else f"{operation} {model}"


def _route(attempt: Attempt) -> tuple[str, str, str | None]:
    return attempt.source, attempt.provider, attempt.model


def _texts(values: dict[str, words.Value]) -> Attributes:
    return {name: str(value) for name, value in values.items()}


def _make_current(span: t.Any) -> t.Any:
    """Make a span the current one; ``None`` when that cannot be done."""
    try:
        return context.attach(trace.set_span_in_context(span))
    except Exception as error:
        complain(error)
        return None


def _restore(token: t.Any) -> None:
    if token is not None:
        context.detach(token)
