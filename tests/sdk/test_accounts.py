"""What an account holds stays on its key; everything else may be sent again."""

from __future__ import annotations

import asyncio
import collections.abc as cabc
import json
import typing as t

import httpx2
import openai
import pytest

from flask_byok.providers.bound import is_account_bound
from flask_byok.providers.bound import may_be_bound
from flask_byok.sdk.paths import find_purpose
from tests.sdk.kinds import turns
from tests.sdk.server import FILE
from tests.sdk.server import FileServer
from tests.sdk.server import PICTURE
from tests.sdk.server import serving
from tests.support.calls import CallHost


@pytest.fixture
def server() -> cabc.Iterator[FileServer]:
    with serving() as made:
        yield made


@pytest.fixture
def filing(
    make: cabc.Callable[..., CallHost], server: FileServer
) -> tuple[CallHost, t.Any]:
    """A host with a company key that works, and its client."""
    host = make(BYOK_PROVIDER_URLS={"OPENAI": server.url})
    host.store("OPENAI")
    server.seen.clear()
    return host, host.client.sdk("openai")


def test_pictures_in_a_stream_are_passed_on(
    filing: tuple[CallHost, t.Any], server: FileServer
) -> None:
    """Each is one event of many MiB, and together they pass what a text may take."""
    host, client = filing
    events = list(client.responses.create(model="m", input="Draw.", stream=True))
    pictures = [one.partial_image_b64 for one in events[:-1]]
    assert len(events) == 5 and all(one == PICTURE for one in pictures)
    assert events[-1].type == "response.completed" and server.paid() == "c"
    assert host.attempts()[-1].state == "done"


def test_other_requests_are_passed_on(
    filing: tuple[CallHost, t.Any], server: FileServer
) -> None:
    """Files up and down, sounds, batches: bytes as they are, usage not known."""
    host, client = filing
    client.files.create(file=("a.txt", b"text of a file"), purpose="user_data")
    (seen,) = server.seen
    assert b"text of a file" in seen.body and seen.path == "/v1/files"
    assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert seen.headers["accept-encoding"] == "identity"

    got = client.files.content("file-1")
    assert got.read() == FILE and "set-cookie" not in got.response.headers
    assert got.response.headers["openai-version"] == "2020-10-01"
    assert "x-ratelimit-limit-requests" not in got.response.headers
    assert "x-ratelimit-" not in str(got.response.headers)
    assert client.files.delete("file-1").deleted
    assert client.responses.retrieve("resp_1").id == "it-1"

    with client.audio.speech.with_streaming_response.create(
        model="tts", voice="alloy", input="hi"
    ) as speech:
        assert b"".join(speech.iter_bytes()) == FILE[:5000]

    assert server.paid() == "ccccc"
    assert {row.state for row in host.attempts()} == {"done"}
    assert host.attempts()[-1].output_tokens is None


def test_only_what_belongs_to_nobody_is_sent_again(
    filing: tuple[CallHost, t.Any], server: FileServer
) -> None:
    """With a key that fails: files stay where they are, sounds go on."""
    host, client = filing
    server.refused = "company"
    ask: t.Any = client.responses.create

    with pytest.raises(openai.AuthenticationError):
        client.files.list()

    assert server.paid() == "c"
    heard = client.audio.transcriptions.create(
        model="default", file=("a.wav", b"sound"), language="en"
    )
    assert heard.text == "heard"
    (seen,) = server.seen
    assert b"gpt-6-sol" in seen.body and b"default" not in seen.body
    assert server.paid() == "s"

    for request in (
        lambda: client.files.content("file-1"),
        lambda: client.batches.retrieve("batch_1"),
        lambda: ask(model="default", input="a", previous_response_id="resp_1"),
        lambda: ask(model="default", input=[{"type": "item_reference", "id": "a"}]),
        # A body that cannot be looked into may point to anything.
        lambda: ask(model="a", input="a", extra_headers={"content-type": "text/plain"}),
    ):
        with pytest.raises(openai.AuthenticationError):
            request()

    assert server.paid() == ""
    host.byok.remove_key(1, "OPENAI")
    client.files.list()
    assert server.paid() == "s"


