"""Good answers of each wire, with every field this package reads, and their ruins."""

from __future__ import annotations

import collections.abc as cabc
import copy
import typing as t

from flask_byok.providers.base import Provider
from flask_byok.providers.claude import ClaudeProvider
from flask_byok.providers.compatible import OpenAICompatible
from flask_byok.providers.gemini import GeminiProvider
from flask_byok.providers.openai import OpenAIProvider

#: By the wire; OPENAI has two.
PROVIDERS: t.Final[cabc.Mapping[str, Provider]] = {
    "claude": ClaudeProvider(),
    "gemini": GeminiProvider(),
    "openai": OpenAIProvider(),
    "openai-chat": OpenAIProvider(api="chat"),
}

#: Whose lists of models differ: vendors say more of a model than OPENAI does.
LISTERS: t.Final[cabc.Mapping[str, Provider]] = {
    **PROVIDERS,
    "vendor": OpenAICompatible(
        id="VENDOR", label="Vendor", base_url="https://v.test/v1"
    ),
}

_FUNCTION: t.Final = {"name": "look_up", "arguments": '{"a": 1}'}

#: Whole answers: text, a tool call, usage in all its parts.
ANSWERS: t.Final[cabc.Mapping[str, t.Any]] = {
    "claude": {
        "type": "message",
        "id": "msg_1",
        "model": "m-1",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "Hello."},
            {"type": "tool_use", "id": "t_1", "name": "look_up", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "usage": {
            "input_tokens": 3,
            "output_tokens": 5,
            "cache_creation_input_tokens": 1,
            "cache_read_input_tokens": 1,
            "output_tokens_details": {"thinking_tokens": 1},
        },
    },
    "gemini": {
        "responseId": "r_1",
        "modelVersion": "m-1",
        "promptFeedback": {"safetyRatings": []},
        "candidates": [
            {
                "content": {
                    "parts": [
                        {"text": "Hm.", "thought": True},
                        {"text": "Hello."},
                        {
                            "functionCall": {
                                "id": "c_1",
                                "name": "look_up",
                                "args": {"a": 1},
                            },
                            "thoughtSignature": "s",
                        },
                    ]
                },
                "finishReason": "STOP",
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 3,
            "toolUsePromptTokenCount": 1,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 1,
            "cachedContentTokenCount": 1,
            "totalTokenCount": 9,
        },
    },
    "openai": {
        "id": "resp_1",
        "model": "m-1",
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "output": [
            {
                "type": "message",
                "content": [
                    {"type": "output_text", "text": "Hello."},
                    {"type": "refusal", "refusal": "No."},
                ],
            },
            {"type": "function_call", "call_id": "c_1", **_FUNCTION},
        ],
        "usage": {
            "input_tokens": 3,
            "output_tokens": 5,
            "input_tokens_details": {"cached_tokens": 1},
            "output_tokens_details": {"reasoning_tokens": 1},
        },
    },
    "openai-chat": {
        "id": "chat_1",
        "model": "m-1",
        "choices": [
            {
                "message": {
                    "content": "Hello.",
                    "refusal": None,
                    "tool_calls": [{"id": "c_1", "function": _FUNCTION}],
                },
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {
            "prompt_tokens": 3,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 1},
        },
    },
}

#: Streams as lists of events; a text stands for itself.
STREAMS: t.Final[cabc.Mapping[str, list[t.Any]]] = {
    "claude": [
        {
            "type": "message_start",
            "message": {"model": "m-1", "usage": {"input_tokens": 3}},
        },
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "thinking", "thinking": ""},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "thinking_delta", "thinking": "hm"},
        },
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "text", "text": "Hel"},
        },
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "text_delta", "text": "lo."},
        },
        {
            "type": "content_block_start",
            "index": 2,
            "content_block": {"type": "tool_use", "id": "t_1", "name": "look_up"},
        },
        {
            "type": "content_block_delta",
            "index": 2,
            "delta": {"type": "input_json_delta", "partial_json": "{}"},
        },
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use"},
            "usage": {"output_tokens": 5},
        },
        {"type": "message_stop"},
    ],
    "gemini": [ANSWERS["gemini"]],
    "openai": [
        {"type": "response.created", "response": {"status": "in_progress"}},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "Hello."},
        {"type": "response.refusal.delta", "output_index": 0, "delta": "No."},
        {
            "type": "response.output_item.added",
            "output_index": 1,
            "item": {"type": "function_call", "call_id": "c_1", **_FUNCTION},
        },
        {
            "type": "response.function_call_arguments.delta",
            "output_index": 1,
            "delta": "{}",
        },
        {"type": "response.completed", "response": ANSWERS["openai"]},
    ],
    "openai-chat": [
        {
            "model": "m-1",
            "choices": [{"delta": {"content": "Hello.", "refusal": None}}],
        },
        {
            "choices": [
                {
                    "delta": {
                        "tool_calls": [{"index": 0, "id": "c", "function": _FUNCTION}]
                    },
                    "finish_reason": "tool_calls",
                }
            ],
            "usage": ANSWERS["openai-chat"]["usage"],
        },
        "[DONE]",
    ],
}

