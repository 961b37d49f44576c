"""What is sent, held against what the official SDKs send for the same intents."""

from __future__ import annotations

import base64
import collections.abc as cabc
import json
import re
import typing as t

import pytest

from flask_byok.providers.base import PROBE
from flask_byok.providers.base import Provider
from flask_byok.providers.claude import ClaudeProvider
from flask_byok.providers.deadline import Deadline
from flask_byok.providers.gemini import GeminiProvider
from flask_byok.providers.http import Sender
from flask_byok.providers.openai import OpenAIProvider
from flask_byok.providers.openai_chat import ChatWire
from flask_byok.providers.types import AttemptFailed
from flask_byok.providers.types import ChatRequest
from flask_byok.providers.types import ImagePart
from flask_byok.providers.types import Message
from flask_byok.providers.types import StatePart
from flask_byok.providers.types import TextPart
from flask_byok.providers.types import Tool
from flask_byok.providers.types import ToolCall
from flask_byok.providers.types import ToolResultPart
from flask_byok.secret import Secret

from .conftest import CANARY
from .replay import answer_with
from .replay import FIXTURES
from .replay import Request
from .replay import Server

Serve = cabc.Callable[..., Server]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA"
    "AABJRU5ErkJggg=="
)
IMAGE = ImagePart(data=PIXEL, media_type="image/png")
WEATHER = Tool(name="get_weather", description="w", parameters=SCHEMA)
CALL = ToolCall(id="call_1", name="get_weather", arguments={"city": "Paris"})
RESULT = ToolResultPart(call_id="call_1", name="get_weather", content="18C")


def says(text: str) -> TextPart:
    return TextPart(text=text)


def user(*parts: t.Any) -> Message:
    return Message(role="user", content=parts)


def recorded(name: str) -> t.Any:
    path = FIXTURES / "sdk_requests.json"

    if not path.exists():
        pytest.skip("The recorded exchanges (../shared/fixtures) are not here.")

    return json.loads(path.read_text("utf-8"))[name]


def catch(
    serve: Serve,
    sender: Sender,
    provider: Provider,
    request: ChatRequest,
    model: str,
    *,
    stream: bool = False,
) -> Request:
    """Send to a server that answers with nothing useful, and give what it saw."""
    server = serve(answer_with(200, b"[]"))
    segment = "/v1beta" if provider.id == "GEMINI" else "/v1"
    speak = provider.with_base_url(server.url + segment)
    call = speak.open_stream if stream else speak.chat

    with pytest.raises(AttemptFailed):
        call(sender, request, model=model, api_key=Secret(CANARY), deadline=Deadline(5))

    return server.requests[0]


def plain(value: t.Any) -> t.Any:
    """Level what means the same: spelling of names, one-part lists, our own names."""
    if isinstance(value, list):
        return [plain(entry) for entry in value]

    if not isinstance(value, dict):
        return value

    leveled = {}

    for name, entry in value.items():
        name = re.sub(r"_([a-z])", lambda match: match[1].upper(), name)
        leveled[name] = plain(entry)

    return leveled


def test_responses_sends_what_the_sdk_sends(serve: Serve, sender: Sender) -> None:
    """The whole conversation, tools, schema and limits of the Responses wire."""
    expected = recorded("openai.responses.full")
    request = ChatRequest(
        messages=(
            user(says("What is this?"), IMAGE),
            Message(role="assistant", content="A dot."),
            Message(role="assistant", content=(CALL,)),
            Message(role="tool", content=(RESULT,)),
            user(says("So?")),
        ),
        system="Be brief.",
        max_tokens=256,
        tools=(WEATHER,),
        tool_choice="auto",
        response_format=SCHEMA,
        reasoning_effort="low",
        extra={"reasoning": {"summary": "auto"}},
    )

    sent = catch(serve, sender, OpenAIProvider(), request, "gpt-5.5")

    assert (sent.method, sent.path) == (expected["method"], expected["path"])
    body = sent.json
    assert body["text"]["format"].pop("name") == "answer"
    expected["body"]["text"]["format"].pop("name")
    assert body == expected["body"]
    assert sent.headers["authorization"] == f"Bearer {CANARY}"
    assert not {"openai-organization", "openai-project"} & set(sent.headers)


