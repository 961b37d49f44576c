"""The official ``anthropic`` package: its surface while the company key fails."""

from __future__ import annotations

import asyncio
import typing as t

import anthropic
import pydantic

from tests.sdk.kinds import turns
from tests.support.calls import CallHost

TOOL: t.Any = {
    "name": "get_weather",
    "description": "Look out of the window.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}


class Weather(pydantic.BaseModel):
    city: str


def test_messages_in_every_manner(host: CallHost) -> None:
    """Tools, a parsed answer, raw and streamed, a count and a list."""
    host.store("CLAUDE")
    host.fail("revoked", "CLAUDE")
    client: anthropic.Anthropic = host.client.sdk()
    ask: t.Any = {"model": "default", "max_tokens": 99, "messages": turns("Paris")}
    answer: t.Any = client.messages.create(
        **ask, tools=[TOOL], tool_choice={"type": "any"}
    )
    assert answer.content[0].input == {"city": "Paris"} and host.paid == "cs"
    assert answer.model == host.attempts()[-1].model == "claude-sonnet-5-5"
    parsed = client.messages.parse(**ask, output_format=Weather)
    assert parsed.parsed_output == Weather(city="Paris")

    with client.messages.stream(**ask) as stream:
        assert "Paris" in "".join(stream.text_stream)
        assert stream.get_final_message().usage.output_tokens > 0

    assert host.attempts()[-1].state == "done"
    raw = client.messages.with_raw_response.create(**ask)
    assert raw.headers["request-id"] == host.attempts()[-1].request_id

    with client.messages.with_streaming_response.create(**ask) as response:
        assert "Paris" in response.text()

    count = client.messages.count_tokens(model="default", messages=turns("Paris"))
    assert count.input_tokens > 0
    assert "claude-sonnet-5-5" in [model.id for model in client.models.list(limit=4)]


def test_the_sdks_own_version_goes_out(host: CallHost) -> None:
    """The body has the shape of that version; beta headers pass, others do not."""
    client = host.client.sdk("anthropic")
    client.beta.messages.create(
        model="fast",
        max_tokens=9,
        messages=turns("hi"),
        betas=["files-api-2025-04-14"],
        extra_headers={"x-strange": "1", "cookie": "a=b", "authorization": "Bearer b"},
    )
    (request,) = host.simulator.requests
    headers = request.headers

    assert headers["anthropic-version"] == "2026-10-21"
    assert headers["anthropic-beta"] == "files-api-2025-04-14"
    assert headers["user-agent"].startswith("Anthropic/")
    assert not {"x-strange", "cookie", "authorization"} & set(headers)


def test_the_async_client(host: CallHost) -> None:
    """Streams and parsed answers, too."""
    host.store("CLAUDE")
    host.fail("revoked", "CLAUDE")
    client = host.client.sdk("anthropic", asynchronous=True)
    ask: t.Any = {"model": "default", "max_tokens": 99, "messages": turns("Paris")}

    async def both() -> t.Any:
        async with client.messages.stream(**ask, tools=[TOOL]) as stream:
            text = "".join([piece async for piece in stream.text_stream])

        return text, await client.messages.parse(**ask, output_format=Weather)

    text, parsed = asyncio.run(both())
    assert "Paris" in text and parsed.parsed_output == Weather(city="Paris")
    assert host.paid == "css"
