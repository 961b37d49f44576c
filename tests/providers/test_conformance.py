"""Every recorded exchange is held against our adapters, and none is left out."""

from __future__ import annotations

import collections.abc as cabc
import json
import typing as t

import pytest

from flask_byok.providers.claude import ClaudeProvider
from flask_byok.providers.claude_turns import build_turns
from flask_byok.providers.deadline import Deadline
from flask_byok.providers.gemini import GeminiProvider
from flask_byok.providers.gemini_contents import build_contents
from flask_byok.providers.gemini_wire import GenerateWire
from flask_byok.providers.http import Sender
from flask_byok.providers.openai import OpenAIProvider
from flask_byok.providers.openai_chat import ChatWire
from flask_byok.providers.openai_responses import ResponsesWire
from flask_byok.providers.sse import EventParser
from flask_byok.providers.stream_reader import StreamReader
from flask_byok.providers.types import AttemptFailed
from flask_byok.providers.types import ChatRequest
from flask_byok.providers.types import Message
from flask_byok.providers.wire import IdCleaner
from flask_byok.providers.wire import Wire
from flask_byok.secret import Secret
from tests.failover.test_recorded_errors import RECORDED

from . import official
from .conftest import CANARY
from .replay import answer_with
from .replay import FIXTURES
from .replay import load
from .replay import Server
from .replay import stream_with
from .test_recordings import ANSWERS
from .test_recordings import facts
from .test_recordings import HELLO
from .test_recordings import PROVIDERS
from .test_recordings import SEGMENT
from .test_recordings import STREAMS
from .test_requests import recorded

Serve = cabc.Callable[..., Server]
WIRES: cabc.Mapping[str, Wire] = {
    "anthropic": ClaudeProvider()._choose_wire(HELLO),
    "gemini": GenerateWire(),
    "openai": ResponsesWire(),
    "openai-chat": ChatWire(),
}
COUNTS = [
    ("anthropic", "count_tokens"),
    ("gemini", "count_tokens"),
    ("openai", "input_tokens_count"),
]
VECTORS = [("gemini", "embeddings_001_batch"), ("openai", "embeddings_dimensions")]
LISTS = [
    ("anthropic", "models_list"),
    ("gemini", "models_list_page1"),
    ("openai", "models_list_2023"),
]
#: Answers of services that are not spoken here: never taken for an answer of ours.
FOREIGN = [
    ("gemini", "interactions_basic"),
    ("gemini", "interactions_stream"),
    ("gemini", "interactions_stream_thinking"),
    ("openai", "moderations"),
]
#: What the SDKs send and where it is held against ours.
SENT = {
    "anthropic.count_tokens": "test_counts_are_asked_for_as_the_sdk_does",
    "anthropic.messages.full": "test_requests.py",
    "anthropic.messages.stream": "test_requests.py",
    "anthropic.models.list": "test_lists_are_asked_for_as_the_sdk_does",
    "gemini.countTokens": "test_counts_are_asked_for_as_the_sdk_does",
    "gemini.embed.001": "test_vectors_are_asked_for_as_the_sdk_does",
    "gemini.embed.embedding-2": "test_vectors_are_asked_for_as_the_sdk_does",
    "gemini.generateContent.full": "test_requests.py",
    "gemini.models.list": "test_lists_are_asked_for_as_the_sdk_does",
    "gemini.streamGenerateContent": "test_requests.py",
    "openai.chat.full": "test_requests.py",
    "openai.embeddings": "test_vectors_are_asked_for_as_the_sdk_does",
    "openai.models.list": "test_lists_are_asked_for_as_the_sdk_does",
    "openai.responses.full": "test_requests.py",
    "openai.responses.input_tokens": "test_counts_are_asked_for_as_the_sdk_does",
    "openai.responses.stream": "test_requests.py",
}
#: What the client has no method for; the SDKs themselves send it.
NOT_SENT = {
    "anthropic.models.retrieve",
    "gemini.interactions.create",
    "gemini.interactions.stream",
    "gemini.models.get",
    "openai.models.retrieve",
    "openai.moderations",
}


