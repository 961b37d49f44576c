"""One attempt's line in the ledger: begun before a system key is used, ended once."""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from ..ledger.usage import AttemptEnd
from ..ledger.usage import AttemptStart
from ..ledger.usage import EndState
from ..ledger.usage import Ledger
from ..ledger.usage import Started
from ..providers.types import Attempt
from ..providers.types import Usage
from .rooms import Call
from .routes import Route
from .verdict import Verdict

#: Seconds a stream may live at the very most, beside the call's own time.
LONGEST_STREAM: t.Final = 900.0


@dataclasses.dataclass(slots=True)
class Ticket:
    """Follows one attempt to its end. An attempt ends once; later ends are ignored."""

    ledger: Ledger
    start: AttemptStart
    started_at: dt.datetime
    #: Of a system key; ``None`` on a company key, which is written when it is over.
    started: Started | None
    has_ended: bool = False

    @classmethod
    def begin(
        cls, ledger: Ledger, call: Call, route: Route, now: dt.datetime, timeout: float
    ) -> Ticket:
        """Note an attempt; a system key's is reserved and written before it is sent.

        :raises SystemBudgetExceeded: when the company's allowance is used up.
        :raises SystemKeyRefused: when the reservation cannot be written.
        """
        start = AttemptStart(
            company_id=call.company,
            provider=route.provider.id,
            model=route.model,
            label=call.label,
            call_id=call.id,
            streamed=call.streamed,
        )
        started = None

        if route.source == "system":
            output = call.output_tokens or route.provider.default_output_cap
            started = ledger.start(
                start,
                estimate=Usage(input_tokens=call.input_tokens, output_tokens=output),
                lifetime=timeout + (LONGEST_STREAM if call.streamed else 0.0),
                now=now,
            )

        return cls(ledger, start, now, started)

    def fail(self, verdict: Verdict, attempt: Attempt, *, unseen: bool = False) -> None:
        """End it with what the verdict says of the use: nothing, or unknown.

        :param unseen: the provider never saw the request, whatever the verdict.
        """
        state = "failed" if unseen else verdict.failure_class.end_state
        self._end(
            AttemptEnd(
                state="unknown" if state == "unknown" else "failed",
                reason=verdict.reason,
                status=verdict.status,
                code=verdict.code,
                request_id=verdict.request_id,
                latency_ms=attempt.latency_ms,
            )
        )

    def finish(
        self, usage: Usage | None, request_id: str | None, latency_ms: int
    ) -> None:
        """End it with an answer."""
        self._end(
            AttemptEnd(
                state="done",
                request_id=request_id,
                latency_ms=latency_ms,
                usage=usage,
            )
        )

    def break_off(
        self, state: EndState, reason: str, usage: Usage | None, latency_ms: int | None
    ) -> None:
        """End it in the middle: cancelled by the caller, or interrupted."""
        self._end(
            AttemptEnd(state=state, reason=reason, usage=usage, latency_ms=latency_ms)
        )

    def _end(self, end: AttemptEnd) -> None:
        if self.has_ended:
            return

        self.has_ended = True

        if self.started is not None:
            self.ledger.settle(self.started, end)
        else:
            self.ledger.record(self.start, end, started_at=self.started_at)