def test_chat_completions_send_what_the_sdk_sends(serve: Serve, sender: Sender) -> None:
    """Asked for ``stop``, OPENAI is spoken to over Chat Completions."""
    expected = recorded("openai.chat.full")
    request = ChatRequest(
        messages=(
            user(says("What?"), IMAGE),
            Message(role="assistant", content=(CALL,)),
            Message(role="tool", content=(RESULT,)),
        ),
        system="Be brief.",
        max_tokens=256,
        temperature=0.2,
        stop=("END",),
        tools=(WEATHER,),
        response_format=SCHEMA,
        reasoning_effort="low",
    )

    sent = catch(serve, sender, OpenAIProvider(), request, "gpt-5.5", stream=True)

    assert (sent.method, sent.path) == (expected["method"], expected["path"])
    body = sent.json
    assert body["response_format"]["json_schema"].pop("name") == "answer"
    expected["body"]["response_format"]["json_schema"].pop("name")
    assert body == expected["body"]


def test_messages_send_what_the_sdk_sends(serve: Serve, sender: Sender) -> None:
    """The whole conversation, tools, schema and limits of the Messages wire."""
    expected = recorded("anthropic.messages.full")
    call = ToolCall(id="toolu_1", name="get_weather", arguments={"city": "Paris"})
    request = ChatRequest(
        messages=(
            user(IMAGE, says("What?")),
            Message(role="assistant", content=(call,)),
            user(ToolResultPart(call_id="toolu_1", name="get_weather", content="18C")),
        ),
        system="Be brief.",
        max_tokens=1024,
        stop=("END",),
        tools=(WEATHER,),
        tool_choice="auto",
        response_format=SCHEMA,
        reasoning_effort="low",
    )

    sent = catch(serve, sender, ClaudeProvider(), request, "claude-opus-5-5")

    # The SDK's user asked for strict tools; the wire has limits on those.
    expected["body"]["tools"][0].pop("strict")
    assert (sent.method, sent.path) == (expected["method"], expected["path"])
    assert sent.json == expected["body"]
    assert sent.headers["x-api-key"] == CANARY
    assert sent.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in sent.headers


def test_generate_content_sends_what_the_sdk_sends(
    serve: Serve, sender: Sender
) -> None:
    """The whole conversation, tools, schema and limits of the generateContent wire."""
    expected = recorded("gemini.generateContent.full")
    call = ToolCall(
        id="fc1",
        name="get_weather",
        arguments={"city": "Paris"},
        provider_state={"GEMINI": {"thoughtSignature": "c2ln"}},
    )
    request = ChatRequest(
        messages=(
            user(says("What?"), IMAGE),
            Message(role="assistant", content=(call,)),
            user(ToolResultPart(call_id="fc1", name="get_weather", content="18C")),
        ),
        system="Be brief.",
        max_tokens=256,
        temperature=0.2,
        stop=("END",),
        tools=(WEATHER,),
        tool_choice="auto",
        response_format=SCHEMA,
        extra={
            "generationConfig": {
                "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"}
            }
        },
    )

    sent = catch(serve, sender, GeminiProvider(), request, "gemini-3.8-flash")

    assert sent.path == expected["path"].replace("/v1/", "/v1beta/")
    # The SDK gives the system text a role, which means nothing there.
    expected["body"]["systemInstruction"].pop("role")
    # The SDK writes the URL-safe alphabet of base64; the wire reads either.
    image = expected["body"]["contents"][0]["parts"][1]["inlineData"]
    image["data"] = image["data"].replace("-", "+").replace("_", "/")
    assert plain(sent.json) == plain(expected["body"])
    assert sent.headers["x-goog-api-key"] == CANARY
    assert CANARY not in sent.path


@pytest.mark.parametrize(
    ("provider", "model", "name"),
    [
        (OpenAIProvider(), "gpt-5.5", "openai.responses.stream"),
        (ClaudeProvider(), "claude-opus-5-5", "anthropic.messages.stream"),
        (GeminiProvider(), "gemini-3.8-flash", "gemini.streamGenerateContent"),
    ],
)
def test_streams_are_asked_for_as_the_sdk_does(
    serve: Serve, sender: Sender, provider: Provider, model: str, name: str
) -> None:
    """A plain question, streamed."""
    expected = recorded(name)
    request = ChatRequest(
        messages=(Message(role="user", content="hi"),),
        max_tokens=64 if provider.id == "CLAUDE" else None,
    )

    sent = catch(serve, sender, provider, request, model, stream=True)

    body = sent.json
    path = expected["path"]

    if provider.id == "OPENAI":
        assert body.pop("store") is False
        # What nobody stores comes back to us, encrypted.
        assert body.pop("include") == ["reasoning.encrypted_content"]
        assert body.pop("input") == [
            {"role": "user", "content": expected["body"].pop("input")}
        ]
    elif provider.id == "CLAUDE":
        for message in body["messages"]:
            message["content"] = message["content"][0]["text"]
    else:
        path = path.replace("/v1/", "/v1beta/")

    assert (sent.path, body) == (path, expected["body"])


