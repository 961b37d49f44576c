"""What can be asked for, on every provider, and how a conversation moves."""

from __future__ import annotations

import base64
import collections.abc as cabc
import dataclasses
import json
import typing as t

import pydantic
import pytest

from flask_byok import AzureOpenAI
from flask_byok import ChatResponse
from flask_byok import DocumentPart
from flask_byok import errors
from flask_byok import ImagePart
from flask_byok import Message
from flask_byok import TextPart
from flask_byok import Tool
from flask_byok import ToolCall
from flask_byok import ToolResultPart
from flask_byok import Usage
from flask_byok.providers.abilities import FEATURES
from flask_byok.providers.openai import OpenAIProvider
from flask_byok.providers.openai_chat import ChatWire
from flask_byok.providers.types import ChatRequest
from flask_byok.testing import Simulator
from tests.support.calls import CallHost
from tests.support.host import SYSTEM

Make = cabc.Callable[..., CallHost]

PROVIDERS: t.Final = ("OPENAI", "CLAUDE", "GEMINI")
CITY: t.Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
TOOLS: t.Final = (
    Tool(name="get_weather", description="The weather.", parameters=CITY),
    Tool(name="get_time", description="The time.", parameters=CITY),
)
BOTH: t.Final = "Use get_weather and get_time for Paris."

#: What only the provider that thought may see again.
THOUGHTS: t.Final = {
    "OPENAI": ("encrypted_content", "phase"),
    "CLAUDE": ('"signature"', '"type": "thinking"'),
    "GEMINI": ("thoughtSignature", "has_no_id"),
}


def ask(host: CallHost, streamed: bool, messages: t.Any, **more: t.Any) -> ChatResponse:
    """Ask whole or streamed; the answer is the same."""
    if not streamed:
        return host.client.chat(messages, **more)

    with host.client.stream(messages, **more) as stream:
        for _ in stream:
            pass

    return stream.response


def on_system_key(*providers: str) -> dict[str, t.Any]:
    """Give settings with system keys of these providers alone."""
    keys = {one: SYSTEM.format(provider=one.lower()) for one in providers}
    return {"BYOK_SYSTEM_KEYS": keys, "BYOK_SYSTEM_ORDER": list(providers)}


def answer_tools(response: ChatResponse) -> Message:
    """Answer every call of a response."""
    results = [
        ToolResultPart(call_id=call.id, name=call.name, content="18 C")
        for call in response.tool_calls
    ]
    return Message(role="tool", content=tuple(results))


def last_body(host: CallHost) -> str:
    """Give the body of the last request, as text."""
    return json.dumps(host.simulator.requests[-1].body)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("home", PROVIDERS)
def test_a_conversation_moves_between_providers(
    make: Make, home: str, streamed: bool
) -> None:
    """With tools, thoughts and storage between the turns: each provider gets its own.

    The simulator refuses thoughts of another account or model, and calls of GEMINI
    without a signature, as the real ones do.
    """
    others = [one for one in PROVIDERS if one != home]
    host = make(**on_system_key(*others))
    host.store(home)
    options: dict[str, t.Any] = {"tools": TOOLS, "reasoning_effort": "medium"}
    first = ask(host, streamed, BOTH, **options)
    turns = [Message(role="user", content=BOTH), first.message, answer_tools(first)]
    assert {call.name for call in first.tool_calls} == {"get_weather", "get_time"}
    assert first.finish_reason == "tool_calls" and first.provider == home

    # As a host stores it.
    stored = json.loads(json.dumps([turn.to_dict() for turn in turns]))
    second = ask(host, streamed, stored, **options)
    assert "18 C" in second.text and second.source == "company"
    assert THOUGHTS[home][0] in last_body(host)
    host.fail("revoked", home)
    follow = [*stored, second.message, {"role": "user", "content": BOTH}]

    for other in others:
        moved = ask(host, streamed, follow, **options)
        sent = last_body(host)
        assert (moved.provider, moved.source) == (other, "system")
        assert not [word for word in THOUGHTS[home] if word in sent]
        assert moved.tool_calls
        follow += [
            moved.message,
            answer_tools(moved),
            {"role": "user", "content": BOTH},
        ]
        host.fail("outage", other, keys=None)
        host.move_clock(minutes=10)

    # The key works again: what was said in between is there, and its own thoughts.
    host.fail(None, home)
    host.move_clock(days=2)
    back = ask(host, streamed, follow, **options)
    sent = last_body(host)
    assert (back.provider, back.source) == (home, "company")
    assert THOUGHTS[home][0] in sent and sent.count("Paris") > 4
    foreign = [word for one in others for word in THOUGHTS[one]]
    assert not [word for word in foreign if word in sent and word != "phase"]


