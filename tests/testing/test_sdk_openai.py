"""The official ``openai`` package against the simulated OPENAI."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import openai
import pytest

from flask_byok.testing import Simulator

Make = cabc.Callable[..., openai.OpenAI]

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL: t.Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Look out of the window.",
    "parameters": WEATHER,
    "strict": True,
}
CHAT_TOOL: t.Any = {
    "type": "function",
    "function": {name: TOOL[name] for name in ("name", "parameters", "strict")},
}


@pytest.fixture
def make(simulator: Simulator) -> cabc.Iterator[Make]:
    """Make clients; they are closed at the end."""
    clients = []

    def build(api_key: str = "not-a-real-openai-key-0001-AbCd") -> openai.OpenAI:
        client = openai.OpenAI(
            api_key=api_key, base_url=simulator.urls["OPENAI"], max_retries=0
        )
        clients.append(client)
        return client

    yield build

    for client in clients:
        client.close()


def test_responses_answers(make: Make) -> None:
    """A whole answer has text, usage and a request id."""
    answer = make().responses.create(
        model="gpt-6-sol", input="Reply with OK.", max_output_tokens=16, store=False
    )

    assert answer.output_text == "OK"
    assert answer.status == "completed"
    assert answer.store is False
    assert answer.usage is not None and answer.usage.output_tokens == 1
    assert answer._request_id is not None and answer._request_id.startswith("req_")


def test_responses_stream_adds_up(make: Make) -> None:
    """The deltas are the whole text, and the last event is the completed answer."""
    with make().responses.stream(
        model="gpt-6-sol", input="one two three four"
    ) as stream:
        events = list(stream)

    deltas = [event.delta for event in events if event.type.endswith("text.delta")]
    assert len(deltas) > 2
    assert "".join(deltas) == stream.get_final_response().output_text
    assert events[-1].type == "response.completed"


def test_responses_thinks_when_asked(make: Make) -> None:
    """With an effort there is a reasoning item; its tokens are part of the output."""
    plain = make().responses.create(model="gpt-6-sol", input="hi")
    answer = make().responses.create(
        model="gpt-6-sol", input="hi", reasoning={"effort": "low"}
    )

    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert answer.usage is not None and plain.usage is not None
    thought = answer.usage.output_tokens_details.reasoning_tokens
    assert thought > 0
    assert answer.usage.output_tokens == plain.usage.output_tokens + thought


@pytest.mark.parametrize("streamed", [False, True])
def test_responses_calls_a_tool(make: Make, streamed: bool) -> None:
    """A required tool is called, whole and in fragments alike."""
    arguments: t.Any = {
        "model": "gpt-6-sol",
        "input": "Weather in Paris?",
        "tools": [TOOL],
        "tool_choice": "required",
    }

    if streamed:
        with make().responses.stream(**arguments) as stream:
            kinds = [event.type for event in stream]
            answer: t.Any = stream.get_final_response()

        assert kinds.count("response.function_call_arguments.delta") > 1
    else:
        answer = make().responses.create(**arguments)

    call = answer.output[0]
    assert (call.type, call.name) == ("function_call", "get_weather")
    assert call.arguments == '{"city": "Weather in Paris?"}'


def test_responses_takes_the_tool_result(make: Make) -> None:
    """What the tool said comes back in the answer."""
    answer = make().responses.create(
        model="gpt-6-sol",
        tools=[TOOL],
        input=[
            {"role": "user", "content": "What does get_weather say?"},
            {
                "type": "function_call",
                "call_id": "call_1",
                "name": "get_weather",
                "arguments": '{"city":"Paris"}',
            },
            {"type": "function_call_output", "call_id": "call_1", "output": "18C"},
        ],
    )

    assert answer.output_text == "The tool answered: 18C"


def test_responses_fits_a_schema(make: Make) -> None:
    """An answer under a JSON schema is JSON that fits it."""
    answer = make().responses.create(
        model="gpt-6-sol",
        input="Weather in Paris?",
        text={
            "format": {
                "type": "json_schema",
                "name": "out",
                "schema": WEATHER,
                "strict": True,
            }
        },
    )

    assert answer.output_text == '{"city": "Weather in Paris?"}'


def test_responses_sees_images(make: Make) -> None:
    """Images are taken, and counted in the answer."""
    pixel = "data:image/png;base64,iVBORw0KGgo="
    answer = make().responses.create(
        model="gpt-6-sol",
        input=[
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is this?"},
                    {"type": "input_image", "image_url": pixel, "detail": "auto"},
                ],
            }
        ],
    )

    assert answer.output_text.startswith("You sent 1 image.")


def test_chat_answers_and_streams(make: Make) -> None:
    """Chat Completions give the same text at once and in chunks, usage last."""
    messages: t.Any = [{"role": "user", "content": "one two three four"}]
    whole = make().chat.completions.create(model="gpt-6-sol", messages=messages)
    chunks = list(
        make().chat.completions.create(
            model="gpt-6-sol",
            messages=messages,
            stream=True,
            stream_options={"include_usage": True},
        )
    )

    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert whole.choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage


def test_chat_calls_a_tool_in_fragments(make: Make) -> None:
    """Only the first fragment of a call carries its id and name."""
    with make().chat.completions.stream(
        model="gpt-6-sol",
        messages=[{"role": "user", "content": "Call get_weather for Paris"}],
        tools=[CHAT_TOOL],
    ) as stream:
        chunks = [event.chunk for event in stream if event.type == "chunk"]
        final = stream.get_final_completion()

    deltas = [
        call
        for chunk in chunks
        if chunk.choices
        for call in chunk.choices[0].delta.tool_calls or []
    ]
    assert [bool(delta.id) for delta in deltas[:3]] == [True, False, False]
    assert final.choices[0].finish_reason == "tool_calls"
    calls = final.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls] == ["get_weather"]


def test_chat_stops_early(make: Make) -> None:
    """A model that takes ``stop`` ends before that word."""
    answer = make().chat.completions.create(
        model="gpt-4.1-mini",
        messages=[{"role": "user", "content": "one END two"}],
        stop=["END"],
    )

    assert answer.choices[0].message.content == "You wrote: “one "


def test_models_and_embeddings(make: Make) -> None:
    """The list holds what can be asked for; vectors come as many as texts."""
    client = make()
    names = [model.id for model in client.models.list()]
    vectors = client.embeddings.create(
        model="text-embedding-3-small", input=["a", "b"], dimensions=256
    )

    assert "gpt-6-sol" in names
    assert client.models.retrieve("gpt-6-sol").id == "gpt-6-sol"
    assert [len(one.embedding) for one in vectors.data] == [256, 256]
    assert vectors.data[0].embedding != vectors.data[1].embedding
    assert client.responses.input_tokens.count(model="gpt-6-sol", input="hi")


@pytest.mark.parametrize(
    ("word", "kind", "code"),
    [
        ("revoked", openai.AuthenticationError, "invalid_api_key"),
        ("expired", openai.AuthenticationError, "api_key_expired"),
        ("restricted", openai.AuthenticationError, None),
        ("nocredit", openai.RateLimitError, "insufficient_quota"),
        ("ratelimited", openai.RateLimitError, "rate_limit_exceeded"),
        ("overloaded", openai.InternalServerError, "server_is_overloaded"),
        ("outage", openai.InternalServerError, "server_error"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_word_in_the_key_is_the_sdks_error(
    make: Make, word: str, kind: type[openai.APIStatusError], code: str, streamed: bool
) -> None:
    """Each word of the contract becomes the error class the SDK has for it."""
    client = make(f"not-a-real-{word}-key-0001")

    with pytest.raises(kind) as caught:
        client.responses.create(model="gpt-6-sol", input="hi", stream=streamed)

    assert caught.value.code == code
    assert caught.value.request_id is not None


def test_an_unknown_model_has_two_statuses(make: Make) -> None:
    """Responses say 400, Chat says 404, with one code."""
    with pytest.raises(openai.BadRequestError) as responses:
        make().responses.create(model="gpt-0", input="hi")

    with pytest.raises(openai.NotFoundError) as chat:
        make().chat.completions.create(
            model="gpt-0", messages=[{"role": "user", "content": "hi"}]
        )

    assert responses.value.code == chat.value.code == "model_not_found"


def test_a_stream_may_fail_at_200(make: Make) -> None:
    """An error event in a started stream is the SDK's API error."""
    with pytest.raises(openai.APIError, match="exceeded your current quota"):
        list(
            make().responses.create(
                model="fault-quota_in_stream", input="hi", stream=True
            )
        )
