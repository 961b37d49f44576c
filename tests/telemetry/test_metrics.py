"""What is counted and measured."""

from __future__ import annotations

import pytest

from flask_byok import errors
from tests.telemetry.conftest import SeenHost

DURATION = "gen_ai.client.operation.duration"
TOKENS = "gen_ai.client.token.usage"
FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"


def test_a_call_is_measured(host: SeenHost) -> None:
    """Its time in seconds in the advised buckets, and its tokens, both kinds."""
    host.store()
    answer = host.chat()
    (duration,) = host.points(DURATION)
    span = host.span
    seconds = (span.end_time - span.start_time) / 1e9

    assert duration.count == 1
    assert duration.sum == pytest.approx(seconds, abs=0.05)
    assert duration.explicit_bounds[0] == 0.01
    assert duration.explicit_bounds[-1] == pytest.approx(81.92)
    assert duration.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": host.client.model,
        "gen_ai.response.model": answer.model,
        "byok.source": "company",
    }
    tokens = {p.attributes["gen_ai.token.type"]: p.sum for p in host.points(TOKENS)}
    assert tokens == {
        "input": answer.usage.input_tokens,
        "output": answer.usage.output_tokens,
    }
    assert host.points(FIRST_CHUNK) == []


def test_a_failed_call_is_measured_as_one(host: SeenHost) -> None:
    """With the class of the error, and without tokens nobody counted."""
    host.store()
    host.byok.set_policy(1, fallback="never")
    host.fail("revoked")
    host.refuse(errors.KeyRejected)
    (duration,) = host.points(DURATION)

    assert duration.attributes["error.type"] == "KeyRejected"
    assert host.points(TOKENS) == []


def test_the_first_content_of_a_stream_is_measured(host: SeenHost) -> None:
    """Once for each stream, before its end."""
    host.store()
    host.stream()
    (first,), (whole,) = host.points(FIRST_CHUNK), host.points(DURATION)

    assert (first.count, whole.count) == (1, 1)
    assert 0 < first.sum < whole.sum
    assert len(host.points(TOKENS)) == 2


def test_fallbacks_and_openings_are_counted(host: SeenHost) -> None:
    """One circuit opened; both calls were answered by another route than the first."""
    host.store()
    host.fail("revoked")
    host.chat()
    host.chat()
    (fallbacks,) = host.points("byok.client.fallbacks")
    (openings,) = host.points("byok.circuit.openings")
    attempts = {
        (p.attributes["byok.source"], p.attributes.get("byok.reason")): p.value
        for p in host.points("byok.client.attempts")
    }

    assert (fallbacks.value, fallbacks.attributes["byok.reason"]) == (2, "auth")
    assert (openings.value, openings.attributes["byok.source"]) == (1, "company")
    assert attempts == {("company", "auth"): 1, ("system", None): 2}


def test_no_metric_names_a_company(host: SeenHost) -> None:
    """A thousand companies make no more series than one."""
    for host.company in ("acme", "globex"):
        host.chat()

    attributes = [p.attributes for points in host.metrics().values() for p in points]
    assert attributes and not [a for a in attributes if "byok.company_id" in a]
    assert len(host.points(DURATION)) == 1
