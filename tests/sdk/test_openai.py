"""The official ``openai`` package on the engine's routes."""

from __future__ import annotations

import openai
import pytest

from tests.support.calls import CallHost

ASK = [{"role": "user", "content": "Say hello."}]


@pytest.mark.parametrize("fault", ["revoked", "cut_body", "outage"])
def test_a_failing_company_key_is_replaced(host: CallHost, fault: str) -> None:
    """The SDK sees an answer; the ledger says who paid."""
    host.store("OPENAI")
    host.fail(fault)
    answer = host.client.sdk("openai").chat.completions.create(
        model="default", messages=ASK
    )

    assert "Say hello." in answer.choices[0].message.content
    assert host.paid == "cs"
    assert host.attempts()[-1].source == "system"
    assert host.attempts()[-1].output_tokens == answer.usage.completion_tokens


def test_the_sdk_raises_its_own_error(host: CallHost) -> None:
    """Without a way out the provider's status becomes the SDK's exception."""
    host.store("OPENAI")
    host.byok.set_policy(1, fallback="never")
    host.fail("revoked")

    with pytest.raises(openai.AuthenticationError, match="rejected the company key"):
        host.client.sdk().chat.completions.create(model="default", messages=ASK)

    assert host.paid == "c"
