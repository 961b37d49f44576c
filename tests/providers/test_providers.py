from __future__ import annotations

import collections.abc as cabc
import dataclasses
import json
import typing as t
import urllib.parse

import pytest

from flask_byok.errors import UnknownProvider
from flask_byok.providers.base import PAGE_LIMIT
from flask_byok.providers.base import Provider
from flask_byok.providers.claude import ClaudeProvider
from flask_byok.providers.deadline import Deadline
from flask_byok.providers.gemini import GeminiProvider
from flask_byok.providers.http import Sender
from flask_byok.providers.openai import OpenAIProvider
from flask_byok.providers.registry import built_in_providers
from flask_byok.providers.registry import Registry
from flask_byok.providers.types import AttemptFailed
from flask_byok.providers.types import ChatAnswer
from flask_byok.providers.types import EmbedAnswer
from flask_byok.providers.types import ModelInfo
from flask_byok.providers.types import StatePart
from flask_byok.secret import Secret

from .conftest import CANARY
from .replay import answer_with
from .replay import Behaviour
from .replay import build_answer
from .replay import load
from .replay import Request
from .replay import Server
from .test_recordings import HELLO
from .test_recordings import PROVIDERS
from .test_recordings import SEGMENT

Serve = cabc.Callable[..., Server]


def chat(serve: Serve, sender: Sender, kind: str, body: t.Any) -> ChatAnswer:
    base = serve(answer_with(200, json.dumps(body).encode())).url
    provider = PROVIDERS[kind].with_base_url(base + SEGMENT[kind.partition("-")[0]])
    return provider.chat(
        sender, HELLO, model="asked-1", api_key=Secret(CANARY), deadline=Deadline(5)
    )


def list_models(sender: Sender, provider: Provider) -> tuple[ModelInfo, ...]:
    return provider.models(sender, api_key=Secret(CANARY), deadline=Deadline(5))


def response(status: str, reason: str | None = None, *parts: t.Any) -> dict[str, t.Any]:
    return {
        "status": status,
        "incomplete_details": {"reason": reason} if reason else None,
        "output": [{"type": "message", "content": list(parts)}],
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (response("completed"), "stop"),
        (response("incomplete", "max_output_tokens"), "length"),
        (response("incomplete", "content_filter"), "content_filter"),
        (response("incomplete", "steered"), "other"),
        (response("incomplete", "max_messages"), "other"),
        (response("cancelled"), "other"),
        (response("brand_new"), "other"),
        (
            response("completed", None, {"type": "refusal", "refusal": "No."}),
            "content_filter",
        ),
    ],
)
def test_finish_reasons_of_responses(
    serve: Serve, sender: Sender, body: dict[str, t.Any], expected: str
) -> None:
    """Status and details give the reason; a refusal's words are the text."""
    answer = chat(serve, sender, "openai", body)

    assert answer.finish_reason == expected
    assert answer.text == ("No." if "refusal" in json.dumps(body) else "")


def test_a_failed_response_is_a_failure(serve: Serve, sender: Sender) -> None:
    """``failed`` with status 200 is told by its code."""
    body = {"status": "failed", "output": [], "error": {"code": "server_error"}}

    with pytest.raises(AttemptFailed) as caught:
        chat(serve, sender, "openai", body)

    assert caught.value.failure.reasons == ("server_error",)


def test_a_failed_response_is_a_failure_without_a_word(
    serve: Serve, sender: Sender
) -> None:
    """One that gives no reason is no empty answer, either: another route is taken."""
    with pytest.raises(AttemptFailed) as caught:
        chat(serve, sender, "openai", {**response("failed"), "error": None})

    assert (caught.value.failure.kind, caught.value.failure.reasons) == ("answer", ())


