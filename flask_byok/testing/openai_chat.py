"""The Chat Completions wire of the simulated OPENAI."""

from __future__ import annotations

import collections.abc as cabc
import json
import time
import typing as t
import uuid

from .exchange import compact
from .exchange import Piece
from .openai_common import check_strict
from .openai_common import count_parts
from .openai_common import invalid
from .openai_common import read_tools
from .openai_common import refuse_unknown
from .openai_common import refuse_unsupported
from .reply import Intent
from .reply import Reply
from .reply import split
from .reply import split_json

_FIELDS = frozenset(
    "audio frequency_penalty function_call functions logit_bias logprobs "
    "max_completion_tokens max_tokens messages metadata modalities model moderation n "
    "parallel_tool_calls prediction presence_penalty prompt_cache_key "
    "prompt_cache_retention reasoning_effort response_format safety_identifier seed "
    "service_tier stop store stream stream_options temperature tool_choice tools "
    "top_logprobs top_p user verbosity web_search_options".split()
)
_FINISH = {"stop_sequence": "stop", "filtered": "stop"}


def read_intent(body: dict[str, t.Any], api_key: str) -> Intent:
    """Read a request body; raises a refusal as the real one refuses it.

    :param api_key: means nothing here, where no thoughts come back.
    """
    refuse_unknown(body, _FIELDS)
    refuse_unsupported(body, ("max_tokens", "stop", *_sampling(body)))
    messages = body.get("messages")

    if not isinstance(messages, list) or not messages:
        raise invalid(
            "Missing required parameter: 'messages'.",
            param="messages",
            code="missing_required_parameter",
        )

    system, prompt, images, tool_result = _read_messages(messages)
    response_format = body.get("response_format") or {}
    holder = response_format.get("json_schema") or {}
    check_strict(holder.get("schema"), holder)
    tools, choice = read_tools(body.get("tools"), body.get("tool_choice"), nested=True)
    stop = body.get("stop") or []
    return Intent(
        model=body["model"],
        system=system,
        prompt=prompt,
        tool_result=tool_result,
        images=images,
        tools=tools,
        tool_choice=choice,
        schema=_schema(response_format, holder),
        size=len(compact([messages, body.get("tools")])),
        cap=body.get("max_completion_tokens") or body.get("max_tokens"),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        thinking=body.get("reasoning_effort") not in (None, "none"),
        documents=sum(
            count_parts(message.get("content"), "file") for message in messages[-1:]
        ),
    )


def _sampling(body: dict[str, t.Any]) -> tuple[str, ...]:
    """Name what reasoning models refuse; this wire takes a temperature of 1."""
    return ("top_p",) if body.get("temperature") == 1 else ("temperature", "top_p")


def render(body: dict[str, t.Any], reply: Reply) -> dict[str, t.Any]:
    """Write the whole answer as one object."""
    if reply.finish == "length" and not reply.text:
        raise invalid(
            "Could not finish the message because max_tokens or model output limit was "
            "reached. Please try again with higher max_tokens."
        )

    refused = reply.finish == "filtered"
    message: dict[str, t.Any] = {
        "role": "assistant",
        "content": None if refused or reply.tool_uses else reply.text,
        "refusal": reply.text if refused else None,
        "annotations": [],
    }

    if reply.tool_uses:
        message["tool_calls"] = [
            {
                "id": f"call_{use.id}",
                "type": "function",
                "function": {
                    "name": use.name,
                    "arguments": json.dumps(dict(use.arguments)),
                },
            }
            for use in reply.tool_uses
        ]

    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": _FINISH.get(reply.finish, reply.finish),
    }
    return _frame(body, "chat.completion") | {
        "choices": [choice],
        "usage": _usage(reply),
    }


