"""Bad requests are refused as the real providers refuse them."""

from __future__ import annotations

import json
import typing as t

import pytest

from flask_byok.testing import Simulator

from .conftest import Ask
from .conftest import KEYS

BEARER = {"authorization": f"Bearer {KEYS['OPENAI']}"}
X_KEY = {"x-api-key": KEYS["CLAUDE"], "anthropic-version": "2023-06-01"}
GOOG = {"x-goog-api-key": KEYS["GEMINI"]}
USER = [{"role": "user", "content": "hi"}]
RESPONSES, CHAT = "/openai/v1/responses", "/openai/v1/chat/completions"
MESSAGES = "/claude/v1/messages"
CONTENT = "/gemini/v1beta/models/gemini-3.8-flash:generateContent"
PARTS = [{"role": "user", "parts": [{"text": "hi"}]}]
LOOSE = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"max_output_tokens": 15}, "integer_below_min_value", "max_output_tokens"),
        ({"stop": ["END"]}, "unknown_parameter", "stop"),
        ({"temperature": 0.2}, "unsupported_parameter", "temperature"),
        ({"temperature": -1}, "decimal_below_min_value", "temperature"),
        ({"input": None}, "missing_required_parameter", "input"),
        ({"model": None}, "missing_required_parameter", "model"),
        (
            {"input": [{"type": "function_call_output", "call_id": "c", "output": ""}]},
            None,
            "input",
        ),
        (
            {
                "input": [
                    {
                        "role": "assistant",
                        "content": [{"type": "input_text", "text": "hi"}],
                    }
                ]
            },
            "invalid_value",
            "input[0].content[0]",
        ),
        (
            {
                "text": {
                    "format": {
                        "type": "json_schema",
                        "name": "out",
                        "schema": LOOSE,
                        "strict": True,
                    }
                }
            },
            "invalid_json_schema",
            "schema",
        ),
    ],
)
def test_responses_refuse(
    ask: Ask, changes: dict[str, t.Any], code: str | None, param: str
) -> None:
    """Each mistake has its code and names the parameter; rate headers come along."""
    body = {"model": "gpt-6-sol", "input": "hi", **changes}
    reply = ask("POST", RESPONSES, body, BEARER)

    assert reply.status == 400
    assert (reply.error["code"], reply.error["param"]) == (code, param)
    assert "x-ratelimit-remaining-requests" in reply.headers


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"max_tokens": 9}, "max_tokens"),
        ({"stop": "END"}, "stop"),
        ({"store_it": True}, "store_it"),
        ({"messages": []}, "messages"),
        (
            {"messages": [{"role": "tool", "tool_call_id": "c", "content": "18C"}]},
            "messages.[0].role",
        ),
        ({"tools": [{"type": "function", "name": "flat"}]}, "tools[0].function"),
    ],
)
def test_chat_refuses(ask: Ask, changes: dict[str, t.Any], param: str) -> None:
    """Reasoning models do not take what older ones took."""
    body = {"model": "gpt-6-sol", "messages": USER, **changes}
    reply = ask("POST", CHAT, body, BEARER)

    assert (reply.status, reply.error["param"]) == (400, param)


def test_a_reasoning_model_takes_the_temperature_it_has(ask: Ask) -> None:
    """Some frameworks always send one: 1 passes in Chat, where it is the default."""
    body = {"model": "gpt-6-sol", "messages": USER, "temperature": 1}

    assert ask("POST", CHAT, body, BEARER).status == 200
    assert ask("POST", CHAT, body | {"top_p": 1}, BEARER).status == 400


