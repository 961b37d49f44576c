"""The official SDKs, asked the same question of the same replayed bytes."""

from __future__ import annotations

import collections.abc as cabc
import json
import sys
import typing as t

import anthropic
import openai
import pytest

if t.TYPE_CHECKING:
    from google import genai

Facts = dict[str, t.Any]

_CLAUDE_FINISH = {
    "end_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "refusal": "content_filter",
}


def _openai(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=url + "/v1", api_key="placeholder", max_retries=0)


def _responses_facts(response: t.Any) -> Facts:
    calls = [item for item in response.output if item.type == "function_call"]
    usage = response.usage
    assert response.status == "completed"
    return {
        "text": response.output_text,
        "finish_reason": "tool_calls" if calls else "stop",
        "tool_calls": [(c.call_id, c.name, json.loads(c.arguments)) for c in calls],
        "usage": {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cached_tokens": usage.input_tokens_details.cached_tokens,
            "reasoning_tokens": usage.output_tokens_details.reasoning_tokens,
            "cache_write_tokens": usage.input_tokens_details.cache_write_tokens or 0,
        },
        "state": [
            told for item in response.output if (told := _kept(item)) is not None
        ],
    }


def _kept(item: t.Any) -> t.Any:
    """Give what goes back with an item of Responses beside what was said."""
    if item.type == "reasoning":
        return item.encrypted_content

    return item.phase if item.type == "message" else None


def read_responses(url: str) -> Facts:
    with _openai(url) as client:
        return _responses_facts(client.responses.create(model="m", input="hi"))


def stream_responses(url: str) -> Facts:
    with _openai(url) as client:
        with client.responses.stream(model="m", input="hi") as stream:
            return _responses_facts(stream.get_final_response())


def _chat_facts(message: t.Any, finish: str, usage: t.Any) -> Facts:
    calls = message.tool_calls or []
    return {
        "text": (message.content or "") + (message.refusal or ""),
        "finish_reason": "content_filter" if message.refusal else finish,
        "tool_calls": [
            (c.id, c.function.name, json.loads(c.function.arguments)) for c in calls
        ],
        "usage": {
            "input_tokens": usage.prompt_tokens,
            "output_tokens": usage.completion_tokens,
            "cached_tokens": usage.prompt_tokens_details.cached_tokens,
            "reasoning_tokens": usage.completion_tokens_details.reasoning_tokens,
            "cache_write_tokens": getattr(
                usage.prompt_tokens_details, "cache_write_tokens", None
            )
            or 0,
        },
        "state": [],
    }


def read_chat(url: str) -> Facts:
    with _openai(url) as client:
        answer = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}]
        )

    choice = answer.choices[0]
    return _chat_facts(choice.message, choice.finish_reason, answer.usage)


def stream_chat(url: str) -> Facts:
    with _openai(url) as client:
        with client.chat.completions.stream(
            model="m",
            messages=[{"role": "user", "content": "hi"}],
            stream_options={"include_usage": True},
        ) as stream:
            answer = stream.get_final_completion()

    choice = answer.choices[0]
    return _chat_facts(choice.message, choice.finish_reason, answer.usage)


def _claude(url: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=url, api_key="placeholder", max_retries=0)


def _claude_facts(message: t.Any) -> Facts:
    usage = message.usage
    details = getattr(usage, "output_tokens_details", None)
    return {
        "text": "".join(b.text for b in message.content if b.type == "text"),
        "finish_reason": _CLAUDE_FINISH[message.stop_reason],
        "tool_calls": [
            (b.id, b.name, b.input) for b in message.content if b.type == "tool_use"
        ],
        "usage": {
            "input_tokens": usage.input_tokens
            + usage.cache_creation_input_tokens
            + usage.cache_read_input_tokens,
            "output_tokens": usage.output_tokens,
            "cached_tokens": usage.cache_read_input_tokens,
            "reasoning_tokens": details.thinking_tokens if details else 0,
            "cache_write_tokens": usage.cache_creation_input_tokens,
        },
        "state": [
            (b.thinking, b.signature) for b in message.content if b.type == "thinking"
        ],
    }


def read_claude(url: str) -> Facts:
    with _claude(url) as client:
        return _claude_facts(
            client.messages.create(
                model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
            )
        )