def test_nothing_is_sent_that_nobody_set(serve: Serve, sender: Sender) -> None:
    """No sampling parameter, limit or tool field stands in a plain request."""
    hello = ChatRequest(messages=(Message(role="user", content="hi"),))
    bodies = [
        catch(serve, sender, provider, hello, "m-1").json
        for provider in (OpenAIProvider(), ClaudeProvider(), GeminiProvider())
    ]

    assert set(bodies[0]) == {"model", "input", "store"}
    assert set(bodies[1]) == {"model", "messages", "max_tokens"}
    assert bodies[1]["max_tokens"] == 4096
    assert set(bodies[2]) == {"contents"}


def test_state_that_is_no_thought_is_not_sent(serve: Serve, sender: Sender) -> None:
    """A conversation that came back from a browser may hold what no answer held.

    An item or block of another kind could speak for the system, or point to what the
    account keeps of somebody else.
    """
    stored = {"type": "item_reference", "id": "resp_1"}
    file = {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
    state = {"OPENAI": {"item": stored}, "CLAUDE": {"block": file}}
    said = (TextPart(text="hello"), StatePart(provider_state=state))
    request = ChatRequest(messages=(Message(role="assistant", content=said),))

    for provider in (OpenAIProvider(), ClaudeProvider()):
        sent = catch(serve, sender, provider, request, "m-1")
        assert b"hello" in sent.body and b"_1" not in sent.body


@pytest.mark.case("D25", "D26", "D27", "D28", "D29", "D31", "D33")
@pytest.mark.parametrize("provider", [OpenAIProvider(), ClaudeProvider()])
@pytest.mark.parametrize("stream", [False, True])
def test_extra_never_touches_what_matters(
    serve: Serve, sender: Sender, provider: Provider, stream: bool
) -> None:
    """A caller's own fields cannot change model, messages, streaming or headers."""
    request = ChatRequest(
        messages=(Message(role="user", content="hi"),),
        extra={
            "model": "dearer",
            "messages": [],
            "input": [],
            "contents": [],
            "stream": "maybe",
            "metadata": {"a": "b"},
            "headers": {"x": "y"},
        },
    )

    sent = catch(serve, sender, provider, request, "m-1", stream=stream)

    assert sent.json["model"] == "m-1"
    assert sent.json.get("stream", False) is stream
    assert "hi" in sent.body.decode()
    assert sent.json["metadata"] == {"a": "b"}
    assert "x" not in sent.headers


@pytest.mark.case("D33")
def test_gemini_takes_no_stranger_for_the_contents(
    serve: Serve, sender: Sender
) -> None:
    """The same for GEMINI, whose model stands in the path and stays one segment."""
    request = ChatRequest(
        messages=(Message(role="user", content="hi"),), extra={"contents": []}
    )

    sent = catch(serve, sender, GeminiProvider(), request, "../x?key=1#models/y")

    assert sent.path == "/v1beta/models/..%2Fx%3Fkey%3D1%23models%2Fy:generateContent"
    assert sent.json["contents"][0]["parts"] == [{"text": "hi"}]


def test_a_small_cap_is_raised_for_responses_alone(
    serve: Serve, sender: Sender
) -> None:
    """The Responses wire refuses less than 16 tokens; the others take what they get."""
    request = ChatRequest(messages=(Message(role="user", content="hi"),), max_tokens=3)
    caps = [
        catch(serve, sender, OpenAIProvider(), request, "m").json["max_output_tokens"],
        catch(serve, sender, ClaudeProvider(), request, "m").json["max_tokens"],
        catch(serve, sender, GeminiProvider(), request, "m").json["generationConfig"],
    ]

    assert caps == [16, 3, {"maxOutputTokens": 3}]


@pytest.mark.case("D22")
def test_the_test_of_a_key_sends_nothing_of_the_company() -> None:
    """The fixed sentence and the smallest cap all three accept."""
    assert PROBE == ChatRequest(
        messages=(Message(role="user", content="Reply with OK."),), max_tokens=16
    )


def test_system_messages_join_the_system_text(serve: Serve, sender: Sender) -> None:
    """A system message in the list is system text on every wire."""
    request = ChatRequest(
        messages=(
            Message(role="system", content="Two."),
            Message(role="user", content="hi"),
        ),
        system="One.",
    )
    openai = catch(serve, sender, OpenAIProvider(), request, "m").json
    chat = catch(serve, sender, OpenAIProvider(api="chat"), request, "m").json
    claude = catch(serve, sender, ClaudeProvider(), request, "m").json
    gemini = catch(serve, sender, GeminiProvider(), request, "m").json

    joined = "One.\n\nTwo."
    assert openai["instructions"] == joined
    assert chat["messages"][0] == {"role": "developer", "content": joined}
    assert claude["system"] == joined
    assert gemini["systemInstruction"]["parts"] == [{"text": joined}]
    assert len(openai["input"]) == len(claude["messages"]) == len(gemini["contents"])


def test_neighbours_of_one_role_are_one_turn(serve: Serve, sender: Sender) -> None:
    """CLAUDE and GEMINI want turns to alternate, CLAUDE its tool results first."""
    request = ChatRequest(
        messages=(
            Message(role="user", content="a"),
            Message(role="user", content=""),
            Message(role="assistant", content=(CALL,)),
            Message(role="user", content="b"),
            Message(role="tool", content=(RESULT,)),
        )
    )
    claude = catch(serve, sender, ClaudeProvider(), request, "m").json["messages"]
    gemini = catch(serve, sender, GeminiProvider(), request, "m").json["contents"]

    assert [turn["role"] for turn in claude] == ["user", "assistant", "user"]
    assert claude[0]["content"] == [{"type": "text", "text": "a"}]
    assert [block["type"] for block in claude[2]["content"]] == ["tool_result", "text"]
    assert [turn["role"] for turn in gemini] == ["user", "model", "user"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("none", ["none", "none", {"type": "none"}, {"mode": "NONE"}]),
        ("required", ["required", "required", {"type": "any"}, {"mode": "ANY"}]),
        (
            "f",
            [
                {"type": "function", "name": "f"},
                {"type": "function", "function": {"name": "f"}},
                {"type": "tool", "name": "f"},
                {"mode": "ANY", "allowedFunctionNames": ["f"]},
            ],
        ),
    ],
)
def test_tool_choice_on_each_wire(
    serve: Serve, sender: Sender, choice: str, expected: list[object]
) -> None:
    """The three words, and a tool's name."""
    request = ChatRequest(
        messages=(Message(role="user", content="hi"),),
        tools=(Tool(name="f"),),
        tool_choice=choice,
    )
    bodies = [
        catch(serve, sender, provider, request, "m").json
        for provider in (
            OpenAIProvider(),
            OpenAIProvider(api="chat"),
            ClaudeProvider(),
            GeminiProvider(),
        )
    ]

    assert [
        *(body["tool_choice"] for body in bodies[:3]),
        bodies[3]["toolConfig"]["functionCallingConfig"],
    ] == expected
    # A schema that is not closed must not be called strict.
    assert bodies[0]["tools"][0]["strict"] is False