def test_no_recording_is_left_out() -> None:
    """A file that is added needs a test here, in both directions."""
    files = {
        (path.parent.name, path.stem)
        for path in FIXTURES.glob("*/*.json")
        if path.parent.name in SEGMENT
    }
    read = [*ANSWERS, *STREAMS, *COUNTS, *VECTORS, *LISTS, *FOREIGN, *RECORDED]

    if not files:
        pytest.skip("The recorded exchanges (../shared/fixtures) are not here.")

    assert {(kind.partition("-")[0], name) for kind, name in read} == files
    requests = set(json.loads((FIXTURES / "sdk_requests.json").read_text("utf-8")))
    assert set(SENT) | NOT_SENT == requests


@pytest.mark.parametrize(("kind", "name"), COUNTS)
def test_counted_tokens_are_read_as_the_sdk_does(
    serve: Serve, sender: Sender, kind: str, name: str
) -> None:
    """The number of tokens is the one the SDK reads."""
    server = serve(load(f"{kind}/{name}").behave())
    provider = PROVIDERS[kind].with_base_url(server.url + SEGMENT[kind])

    answer = provider.count_tokens(
        sender, HELLO, model="m", api_key=Secret(CANARY), deadline=Deadline(5)
    )

    assert answer.input_tokens == official.COUNTERS[kind](server.url) > 0


@pytest.mark.parametrize(("kind", "name"), VECTORS)
def test_vectors_are_read_as_the_sdk_does(
    serve: Serve, sender: Sender, kind: str, name: str
) -> None:
    """The vectors are the SDK's, number by number."""
    server = serve(load(f"{kind}/{name}").behave())
    provider = PROVIDERS[kind].with_base_url(server.url + SEGMENT[kind])
    texts = ["a"] if kind == "openai" else ["a", "b", "c"]

    answer = provider.embed(
        sender, texts, model="m", api_key=Secret(CANARY), deadline=Deadline(5)
    )

    assert [list(vector) for vector in answer.vectors] == official.EMBEDDERS[kind](
        server.url
    )


@pytest.mark.parametrize(("kind", "name"), LISTS)
def test_lists_are_read_as_the_sdk_does(
    serve: Serve, sender: Sender, kind: str, name: str
) -> None:
    """The models are the SDK's, in its order."""
    server = serve(load(f"{kind}/{name}").behave())
    provider = PROVIDERS[kind].with_base_url(server.url + SEGMENT[kind])

    found = provider.models(
        sender, api_key=Secret(CANARY), deadline=Deadline(5), pages=1
    )

    assert [info.id for info in found] == official.LISTERS[kind](server.url) != []


def ask_all(
    serve: Serve, call: cabc.Callable[[str, t.Any], object], kinds: cabc.Iterable[str]
) -> dict[str, t.Any]:
    """Let each provider ask a server that answers nothing useful; give what it saw."""
    seen = {}

    for kind in kinds:
        server = serve(answer_with(200, b"[]"))
        provider = PROVIDERS[kind].with_base_url(server.url + SEGMENT[kind])

        with pytest.raises(AttemptFailed):
            call(kind, provider)

        seen[kind] = server.requests[0]

    return seen


def test_counts_are_asked_for_as_the_sdk_does(serve: Serve, sender: Sender) -> None:
    """The same path and the same words; more than words goes in whole at GEMINI."""
    names = {
        "anthropic": ("anthropic.count_tokens", "claude-opus-5-5"),
        "gemini": ("gemini.countTokens", "gemini-3.8-flash"),
        "openai": ("openai.responses.input_tokens", "gpt-5.5"),
    }
    options: dict[str, t.Any] = {"api_key": Secret(CANARY), "deadline": Deadline(9)}

    def count(kind: str, provider: t.Any) -> None:
        model = names[kind][1]
        provider.count_tokens(sender, HELLO, model=model, **options)

    for kind, sent in ask_all(serve, count, names).items():
        expected = recorded(names[kind][0])
        body = sent.json

        if kind == "openai":
            body["input"] = body["input"][0]["content"]
        elif kind == "anthropic":
            body["messages"][0]["content"] = body["messages"][0]["content"][0]["text"]

        assert sent.path == expected["path"].replace("/v1/models/g", "/v1beta/models/g")
        assert body == expected["body"]

    told = ChatRequest(messages=HELLO.messages, system="Be brief.")
    server = serve(answer_with(200, b'{"totalTokens": 3}'))
    answer = (
        GeminiProvider()
        .with_base_url(server.url)
        .count_tokens(sender, told, model="gemini-3.5-flash", **options)
    )
    whole = server.requests[0].json["generateContentRequest"]
    real = load("gemini/count_tokens").request["body"]["generateContentRequest"]
    assert answer.input_tokens == 3
    assert set(whole) == set(real) and whole["model"] == real["model"]