@pytest.mark.parametrize("home", PROVIDERS)
def test_a_conversation_moves_while_tools_are_answered(make: Make, home: str) -> None:
    """The one that asked for a tool is gone when its answer comes: another takes it."""
    others = [one for one in PROVIDERS if one != home]
    host = make(**on_system_key(*others))
    host.store(home)
    first = host.client.chat(BOTH, tools=TOOLS)
    turns = [Message(role="user", content=BOTH), first.message, answer_tools(first)]
    host.fail("revoked", home)

    for other in others:
        moved = host.client.chat(turns, tools=TOOLS, reasoning_effort="low")
        assert (moved.provider, "18 C" in moved.text) == (other, True)
        host.fail("outage", other, keys=None)
        host.move_clock(minutes=10)


def test_an_answer_without_parts_is_a_turn_all_the_same() -> None:
    """A provider of the host's own may know texts and calls alone."""
    call = ToolCall(id="c", name="f", arguments={})
    answer = ChatResponse(
        text="a",
        model="m",
        usage=Usage(),
        finish_reason="tool_calls",
        tool_calls=(call,),
        provider="OWN",
        source="company",
        latency_ms=1,
    )
    assert answer.message.content == (TextPart(text="a"), call)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_conversation_may_go_on_without_its_tools(
    host: CallHost, provider: str
) -> None:
    """What was called stands there; nothing more is called."""
    host.store(provider)
    first = host.client.chat(BOTH, tools=TOOLS)
    turns = [Message(role="user", content=BOTH), first.message, answer_tools(first)]
    turns.append(Message(role="user", content=BOTH))
    last = host.client.chat(turns)
    assert (last.finish_reason, last.tool_calls) == ("stop", ()) and last.text
    assert host.client.chat("hi", tool_choice="none").text


def test_thoughts_of_openai_stay_with_their_account(make: Make) -> None:
    """The system key is of another organisation: it goes on without them."""
    host = make(**on_system_key("OPENAI"))
    host.store("OPENAI")
    first = host.client.chat(BOTH, tools=TOOLS, reasoning_effort="low")
    follow = [{"role": "user", "content": BOTH}, first.message, answer_tools(first)]
    host.fail("revoked")
    assert host.client.chat(follow, tools=TOOLS).source == "system"
    assert "encrypted_content" not in json.dumps(
        host.simulator.requests[-1].body["input"]
    )
    # A key that was replaced may be of another account, too.
    host.fail(None)
    host.store("OPENAI", api_key="not-a-real-company-key-0004-MnOp")
    assert host.client.chat(follow, tools=TOOLS).source == "company"


@pytest.mark.parametrize("home", ["CLAUDE", "GEMINI"])
def test_thoughts_of_one_model_are_not_shown_to_another(make: Make, home: str) -> None:
    """Signatures belong to a model, whoever pays."""
    host = make(**on_system_key(home))
    host.store(home)
    first = host.client.chat(BOTH, tools=TOOLS, reasoning_effort="low")
    follow = [{"role": "user", "content": BOTH}, first.message, answer_tools(first)]
    assert "18 C" in host.client.chat(follow, tools=TOOLS, model="fast").text
    host.fail("revoked", home)
    # The same model on another account may have them back.
    answer = host.client.chat(follow, tools=TOOLS)
    assert answer.source == "system" and THOUGHTS[home][0] in last_body(host)


def test_what_is_meant_for_one_provider_is_left_out_abroad(make: Make) -> None:
    """``temperature`` stays at home, and the attempts say so."""
    host = make(
        **on_system_key("OPENAI", "CLAUDE"),
        BYOK_MODELS={"OPENAI": {"default": "gpt-4.1"}},
    )
    host.store()
    host.fail("outage", keys=None)
    answer = host.client.chat("hi", temperature=0.2)
    assert answer.provider == "CLAUDE" and "temperature" not in last_body(host)
    assert [a.dropped for a in answer.attempts] == [(), (), ("temperature",)]
    host.fail(None, keys=None)
    host.move_clock(days=2)
    answer = host.client.chat("hi", temperature=0.2)
    assert answer.provider == "OPENAI" and '"temperature": 0.2' in last_body(host)