@pytest.mark.case("D34")
def test_an_image_by_url_is_passed_on(serve: Serve, sender: Sender) -> None:
    """The provider fetches it, or refuses; we never do."""
    url = "https://images.example/a.png"
    request = ChatRequest(messages=(user(ImagePart(url=url)),))
    openai = catch(serve, sender, OpenAIProvider(), request, "m").json
    claude = catch(serve, sender, ClaudeProvider(), request, "m").json
    gemini = catch(serve, sender, GeminiProvider(), request, "m").json

    assert openai["input"][0]["content"][0]["image_url"] == url
    assert claude["messages"][0]["content"][0]["source"] == {"type": "url", "url": url}
    assert gemini["contents"][0]["parts"] == [{"fileData": {"fileUri": url}}]


def test_state_goes_back_to_its_own_provider_only(serve: Serve, sender: Sender) -> None:
    """Signatures and thinking return unchanged, and to nobody else."""
    thinking = {"type": "thinking", "thinking": "Hm", "signature": "s"}
    call = ToolCall(
        id="call_1",
        name="f",
        arguments={},
        provider_state={
            "GEMINI": {"thoughtSignature": "sig", "has_no_id": True},
            "raw_arguments": "{broken",
        },
    )
    text = TextPart(text="b", provider_state={"GEMINI": {"thoughtSignature": "t"}})
    thought = StatePart(provider_state={"CLAUDE": {"block": thinking}})
    request = ChatRequest(
        messages=(
            Message(role="assistant", content=(text, thought, call)),
            Message(role="tool", content=(RESULT,)),
        )
    )
    openai = catch(serve, sender, OpenAIProvider(), request, "m").json["input"]
    claude = catch(serve, sender, ClaudeProvider(), request, "m").json["messages"]
    gemini = catch(serve, sender, GeminiProvider(), request, "m").json["contents"]

    assert openai[1] == {
        "type": "function_call",
        "call_id": "call_1",
        "name": "f",
        "arguments": "{broken",
    }
    assert [block["type"] for block in claude[0]["content"]] == [
        "text",
        "thinking",
        "tool_use",
    ]
    assert claude[0]["content"][1] == thinking
    assert gemini[0]["parts"] == [
        {"text": "b", "thoughtSignature": "t"},
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "sig"},
    ]
    assert "id" not in gemini[1]["parts"][0]["functionResponse"]