@pytest.mark.parametrize(
    ("kind", "field", "values"),
    [
        (
            "openai-chat",
            "finish_reason",
            {
                "stop": "stop",
                "length": "length",
                "tool_calls": "tool_calls",
                "function_call": "tool_calls",
                "content_filter": "content_filter",
                "new": "other",
                None: "other",
            },
        ),
        (
            "anthropic",
            "stop_reason",
            {
                "end_turn": "stop",
                "stop_sequence": "stop",
                "tool_use": "tool_calls",
                "max_tokens": "length",
                "model_context_window_exceeded": "length",
                "refusal": "content_filter",
                "pause_turn": "other",
                "new": "other",
                None: "other",
            },
        ),
        (
            "gemini",
            "finishReason",
            {
                "STOP": "stop",
                "MAX_TOKENS": "length",
                "CONTINUATION": "length",
                "SAFETY": "content_filter",
                "RECITATION": "content_filter",
                "BLOCKLIST": "content_filter",
                "SPII": "content_filter",
                "ESCALATION": "content_filter",
                "PROHIBITED_CONTENT": "content_filter",
                "IMAGE_SAFETY": "content_filter",
                "LANGUAGE": "other",
                "OTHER": "other",
                "MALFORMED_FUNCTION_CALL": "other",
                "TOO_MANY_TOOL_CALLS": "other",
                "MISSING_THOUGHT_SIGNATURE": "other",
                "NEW": "other",
            },
        ),
    ],
)
def test_finish_reasons_of_the_other_wires(
    serve: Serve,
    sender: Sender,
    kind: str,
    field: str,
    values: dict[str | None, str],
) -> None:
    """Known ones are mapped, unknown ones are ``other`` and never an exception."""
    for theirs, ours in values.items():
        reason = {field: theirs}
        body = {
            "choices": [{"message": {"content": "a"}, **reason}],
            "candidates": [{"content": {"parts": [{"text": "a"}]}, **reason}],
            "content": [{"type": "text", "text": "a"}],
            **reason,
        }
        answer = chat(serve, sender, kind, body)
        assert (theirs, answer.finish_reason) == (theirs, ours)
        assert answer.text == "a"


def test_a_blocked_prompt_is_an_answer(serve: Serve, sender: Sender) -> None:
    """GEMINI blocks without candidates, or with an empty one."""
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}}
    answer = chat(serve, sender, "gemini", blocked)
    assert (answer.finish_reason, answer.text) == ("content_filter", "")

    emptied = {"candidates": [{"content": {}, "finishReason": "SAFETY"}]}
    assert chat(serve, sender, "gemini", emptied).finish_reason == "content_filter"

    eaten = {
        "candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}],
        "usageMetadata": {"promptTokenCount": 4, "thoughtsTokenCount": 16},
    }
    answer = chat(serve, sender, "gemini", eaten)
    assert (answer.finish_reason, answer.text) == ("length", "")
    assert answer.usage.output_tokens == answer.usage.reasoning_tokens == 16


@pytest.mark.parametrize(
    ("kind", "usage", "expected"),
    [
        ("openai", None, (None, None, 0, 0)),
        (
            "openai",
            {"input_tokens": 5, "output_tokens": 0, "input_tokens_details": None},
            (5, 0, 0, 0),
        ),
        ("openai-chat", {"prompt_tokens": True}, (None, None, 0, 0)),
        (
            "anthropic",
            {
                "input_tokens": 1,
                "cache_creation_input_tokens": 10,
                "cache_read_input_tokens": 100,
                "output_tokens": 7,
                "output_tokens_details": {"thinking_tokens": 3},
            },
            (111, 7, 100, 3),
        ),
        (
            "anthropic",
            {"input_tokens": 1, "cache_read_input_tokens": None},
            (1, None, 0, 0),
        ),
        (
            "gemini",
            {
                "promptTokenCount": 8,
                "toolUsePromptTokenCount": 2,
                "candidatesTokenCount": 7,
                "thoughtsTokenCount": 20,
                "cachedContentTokenCount": 5,
            },
            (10, 27, 5, 20),
        ),
        ("gemini", {"promptTokenCount": 8, "totalTokenCount": 8}, (8, 0, 0, 0)),
        ("gemini", {"promptTokenCount": 8}, (8, None, 0, 0)),
        ("gemini", {"candidatesTokenCount": "7"}, (None, None, 0, 0)),
    ],
)
def test_missing_parts_are_zero_and_missing_totals_unknown(
    serve: Serve,
    sender: Sender,
    kind: str,
    usage: t.Any,
    expected: tuple[int | None, int | None, int, int],
) -> None:
    """Only CLAUDE counts cached tokens apart, only GEMINI counts thoughts apart."""
    body = {
        "status": "completed",
        "output": [],
        "choices": [{"message": {}}],
        "content": [],
        "candidates": [{"finishReason": "STOP"}],
        "usage": usage,
        "usageMetadata": usage,
    }

    found = dataclasses.astuple(chat(serve, sender, kind, body).usage)
    assert found[:4] == expected