_OPENAI_MODEL: t.Final = {"id": "gpt-6-sol", "created": 1, "owned_by": "system"}

#: Lists of models, of one page and of more.
LISTS: t.Final[cabc.Mapping[str, t.Any]] = {
    "claude": {
        "data": [{"id": "m-1", "display_name": "M", "lifecycle": {"status": "active"}}],
        "has_more": True,
        "last_id": "m-1",
    },
    "gemini": {
        "models": [
            {
                "name": "models/m-1",
                "displayName": "M",
                "supportedGenerationMethods": ["generateContent", "embedContent"],
            }
        ],
        "nextPageToken": "p",
    },
    "openai": {"data": [_OPENAI_MODEL]},
    "openai-chat": {"data": [_OPENAI_MODEL]},
    "vendor": {
        "data": [
            {
                "id": "m-1",
                "name": "M",
                "active": True,
                "type": "chat",
                "capabilities": {"completion_chat": True, "vision": True},
                "supported_parameters": ["tools", "reasoning"],
                "architecture": {"input_modalities": ["text", "image"]},
                "context_length": 1000,
                "max_completion_tokens": 100,
                "shutdown_date": "2031-01-02",
                "expiration_date": 1924991999,
            }
        ]
    },
}

#: Vectors, of the wires that have them.
VECTORS: t.Final[cabc.Mapping[str, t.Any]] = {
    "gemini": {
        "embeddings": [{"values": [0.5, 0.5]}],
        "usageMetadata": {"promptTokenCount": 3},
    },
    "openai": {
        "model": "m-1",
        "data": [{"index": 0, "embedding": [0.5, 0.5]}],
        "usage": {"prompt_tokens": 3},
    },
}

#: Errors, with all that a verdict may look at.
ERRORS: t.Final[cabc.Mapping[str, t.Any]] = {
    "claude": {
        "type": "error",
        "error": {
            "type": "rate_limit_error",
            "message": "Slow down.",
            "details": {"error_code": "enforced_limit"},
        },
        "request_id": "req_1",
    },
    "gemini": [
        {
            "error": {
                "code": 429,
                "status": "RESOURCE_EXHAUSTED",
                "message": "Please retry in 3.2s.",
                "details": [
                    {
                        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                        "reason": "RATE_LIMIT_EXCEEDED",
                        "metadata": {"quota_limit": "1"},
                    },
                    {
                        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                        "violations": [
                            {"quotaId": "PerDay", "quotaValue": "0", "quotaMetric": "m"}
                        ],
                    },
                    {
                        "@type": "type.googleapis.com/google.rpc.RetryInfo",
                        "retryDelay": "3s",
                    },
                ],
            }
        }
    ],
    "openai": {
        "error": {
            "message": "Rate limit reached. Please try again in 1.5s.",
            "type": "requests",
            "param": "model",
            "code": "rate_limit_exceeded",
        }
    },
}
ERRORS = {**ERRORS, "openai-chat": ERRORS["openai"]}

#: What may stand where something else belongs. One is a text no encoding takes.
WRONG: t.Final[tuple[t.Any, ...]] = (
    None,
    True,
    -1,
    10**40,
    1e308,
    "",
    "x",
    "\ud800",
    "x" * 10_000,
    [],
    [None],
    [[{}]],
    {},
    {"type": ["text"]},
)


def ruins(good: t.Any) -> cabc.Iterator[tuple[str, t.Any]]:
    """Give a value with each of its parts replaced by each wrong thing, and named."""
    for path in _paths(good):
        for number, wrong in enumerate(WRONG):
            name = ".".join(map(str, path)) or "all of it"
            yield f"{name} = WRONG[{number}]", _replaced(good, path, wrong)


def _paths(value: t.Any) -> cabc.Iterator[tuple[t.Any, ...]]:
    yield ()
    inner: cabc.Iterable[tuple[t.Any, t.Any]] = ()

    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)

    for name, one in inner:
        yield from ((name, *path) for path in _paths(one))


def _replaced(value: t.Any, path: tuple[t.Any, ...], wrong: t.Any) -> t.Any:
    if not path:
        return wrong

    copied = copy.copy(value)
    copied[path[0]] = _replaced(value[path[0]], path[1:], wrong)
    return copied
