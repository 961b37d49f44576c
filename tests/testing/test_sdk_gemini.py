"""The official ``google-genai`` package against the simulated GEMINI."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import pytest
from google import genai
from google.genai import errors
from google.genai import types

from flask_byok.testing import Simulator

Make = cabc.Callable[..., genai.Client]

MODEL = "gemini-3.8-flash"
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
TOOL = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name="get_weather", parameters_json_schema=WEATHER)
    ]
)


@pytest.fixture(params=["v1", "v1beta"])
def make(simulator: Simulator, request: pytest.FixtureRequest) -> cabc.Iterator[Make]:
    """Make clients of either version; they are closed at the end."""
    clients = []

    def build(api_key: str = "not-a-real-gemini-key-0001-AbCd") -> genai.Client:
        client = genai.Client(
            api_key=api_key,
            http_options=types.HttpOptions(
                base_url=simulator.urls["GEMINI"].removesuffix("/v1beta"),
                api_version=request.param,
            ),
        )
        clients.append(client)
        return client

    yield build

    for client in clients:
        client.close()


def test_content_is_generated(make: Make) -> None:
    """A whole answer has text, usage and an id."""
    answer = make().models.generate_content(
        model=MODEL,
        contents="Reply with OK.",
        config=types.GenerateContentConfig(max_output_tokens=16),
    )

    assert answer.text == "OK"
    assert answer.candidates and answer.candidates[0].finish_reason == "STOP"
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.candidates_token_count == 1
    assert answer.response_id and answer.model_version == MODEL


def test_a_stream_adds_up(make: Make) -> None:
    """The chunks are the whole text, and the last one has the finish reason."""
    whole = make().models.generate_content(model=MODEL, contents="one two three four")
    chunks = list(
        make().models.generate_content_stream(
            model=MODEL, contents="one two three four"
        )
    )

    assert len(chunks) > 2
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert chunks[-1].candidates and chunks[-1].candidates[0].finish_reason == "STOP"
    assert chunks[-1].usage_metadata == whole.usage_metadata


def test_thoughts_stand_outside_the_output(make: Make) -> None:
    """The three counts add up to the total."""
    answer = make().models.generate_content(
        model=MODEL,
        contents="hi",
        config=types.GenerateContentConfig(
            thinking_config=types.ThinkingConfig(include_thoughts=True)
        ),
    )
    usage: t.Any = answer.usage_metadata

    assert usage.thoughts_token_count > 0
    assert usage.total_token_count == (
        usage.prompt_token_count
        + usage.candidates_token_count
        + usage.thoughts_token_count
    )
    assert answer.parts and answer.parts[0].thought


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called(make: Make, streamed: bool) -> None:
    """A required tool is called, with the signature that 3.x wants back."""
    config = types.GenerateContentConfig(
        tools=[TOOL],
        tool_config=types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(
                mode=types.FunctionCallingConfigMode.ANY
            )
        ),
    )
    arguments: t.Any = {"model": MODEL, "contents": "Paris", "config": config}
    models = make().models
    chunks = (
        list(models.generate_content_stream(**arguments))
        if streamed
        else [models.generate_content(**arguments)]
    )

    parts = [part for chunk in chunks for part in chunk.parts or []]
    [part] = [part for part in parts if part.function_call]
    assert part.function_call is not None
    assert part.function_call.name == "get_weather"
    assert part.function_call.args == {"city": "Paris"}
    assert part.thought_signature


def test_a_tool_result_is_taken(make: Make) -> None:
    """A whole round: call, result, answer."""
    client = make()
    config = types.GenerateContentConfig(tools=[TOOL])
    asked = types.Content(role="user", parts=[types.Part(text="get_weather, please")])
    first = client.models.generate_content(model=MODEL, contents=[asked], config=config)
    assert first.candidates and first.candidates[0].content
    result = types.Part.from_function_response(
        name="get_weather", response={"result": "18C"}
    )
    second = client.models.generate_content(
        model=MODEL,
        contents=[
            asked,
            first.candidates[0].content,
            types.Content(role="user", parts=[result]),
        ],
        config=config,
    )

    assert second.text == "The tool answered: 18C"


def test_a_schema_is_kept(make: Make) -> None:
    """An answer under a JSON schema is JSON that fits it."""
    answer = make().models.generate_content(
        model=MODEL,
        contents="Weather in Paris?",
        config=types.GenerateContentConfig(
            response_mime_type="application/json", response_json_schema=WEATHER
        ),
    )

    assert answer.text == '{"city": "Weather in Paris?"}'


def test_models_come_in_pages(make: Make, simulator: Simulator) -> None:
    """The SDK walks the pages to the end; tokens can be counted."""
    client = make()
    names = [model.name for model in client.models.list(config={"page_size": 4})]

    assert f"models/{MODEL}" in names and len(names) == len(set(names)) > 4
    assert len(simulator.requests) > 1
    assert client.models.get(model=MODEL).name == f"models/{MODEL}"
    assert client.models.count_tokens(model=MODEL, contents="hi").total_tokens


def test_embeddings(make: Make) -> None:
    """One vector per text, of the size that was asked for."""
    answer = make().models.embed_content(
        model="gemini-embedding-001",
        contents=["a", "b"],
        config=types.EmbedContentConfig(output_dimensionality=256),
    )

    assert [len(one.values or []) for one in answer.embeddings or []] == [256, 256]


@pytest.mark.parametrize(
    ("word", "kind", "status"),
    [
        ("revoked", errors.ClientError, 400),
        ("expired", errors.ClientError, 400),
        ("restricted", errors.ClientError, 403),
        ("nocredit", errors.ClientError, 402),
        ("ratelimited", errors.ClientError, 429),
        ("overloaded", errors.ServerError, 503),
        ("outage", errors.ServerError, 500),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_word_in_the_key_is_the_sdks_error(
    make: Make, word: str, kind: type[errors.APIError], status: int, streamed: bool
) -> None:
    """Each word of the contract becomes the error class the SDK has for it."""
    models = make(f"not-a-real-{word}-key-0001").models

    with pytest.raises(kind) as caught:
        if streamed:
            list(models.generate_content_stream(model=MODEL, contents="hi"))
        else:
            models.generate_content(model=MODEL, contents="hi")

    assert caught.value.code == status


def test_an_unknown_model_is_not_found(make: Make) -> None:
    """The error names the model and the status."""
    with pytest.raises(errors.ClientError, match="models/gemini-0 is not found"):
        make().models.generate_content(model="gemini-0", contents="hi")


@pytest.mark.parametrize("form", ["stream_outage", "stream_flat_outage"])
def test_a_stream_may_fail_at_200(make: Make, form: str) -> None:
    """Raw JSON and a chunk with an error are both the SDK's error."""
    with pytest.raises(errors.ServerError, match="internal error"):
        list(
            make().models.generate_content_stream(model=f"fault-{form}", contents="hi")
        )
