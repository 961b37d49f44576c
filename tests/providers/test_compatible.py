"""Vendors on OPENAI's wire: habits, addresses, lists of models, and wrong arguments."""

from __future__ import annotations

import ast
import dataclasses
import datetime as dt
import json
import pathlib
import re
import socket
import typing as t

import pytest

from flask_byok import AzureOpenAI
from flask_byok import ConfigError
from flask_byok import OpenAICompatible
from flask_byok.providers.base import Provider
from flask_byok.providers.claude import ClaudeProvider
from flask_byok.providers.deadline import Deadline
from flask_byok.providers.gemini import GeminiProvider
from flask_byok.providers.http import Sender
from flask_byok.providers.openai import OpenAIProvider
from flask_byok.providers.types import AttemptFailed
from flask_byok.providers.types import ChatRequest
from flask_byok.providers.types import Message
from flask_byok.providers.types import ModelInfo
from flask_byok.secret import Secret

from . import official
from .conftest import CANARY
from .replay import answer_with
from .replay import load
from .test_recordings import facts
from .test_recordings import HELLO
from .test_requests import catch
from .test_requests import Serve

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "providers.md"
ASK = ChatRequest(
    messages=(Message(role="user", content="hi"),), system="S", max_tokens=5
)
PLAIN: dict[str, t.Any] = {
    "id": "VENDOR",
    "label": "Vendor",
    "base_url": "https://api.vendor.example/v1",
    "default_models": {"default": "big", "fast": "small"},
}


def vendor(**habits: t.Any) -> OpenAICompatible:
    return OpenAICompatible(**{**PLAIN, **habits})


def test_thoughts_of_the_newer_wire_stay_with_their_account() -> None:
    """Only Responses gives encrypted thoughts, whoever speaks it."""
    assert not vendor().binds_state
    assert vendor(api="responses").binds_state
    azure = AzureOpenAI(
        base_url="https://a.openai.azure.com/openai/v1",
        default_models={"default": "d"},
        api="responses",
    )
    assert azure.binds_state


def list_of(serve: Serve, sender: Sender, provider: Provider, body: t.Any) -> t.Any:
    """List models from an answer; by id."""
    server = serve(answer_with(200, json.dumps(body).encode()))
    found = provider.with_base_url(server.url).models(
        sender, api_key=Secret(CANARY), deadline=Deadline(5)
    )
    return {info.id: info for info in found}