def test_vectors_are_asked_for_as_the_sdk_does(serve: Serve, sender: Sender) -> None:
    """The same but for three choices of ours: floats, one request per text, no task."""
    models = {"gemini": "gemini-embedding-001", "openai": "text-embedding-3-small"}

    def embed(kind: str, provider: t.Any) -> None:
        provider.embed(
            sender,
            ["a", "b"],
            model=models[kind],
            api_key=Secret(CANARY),
            deadline=Deadline(5),
            dimensions=256,
        )

    seen = ask_all(serve, embed, models)
    expected = recorded("openai.embeddings")
    assert seen["openai"].path == expected["path"]
    assert seen["openai"].json == {**expected["body"], "encoding_format": "float"}
    expected = recorded("gemini.embed.001")
    assert seen["gemini"].path == expected["path"].replace("/v1/", "/v1beta/")

    for request in expected["body"]["requests"]:
        del request["taskType"], request["content"]["role"]

    assert seen["gemini"].json == expected["body"]
    # The SDK makes ONE vector of several texts for this model.
    (merged,) = recorded("gemini.embed.embedding-2")["body"]["requests"]
    assert len(merged["content"]["parts"]) == 2


def test_lists_are_asked_for_as_the_sdk_does(serve: Serve, sender: Sender) -> None:
    """The same path, with the largest page each provider has."""

    def models(kind: str, provider: t.Any) -> None:
        provider.models(sender, api_key=Secret(CANARY), deadline=Deadline(5))

    for kind, sent in ask_all(serve, models, SEGMENT).items():
        path = recorded(f"{kind}.models.list")["path"]
        expected = path.replace("/v1/", "/v1beta/") if kind == "gemini" else path
        assert (sent.method, sent.path) == ("GET", expected)


@pytest.mark.parametrize(("folder", "name"), FOREIGN)
def test_what_is_not_spoken_is_never_an_answer(
    serve: Serve, sender: Sender, folder: str, name: str
) -> None:
    """An answer of another service is told as unreadable, whole or streamed."""
    recording = load(f"{folder}/{name}")
    provider = PROVIDERS[folder]

    for behave in (recording.behave(), stream_with([recording.body])):
        server = serve(behave)
        speak = provider.with_base_url(server.url)

        for call in (speak.chat, speak.open_stream):
            with pytest.raises(AttemptFailed) as caught:
                call(
                    sender,
                    HELLO,
                    model="m",
                    api_key=Secret(CANARY),
                    deadline=Deadline(5),
                )

            assert caught.value.failure.kind in ("unreadable_answer", "interrupted")


def read_pieces(wire: Wire, *pieces: bytes) -> StreamReader:
    """Read a stream that came in these pieces."""
    parser, reader = EventParser(), wire.build_reader("asked-1")

    for piece in pieces:
        for data in parser.feed(piece):
            reader.take_event(data)

    return reader


@pytest.mark.parametrize(("kind", "name"), [*STREAMS, *FOREIGN[1:3]])
def test_a_cut_at_every_byte_is_the_same_stream(kind: str, name: str) -> None:
    """Wherever a stream is cut in two, the same events come of it."""
    body = load(f"{kind.partition('-')[0]}/{name}").body
    whole = EventParser().feed(body)

    for place in range(len(body) + 1):
        parser = EventParser()
        assert parser.feed(body[:place]) + parser.feed(body[place:]) == whole

    # And of the events the same answer, byte by byte; it is the SDK's, see above.
    if (kind, name) in STREAMS:
        single = (body[at : at + 1] for at in range(len(body)))
        cleaner = IdCleaner(Secret(CANARY))
        answers = [
            facts(read_pieces(WIRES[kind], *pieces).build_answer(cleaner))
            for pieces in ((body,), single)
        ]
        ids = [[call[1:] for call in found.pop("tool_calls")] for found in answers]
        assert answers[0] == answers[1] and ids[0] == ids[1]