PIXEL: t.Final = b"\x89PNG not a real picture"
PDF: t.Final = b"%PDF-1.7 not a real document"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_pictures_and_documents_are_seen(host: CallHost, provider: str) -> None:
    """By bytes and by URL, as objects and as dicts."""
    host.store(provider)
    data = base64.b64encode(PDF).decode()
    content = [
        TextPart(text="What is this?"),
        ImagePart(data=PIXEL, media_type="image/png"),
        {"type": "image", "url": "https://pictures.example/a.png"},
        {"type": "document", "data": data, "name": "a.pdf"},
        {"type": "document", "url": "https://documents.example/b.pdf"},
        DocumentPart(data=b"Caf\xc3\xa9", media_type="text/plain", name="c.txt"),
    ]
    answer = host.client.chat([{"role": "user", "content": content}])
    sent = last_body(host)
    assert answer.text.startswith("You sent 2 images and 3 documents.")
    assert base64.b64encode(PIXEL).decode() in sent and data in sent
    assert "https://documents.example/b.pdf" in sent


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_data_url_is_bytes(host: CallHost, provider: str) -> None:
    """What one provider takes for a URL is sent to each as it takes bytes.

    An image that does not say its media type is looked at: some refuse a wrong one.
    """
    host.store(provider)
    picture, document = (base64.b64encode(one).decode() for one in (PIXEL, PDF))
    content = [
        {"type": "image", "url": f"data:image/png;base64,{picture}"},
        {"type": "document", "url": f"data:application/pdf;base64,{document}"},
        ImagePart(data=b"\xff\xd8\xff not a real picture"),
    ]
    answer = host.client.chat([{"role": "user", "content": content}])
    sent = last_body(host)
    assert answer.text.startswith("You sent 2 images and 1 document")
    assert picture in sent and document in sent and "image/jpeg" in sent
    assert ("data:image" in sent) is (provider == "OPENAI")


ADAPTIVE: t.Final = {"type": "adaptive"}

