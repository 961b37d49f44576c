"""The official ``openai`` package: its public surface while the company key fails."""

from __future__ import annotations

import asyncio
import typing as t

import openai
import pydantic
import pytest

from tests.sdk.kinds import turns
from tests.support.calls import CallHost

PARAMETERS: t.Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL: t.Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Look out of the window.",
    "parameters": PARAMETERS,
    "strict": True,
}


class Weather(pydantic.BaseModel):
    city: str


@pytest.fixture
def client(host: CallHost) -> openai.OpenAI:
    """A client whose company key is rejected."""
    host.store("OPENAI")
    host.fail("revoked")
    return t.cast("openai.OpenAI", host.client.sdk("openai"))


def test_responses_whole_streamed_and_with_tools(
    host: CallHost, client: openai.OpenAI
) -> None:
    """Text, events, a tool call and a parsed answer, all on the system key."""
    whole = client.responses.create(model="fast", input="Say hello.", store=False)
    assert "Say hello." in whole.output_text
    assert host.paid == "cs" and host.attempts()[-1].model == "gpt-6-luna"

    with client.responses.stream(model="default", input="one two three") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()

    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert kinds.count("response.created") == 1 and host.paid == "s"
    row = host.attempts()[-1]
    assert final.usage is not None
    assert (row.state, row.output_tokens) == ("done", final.usage.output_tokens)

    answer: t.Any = client.responses.create(
        model="default", input="Paris", tools=[TOOL], tool_choice="required"
    )
    assert answer.output[0].name == "get_weather"
    parsed = client.responses.parse(model="default", input="Paris", text_format=Weather)
    assert parsed.output_parsed == Weather(city="Paris")


def test_chat_in_every_manner(host: CallHost, client: openai.OpenAI) -> None:
    """Parsed, raw, with a streaming response and by the stream helper."""
    messages = turns("Paris")
    parsed = client.chat.completions.parse(
        model="default", messages=messages, response_format=Weather
    )
    assert parsed.choices[0].message.parsed == Weather(city="Paris")
    assert host.paid == "cs"

    raw = client.chat.completions.with_raw_response.create(
        model="default", messages=messages
    )
    assert raw.headers["x-byok-source"] == "system"
    assert raw.headers["x-request-id"] == host.attempts()[-1].request_id
    assert raw.elapsed.total_seconds() > 0

    with client.chat.completions.with_streaming_response.create(
        model="default", messages=messages, stream=True
    ) as response:
        lines = [line for line in response.iter_lines() if line]

    assert lines[-1] == "data: [DONE]" and host.paid == "ss"

    with client.chat.completions.stream(
        model="default",
        messages=turns("Call get_weather for Paris"),
        tools=[
            {
                "type": "function",
                "function": {n: TOOL[n] for n in ("name", "parameters", "strict")},
            }
        ],
    ) as stream:
        for _ in stream:
            pass

    (choice,) = stream.get_final_completion().choices
    assert choice.finish_reason == "tool_calls"
    assert [row.state for row in host.attempts()[1:]] == ["done"] * 4


def test_the_usage_of_a_stream_is_asked_for_and_not_shown(
    host: CallHost, client: openai.OpenAI
) -> None:
    """A loop over ``choices[0]`` meets no chunk without one; whoever asks gets it."""

    def ask(**more: t.Any) -> list[t.Any]:
        return list(
            client.chat.completions.create(
                model="default", messages=turns("hello"), stream=True, **more
            )
        )

    assert all(chunk.choices for chunk in ask())
    assert host.attempts()[-1].output_tokens > 0
    last = ask(stream_options={"include_usage": True})[-1]
    assert last.choices == []
    assert last.usage.completion_tokens == host.attempts()[-1].output_tokens


def test_embeddings_and_models(host: CallHost, client: openai.OpenAI) -> None:
    """``default`` means the embedding model here; a list costs nothing."""
    answer = client.embeddings.create(model="default", input=["a", "b"])
    assert len(answer.data) == 2 and host.paid == "cs"
    row = host.attempts()[-1]
    assert (row.model, row.input_tokens) == ("text-embedding-3-small", 2)
    assert "gpt-6-sol" in [model.id for model in client.models.list()]
    assert client.models.retrieve("gpt-6-sol").id == "gpt-6-sol"
    count = client.responses.input_tokens.count(model="gpt-6-sol", input="hi")
    assert count.input_tokens > 0
    assert (row := host.attempts()[-1]).input_tokens == row.output_tokens == 0


def test_the_async_client(host: CallHost, client: openai.OpenAI) -> None:
    """Several tasks at once, each on its own thread; helpers as in the sync one."""
    ours = host.client.sdk("openai", asynchronous=True)

    async def ask() -> t.Any:
        async with ours.responses.stream(model="default", input="one two") as stream:
            async for _ in stream:
                pass

            return (
                await stream.get_final_response(),
                await ours.embeddings.create(model="default", input="a"),
                await ours.responses.parse(
                    model="default", input="Paris", text_format=Weather
                ),
            )

    async def all_at_once() -> list[t.Any]:
        return await asyncio.gather(*(ask() for _ in range(4)))

    for final, vectors, parsed in asyncio.run(all_at_once()):
        assert "one two" in final.output_text and len(vectors.data) == 1
        assert parsed.output_parsed == Weather(city="Paris")

    states = {row.state for row in host.attempts() if row.source == "system"}
    assert states == {"done"}


def test_the_models_of_the_app_and_of_the_company(host: CallHost) -> None:
    """``default`` is what the company chose; on the system key what the app did."""
    host.store("OPENAI", model="gpt-6-luna")
    client = host.client.sdk("openai")
    client.chat.completions.create(model="default", messages=turns("a"))
    host.fail("revoked")
    client.chat.completions.create(model="default", messages=turns("a"))
    client.chat.completions.create(model="gpt-4.1-mini", messages=turns("a"))

    assert [row.model for row in host.attempts()] == [
        "gpt-6-luna",
        "gpt-6-luna",
        "gpt-6-sol",
        "gpt-4.1-mini",
    ]