def parts_of(kind: str, name: str) -> Message:
    """Read a recording, whole or streamed, and give it as the assistant's turn."""
    recording, wire = load(f"{kind}/{name}"), WIRES[kind]

    if (kind, name) in STREAMS:
        answer = read_pieces(wire, recording.body).build_answer(
            IdCleaner(Secret(CANARY))
        )
    else:
        answer = wire.parse_answer(json.loads(recording.body), "asked-1")

    return Message(role="assistant", content=answer.parts)


@pytest.mark.parametrize(
    "name", ["messages_tool_use_1", "messages_thinking_summarized"]
)
def test_claude_is_sent_its_own_turn_again(name: str) -> None:
    """Texts, thinking with its signature and calls stand as they came."""
    real = json.loads(load(f"anthropic/{name}").body)["content"]
    said = [{**block, **{"caller": None}} for block in real]
    built = build_turns([parts_of("anthropic", name)])[0]["content"]

    assert [{**block, **{"caller": None}} for block in built] == said


def test_claude_is_sent_its_streamed_thinking_again() -> None:
    """The block grew in the stream; it goes back whole and signed."""
    blocks = build_turns([parts_of("anthropic", "messages_stream_thinking")])[0]
    first, *others = blocks["content"]

    assert first["type"] == "thinking" and first["thinking"] and first["signature"]
    assert [block["type"] for block in others] == ["text"]


@pytest.mark.parametrize("name", ["generate_tool_call_1", "generate_thinking_level"])
def test_gemini_is_sent_its_own_turn_again(name: str) -> None:
    """Parts keep their signatures; its thoughts in words are nobody's business."""
    real = json.loads(load(f"gemini/{name}").body)["candidates"][0]["content"]
    said = [part for part in real["parts"] if not part.get("thought")]
    (turn,) = build_contents([parts_of("gemini", name)], "gemini-3.5-flash")

    assert turn == {"role": "model", "parts": said}


def test_gemini_is_sent_signed_texts_apart_again() -> None:
    """A text with a signature is never merged with one that has none."""
    parts = [
        {"text": "one "},
        {"text": "two "},
        {"text": "three", "thoughtSignature": "c2ln"},
        {"text": "", "thoughtSignature": "ZW5k"},
    ]
    events = [{"candidates": [{"content": {"parts": [part]}}]} for part in parts]
    body = b"".join(b"data: %b\r\n\r\n" % json.dumps(e).encode() for e in events)
    reader = read_pieces(GenerateWire(), body)
    message = Message(role="assistant", content=reader.build_parts())
    (turn,) = build_contents([message], "gemini-3.8-flash")

    assert turn["parts"] == [{"text": "one two "}, *parts[2:]]


@pytest.mark.parametrize("name", ["responses_basic", "responses_stream_text"])
def test_openai_is_sent_its_own_turn_again(name: str) -> None:
    """Reasoning items go back as they are, the message with its phase."""
    request = ChatRequest(messages=(parts_of("openai", name),))
    items = ResponsesWire().build_body(request, "gpt-5.5", stream=False)["input"]

    if name == "responses_basic":
        real = json.loads(load(f"openai/{name}").body)["output"]
        assert items[0] == real[0] and items[0]["encrypted_content"]
        assert items[1]["content"] == real[1]["content"][0]["text"]
    else:
        assert items[-1] == {
            "role": "assistant",
            "content": "pong",
            "phase": "final_answer",
        }


def test_the_providers_under_test_are_the_built_in_ones() -> None:
    """What is held against the recordings is what an app gets."""
    assert PROVIDERS["openai"] == OpenAIProvider()
    assert PROVIDERS["anthropic"] == ClaudeProvider()
    assert PROVIDERS["gemini"] == GeminiProvider()
