"""The official ``google-genai`` package: its surface while the company key fails."""

from __future__ import annotations

import asyncio
import typing as t

import pydantic
from google import genai
from google.genai import types

from tests.support.calls import CallHost


class Weather(pydantic.BaseModel):
    city: str


def get_weather(city: str) -> str:
    """Look out of the window."""
    return f"sunny in {city}"


SCHEMA: t.Final = types.GenerateContentConfig(
    response_mime_type="application/json", response_schema=Weather
)


def test_content_in_every_manner(host: CallHost) -> None:
    """Tools the SDK runs itself, a parsed answer, vectors, a count, a list, a chat."""
    host.store("GEMINI")
    host.fail("revoked", "GEMINI")
    client: genai.Client = host.client.sdk()
    called: t.Any = client.models.generate_content(
        model="default",
        contents="Call get_weather for Paris",
        config=types.GenerateContentConfig(tools=[get_weather]),
    )
    assert "sunny in" in called.text and host.paid == "css"
    parsed = client.models.generate_content(
        model="fast", contents="Paris", config=SCHEMA
    )
    assert parsed.parsed == Weather(city="Paris")
    assert host.attempts()[-1].model == "gemini-3.5-flash-lite"

    vectors = client.models.embed_content(model="default", contents=["a", "b"])
    assert len(vectors.embeddings or []) == 2
    assert host.attempts()[-1].model == "gemini-embedding-2"
    count = client.models.count_tokens(model="default", contents="hi")
    assert count.total_tokens
    names = [model.name for model in client.models.list(config={"page_size": 4})]
    assert "models/gemini-3.8-flash" in names

    chat = client.chats.create(model="default")
    assert "one" in (chat.send_message("one").text or "")
    assert "two" in "".join(c.text or "" for c in chat.send_message_stream("two"))
    assert {row.state for row in host.attempts()[1:]} == {"done"}


def test_the_async_side(host: CallHost) -> None:
    """``.aio`` of the same client, several at once."""
    host.store("GEMINI")
    host.fail("revoked", "GEMINI")
    client: genai.Client = host.client.sdk("google")

    async def ask(city: str) -> object:
        answer = await client.aio.models.generate_content(
            model="default", contents=city, config=SCHEMA
        )
        return answer.parsed

    async def all_at_once() -> t.Any:
        return await asyncio.gather(ask("Paris"), ask("Rome"))

    assert asyncio.run(all_at_once()) == [Weather(city="Paris"), Weather(city="Rome")]
    assert host.attempts()[-1].source == "system"