def test_the_usual_habits(serve: Serve, sender: Sender) -> None:
    """``max_tokens``, role ``system``, usage asked for in streams, a bearer."""
    sent = catch(serve, sender, vendor(), ASK, "big", stream=True)

    assert (sent.path, sent.headers["authorization"]) == (
        "/v1/chat/completions",
        f"Bearer {CANARY}",
    )
    assert sent.json == {
        "model": "big",
        "messages": [
            {"role": "system", "content": "S"},
            {"role": "user", "content": "hi"},
        ],
        "max_tokens": 5,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert vendor().vendor == "Vendor"
    masked = vendor(prefix_hints=("v-", "v-live-")).mask(
        Secret("v-live-notarealkey-0001-AbCd")
    )
    assert masked == ("v-live-", "AbCd")


def test_other_habits(serve: Serve, sender: Sender) -> None:
    """Each is an argument; a copy at another address keeps them."""
    other = vendor(
        cap_field="max_completion_tokens",
        system_role="developer",
        asks_for_usage=False,
        auth_header="X-Vendor-Key",
        auth_prefix="Token ",
        embedding_model="vectors",
    )
    sent = catch(serve, sender, other, ASK, "big", stream=True)

    assert sent.headers["x-vendor-key"] == f"Token {CANARY}"
    assert "authorization" not in sent.headers
    assert sent.json["max_completion_tokens"] == 5
    assert sent.json["messages"][0]["role"] == "developer"
    assert "stream_options" not in sent.json


def test_azure_with_the_v1_api(serve: Serve, sender: Sender) -> None:
    """The key in ``api-key``, deployments as models, no version anywhere."""
    azure = AzureOpenAI(
        base_url="https://contoso.openai.azure.com/openai/v1",
        default_models={"default": "our-gpt", "fast": "our-mini"},
        embedding_model="our-vectors",
    )
    sent = catch(serve, sender, azure, ASK, "our-gpt")

    assert (sent.path, sent.headers["api-key"]) == ("/v1/chat/completions", CANARY)
    assert "authorization" not in sent.headers
    assert sent.json["model"] == "our-gpt"
    assert sent.json["max_completion_tokens"] == 5

    # Its list names what could be deployed: nothing is asked, our own names are given.
    server = serve(answer_with(500, b""))
    found = azure.with_base_url(server.url).models(
        sender, api_key=Secret(CANARY), deadline=Deadline(5)
    )
    assert [info.id for info in found] == ["our-gpt", "our-mini"]
    assert server.requests == []
    assert not azure.list_proves


def test_azure_with_a_dated_version(serve: Serve, sender: Sender) -> None:
    """The deployment stands in the path, the version behind it."""
    azure = AzureOpenAI(
        base_url="https://contoso.openai.azure.com/openai",
        api_version="2024-10-21",
        default_models={"default": "our-gpt"},
        embedding_model="our-vectors",
    )
    sent = catch(serve, sender, azure, ASK, "our/gpt")
    deployment = "/v1/deployments/our%2Fgpt/chat/completions"
    assert sent.path == f"{deployment}?api-version=2024-10-21"

    server = serve(answer_with(200, b"[]"))

    with pytest.raises(AttemptFailed):
        azure.with_base_url(server.url).embed(
            sender, ["a"], model="v", api_key=Secret(CANARY), deadline=Deadline(5)
        )

    (sent,) = server.requests
    assert sent.path == "/deployments/v/embeddings?api-version=2024-10-21"


def test_what_lists_say_of_models(serve: Serve, sender: Sender) -> None:
    """Each vendor in its own words, or as an array; what is missing says nothing."""
    router = {
        "id": "a/router",
        "name": "Router",
        "context_length": 9,
        "architecture": {"input_modalities": ["text", "image", "file"]},
        "supported_parameters": ["tools", "structured_outputs", "reasoning"],
    }
    mistral = {
        "id": "mistral",
        "capabilities": {"completion_chat": True, "function_calling": True},
        "max_context_length": 8,
        "deprecation": "2027-03-01T12:00:00Z",
    }
    groq = {"id": "whisper-x", "context_window": 7, "max_completion_tokens": 6}
    together = [
        {"id": "t/embed", "type": "embedding", "context_length": 5},
        {"id": "t/image", "type": "image"},
        {"id": "t/chat", "type": "chat", "context_length": True},
        {"id": "no model at all"},
        {"id": f"m-{CANARY}"},
        {"id": "t/named", "name": f"a name, {CANARY[8:20]}"},
        {"id": 7},
        "text",
    ]
    body = {"data": [router, mistral, groq, {"id": "off", "active": False}]}
    found = list_of(serve, sender, vendor(), body)
    bare = list_of(serve, sender, vendor(), together)

    assert found["a/router"] == ModelInfo(
        id="a/router",
        label="Router",
        can=frozenset({"vision", "documents", "tools", "schema", "reasoning"}),
        input_limit=9,
    )
    assert found["mistral"].shuts_down_on == dt.date(2027, 3, 1)
    assert (found["mistral"].can, found["mistral"].input_limit) == ({"tools"}, 8)
    assert (found["whisper-x"].kinds, found["whisper-x"].output_limit) == ({"other"}, 6)
    assert "off" not in found
    kinds = {model: set(info.kinds) for model, info in bare.items()}
    assert kinds == {
        "t/embed": {"embed"},
        "t/image": {"other"},
        "t/chat": {"chat"},
        "t/named": {"chat"},
    }
    # Neither an id nor a name repeats a piece of the key.
    assert bare["t/named"].label == ""
    assert bare["t/chat"].input_limit is None


def test_what_the_three_say_of_models(serve: Serve, sender: Sender) -> None:
    """A day and abilities from the list; wrong types say nothing; the table helps."""
    openai = list_of(
        serve,
        sender,
        OpenAIProvider(),
        {"data": [{"id": "gpt-9", "shutdown_date": "2031-05-06"}, {"id": "o3"}]},
    )
    assert openai["gpt-9"].shuts_down_on == dt.date(2031, 5, 6)
    assert OpenAIProvider().ends_on("o3") == dt.date(2026, 12, 11)
    assert OpenAIProvider().ends_on("gpt-4o-2024-08-06") == dt.date(2027, 1, 14)
    assert OpenAIProvider().ends_on("gpt-6-sol") is None

    yes, no = {"supported": True}, {"supported": False}
    claude = list_of(
        serve,
        sender,
        ClaudeProvider(),
        {
            "data": [
                {
                    "id": "claude-9",
                    "lifecycle": "deprecated",
                    "retires_at": "2030-01-02T00:00:00Z",
                    "max_input_tokens": 5,
                    "max_tokens": "many",
                    "capabilities": {
                        "image_input": yes,
                        "thinking": yes,
                        "pdf_input": no,
                        "structured_outputs": 1,
                    },
                },
                {"id": "claude-0", "lifecycle": "retired"},
                {"id": "claude-8", "retires_at": 10**30},
            ]
        },
    )
    assert claude["claude-9"] == ModelInfo(
        id="claude-9",
        can=frozenset({"vision", "reasoning"}),
        shuts_down_on=dt.date(2030, 1, 2),
        input_limit=5,
    )
    assert claude["claude-8"].shuts_down_on is None and "claude-0" not in claude

    entry = {
        "name": "models/gemini-9",
        "supportedGenerationMethods": ["generateContent"],
        "thinking": True,
        "inputTokenLimit": 5,
        "outputTokenLimit": 6,
    }
    gemini = list_of(serve, sender, GeminiProvider(), {"models": [entry]})
    assert gemini["gemini-9"].can == {"reasoning"}
    assert (gemini["gemini-9"].input_limit, gemini["gemini-9"].output_limit) == (5, 6)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"id": "vendor"}, "A-Z"),
        ({"label": " "}, "label"),
        ({"base_url": "http://api.vendor.example/v1"}, "https"),
        ({"base_url": "http://10.0.0.7:8000/v1"}, "this machine alone"),
        ({"base_url": "https://user@api.vendor.example/v1"}, "user name"),
        ({"base_url": "http://8.8.8.8/v1", "plain_http": True}, "private networks"),
        ({"base_url": "http://169.254.169.254/", "plain_http": True}, "private"),
        ({"base_url": "http://134744072/", "plain_http": True}, "private networks"),
        ({"base_url": "http://a.example/", "plain_http": True}, "private networks"),
        ({"prefix_hints": ("",)}, "prefix_hints"),
        ({"mask_prefixes": ("not-a-real-key-0001",)}, "mask_prefixes"),
        ({"default_models": {"default": "two words"}}, "default_models"),
        ({"key_page_url": "javascript:alert(1)"}, "key_page_url"),
        ({"auth_header": "Content-Length"}, "auth_header"),
        ({"auth_header": "X: y\r\nZ"}, "auth_header"),
        ({"auth_prefix": "Token\r\n "}, "auth_prefix"),
        ({"auth_prefix": "Token"}, "auth_prefix"),
    ],
)
def test_what_cannot_be_a_vendor(wrong: dict[str, t.Any], named: str) -> None:
    """A sentence names the argument, when the object is made."""
    with pytest.raises(ConfigError, match=re.escape(named)):
        vendor(**wrong)


