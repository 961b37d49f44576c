"""What an SDK uses of the system key counts against the company's allowance."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import openai
import pytest

from tests.sdk.kinds import OPENAI
from tests.sdk.kinds import turns
from tests.sdk.server import serving
from tests.support.calls import CallHost

Make = cabc.Callable[..., CallHost]


def used(host: CallHost) -> int:
    """Give the tokens of this month."""
    (tokens,) = [one for one in host.byok.allowance(1) if one.unit == "tokens"]
    return t.cast("int", tokens.used)


def test_the_use_is_reserved_and_settled(make: Make) -> None:
    """Whole, streamed and left early; what does not fit is refused, unsent."""
    host = make(BYOK_SYSTEM_BUDGET={"tokens": 200_000})
    client = host.client.sdk("openai")
    OPENAI.ask(client)
    list(OPENAI.stream(client))
    rows = host.attempts()
    spent = sum(row.input_tokens + row.output_tokens for row in rows)
    assert used(host) == spent > 0
    assert all(row.est_tokens > row.output_tokens for row in rows)

    pieces = OPENAI.stream(client, "Reply with: " + "a word and " * 5_000)
    next(pieces)
    t.cast("t.Any", pieces).close()
    assert used(host) > spent and host.attempts()[-1].state == "cancelled"
    host.simulator.clear()

    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(
            model="default", messages=turns("a"), max_completion_tokens=250_000
        )

    assert caught.value.status_code == 402 and host.paid == ""


def test_an_unknown_use_is_charged_at_its_estimate(make: Make) -> None:
    """A sound is no text whose tokens anybody states; a list of models is free."""
    with serving() as server:
        host = make(
            BYOK_PROVIDER_URLS={"OPENAI": server.url},
            BYOK_SYSTEM_BUDGET={"tokens": 200_000},
        )
        client = host.client.sdk("openai")
        client.models.list()
        assert used(host) == 0
        client.audio.speech.create(model="tts", voice="alloy", input="hello").read()
        (row,) = [one for one in host.attempts() if one.model == "tts"]
        assert used(host) == row.est_tokens > 0