def test_older_models_take_sampling(ask: Ask) -> None:
    """What is refused depends on the model."""
    body = {"model": "gpt-4.1-mini", "messages": USER, "temperature": 0, "stop": ["x"]}

    assert ask("POST", CHAT, body, BEARER).status == 200


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"max_tokens": 0}, "max_tokens: must be"),
        ({"temperature": 1.0}, "temperature: Extra inputs"),
        ({"stop": ["x"]}, "stop: Extra inputs"),
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages.0.role"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]},
            "must be non-empty",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "tool_result", "tool_use_id": "x", "content": ""}
                        ],
                    }
                ]
            },
            "must define tools",
        ),
    ],
)
def test_messages_refuse(ask: Ask, changes: dict[str, t.Any], words: str) -> None:
    """Each mistake is an invalid request that says where."""
    body = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 16,
        "messages": USER,
        **changes,
    }
    reply = ask("POST", MESSAGES, body, X_KEY)

    assert reply.status == 400
    assert reply.error["type"] == "invalid_request_error"
    assert words in reply.error["message"]
    assert reply.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("version", "model", "status"),
    [
        ("2023-06-01", "claude-haiku-4-5", 200),
        ("2026-10-21", "claude-haiku-4-5", 400),
        ("2023-06-01", "claude-sonnet-5-5", 400),
        ("2020-01-01", "claude-haiku-4-5", 400),
        (None, "claude-haiku-4-5", 400),
    ],
)
def test_versions_decide_about_sampling(
    ask: Ask, version: str | None, model: str, status: int
) -> None:
    """The newer version and the newer models refuse even a default value."""
    headers = {"x-api-key": "k"} | ({"anthropic-version": version} if version else {})
    body = {"model": model, "max_tokens": 16, "messages": USER, "temperature": 1.0}

    assert ask("POST", MESSAGES, body, headers).status == status


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"contents": []}, "contents is not specified"),
        ({"contents": [{"role": "user", "parts": []}]}, "must not be empty"),
        ({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}, "valid role"),
        ({"generationConfig": {"maxTokens": 9}}, 'Unknown name "maxTokens"'),
        ({"messages": []}, 'Unknown name "messages"'),
        (
            {
                "contents": [
                    *PARTS,
                    {
                        "role": "model",
                        "parts": [{"functionCall": {"name": "f", "args": {}}}],
                    },
                    {
                        "role": "user",
                        "parts": [{"functionResponse": {"name": "f", "response": {}}}],
                    },
                ]
            },
            "missing a thought_signature",
        ),
    ],
)
def test_content_refuses(ask: Ask, changes: dict[str, t.Any], words: str) -> None:
    """Each mistake is an invalid argument; both spellings of names are read."""
    reply = ask("POST", CONTENT, {"contents": PARTS, **changes}, GOOG)

    assert (reply.status, reply.error["status"]) == (400, "INVALID_ARGUMENT")
    assert words in reply.error["message"]


CLAUDE = {"model": "claude-sonnet-5-5", "max_tokens": 16, "messages": USER}
THINKING = {"type": "thinking", "thinking": "Hm", "signature": "c2ln"}
SIGNED = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}
ITEM = {"type": "reasoning", "summary": [], "encrypted_content": "gAAAAABother"}
INCLUDE = ["reasoning.encrypted_content"]
FORCED = {"type": "any"}
TOOL = {"name": "f", "input_schema": {"type": "object"}}
#: Where it is sent, with what changed, and what is said of it.
THOUGHTS: list[tuple[str, dict[str, t.Any], str]] = [
    (RESPONSES, {"input": [ITEM, *USER]}, "could not be verified"),
    (RESPONSES, {"reasoning": {"effort": "huge"}}, "Invalid value: 'huge'"),
    (RESPONSES, {"model": "gpt-4.1", "include": INCLUDE}, "not supported with this"),
    (RESPONSES + "/input_tokens", {"store": False}, "Unknown parameter: 'store'"),
    (
        MESSAGES,
        {"messages": [*USER, {"role": "assistant", "content": [THINKING]}, *USER]},
        "messages.1.content.0: Invalid `signature`",
    ),
    (MESSAGES, {"output_config": {"effort": "huge"}}, "output_config.effort"),
    (
        MESSAGES,
        {"model": "claude-haiku-4-5", "thinking": {"type": "adaptive"}},
        "adaptive thinking is not supported",
    ),
    (MESSAGES, {"thinking": {"type": "enabled"}}, "thinking.type.enabled"),
    (
        MESSAGES,
        {"model": "claude-haiku-4-5", "thinking": {"type": "enabled"}},
        "at least 1024",
    ),
    (
        MESSAGES,
        {"thinking": {"type": "adaptive"}, "tool_choice": FORCED, "tools": [TOOL]},
        "may not be enabled",
    ),
    (MESSAGES, {"tool_choice": FORCED}, "only be specified while providing tools"),
    (RESPONSES, {"tool_choice": "none"}, "only allowed when 'tools'"),
    (
        MESSAGES,
        {"output_config": {"format": {"type": "json_schema", "schema": LOOSE}}},
        "must be explicitly set to false",
    ),
    (
        CONTENT,
        {"contents": [*PARTS, {"role": "model", "parts": [SIGNED]}]},
        "Corrupted thought signature",
    ),
    (
        CONTENT,
        {"generationConfig": {"thinkingConfig": {"thinkingLevel": "HUGE"}}},
        "thinking_level",
    ),
]


@pytest.mark.parametrize(("path", "changes", "words"), THOUGHTS)
def test_thoughts_of_others_are_refused(
    ask: Ask, path: str, changes: dict[str, t.Any], words: str
) -> None:
    """So are steps of thinking a model does not know, and schemas left open."""
    usual = {
        MESSAGES: (CLAUDE, X_KEY),
        CONTENT: ({"contents": PARTS}, GOOG),
    }
    body, headers = usual.get(path, ({"model": "gpt-6-sol", "input": "hi"}, BEARER))
    reply = ask("POST", path, {**body, **changes}, headers)

    assert reply.status == 400
    assert words in reply.error["message"]