@pytest.mark.parametrize(
    "refusal",
    [
        (401, None, "Missing scopes: api.files.read"),
        (403, "model_not_found", "no access"),
        (429, "rate_limit_exceeded", "slow down"),
    ],
    ids=["scope", "model", "rate"],
)
def test_what_is_not_generation_says_nothing_of_it(
    filing: tuple[CallHost, t.Any],
    server: FileServer,
    refusal: tuple[int, str | None, str],
) -> None:
    """A key that may keep no files, or not so many at once, answers all the same."""
    host, client = filing
    server.refused, server.refusal = "company", refusal

    with pytest.raises(openai.APIStatusError):
        client.files.list()

    server.refused = ""
    server.seen.clear()
    client.responses.create(model="default", input="a")
    assert server.paid() == "c" and host.circuit().circuit == "closed"


def test_a_broken_download_is_one(
    filing: tuple[CallHost, t.Any], server: FileServer
) -> None:
    """No clean end for half a file."""
    host, client = filing

    with pytest.raises(openai.APIConnectionError) as caught:
        client.get("/files/file-1/short", cast_to=httpx2.Response)

    assert "broke after its first content" in str(caught.value.__cause__)
    assert host.attempts()[-1].state == "unknown"

    async def load() -> bytes:
        ours = host.client.sdk("openai", asynchronous=True)
        return t.cast("bytes", (await ours.files.content("file-1")).content)

    assert asyncio.run(load()) == FILE


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/v1/files", "/v1/../other", "https://example.com/v1/a"]
)
def test_no_other_address_is_reached(
    filing: tuple[CallHost, t.Any], server: FileServer, url: str
) -> None:
    """Whatever the caller writes; nothing is sent, and no row is made."""
    host, client = filing
    url = url.replace("/v1/..", f"{server.url}/%2e%2e")

    with pytest.raises(openai.PermissionDeniedError, match="another address"):
        client.get(url, cast_to=httpx2.Response)

    assert server.seen == [] and len(host.attempts()) == 0


@pytest.mark.parametrize(
    "name", ["x-stainless-zz b", "x-stainless-zz\r\nx", "x-goog-upload-zz:b"]
)
def test_a_header_that_is_none_is_not_sent(
    filing: tuple[CallHost, t.Any], server: FileServer, name: str
) -> None:
    """A server that reads no further than to it would miss the key, and refuse it."""
    _, client = filing
    client.files.create(
        file=("a.txt", b"text"), purpose="user_data", extra_headers={name: "c"}
    )
    (seen,) = server.seen
    assert "company" in seen.api_key
    assert not [one for one in seen.headers if "zz" in one]