def render_stream(body: dict[str, t.Any], reply: Reply) -> tuple[Piece, ...]:
    """Write the answer as chunks; usage comes last, then ``[DONE]``."""
    frame = _frame(body, "chat.completion.chunk")
    with_usage = (body.get("stream_options") or {}).get("include_usage")

    if with_usage:
        frame["usage"] = None

    def chunk(delta: dict[str, t.Any], finish: str | None = None) -> bytes:
        choice = {
            "index": 0,
            "delta": delta,
            "logprobs": None,
            "finish_reason": finish,
        }
        return _data(frame | {"choices": [choice], "obfuscation": "x" * len(delta)})

    role = {"role": "assistant", "content": "", "refusal": None}
    pieces = [Piece(kind="preamble", data=chunk(role))]
    field = "refusal" if reply.finish == "filtered" else "content"

    for text in split(reply.text):
        pieces.append(Piece(kind="content", data=chunk({field: text})))

    for delta in _call_deltas(reply):
        pieces.append(Piece(kind="content", data=chunk({"tool_calls": [delta]})))

    finish = chunk({}, _FINISH.get(reply.finish, reply.finish))
    pieces.append(Piece(kind="end", data=finish))

    if with_usage:
        usage = frame | {"choices": [], "usage": _usage(reply), "obfuscation": "x"}
        pieces.append(Piece(kind="end", data=_data(usage)))

    pieces.append(Piece(kind="end", data=b"data: [DONE]\n\n"))
    return tuple(pieces)


def render_error(body: cabc.Mapping[str, t.Any]) -> bytes:
    """Write the chunk with which a started stream fails."""
    return _data(body)


def _data(value: t.Any) -> bytes:
    return f"data: {compact(value)}\n\n".encode()


def _call_deltas(reply: Reply) -> cabc.Iterator[dict[str, t.Any]]:
    """Give id and name with the first fragment of each call only."""
    for at, use in enumerate(reply.tool_uses):
        yield {
            "index": at,
            "id": f"call_{use.id}",
            "type": "function",
            "function": {"name": use.name, "arguments": ""},
        }

        for fragment in split_json(json.dumps(dict(use.arguments))):
            yield {"index": at, "function": {"arguments": fragment}}


def _read_messages(
    messages: list[dict[str, t.Any]],
) -> tuple[str, str, int, str | None]:
    system, prompt, images, result = "", "", 0, None
    known_calls: set[str] = set()

    for at, message in enumerate(messages):
        text, found = _content(message.get("content"))
        known_calls.update(call["id"] for call in message.get("tool_calls") or [])

        match message.get("role"):
            case "system" | "developer":
                system = text
            case "user":
                prompt, images, result = text, found, None
            case "tool":
                if message.get("tool_call_id") not in known_calls:
                    raise invalid(
                        "Invalid parameter: messages with role 'tool' must be a "
                        "response to a preceeding message with 'tool_calls'.",
                        param=f"messages.[{at}].role",
                    )

                result = text
            case "assistant":
                result = None
            case role:
                raise invalid(
                    f"Invalid value: '{role}'.",
                    param=f"messages[{at}].role",
                    code="invalid_value",
                )

    return system, prompt, images, result


def _content(content: t.Any) -> tuple[str, int]:
    if not isinstance(content, list):
        return str(content or ""), 0

    for part in content:
        if part.get("type") not in ("text", "image_url", "refusal", "file"):
            raise invalid(
                f"Invalid value: '{part.get('type')}'.",
                param="messages[0].content[0].type",
                code="invalid_value",
            )

    texts = [str(part.get("text", part.get("refusal", ""))) for part in content]
    images = sum(part["type"] == "image_url" for part in content)
    return "\n".join(text for text in texts if text), images


def _schema(
    response_format: dict[str, t.Any], holder: dict[str, t.Any]
) -> cabc.Mapping[str, t.Any] | None:
    if response_format.get("type") == "json_schema":
        return t.cast("cabc.Mapping[str, t.Any]", holder.get("schema") or {})

    return {} if response_format.get("type") == "json_object" else None


def _frame(body: dict[str, t.Any], kind: str) -> dict[str, t.Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex[:28]}",
        "object": kind,
        "created": int(time.time()),
        "model": body["model"],
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _usage(reply: Reply) -> dict[str, t.Any]:
    return {
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens + reply.output_tokens,
        "prompt_tokens_details": {
            "audio_tokens": 0,
            "cache_write_tokens": reply.written_tokens,
            "cached_tokens": reply.cached_tokens,
        },
        "completion_tokens_details": {
            "accepted_prediction_tokens": 0,
            "audio_tokens": 0,
            "reasoning_tokens": reply.reasoning_tokens,
            "rejected_prediction_tokens": 0,
        },
    }
