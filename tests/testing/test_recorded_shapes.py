"""The simulator's answers have every field that the recorded answers always have."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from .conftest import Ask
from .conftest import KEYS

#: What a caller sent, given back: its inside belongs to nobody's wire.
ECHOES = {"tools", "args", "input", "schema", "metadata"}
#: Headers of the network in front, of the account, or of the transport.
FOREIGN_HEADERS = {
    "alt-svc",
    "cf-cache-status",
    "cf-ray",
    "connection",
    "content-encoding",
    "content-length",
    "content-security-policy",
    "server",
    "server-timing",
    "strict-transport-security",
    "traceresponse",
    "transfer-encoding",
    "vary",
    "x-content-type-options",
    "x-envoy-upstream-service-time",
    "x-frame-options",
    "x-openai-proxy-wasm",
    "x-robots-tag",
    "x-xss-protection",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "anthropic-workspace-id",
}

PROMPT = "Weather in Paris, please, for all of us over here?"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
OPENAI_TOOL = {"type": "function", "name": "weather", "parameters": SCHEMA}
CHAT_TOOL = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}
CHAT = [{"role": "user", "content": PROMPT}]
CLAUDE: dict[str, t.Any] = {"max_tokens": 99, "messages": CHAT}
CONTENTS = [{"role": "user", "parts": [{"text": PROMPT}]}]
GEMINI_TOOL = {"functionDeclarations": [{"name": "weather", "parameters": SCHEMA}]}

OPENAI_PATHS = {
    "responses": "/openai/v1/responses",
    "chat": "/openai/v1/chat/completions",
}
THOUGHTS = ["reasoning.encrypted_content"]
GEMINI_PATH = "/gemini/v1beta/models/gemini-3.8-flash:"


def openai_body(**more: t.Any) -> dict[str, t.Any]:
    """Write a request of Responses."""
    return {"model": "gpt-6-sol", "input": PROMPT, "store": False, **more}


def chat_body(**more: t.Any) -> dict[str, t.Any]:
    """Write a request of Chat Completions."""
    return {"model": "gpt-6-sol", "messages": CHAT, **more}


def claude_body(**more: t.Any) -> dict[str, t.Any]:
    """Write a request of Messages."""
    return {"model": "claude-sonnet-5-5", **CLAUDE, **more}


#: The recordings of one kind, and the request that must be answered in that kind.
KINDS: dict[str, tuple[list[str], str, t.Any]] = {
    "responses": (
        ["openai/responses_basic", "openai/responses_structured_output"],
        OPENAI_PATHS["responses"],
        openai_body(reasoning={"effort": "medium"}, include=THOUGHTS),
    ),
    "responses stream": (
        ["openai/responses_stream_text"],
        OPENAI_PATHS["responses"],
        openai_body(stream=True),
    ),
    "responses tool stream": (
        ["openai/responses_stream_tool_call_1"],
        OPENAI_PATHS["responses"],
        openai_body(stream=True, tools=[OPENAI_TOOL]),
    ),
    "chat": (
        ["openai/chat_basic_cache_usage", "openai/chat_refusal_structured"],
        OPENAI_PATHS["chat"],
        chat_body(),
    ),
    "chat tool stream": (
        ["openai/chat_stream_include_usage"],
        OPENAI_PATHS["chat"],
        chat_body(
            stream=True, stream_options={"include_usage": True}, tools=[CHAT_TOOL]
        ),
    ),
    "openai embeddings": (
        ["openai/embeddings_dimensions"],
        "/openai/v1/embeddings",
        {"model": "text-embedding-3-small", "input": "a"},
    ),
    "openai count": (
        ["openai/input_tokens_count"],
        "/openai/v1/responses/input_tokens",
        {"model": "gpt-6-sol", "input": "a"},
    ),
    "openai 401": (
        ["openai/err_401_invalid_api_key_responses"],
        OPENAI_PATHS["responses"],
        openai_body(model="fault-revoked"),
    ),
    "openai 400": (
        ["openai/err_400_model_not_found_responses"],
        OPENAI_PATHS["responses"],
        openai_body(model="gpt-0"),
    ),
    "openai 404": (
        ["openai/err_404_model_not_found_chat"],
        OPENAI_PATHS["chat"],
        chat_body(model="gpt-0"),
    ),
    "openai stop": (
        ["openai/err_400_unsupported_parameter_stop_chat"],
        OPENAI_PATHS["chat"],
        chat_body(stop=["END"]),
    ),
    "messages": (
        ["anthropic/messages_basic", "anthropic/messages_structured_output"],
        "/claude/v1/messages",
        claude_body(),
    ),
    "messages thinking": (
        ["anthropic/messages_thinking_summarized"],
        "/claude/v1/messages",
        claude_body(thinking={"type": "adaptive"}),
    ),
    "messages tool": (
        ["anthropic/messages_tool_use_1"],
        "/claude/v1/messages",
        claude_body(tools=[{"name": "weather", "input_schema": SCHEMA}]),
    ),
    "messages stream": (
        ["anthropic/messages_stream_text"],
        "/claude/v1/messages",
        claude_body(stream=True),
    ),
    "messages thinking stream": (
        ["anthropic/messages_stream_thinking"],
        "/claude/v1/messages",
        claude_body(stream=True, thinking={"type": "adaptive"}),
    ),
    "messages tool stream": (
        ["anthropic/messages_stream_tool_use"],
        "/claude/v1/messages",
        claude_body(stream=True, tools=[{"name": "weather", "input_schema": SCHEMA}]),
    ),
    "messages refusal stream": (
        ["anthropic/stream_refusal_payloads"],
        "/claude/v1/messages",
        claude_body(stream=True, model="fault-refusal"),
    ),
    "claude count": (
        ["anthropic/count_tokens"],
        "/claude/v1/messages/count_tokens",
        {"model": "claude-sonnet-5-5", "messages": CHAT},
    ),
    "claude 401": (
        ["anthropic/err_401_authentication_error"],
        "/claude/v1/messages",
        claude_body(model="fault-revoked"),
    ),
    "claude 404": (
        ["anthropic/err_404_model_not_found"],
        "/claude/v1/messages",
        claude_body(model="claude-0"),
    ),
    "claude 400": (
        ["anthropic/err_400_prompt_too_long", "anthropic/err_400_shape"],
        "/claude/v1/messages",
        claude_body(model="fault-context_length"),
    ),
    "content": (
        ["gemini/generate_basic", "gemini/generate_multi_turn"],
        GEMINI_PATH + "generateContent",
        {"contents": CONTENTS},
    ),
    "content thinking": (
        ["gemini/generate_thinking_level"],
        GEMINI_PATH + "generateContent",
        {
            "contents": CONTENTS,
            "generationConfig": {"thinkingConfig": {"includeThoughts": True}},
        },
    ),
    "content tool": (
        ["gemini/generate_tool_call_1"],
        GEMINI_PATH + "generateContent",
        {"contents": CONTENTS, "tools": [GEMINI_TOOL]},
    ),
    "content stream": (
        ["gemini/stream_text_multi_chunk"],
        GEMINI_PATH + "streamGenerateContent?alt=sse",
        {"contents": CONTENTS},
    ),
    "gemini count": (
        ["gemini/count_tokens"],
        GEMINI_PATH + "countTokens",
        {"contents": CONTENTS},
    ),
    "gemini embeddings": (
        ["gemini/embeddings_001_batch"],
        "/gemini/v1beta/models/gemini-embedding-001:batchEmbedContents",
        {"requests": [{"content": {"parts": [{"text": "a"}]}}]},
    ),
    "gemini 400": (
        ["gemini/err_400_api_key_invalid"],
        "/gemini/v1beta/models/fault-revoked:generateContent",
        {"contents": CONTENTS},
    ),
    "gemini 404": (
        ["gemini/err_404_model_not_found"],
        "/gemini/v1beta/models/gemini-0:generateContent",
        {"contents": CONTENTS},
    ),
    "gemini 429": (
        ["gemini/err_429_quota_retryinfo"],
        "/gemini/v1beta/models/fault-quota_per_minute:generateContent",
        {"contents": CONTENTS},
    ),
    "openai models": (["openai/models_list_2023"], "/openai/v1/models", None),
    "claude models": (["anthropic/models_list"], "/claude/v1/models", None),
    "gemini models": (
        ["gemini/models_list_page1"],
        "/gemini/v1beta/models?pageSize=3",
        None,
    ),
}
#: Fields of old or special recordings that answers of today do not have.
DATED = {
    "openai models": {"data[].permission", "data[].root", "data[].parent"},
    "messages refusal stream": {
        "message_delta.delta.stop_details<refusal>.recommended_model"
    },
}


def shape(value: t.Any, path: str = "") -> set[str]:
    """List the paths of all fields; an element with a type goes by its type."""
    if isinstance(value, list):
        shapes = [shape(item, path + "[]") for item in value]
        typed = [item for item in value if isinstance(item, dict) and "type" in item]
        return set.union(*shapes) if typed else set.intersection(*shapes or [set()])

    if not isinstance(value, dict):
        return set()

    kind = value.get("type") or value.get("@type")
    path = f"{path}<{kind}>" if path and isinstance(kind, str) else path
    found: set[str] = set()

    for name, item in value.items():
        found.add(f"{path}.{name}".lstrip("."))

        if name not in ECHOES:
            found |= shape(item, f"{path}.{name}")

    return found


def read_events(text: str) -> set[str]:
    """List the paths in a stream, by the type of each event."""
    by_kind: dict[str, list[set[str]]] = {}

    for line in text.replace("\r\n", "\n").split("\n"):
        if line.startswith("data: {"):
            event = json.loads(line.removeprefix("data: "))
            by_kind.setdefault(event.get("type", ""), []).append(shape(event))

    return {
        f"{kind}.{path}"
        for kind, shapes in by_kind.items()
        for path in set.intersection(*shapes)
    }


def read_recording(folder: pathlib.Path, name: str) -> tuple[set[str], set[str], int]:
    """Give the paths in the body, the names of the headers, and the status."""
    recording = json.loads((folder / "fixtures" / f"{name}.json").read_text())
    answer = recording["response"]
    paths = (
        shape(answer["json"]) if "json" in answer else read_events(answer["sse_text"])
    )
    return (
        {path.lstrip(".") for path in paths},
        set(answer["headers"]),
        answer["status"],
    )


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_is_missing(ask: Ask, shared_folder: pathlib.Path, kind: str) -> None:
    """What all recordings of a kind have, the simulated answer has."""
    names, path, body = KINDS[kind]
    recordings = [read_recording(shared_folder, name) for name in names]
    headers = {
        "authorization": f"Bearer {KEYS['OPENAI']}",
        "anthropic-version": "2023-06-01",
    }

    if path.startswith("/gemini"):
        headers = {"x-goog-api-key": KEYS["GEMINI"]}

    reply = ask("GET" if body is None else "POST", path, body, headers)
    streamed = "event-stream" in reply.headers["content-type"]
    ours = read_events(reply.body.decode()) if streamed else shape(reply.json)
    ours = {path.lstrip(".") for path in ours}

    assert reply.status == recordings[0][2]
    always = set.intersection(*(paths for paths, _, _ in recordings))
    missing = {
        path
        for path in always - ours
        if not any(path.startswith(dated) for dated in DATED.get(kind, ()))
    }
    assert missing == set()
    # Headers were recorded thinly: where there are many, ours must have the same.
    known = set.intersection(*(names for _, names, _ in recordings))
    assert known - FOREIGN_HEADERS - set(reply.headers) == set()