def test_gemini_reads_snake_case(ask: Ask) -> None:
    """``generation_config`` is as good as ``generationConfig``."""
    body = {"contents": PARTS, "generation_config": {"max_output_tokens": 2}}
    reply = ask("POST", CONTENT, body, GOOG)

    assert reply.json["candidates"][0]["finishReason"] == "MAX_TOKENS"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (RESPONSES, {}, 401),
        (RESPONSES, {"x-api-key": "k"}, 401),
        (RESPONSES, {"authorization": "Basic k"}, 401),
        (MESSAGES, {"anthropic-version": "2023-06-01"}, 401),
        (CONTENT, {}, 403),
        (CONTENT, {"authorization": "Bearer k"}, 401),
        (CONTENT, {"authorization": "Bearer k", "x-goog-api-key": "k"}, 400),
        (CONTENT + "?key=k", {"x-goog-api-key": "k"}, 400),
    ],
)
def test_credentials_must_stand_where_they_belong(
    ask: Ask, path: str, headers: dict[str, str], status: int
) -> None:
    """No credential, a wrong place, or two of them."""
    reply = ask("POST", path, {"model": "x"}, headers)

    assert reply.status == status
    assert "error" in reply.json


@pytest.mark.parametrize(
    ("headers", "api_key"),
    [
        ({"x-api-key": "one"}, "one"),
        ({"authorization": "Bearer two"}, "two"),
        ({"x-api-key": "one", "authorization": "Bearer two"}, "one"),
    ],
)
def test_claude_takes_both_headers(
    ask: Ask, simulator: Simulator, headers: dict[str, str], api_key: str
) -> None:
    """Sent together, ``x-api-key`` wins."""
    path = "/claude/v1/models"

    assert ask("GET", path, None, headers | {"anthropic-version": "2023-06-01"}).json
    assert simulator.requests[-1].api_key == api_key


def test_unknown_addresses(ask: Ask) -> None:
    """Each provider says 404 in its own envelope."""
    assert ask("GET", "/openai/v1/nothing", None, BEARER).error["code"] == "unknown_url"
    assert ask("GET", "/claude/v1/nothing", None, X_KEY).status == 404
    assert ask("GET", "/gemini/v1beta/nothing", None, GOOG).status == 404
    assert ask("POST", RESPONSES, b"no JSON", BEARER).status == 400


@pytest.mark.parametrize("value", [7, "x", [7], {"a": 7}, [{"role": 7}], None])
@pytest.mark.parametrize("name", ["input", "messages", "contents", "tools"])
def test_nonsense_is_a_bad_request(ask: Ask, name: str, value: t.Any) -> None:
    """A wrong type is refused or overlooked; the connection never just dies."""
    model = {"model": "gpt-6-sol", "input": "hi"}
    claude = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": USER}

    for path, body, headers in (
        (RESPONSES, model, BEARER),
        (MESSAGES, claude, X_KEY),
        (CONTENT, {"contents": PARTS}, GOOG),
    ):
        assert ask("POST", path, {**body, name: value}, headers).status in (200, 400)


def test_how_the_wires_frame_their_streams(chat: Ask) -> None:
    """What a parser must bear with: line ends, charsets, blanks, pings, end marks."""
    responses, claude, gemini = (
        chat(provider, stream=True) for provider in ("OPENAI", "CLAUDE", "GEMINI")
    )

    assert b"[DONE]" not in responses.body
    assert responses.body.startswith(b"event: response.created\ndata: {")
    assert b" }\n" in claude.body and b"event: ping" in claude.body
    assert gemini.headers["content-type"] == "text/event-stream"
    assert gemini.body.endswith(b"}\r\n\r\n") and b"\n\n" not in gemini.body


def test_gemini_streams_an_array_without_sse(ask: Ask) -> None:
    """Without ``alt=sse`` all chunks are one JSON array; an error is wrapped in one."""
    path = CONTENT.replace("generateContent", "streamGenerateContent")
    chunks = json.loads(ask("POST", path, {"contents": PARTS}, GOOG).body)
    wrapped = ask("POST", path, {"contents": []}, GOOG).json

    assert len(chunks) > 1 and chunks[-1]["candidates"][0]["finishReason"] == "STOP"
    assert wrapped[0]["error"]["code"] == 400
    failed = ask("POST", path + "?alt=sse", {"contents": []}, GOOG)
    assert failed.headers["content-type"] == "text/event-stream"
    assert failed.error["code"] == 400
