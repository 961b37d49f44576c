"""Every recorded answer is read as the provider's own SDK reads it."""

from __future__ import annotations

import base64
import collections.abc as cabc
import json
import typing as t

import pytest

from flask_byok.providers.base import Provider
from flask_byok.providers.claude import ClaudeProvider
from flask_byok.providers.deadline import Deadline
from flask_byok.providers.gemini import GeminiProvider
from flask_byok.providers.http import Sender
from flask_byok.providers.openai import OpenAIProvider
from flask_byok.providers.types import ChatAnswer
from flask_byok.providers.types import ChatRequest
from flask_byok.providers.types import Message
from flask_byok.providers.types import Part
from flask_byok.providers.types import ToolCall
from flask_byok.secret import Secret

from . import official
from .replay import load
from .replay import Server

PROVIDERS: cabc.Mapping[str, Provider] = {
    "anthropic": ClaudeProvider(),
    "gemini": GeminiProvider(),
    "openai": OpenAIProvider(),
    "openai-chat": OpenAIProvider(api="chat"),
}
ANSWERS = [
    ("anthropic", "messages_basic"),
    ("anthropic", "messages_ratelimit_headers"),
    ("anthropic", "messages_structured_output"),
    ("anthropic", "messages_thinking_summarized"),
    ("anthropic", "messages_tool_use_1"),
    ("gemini", "generate_basic"),
    ("gemini", "generate_multi_turn"),
    ("gemini", "generate_structured_output"),
    ("gemini", "generate_thinking_level"),
    ("gemini", "generate_tool_call_1"),
    ("openai", "responses_basic"),
    ("openai", "responses_structured_output"),
    ("openai-chat", "chat_basic_cache_usage"),
    ("openai-chat", "chat_refusal_structured"),
]
STREAMS = [
    ("anthropic", "messages_stream_text"),
    ("anthropic", "messages_stream_thinking"),
    ("anthropic", "messages_stream_tool_use"),
    ("anthropic", "stream_refusal_payloads"),
    ("gemini", "stream_text_crlf"),
    ("gemini", "stream_text_multi_chunk"),
    ("gemini", "stream_thinking_parts"),
    ("gemini", "stream_tool_call"),
    ("openai", "responses_stream_text"),
    ("openai", "responses_stream_tool_call_1"),
    ("openai-chat", "chat_stream_include_usage"),
]
HELLO = ChatRequest(messages=(Message(role="user", content="hi"),))
SEGMENT = {"anthropic": "/v1", "gemini": "/v1beta", "openai": "/v1"}


def given_id(call: ToolCall) -> str | None:
    """Give a call's id, unless we made it for a wire without ids."""
    state = (call.provider_state or {}).get("GEMINI", {})
    return None if state.get("has_no_id") else call.id


def facts(answer: ChatAnswer) -> dict[str, t.Any]:
    """Give the parts of our answer the SDK's can be compared with."""
    return {
        "text": answer.text,
        "finish_reason": answer.finish_reason,
        "tool_calls": [
            (given_id(call), call.name, dict(call.arguments))
            for call in answer.tool_calls
        ],
        "usage": {
            "input_tokens": answer.usage.input_tokens,
            "output_tokens": answer.usage.output_tokens,
            "cached_tokens": answer.usage.cached_tokens,
            "reasoning_tokens": answer.usage.reasoning_tokens,
            "cache_write_tokens": answer.usage.cache_write_tokens,
        },
        "state": [told for part in answer.parts if (told := kept(part)) is not None],
    }


def kept(part: Part) -> t.Any:
    """Give what a provider wants back with a part, beside what was said."""
    state = getattr(part, "provider_state", None) or {}

    if block := state.get("CLAUDE", {}).get("block"):
        return block["thinking"], block["signature"]

    if signature := state.get("GEMINI", {}).get("thoughtSignature"):
        return base64.b64decode(signature)

    ours = state.get("OPENAI", {})
    return ours["item"]["encrypted_content"] if "item" in ours else ours.get("phase")


@pytest.mark.parametrize(("kind", "name"), ANSWERS)
def test_answers_say_what_the_sdk_says(
    serve: cabc.Callable[..., Server],
    sender: Sender,
    api_key: Secret,
    kind: str,
    name: str,
) -> None:
    """Text, tool calls, usage and finish reason agree on the very same bytes."""
    folder = kind.partition("-")[0]
    server = serve(load(f"{folder}/{name}").behave())
    provider = PROVIDERS[kind].with_base_url(server.url + SEGMENT[folder])

    answer = provider.chat(
        sender, HELLO, model="asked-1", api_key=api_key, deadline=Deadline(10)
    )

    assert facts(answer) == official.READERS[kind](server.url)


@pytest.mark.parametrize(("kind", "name"), STREAMS)
def test_streams_say_what_the_sdk_says(
    serve: cabc.Callable[..., Server],
    sender: Sender,
    api_key: Secret,
    kind: str,
    name: str,
) -> None:
    """A stream ends in the same text, calls, usage and finish reason as the SDK's."""
    folder = kind.partition("-")[0]
    server = serve(load(f"{folder}/{name}").behave())
    provider = PROVIDERS[kind].with_base_url(server.url + SEGMENT[folder])

    stream = provider.open_stream(
        sender, HELLO, model="asked-1", api_key=api_key, deadline=Deadline(10)
    )
    chunks = list(stream)

    assert "".join(chunk.text for chunk in chunks) == stream.answer.text
    assert facts(stream.answer) == official.STREAM_READERS[kind](server.url)


def test_the_answer_keeps_model_request_id_and_body(
    serve: cabc.Callable[..., Server], sender: Sender, api_key: Secret
) -> None:
    """The model that answered and the request id come from the answer."""
    recording = load("anthropic/messages_basic")
    server = serve(recording.behave())
    provider = ClaudeProvider().with_base_url(server.url)

    answer = provider.chat(
        sender, HELLO, model="asked-1", api_key=api_key, deadline=Deadline(10)
    )

    assert answer.model == "claude-sonnet-5"
    assert answer.request_id == recording.headers["request-id"]
    assert answer.raw == json.loads(recording.body)
