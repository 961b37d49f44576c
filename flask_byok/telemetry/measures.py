"""The metrics: those of the GenAI conventions, and three counters of ours."""

from __future__ import annotations

import typing as t

from opentelemetry.metrics import Meter  # pyright: ignore[reportMissingImports]

from ..providers.types import Usage

#: What the conventions advise: seconds, and tokens.
_SECONDS: t.Final = tuple(0.01 * 2**power for power in range(14))
_TOKENS: t.Final = tuple(4.0**power for power in range(14))

Attributes = dict[str, str]


class Measures:
    """The instruments of one meter."""

    def __init__(self, meter: Meter) -> None:
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="Time of a call, from its start to its whole answer.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._first_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            unit="s",
            description="Time of a streamed call to its first content.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Input and output tokens of a call.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        self._attempts = meter.create_counter(
            "byok.client.attempts",
            unit="{attempt}",
            description="Attempts of calls: requests that were sent to a provider.",
        )
        self._fallbacks = meter.create_counter(
            "byok.client.fallbacks",
            unit="{call}",
            description="Calls that another route than the first one answered.",
        )
        self._openings = meter.create_counter(
            "byok.circuit.openings",
            unit="{opening}",
            description="Circuits of keys that opened.",
        )

    def ended(
        self, seconds: float, usage: Usage | None, attributes: Attributes
    ) -> None:
        """Measure a call that is over."""
        self._duration.record(seconds, attributes)

        if usage is None:
            return

        # The count is of the answer, whatever became of the call afterwards.
        shared = {k: v for k, v in attributes.items() if k != "error.type"}

        for kind, tokens in (
            ("input", usage.input_tokens),
            ("output", usage.output_tokens),
        ):
            if tokens is not None:
                self._tokens.record(tokens, {**shared, "gen_ai.token.type": kind})

    def opened(self, seconds: float, attributes: Attributes) -> None:
        """Measure the time to a stream's first content."""
        self._first_chunk.record(seconds, attributes)

    def attempted(self, attributes: Attributes) -> None:
        """Count one attempt."""
        self._attempts.add(1, attributes)

    def fell_back(self, attributes: Attributes) -> None:
        """Count a call that was answered by another route than its first."""
        self._fallbacks.add(1, attributes)

    def circuit_opened(self, attributes: Attributes) -> None:
        """Count a circuit that opened."""
        self._openings.add(1, attributes)