def test_the_model_that_was_asked_for_stands_in(serve: Serve, sender: Sender) -> None:
    """A model's name that is missing, odd or a piece of the key is not taken over."""
    for model in (None, 7, "a b", CANARY[2:12]):
        body = {"content": [], "model": model}
        assert chat(serve, sender, "anthropic", body).model == "asked-1"

    body = {"content": [], "model": "vendor/model:1"}
    assert chat(serve, sender, "anthropic", body).model == "vendor/model:1"


def test_thinking_is_kept_in_its_place(serve: Serve, sender: Sender) -> None:
    """The blocks stand before their tool call, to go back unchanged."""
    thinking = {"type": "thinking", "thinking": "Hm", "signature": "s"}
    use = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}
    body = {"content": [thinking, use], "stop_reason": "tool_use"}

    answer = chat(serve, sender, "anthropic", body)

    call = answer.tool_calls[0]
    assert (call.id, call.name, call.arguments) == ("t1", "f", {"a": 1})
    assert answer.parts == (
        StatePart(provider_state={"CLAUDE": {"block": thinking}}),
        call,
    )


def test_a_signature_is_kept_with_its_tool_call(serve: Serve, sender: Sender) -> None:
    """GEMINI's newer models refuse a tool call that lost its signature."""
    recording = load("gemini/generate_tool_call_1")
    body = json.loads(recording.body)
    part = body["candidates"][0]["content"]["parts"][0]

    call = chat(serve, sender, "gemini", body).tool_calls[0]

    assert call.provider_state == {
        "GEMINI": {"thoughtSignature": part["thoughtSignature"]}
    }
    assert call.id == part["functionCall"]["id"]


def test_recorded_lists_of_models(serve: Serve, sender: Sender) -> None:
    """Ids, labels and kinds come from the recorded lists."""
    openai = serve(load("openai/models_list_2023").behave())
    claude = serve(load("anthropic/models_list").behave())
    page = json.loads(load("gemini/models_list_page1").body)
    del page["nextPageToken"]
    gemini = serve(answer_with(200, json.dumps(page).encode()))

    found = {
        info.id: info
        for provider, server in (
            (OpenAIProvider(), openai),
            (ClaudeProvider(), claude),
            (GeminiProvider(), gemini),
        )
        for info in list_models(sender, provider.with_base_url(server.url))
    }

    assert found["gpt-4"].kinds == {"chat"}
    assert found["gpt-3.5-turbo-instruct"].kinds == {"other"}
    assert found["text-embedding-ada-002"].kinds == {"embed"}
    assert found["whisper-1"].kinds == {"other"}
    claude_ids = [entry["id"] for entry in json.loads(load_body(claude))["data"]]
    assert claude_ids and all(found[i].kinds == {"chat"} for i in claude_ids)
    assert all(found[i].label for i in claude_ids)
    assert found["gemini-2.5-flash"].kinds == {"chat"}
    assert found["gemini-2.5-flash-preview-tts"].kinds == {"other"}
    assert not any(name.startswith("models/") for name in found)
    assert openai.requests[0].path == "/models"
    assert claude.requests[0].path == "/models?limit=1000"
    assert gemini.requests[0].path == "/models?pageSize=1000"


def load_body(server: Server) -> bytes:
    return load("anthropic/models_list").body


def pages(provider: str, count: int | None) -> Behaviour:
    """Serve pages of one model each; without a count they never end."""

    def behave(conn: t.Any, request: Request) -> None:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)
        mark = (query.get("after_id") or query.get("pageToken") or ["0&x=y"])[0]
        number = int(mark.partition("&")[0]) + 1
        more = count is None or number < count
        entry = {"id": f"m{number}", "name": f"models/m{number}"}
        body = {
            "data": [entry],
            "has_more": more,
            "last_id": f"{number}&x=y",
            "models": [entry],
        }

        if more:
            body["nextPageToken"] = f"{number}&x=y"

        conn.sendall(build_answer(200, json.dumps(body).encode()))

    return behave


@pytest.mark.case("D10")
@pytest.mark.parametrize("provider", [ClaudeProvider(), GeminiProvider()])
def test_pages_are_followed_up_to_a_limit(
    serve: Serve, sender: Sender, provider: Provider
) -> None:
    """All pages are read, marks are quoted, and a list without end ends."""
    three = provider.with_base_url(serve(pages(provider.id, 3)).url)
    endless_server = serve(pages(provider.id, None))
    endless = provider.with_base_url(endless_server.url)

    assert [info.id for info in list_models(sender, three)] == ["m1", "m2", "m3"]
    assert len(list_models(sender, endless)) == PAGE_LIMIT
    assert len(endless_server.requests) == PAGE_LIMIT