def test_ids_of_other_providers_are_written_so_that_each_takes_them(
    serve: Serve, sender: Sender
) -> None:
    """No odd sign, 64 at most, alike in call and result, and still told apart."""
    ids = ["functions.f:0", "functions.f:1", "x" * 80, "x" * 81, "call_1"]
    calls = [ToolCall(id=one, name="f", arguments={}) for one in ids]
    results = [ToolResultPart(call_id=one, name="f", content="r") for one in ids]
    request = ChatRequest(
        messages=(
            Message(role="assistant", content=calls),
            Message(role="tool", content=results),
        )
    )
    openai = catch(serve, sender, OpenAIProvider(), request, "m").json["input"]
    claude = catch(serve, sender, ClaudeProvider(), request, "m").json["messages"]
    sent = [item["call_id"] for item in openai]
    blocks = [*claude[0]["content"], *claude[1]["content"]]

    assert sent == [block.get("id") or block["tool_use_id"] for block in blocks]
    assert sent[:5] == sent[5:] and len(set(sent)) == 5 and sent[4] == "call_1"
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", one) for one in sent)


def test_what_json_cannot_hold_is_not_sent(serve: Serve, sender: Sender) -> None:
    """NaN, sets and endless nesting are the caller's mistake, told before sending."""
    deep: list[t.Any] = []
    deep.append(deep)
    server = serve(answer_with())
    provider = OpenAIProvider().with_base_url(server.url)

    for value in (float("nan"), {1, 2}, deep):
        request = ChatRequest(
            messages=(Message(role="user", content="hi"),), extra={"x": value}
        )

        with pytest.raises(AttemptFailed) as caught:
            provider.chat(
                sender,
                request,
                model="m",
                api_key=Secret(CANARY),
                deadline=Deadline(5),
            )

        failure = caught.value.failure
        assert (failure.kind, failure.reasons) == ("not_sendable", ("request",))
        assert caught.value.__context__ is None

    assert not server.requests


def test_lone_surrogates_in_a_text_do_no_harm(serve: Serve, sender: Sender) -> None:
    """Text no UTF-8 can hold goes out as JSON escapes."""
    request = ChatRequest(messages=(Message(role="user", content="a\ud800b ä"),))

    sent = catch(serve, sender, ClaudeProvider(), request, "m")

    assert b"\\ud800" in sent.body


def test_a_compatible_vendor_has_its_own_habits(serve: Serve, sender: Sender) -> None:
    """Cap parameter, role of the system text and usage in streams are settings."""
    vendor = OpenAIProvider(
        id="VENDOR",
        label="Vendor",
        vendor="Vendor Inc.",
        base_url="https://api.vendor.example/v1",
        key_page_url="https://vendor.example/keys",
        permission_help="The key needs nothing special.",
        prefix_hints=(),
        mask_prefixes=(),
        default_models={"default": "big", "fast": "small"},
        embedding_model=None,
        api="chat",
        chat_wire=ChatWire(
            cap_field="max_tokens", system_role="system", asks_for_usage=False
        ),
    )
    request = ChatRequest(
        messages=(Message(role="user", content="hi"),), system="S", max_tokens=5
    )

    body = catch(serve, sender, vendor, request, "big", stream=True).json

    assert body == {
        "model": "big",
        "messages": [
            {"role": "system", "content": "S"},
            {"role": "user", "content": "hi"},
        ],
        "max_tokens": 5,
        "stream": True,
    }

    with pytest.raises(ValueError, match="no embeddings"):
        vendor.embed(
            sender, ["a"], model="m", api_key=Secret(CANARY), deadline=Deadline(5)
        )