#: What each provider is told for the word that is given.
EFFORTS: t.Final[dict[str, dict[t.Any, t.Any]]] = {
    "OPENAI": {"none": {"effort": "none"}, "max": {"effort": "max"}},
    "CLAUDE": {
        "none": ({"type": "disabled"}, None),
        "minimal": (ADAPTIVE, {"effort": "low"}),
        "max": (ADAPTIVE, {"effort": "max"}),
    },
    "GEMINI": {"none": {"thinkingLevel": "MINIMAL"}, "max": {"thinkingLevel": "HIGH"}},
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_effort_in_the_words_of_each_provider(host: CallHost, provider: str) -> None:
    """One word for all; each takes its nearest step."""
    host.store(provider)

    for effort, expected in EFFORTS[provider].items():
        answer = host.client.chat("hi", reasoning_effort=effort)
        body = host.simulator.requests[-1].body
        assert body is not None
        found = {
            "OPENAI": body.get("reasoning"),
            "CLAUDE": (body.get("thinking"), body.get("output_config")),
            "GEMINI": body.get("generationConfig", {}).get("thinkingConfig"),
        }
        assert found[provider] == expected
        thinks = effort != "none" and provider != "GEMINI"
        assert (answer.usage.reasoning_tokens > 0) is thinks


def test_an_older_claude_is_given_a_budget(host: CallHost) -> None:
    """It knows no adaptive thinking; a cap too small leaves thinking out."""
    host.store("CLAUDE")
    options: dict[str, t.Any] = {"model": "claude-haiku-4-5", "reasoning_effort": "low"}
    assert host.client.chat("hi", **options).usage.reasoning_tokens
    assert '"budget_tokens": 1024' in last_body(host)
    assert not host.client.chat("hi", max_tokens=900, **options).usage.reasoning_tokens


@pytest.mark.parametrize("provider", PROVIDERS)
def test_tokens_are_counted_before_they_are_paid(host: CallHost, provider: str) -> None:
    """With tools and system text; it is one request, and no tokens are booked."""
    host.store(provider)
    count = host.client.count_tokens("Say hello.", system="Be brief.", tools=TOOLS)
    plain = host.client.count_tokens("Say hello.")
    row = host.attempts()[-1]
    assert count.input_tokens > plain.input_tokens > 0
    assert (count.provider, count.source, host.paid) == (provider, "company", "cc")
    assert (row.state, row.output_tokens) == ("done", None)


@pytest.mark.parametrize("provider", ["OPENAI", "GEMINI"])
def test_vectors_of_a_length_of_ones_own(host: CallHost, provider: str) -> None:
    """Both wires shorten them."""
    host.store(provider)
    assert len(host.client.embed("hello", dimensions=64).vectors[0]) == 64

    with pytest.raises(ValueError, match="dimensions"):
        host.client.embed("hello", dimensions=0)


GIF: t.Final = ImagePart(data=b"GIF89a", media_type="image/gif")
LARGE: t.Final = ImagePart(data=b"x" * (8 * 1024 * 1024), media_type="image/png")
OPEN: t.Final = {"type": "object", "additionalProperties": {"type": "string"}}
FILE: t.Final = DocumentPart(url="https://documents.example/b.pdf")


def picture(*parts: t.Any) -> list[Message]:
    """Put parts into one question."""
    return [Message(role="user", content=parts)]


#: What each provider cannot do: the feature, and the call that asks for it.
CANNOT: t.Final[dict[str, tuple[str, t.Any, dict[str, t.Any]]]] = {
    "image_type": ("GEMINI", picture(GIF), {}),
    "image_size": ("CLAUDE", picture(LARGE), {}),
    "media_size": ("CLAUDE", picture(*[ImagePart(data=b"x" * 7_000_000)] * 4), {}),
    "document_url": ("OPENAI", picture(FILE), {"stop": "END", "model": "older"}),
    "forced_tool": (
        "CLAUDE",
        BOTH,
        {"tools": TOOLS, "tool_choice": "required", "reasoning_effort": "low"},
    ),
    "open_objects": ("CLAUDE", "hi", {"response_format": OPEN}),
    "stop": ("OPENAI", "hi", {"stop": "END"}),
}


@pytest.mark.parametrize("feature", CANNOT)
def test_what_a_provider_cannot_do_is_said_before_it_is_asked(
    make: Make, feature: str
) -> None:
    """No request, no mark on the key; ``auto`` lets a provider answer that can."""
    provider, messages, more = CANNOT[feature]
    other = "GEMINI" if provider != "GEMINI" else "CLAUDE"
    older = {"OPENAI": {"older": "gpt-4.1"}, "GEMINI": {"older": "gemini-3.8-flash"}}
    host = make(**on_system_key(other), BYOK_MODELS=older)
    host.store(provider)

    for fallback in (True, False):
        host.byok.set_policy(1, fallback="never" if fallback else "auto")

        with pytest.raises(errors.UnsupportedByProvider) as caught:
            host.client.chat(messages, fallback=fallback, **more)

        assert (caught.value.provider, caught.value.feature) == (provider, feature)
        assert FEATURES[feature] in str(caught.value) and host.paid == ""

    answer = host.client.chat(messages, **more)
    first, last = answer.attempts
    assert (first.reason, first.code, first.sent) == ("unsupported", feature, False)
    assert (last.provider, host.paid) == (other, "s")
    assert host.circuit(provider).circuit == "closed" and not host.signals


def test_every_feature_that_may_be_missing_is_tried() -> None:
    """A new word needs a call here, but for what registered vendors alone lack."""
    vendor = OpenAIProvider(api="chat", chat_wire=ChatWire(takes_documents=False))
    request = ChatRequest(messages=tuple(picture(DocumentPart(data=PDF))))
    lacks = {
        vendor.find_unsupported(request, model="m", counts=one) for one in (False, True)
    }
    assert lacks == set(FEATURES) - set(CANNOT) == {"document_type", "count_tokens"}

    with pytest.raises(ValueError, match="does not count"):
        ChatWire().build_count(request, "m")


@pytest.mark.parametrize("version", [None, "2024-10-21"])
def test_a_vendor_without_documents_is_sent_none(
    make: Make, byok_simulator: Simulator, version: str | None
) -> None:
    """The operator says so where it is registered; whoever can answers instead."""
    byok_simulator.add_vendor("AZURE")
    azure = AzureOpenAI(
        base_url=byok_simulator.urls["AZURE"],
        default_models={"default": "large"},
        takes_documents=False,
        api_version=version,
    )
    host = make(**on_system_key("OPENAI"), providers=[azure])
    host.store("AZURE")
    first, last = host.client.chat(picture(DocumentPart(data=PDF))).attempts
    assert (first.provider, first.code, first.sent) == ("AZURE", "document_type", False)
    assert (last.provider, last.source, host.paid) == ("OPENAI", "system", "s")


@dataclasses.dataclass
class Place:
    """Where somebody is."""

    city: str
    tags: list[str]


class PlaceModel(pydantic.BaseModel):
    """The same as a pydantic model."""

    city: str
    tags: list[str] = []


SCHEMA: t.Final = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["city", "tags"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_comes_as_it_was_asked_for(
    host: CallHost, provider: str, streamed: bool
) -> None:
    """A dict, a dataclass and a pydantic model, parsed and checked."""
    host.store(provider)
    kinds: list[t.Any] = [SCHEMA, Place, PlaceModel]
    answers = [ask(host, streamed, "hi", response_format=kind) for kind in kinds]
    parsed = [answer.parsed for answer in answers]
    assert [type(one) for one in parsed] == [dict, Place, PlaceModel]
    assert parsed[0]["city"] == parsed[1].city == parsed[2].city != ""
    assert json.loads(answers[1].text) == dataclasses.asdict(parsed[1])

    if provider == "OPENAI":
        assert '"strict": true' in last_body(host)


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_in_another_format_is_told_and_kept(
    host: CallHost, streamed: bool
) -> None:
    """It was billed: the error keeps text and usage, the ledger the tokens."""
    host.store("CLAUDE")

    for kind in (SCHEMA, Place, PlaceModel):
        with pytest.raises(errors.InvalidAnswer) as caught:
            ask(host, streamed, "hi", response_format=kind, max_tokens=2)

        error, row = caught.value, host.attempts()[-1]
        assert error.text.startswith("{") and error.response.parsed is None
        assert error.usage.output_tokens == row.output_tokens == 2
        assert row.state == "done" and "cut off" in error.problem
        assert error.text not in str(error)
        assert error.__context__ is None and error.__cause__ is None


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_refusal_has_nothing_to_be_parsed(host: CallHost, provider: str) -> None:
    """It is an answer, whole or streamed: its finish reason says so."""
    host.store(provider)
    host.fail("refusal", provider)

    for streamed in (False, True):
        answer = ask(host, streamed, "hi", response_format=SCHEMA)
        assert (answer.finish_reason, answer.parsed) == ("content_filter", None)
        assert host.paid == "c"


WRONG: t.Final[list[tuple[dict[str, t.Any], str]]] = [
    ({"messages": None}, "a list of messages, and is a NoneType"),
    ({"messages": {"role": "user", "content": "hi"}}, "and is a dict"),
    ({"reasoning_effort": "huge"}, "reasoning_effort"),
    ({"tools": [{"name": "not a name"}]}, "letters, digits"),
    ({"tools": [*TOOLS, TOOLS[0]]}, "same name"),
    ({"tools": [{"name": "f", "parameters": {"type": "string"}}]}, "type 'object'"),
    ({"tools": TOOLS, "tool_choice": "other"}, "one of 'tools'"),
    ({"tool_choice": "required"}, "no 'tools'"),
    ({"messages": picture(ImagePart())}, "either 'data' or 'url'"),
    ({"messages": picture(ImagePart(data=b"x", url="https://a.example"))}, "either"),
    ({"messages": picture(ImagePart(data=b""))}, "empty"),
    ({"messages": picture(ImagePart(url="/static/logo.png"))}, "begins with"),
    ({"messages": picture(ImagePart(url="data:image/png,%89"))}, "base64"),
    ({"messages": picture(ImagePart(url="data:image/png;base64,?"))}, "base64"),
    ({"messages": picture(DocumentPart(data=b"x", media_type="video/mp4"))}, "text/"),
    ({"messages": picture(DocumentPart(data=b"\xff", media_type="text/csv"))}, "UTF-8"),
    ({"messages": [{"role": "user", "content": [{"type": "sound"}]}]}, "A part is"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "no 'text'"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image", "data": "?"}]}]},
        "base64",
    ),
    ({"response_format": int}, "response_format"),
    ({"response_format": "json"}, "response_format"),
]


def test_a_mistake_is_told_before_anything_is_sent(host: CallHost) -> None:
    """Whatever no provider takes, in a sentence that names it."""
    for mistake, words in WRONG:
        asked: dict[str, t.Any] = {"messages": "hi", **mistake}

        with pytest.raises((TypeError, ValueError), match=words) as caught:
            host.client.chat(**asked)

        assert caught.value.__context__ is None

    assert not host.simulator.requests