@pytest.mark.parametrize(
    "more",
    [{"api_version": "latest"}, {"api_version": "2024-10-21", "api": "responses"}],
)
def test_what_cannot_be_azure(more: dict[str, t.Any]) -> None:
    """Neither a version that is no date, nor Responses with a dated one."""
    with pytest.raises(ConfigError, match="api_version"):
        AzureOpenAI(base_url="https://c.openai.azure.com/openai", **more)


@pytest.mark.case("D7")
@pytest.mark.parametrize("host", ["10.0.0.7", "vllm", "gpu.internal", "[fd00::7]"])
def test_a_server_of_ones_own(sender: Sender, host: str) -> None:
    """Plain HTTP to a private network goes where the operator says, and only then."""
    server = vendor(base_url=f"http://{host}:9/v1", plain_http=True)
    assert server._build_auth(Secret(CANARY)).plain_http

    # The same address from a provider whose operator did not say so is not sent to.
    other = dataclasses.replace(OpenAIProvider(), base_url=f"http://{host}:9/v1")

    with pytest.raises(AttemptFailed) as caught:
        other.chat(sender, ASK, model="m", api_key=Secret(CANARY), deadline=Deadline(1))

    assert caught.value.failure.kind == "not_sendable"


@pytest.mark.case("D7")
def test_a_server_of_ones_own_is_asked(
    serve: Serve, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name on a private network, which here leads to this machine."""
    server = serve(answer_with(200, b"[]"))
    find = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *more: find("127.0.0.1", *more)
    )
    near = vendor(base_url=f"http://vllm:{server.port}/v1", plain_http=True)
    near.models(sender, api_key=Secret(CANARY), deadline=Deadline(5))

    assert server.requests[0].headers["host"] == f"vllm:{server.port}"


def recipes() -> list[list[str]]:
    """Read the rows of the table of recipes."""
    text = PAGE.read_text("utf-8").split("<!-- recipes -->")[1].split("\n\n")[1]
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()[2:]
    ]


@pytest.mark.parametrize("row", recipes(), ids=lambda row: row[0].strip("`"))
def test_each_recipe_of_the_page_is_a_vendor(row: list[str]) -> None:
    """The page's addresses, prefixes and habits are arguments that are accepted."""
    id, label, base_url, key_page, habits = row
    call = ast.parse(f"f({habits.strip('`')})", mode="eval").body
    assert isinstance(call, ast.Call)
    made = OpenAICompatible(
        id=id.strip("`"),
        label=label,
        base_url=base_url.strip("`"),
        key_page_url="" if key_page == "none" else key_page.strip("`"),
        default_models={"default": "any"},
        **{
            word.arg: ast.literal_eval(word.value)
            for word in call.keywords
            if word.arg is not None
        },
    )
    assert made.base_url == base_url.strip("`") and len(recipes()) == 8


def test_a_registered_row_reads_the_recordings(serve: Serve, sender: Sender) -> None:
    """What OPENAI's own SDK reads in recorded answers, a vendor's object reads, too."""
    usual: dict[str, t.Any] = {
        "model": "asked-1",
        "api_key": Secret(CANARY),
        "deadline": Deadline(30),
    }

    for name in ("chat_basic_cache_usage", "chat_refusal_structured"):
        server = serve(load(f"openai/{name}").behave())
        near = vendor().with_base_url(f"{server.url}/v1")
        answer = near.chat(sender, HELLO, **usual)
        assert facts(answer) == official.READERS["openai-chat"](server.url)

    server = serve(load("openai/chat_stream_include_usage").behave())
    near = vendor().with_base_url(f"{server.url}/v1")
    stream = near.open_stream(sender, HELLO, **usual)
    assert list(stream)
    assert facts(stream.answer) == official.STREAM_READERS["openai-chat"](server.url)


def test_recorded_lists_say_what_models_can_do(serve: Serve, sender: Sender) -> None:
    """CLAUDE's capabilities and GEMINI's methods, as they were sent."""

    def read(provider: Provider, name: str) -> dict[str, ModelInfo]:
        server = serve(load(name).behave())
        found = provider.with_base_url(f"{server.url}/v1").models(
            sender, api_key=Secret(CANARY), deadline=Deadline(5), pages=1
        )
        return {info.id: info for info in found}

    opus = read(ClaudeProvider(), "anthropic/models_list")["claude-opus-5"]
    assert opus.can == {"vision", "documents", "schema", "reasoning"}
    assert (opus.input_limit, opus.output_limit) == (1_000_000, 128_000)
    flash = read(GeminiProvider(), "gemini/models_list_page1")["gemini-2.5-flash"]
    assert (flash.kinds, flash.can) == ({"chat"}, {"reasoning"})
    assert flash.input_limit == 1_048_576