def stream_claude(url: str) -> Facts:
    with _claude(url) as client:
        with client.messages.stream(
            model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
        ) as stream:
            return _claude_facts(stream.get_final_message())


def _genai(url: str) -> genai.Client:
    if sys.version_info < (3, 11):
        pytest.skip("The official SDK of Google needs Python 3.11.")

    from google import genai
    from google.genai import types

    return genai.Client(
        api_key="placeholder",
        http_options=types.HttpOptions(base_url=url, api_version="v1beta"),
    )


def _gemini_facts(answers: cabc.Sequence[t.Any]) -> Facts:
    parts = [
        part
        for answer in answers
        for candidate in answer.candidates or []
        for part in (candidate.content.parts or [] if candidate.content else [])
    ]
    calls = [part.function_call for part in parts if part.function_call]
    finish = answers[-1].candidates[0].finish_reason.value
    usage = answers[-1].usage_metadata
    return {
        "text": "".join(p.text for p in parts if p.text and not p.thought),
        "finish_reason": "tool_calls" if calls else {"STOP": "stop"}[finish],
        "tool_calls": [(c.id, c.name, c.args) for c in calls],
        "usage": {
            "input_tokens": usage.prompt_token_count,
            "output_tokens": usage.candidates_token_count
            + (usage.thoughts_token_count or 0),
            "cached_tokens": usage.cached_content_token_count or 0,
            "reasoning_tokens": usage.thoughts_token_count or 0,
            "cache_write_tokens": 0,
        },
        "state": [p.thought_signature for p in parts if p.thought_signature],
    }


def read_gemini(url: str) -> Facts:
    client = _genai(url)
    return _gemini_facts([client.models.generate_content(model="m", contents="hi")])


def stream_gemini(url: str) -> Facts:
    client = _genai(url)
    return _gemini_facts(
        list(client.models.generate_content_stream(model="m", contents="hi"))
    )


READERS: cabc.Mapping[str, cabc.Callable[[str], Facts]] = {
    "anthropic": read_claude,
    "gemini": read_gemini,
    "openai": read_responses,
    "openai-chat": read_chat,
}
STREAM_READERS: cabc.Mapping[str, cabc.Callable[[str], Facts]] = {
    "anthropic": stream_claude,
    "gemini": stream_gemini,
    "openai": stream_responses,
    "openai-chat": stream_chat,
}


def count_openai(url: str) -> int:
    with _openai(url) as client:
        return client.responses.input_tokens.count(model="m", input="hi").input_tokens


def count_claude(url: str) -> int:
    with _claude(url) as client:
        return client.messages.count_tokens(
            model="m", messages=[{"role": "user", "content": "hi"}]
        ).input_tokens


def count_gemini(url: str) -> int:
    client = _genai(url)
    count = client.models.count_tokens(model="m", contents="hi").total_tokens
    assert count is not None
    return count


def embed_openai(url: str) -> list[list[float]]:
    with _openai(url) as client:
        answer = client.embeddings.create(
            model="m", input=["a"], encoding_format="float"
        )

    return [entry.embedding for entry in answer.data]


def embed_gemini(url: str) -> list[list[float] | None]:
    client = _genai(url)
    answer = client.models.embed_content(model="m", contents=["a", "b", "c"])
    return [entry.values for entry in answer.embeddings or []]


def list_openai(url: str) -> list[str]:
    with _openai(url) as client:
        return [model.id for model in client.models.list()]


def list_claude(url: str) -> list[str]:
    with _claude(url) as client:
        return [model.id for model in client.models.list().data]


def list_gemini(url: str) -> list[str]:
    client = _genai(url)
    page = client.models.list().page
    return [str(model.name).removeprefix("models/") for model in page]


COUNTERS: cabc.Mapping[str, cabc.Callable[[str], int]] = {
    "anthropic": count_claude,
    "gemini": count_gemini,
    "openai": count_openai,
}
EMBEDDERS: cabc.Mapping[str, cabc.Callable[[str], list[t.Any]]] = {
    "gemini": embed_gemini,
    "openai": embed_openai,
}
LISTERS: cabc.Mapping[str, cabc.Callable[[str], list[str]]] = {
    "anthropic": list_claude,
    "gemini": list_gemini,
    "openai": list_openai,
}
