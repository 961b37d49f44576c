"""The official ``anthropic`` package against the simulated CLAUDE."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import anthropic
import pytest

from flask_byok.testing import Simulator

Make = cabc.Callable[..., anthropic.Anthropic]

MODEL = "claude-sonnet-5-5"
TOOL: t.Any = {
    "name": "get_weather",
    "description": "Look out of the window.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


@pytest.fixture
def make(simulator: Simulator) -> cabc.Iterator[Make]:
    """Make clients; they are closed at the end."""
    clients = []

    def build(
        api_key: str = "not-a-real-claude-key-0001-AbCd",
    ) -> anthropic.Anthropic:
        client = anthropic.Anthropic(
            api_key=api_key,
            base_url=simulator.urls["CLAUDE"].removesuffix("/v1"),
            max_retries=0,
        )
        clients.append(client)
        return client

    yield build

    for client in clients:
        client.close()


def say(text: str) -> t.Any:
    """Write one user turn."""
    return [{"role": "user", "content": text}]


def test_messages_answer(make: Make) -> None:
    """A whole answer has text, usage and a request id."""
    answer = make().messages.create(
        model=MODEL, max_tokens=16, messages=say("Reply with OK.")
    )

    assert [block.type for block in answer.content] == ["text"]
    assert answer.content[0].text == "OK"
    assert answer.stop_reason == "end_turn"
    assert answer.usage.output_tokens == 1
    assert answer._request_id is not None and answer._request_id.startswith("req_")


def test_messages_stream_adds_up(make: Make) -> None:
    """The deltas are the whole text; the last usage counts all of it."""
    whole = make().messages.create(
        model=MODEL, max_tokens=99, messages=say("one two three four")
    )

    with make().messages.stream(
        model=MODEL, max_tokens=99, messages=say("one two three four")
    ) as stream:
        deltas = list(stream.text_stream)
        final = stream.get_final_message()

    assert len(deltas) > 2
    assert "".join(deltas) == whole.content[0].text
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert final.stop_reason == "end_turn"


def test_messages_think_when_asked(make: Make) -> None:
    """Thinking comes before the text and carries a signature, streamed too."""
    with make().messages.stream(
        model=MODEL,
        max_tokens=99,
        thinking={"type": "adaptive"},
        messages=say("hi"),
    ) as stream:
        final = stream.get_final_message()

    assert [block.type for block in final.content] == ["thinking", "text"]
    assert final.content[0].signature


@pytest.mark.parametrize("streamed", [False, True])
def test_messages_call_a_tool(make: Make, streamed: bool) -> None:
    """A required tool is called, whole and in fragments alike."""
    arguments: t.Any = {
        "model": MODEL,
        "max_tokens": 99,
        "tools": [TOOL],
        "tool_choice": {"type": "any"},
        "messages": say("Weather in Paris?"),
    }

    if streamed:
        with make().messages.stream(**arguments) as stream:
            answer = stream.get_final_message()
    else:
        answer = make().messages.create(**arguments)

    assert answer.stop_reason == "tool_use"
    assert answer.content[0].name == "get_weather"
    assert answer.content[0].input == {"city": "Weather in Paris?"}


def test_messages_take_the_tool_result(make: Make) -> None:
    """What the tool said comes back in the answer."""
    answer = make().messages.create(
        model=MODEL,
        max_tokens=99,
        tools=[TOOL],
        messages=[
            {"role": "user", "content": "What does get_weather say?"},
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "tool_use",
                        "id": "toolu_1",
                        "name": "get_weather",
                        "input": {"city": "Paris"},
                    }
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "18C"}
                ],
            },
        ],
    )

    assert answer.content[0].text == "The tool answered: 18C"


def test_messages_fit_a_schema(make: Make) -> None:
    """An answer under a JSON schema is JSON that fits it."""
    answer = make().messages.create(
        model=MODEL,
        max_tokens=99,
        output_config={
            "format": {
                "type": "json_schema",
                "schema": {**TOOL["input_schema"], "additionalProperties": False},
            }
        },
        messages=say("Weather in Paris?"),
    )

    assert answer.content[0].text == '{"city": "Weather in Paris?"}'


def test_messages_stop_early_and_at_the_cap(make: Make) -> None:
    """A stop sequence is named; a cap cuts the text."""
    stopped = make().messages.create(
        model=MODEL, max_tokens=99, stop_sequences=["END"], messages=say("one END two")
    )
    capped = make().messages.create(
        model=MODEL, max_tokens=2, messages=say("one two three four")
    )

    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "END")
    assert (capped.stop_reason, capped.usage.output_tokens) == ("max_tokens", 2)


def test_models_come_in_pages(make: Make, simulator: Simulator) -> None:
    """The SDK walks the pages to the end; a count needs no answer."""
    client = make()
    names = [model.id for model in client.models.list(limit=4)]

    assert MODEL in names and len(names) == len(set(names)) > 4
    assert len(simulator.requests) > 1
    assert client.models.retrieve(MODEL).id == MODEL
    assert client.messages.count_tokens(model=MODEL, messages=say("hi")).input_tokens


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("revoked", anthropic.AuthenticationError),
        ("expired", anthropic.AuthenticationError),
        ("restricted", anthropic.PermissionDeniedError),
        ("nocredit", anthropic.BadRequestError),
        ("ratelimited", anthropic.RateLimitError),
        ("overloaded", anthropic.APIStatusError),
        ("outage", anthropic.InternalServerError),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_word_in_the_key_is_the_sdks_error(
    make: Make, word: str, kind: type[anthropic.APIStatusError], streamed: bool
) -> None:
    """Each word of the contract becomes the error class the SDK has for it."""
    client = make(f"not-a-real-{word}-key-0001")

    with pytest.raises(kind) as caught:
        client.messages.create(
            model=MODEL, max_tokens=16, messages=say("hi"), stream=streamed
        )

    assert caught.value.request_id is not None


def test_an_unknown_model_is_not_found(make: Make) -> None:
    """The error names the model."""
    with pytest.raises(anthropic.NotFoundError, match="model: claude-0"):
        make().messages.create(model="claude-0", max_tokens=16, messages=say("hi"))


def test_a_stream_may_fail_at_200(make: Make) -> None:
    """An error event in a started stream is the SDK's error."""
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        list(
            make().messages.create(
                model="fault-stream_overloaded",
                max_tokens=16,
                messages=say("hi"),
                stream=True,
            )
        )
