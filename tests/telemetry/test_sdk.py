"""What spans a call of an official SDK leaves: the same as any other."""

from __future__ import annotations

from tests.sdk.kinds import OPENAI
from tests.telemetry.conftest import SeenHost


def test_a_call_of_an_sdk_is_seen_like_any_other(host: SeenHost) -> None:
    """Whole and streamed, with the attempt that failed before it."""
    host.store()
    host.fail("revoked")
    OPENAI.ask(host.client.sdk("openai", label="greet"))
    first, second = host.attempts_seen()
    known = host.span.attributes or {}

    assert (first.attributes or {})["error.type"] == "auth"
    assert (second.attributes or {})["byok.source"] == "system"
    assert known["gen_ai.operation.name"] == "chat"
    assert known["gen_ai.response.model"] == "gpt-6-sol"
    assert known["byok.outcome"] == "answered" and known["byok.fallback"] is True
    row = host.attempts()[-1]
    assert known["gen_ai.usage.output_tokens"] == row.output_tokens > 0

    host.exporter.clear()
    list(OPENAI.stream(host.client.sdk("openai")))
    known = host.span.attributes or {}
    assert known["gen_ai.request.stream"] is True
    assert known["gen_ai.response.finish_reasons"] == ("stop",)
    assert known["byok.outcome"] == "answered"