@pytest.mark.case("D10")
@pytest.mark.parametrize("provider", [ClaudeProvider(), GeminiProvider()])
def test_a_page_that_points_at_itself_ends_the_list(
    serve: Serve, sender: Sender, provider: Provider
) -> None:
    """The same mark twice is no next page."""
    body = {
        "data": [{"id": "a"}],
        "has_more": True,
        "last_id": "a",
        "models": [{"name": "models/a"}],
        "nextPageToken": "a",
    }
    server = serve(answer_with(200, json.dumps(body).encode()))

    assert len(list_models(sender, provider.with_base_url(server.url))) == 1
    assert len(server.requests) == 2


def embed(
    serve: Serve, sender: Sender, provider: Provider, body: bytes, texts: list[str]
) -> tuple[EmbedAnswer, Server]:
    server = serve(answer_with(200, body))
    answer = provider.with_base_url(server.url).embed(
        sender, texts, model="e-1", api_key=Secret(CANARY), deadline=Deadline(5)
    )
    return answer, server


def test_recorded_embeddings(serve: Serve, sender: Sender) -> None:
    """Vectors, usage and the number of texts agree with the recordings."""
    openai = load("openai/embeddings_dimensions").body
    answer, server = embed(serve, sender, OpenAIProvider(), openai, ["a"])
    recorded = json.loads(openai)
    assert answer.vectors == (tuple(recorded["data"][0]["embedding"]),)
    assert answer.usage.input_tokens == recorded["usage"]["prompt_tokens"]
    assert answer.model == recorded["model"]
    assert server.requests[0].json == {
        "model": "e-1",
        "input": ["a"],
        "encoding_format": "float",
    }

    gemini = load("gemini/embeddings_001_batch").body
    texts = ["Ruby", "Python", "JavaScript"]
    answer, server = embed(serve, sender, GeminiProvider(), gemini, texts)
    assert answer.vectors == tuple(
        tuple(entry["values"]) for entry in json.loads(gemini)["embeddings"]
    )
    assert answer.usage.input_tokens is None
    assert server.requests[0].path == "/models/e-1:batchEmbedContents"
    assert server.requests[0].json["requests"] == [
        {"model": "models/e-1", "content": {"parts": [{"text": text}]}}
        for text in texts
    ]


def test_vectors_are_ordered_by_index_and_must_be_whole(
    serve: Serve, sender: Sender
) -> None:
    """An answer in another order is sorted; one that lacks a vector is none."""
    entries = [{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1]}]
    body = json.dumps({"data": entries}).encode()
    answer, _ = embed(serve, sender, OpenAIProvider(), body, ["a", "b"])
    assert answer.vectors == ((1.0,), (2.0,))

    with pytest.raises(AttemptFailed):
        embed(serve, sender, OpenAIProvider(), body, ["a", "b", "c"])

    one = json.dumps({"embeddings": [{"values": [1]}]}).encode()

    with pytest.raises(AttemptFailed):
        embed(serve, sender, GeminiProvider(), one, ["a", "b"])

    with pytest.raises(AttemptFailed):
        embed(serve, sender, GeminiProvider(), one.replace(b"1", b'"x"'), ["a"])


def test_claude_has_no_embeddings(sender: Sender) -> None:
    """Nothing is sent for them."""
    provider = ClaudeProvider()
    assert provider.embedding_model is None

    with pytest.raises(ValueError, match="Claude has no embeddings"):
        provider.embed(
            sender, ["a"], model="m", api_key=Secret(CANARY), deadline=Deadline(5)
        )


def probe(sender: Sender, provider: Provider, url: str) -> ChatAnswer:
    return provider.with_base_url(url).probe(
        sender, model="m-1", api_key=Secret(CANARY), deadline=Deadline(5)
    )


@pytest.mark.parametrize("kind", PROVIDERS)
def test_a_probe_asks_for_ok_with_the_smallest_cap(
    serve: Serve, sender: Sender, kind: str
) -> None:
    """Whatever the finish reason, the key was allowed to generate."""
    body = {
        **response("incomplete", "max_output_tokens"),
        "choices": [{"message": {"content": None}, "finish_reason": "length"}],
        "candidates": [{"finishReason": "MAX_TOKENS"}],
        "content": [],
        "stop_reason": "max_tokens",
    }
    server = serve(answer_with(200, json.dumps(body).encode()))

    answer = probe(sender, PROVIDERS[kind], server.url)

    assert answer.finish_reason == "length"
    sent = server.requests[0].body.decode()
    assert "Reply with OK." in sent
    assert ":16" in sent
    assert len(server.requests) == 1