BODIES: t.Final[tuple[tuple[dict[str, t.Any], bool], ...]] = (
    ({"input": "a", "previous_response_id": None}, False),
    ({"input": "a", "previous_response_id": "resp_1"}, True),
    ({"input": "a", "conversation": {"id": "conv_1"}}, True),
    ({"input": "a", "background": True}, True),
    ({"prompt": "a text of an older wire"}, False),
    ({"prompt": {"id": "pmpt_1"}}, True),
    ({"input": [{"type": "input_file", "file_id": "file-1"}]}, True),
    ({"input": 'a text about "file_id": "x"'}, False),
    ({"tools": [{"parameters": {"properties": {"file_id": {"a": 1}}}}]}, False),
    ({"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}, True),
    ({"messages": [{"content": [{"source": {"file_id": "file_1"}}]}]}, True),
    ({"container": "cont_1"}, True),
    ({"container": {"id": "cont_1"}}, True),
    ({"container": {"skills": [{"type": "custom", "skill_id": "skill_1"}]}}, True),
    ({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}, False),
    ({"tools": [{"container": {"type": "auto", "file_ids": ["file-1"]}}]}, True),
    ({"tools": [{"fileSearch": {"fileSearchStoreNames": ["a/b"]}}]}, True),
    ({"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}, True),
    ({"messages": [{"content": [{"input": {"file_id": "ours"}}]}]}, False),
    ({"parts": [{"functionResponse": {"response": {"file_id": "ours"}}}]}, False),
    ({"modalities": ["audio"], "audio": {"voice": "ash", "format": "wav"}}, False),
    ({"contents": [{"parts": [{"fileData": {"fileUri": "https://a.b/c"}}]}]}, False),
    ({"contents": [{"fileData": {"fileUri": "https://g.c/v1beta/files/1"}}]}, True),
    ({"cachedContent": "cachedContents/1"}, True),
)


@pytest.mark.parametrize(("body", "bound"), BODIES)
def test_what_points_to_an_account(body: dict[str, t.Any], bound: bool) -> None:
    """By the names of fields, not by what stands in texts and schemas."""
    assert is_account_bound(body) is bound
    assert may_be_bound(json.dumps(body).encode()) or not bound


def test_unknown_paths_are_bound() -> None:
    """The list names what may be sent again; what is new is not on it."""
    assert find_purpose("openai", "POST", "/something/new").is_bound
    assert find_purpose("openai", "GET", "/responses").is_bound
    assert find_purpose("anthropic", "POST", "/messages/batches").is_bound
    assert find_purpose("google", "POST", "/cachedContents").is_bound
    assert not find_purpose("openai", "POST", "/images/edits").is_bound


def test_thoughts_of_another_account_stay_behind(host: CallHost) -> None:
    """A conversation that was begun on the company's key goes on with the app's.

    Its thoughts are encrypted for the one account, or signed by the one model.
    """
    host.store("OPENAI")
    client = host.client.sdk("openai", fallback=True)
    ask: t.Any = client.responses.create
    more: t.Any = {
        "model": "default",
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "low"},
    }
    first = ask(input="one", **more)
    assert any(item.type == "reasoning" for item in first.output)
    said = [{"role": "user", "content": "one"}, *first.output]
    again = [*said, {"role": "user", "content": "two"}]
    assert "two" in ask(input=again, **more).output_text and host.paid == "cc"

    host.fail("revoked")
    assert "two" in ask(input=again, **more).output_text and host.paid == "cs"


def test_thoughts_of_another_model_stay_behind(host: CallHost) -> None:
    """The company chose another model than the app did; both signed nothing alike."""
    host.store("CLAUDE", model="claude-opus-5-5")
    claude = host.client.sdk("anthropic")
    think: t.Any = {
        "model": "default",
        "max_tokens": 2000,
        "thinking": {"type": "adaptive"},
    }
    first = claude.messages.create(messages=turns("one"), **think)
    assert first.content[0].type == "thinking"
    said = [{"role": "assistant", "content": first.content}]
    again = [*turns("one"), *said, *turns("two")]
    assert "two" in claude.messages.create(messages=again, **think).content[-1].text
    assert host.paid == "cc"

    host.fail("revoked", "CLAUDE")
    assert "two" in claude.messages.create(messages=again, **think).content[-1].text
    assert host.paid == "cs"


def test_signatures_of_another_model_stay_behind(host: CallHost) -> None:
    """A call of a tool that one model signed is given to the other with no sign."""
    host.store("GEMINI", model="gemini-3.5-flash-lite")
    client = host.client.sdk("google")
    config: t.Any = {
        "tools": [{"function_declarations": [{"name": "look"}]}],
        "automatic_function_calling": {"disable": True},
    }
    ask = client.models.generate_content
    must = {"tool_config": {"function_calling_config": {"mode": "ANY"}}}
    first = ask(model="default", contents="Paris", config={**config, **must})
    (called,) = first.candidates[0].content.parts
    assert called.thought_signature and called.function_call.name == "look"
    result = {"function_response": {"name": "look", "response": {"result": "sun"}}}
    again: t.Any = [
        {"role": "user", "parts": [{"text": "Paris"}]},
        first.candidates[0].content,
        {"role": "user", "parts": [result]},
    ]
    assert "sun" in ask(model="default", contents=again, config=config).text
    assert host.paid == "cc"

    host.fail("revoked", "GEMINI")
    assert "sun" in ask(model="default", contents=again, config=config).text
    assert host.paid == "cs"