def test_thinking_that_ate_the_cap_proves_the_key(serve: Serve, sender: Sender) -> None:
    """OPENAI tells it as a 400; every other 400 stays a failure."""
    message = "Could not finish the message because max_tokens or model output limit"
    server = serve(
        answer_with(400, json.dumps({"error": {"message": message}}).encode())
    )
    other = serve(answer_with(400, b'{"error": {"message": "No"}}'))

    assert probe(sender, OpenAIProvider(), server.url).finish_reason == "length"

    with pytest.raises(AttemptFailed) as caught:
        probe(sender, OpenAIProvider(), other.url)

    assert caught.value.__context__ is None


@pytest.mark.case("C24")
@pytest.mark.parametrize(
    ("provider", "api_key", "expected"),
    [
        (OpenAIProvider(), "sk-proj-notarealkey0001-AbCd", ("sk-", "AbCd")),
        (ClaudeProvider(), "sk-ant-api03-notareal0001AbCd", ("sk-ant-", "AbCd")),
        (GeminiProvider(), "AIzaNotARealKeyOfAnyone0001AbCd", ("AIza", "AbCd")),
        (GeminiProvider(), "AQ.not-a-real-key-0001-AbCd", ("AQ.", "")),
        (GeminiProvider(), "not-a-real-key-0001-AbCd", ("", "AbCd")),
        (OpenAIProvider(), "sk-short-AbCd", ("sk-", "")),
        (OpenAIProvider(), "sk-not-a-real-key-0001-Ab/d", ("sk-", "")),
    ],
)
def test_the_mask_shows_what_is_public_and_four(
    provider: Provider, api_key: str, expected: tuple[str, str]
) -> None:
    """A public prefix that is really there; four characters of a long, plain key."""
    assert provider.mask(Secret(api_key)) == expected


def test_the_built_in_providers() -> None:
    """Their facts, as the page, the config and the table of errors need them."""
    openai, gemini, claude = built_in_providers()

    assert (openai.id, gemini.id, claude.id) == ("OPENAI", "GEMINI", "CLAUDE")
    assert openai.base_url == "https://api.openai.com/v1"
    assert claude.base_url == "https://api.anthropic.com/v1"
    assert gemini.base_url == "https://generativelanguage.googleapis.com/v1beta"
    assert claude.default_output_cap == 4096
    assert gemini.embedding_model == "gemini-embedding-2"

    for provider in (openai, gemini, claude):
        assert provider.dialect == provider.id
        assert set(provider.default_models) == {"default", "fast"}
        assert provider.key_page_url.startswith("https://")
        assert provider.permission_help.endswith(".")
        lengths = [len(hint) for hint in provider.prefix_hints]
        assert lengths == sorted(lengths, reverse=True)


def test_a_base_url_is_changed_on_a_copy() -> None:
    """The provider itself stays as it is, and cannot be changed."""
    provider = OpenAIProvider()
    copy = provider.with_base_url("https://gateway.example/v1/")

    assert copy.base_url == "https://gateway.example/v1"
    assert provider.base_url == "https://api.openai.com/v1"

    with pytest.raises(dataclasses.FrozenInstanceError):
        provider.base_url = "x"  # type: ignore[misc]


def test_the_registry_keeps_order_and_refuses_odd_ids() -> None:
    """Providers come in their order; ids are upper-case words."""
    registry = Registry(built_in_providers())
    assert registry.ids == ("OPENAI", "GEMINI", "CLAUDE")
    assert registry.get("CLAUDE").label == "Claude"
    assert "CLAUDE" in registry and "claude" not in registry

    registry.register(dataclasses.replace(OpenAIProvider(), id="VENDOR_2"))
    assert registry.ids[-1] == "VENDOR_2"
    assert [provider.id for provider in registry] == list(registry.ids)

    for wrong in ("", "vendor", "A B", "X" * 33, "Ä", "A\n"):
        with pytest.raises(ValueError, match="id"):
            registry.register(dataclasses.replace(OpenAIProvider(), id=wrong))

    with pytest.raises(UnknownProvider):
        registry.get("NOBODY")
