"""The Responses wire of the simulated OPENAI: answers written."""

from __future__ import annotations

import collections.abc as cabc
import json
import time
import typing as t
import uuid

from .exchange import compact
from .exchange import Piece
from .exchange import PieceKind
from .reply import Reply
from .reply import split
from .reply import split_json


def render(body: dict[str, t.Any], reply: Reply) -> dict[str, t.Any]:
    """Write the whole answer as one object."""
    response = _frame(body)
    response["output"] = [*_reasoning_items(body, reply), *_output_items(reply)]
    _finish(response, reply)
    return response


def render_stream(body: dict[str, t.Any], reply: Reply) -> tuple[Piece, ...]:
    """Write the answer as events; ends with its own event and no ``[DONE]``."""
    writer = _Writer()
    response = _frame(body)
    writer.add("preamble", "response.created", response=response)
    writer.add("preamble", "response.in_progress", response=response)

    thoughts = _reasoning_items(body, reply)

    for at, item in enumerate(thoughts):
        writer.add("preamble", "response.output_item.added", item=item, output_index=at)
        writer.add("preamble", "response.output_item.done", item=item, output_index=at)

    for at, item in enumerate(_output_items(reply), len(thoughts)):
        if item["type"] == "message":
            _stream_message(writer, item, at)
        else:
            _stream_call(writer, item, at)

    whole = render(body, reply) | {"id": response["id"]}
    writer.add("end", f"response.{whole['status']}", response=whole)
    return tuple(writer.pieces)


def render_error(error: cabc.Mapping[str, t.Any], flat: bool) -> bytes:
    """Write the two events with which a started stream fails."""
    writer = _Writer(after=2)

    if flat:
        flattened = {name: error.get(name) for name in ("code", "message", "param")}
        writer.add("tail", "error", **flattened)
    else:
        writer.add("tail", "error", error=error)

    response = _frame({"model": ""}) | {
        "status": "failed",
        "error": {"code": error.get("code"), "message": error.get("message")},
    }
    writer.add("tail", "response.failed", response=response)
    return b"".join(piece.data for piece in writer.pieces)


class _Writer:
    """Numbers the events as they are written."""

    def __init__(self, after: int = 0) -> None:
        self.pieces: list[Piece] = []
        self._number = after

    def add(self, kind: PieceKind, event: str, **fields: t.Any) -> None:
        data = {"type": event, **fields, "sequence_number": self._number}
        self._number += 1
        text = f"event: {event}\ndata: {compact(data)}\n\n"
        self.pieces.append(Piece(kind=kind, data=text.encode()))


def _stream_message(writer: _Writer, item: dict[str, t.Any], at: int) -> None:
    part = item["content"][0]
    place = {"item_id": item["id"], "output_index": at, "content_index": 0}
    empty = item | {"status": "in_progress", "content": []}
    refused = part["type"] == "refusal"
    name = "response.refusal" if refused else "response.output_text"
    field = "refusal" if refused else "text"
    writer.add("preamble", "response.output_item.added", item=empty, output_index=at)
    writer.add(
        "preamble", "response.content_part.added", part=part | {field: ""}, **place
    )

    for piece in split(part[field]):
        extra = (
            {} if refused else {"logprobs": [], "obfuscation": "x" * (len(piece) % 9)}
        )
        writer.add("content", f"{name}.delta", delta=piece, **place, **extra)

    extra = {} if refused else {"logprobs": []}
    writer.add("tail", f"{name}.done", **{field: part[field]}, **place, **extra)
    writer.add("tail", "response.content_part.done", part=part, **place)
    writer.add("tail", "response.output_item.done", item=item, output_index=at)


def _stream_call(writer: _Writer, item: dict[str, t.Any], at: int) -> None:
    place = {"item_id": item["id"], "output_index": at}
    empty = item | {"status": "in_progress", "arguments": ""}
    name = "response.function_call_arguments"
    writer.add("content", "response.output_item.added", item=empty, output_index=at)

    for piece in split_json(item["arguments"]):
        noise = "x" * (len(piece) + 3)
        writer.add("content", f"{name}.delta", delta=piece, obfuscation=noise, **place)

    writer.add("tail", f"{name}.done", arguments=item["arguments"], **place)
    writer.add("tail", "response.output_item.done", item=item, output_index=at)


def _frame(body: dict[str, t.Any]) -> dict[str, t.Any]:
    now = int(time.time())
    return {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": now,
        "status": "in_progress",
        "background": False,
        "billing": {"payer": "developer"},
        "completed_at": None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": None,
        "model": body["model"],
        "moderation": None,
        "output": [],
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "prompt_cache_retention": "in_memory",
        "reasoning": {
            "context": "current_turn",
            "effort": None,
            "mode": "standard",
            "summary": None,
            **(body.get("reasoning") or {}),
        },
        "safety_identifier": None,
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": {"format": {"type": "text"}, "verbosity": "medium"}
        | (body.get("text") or {}),
        "tool_choice": body.get("tool_choice", "auto"),
        "tool_usage": {
            "image_gen": {
                "input_tokens": 0,
                "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
                "output_tokens": 0,
                "output_tokens_details": {"image_tokens": 0, "text_tokens": 0},
                "total_tokens": 0,
            },
            "web_search": {"num_requests": 0},
        },
        "tools": body.get("tools") or [],
        "top_logprobs": 0,
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": None,
        "user": None,
        "metadata": body.get("metadata") or {},
    }


def _finish(response: dict[str, t.Any], reply: Reply) -> None:
    response["status"] = "incomplete" if reply.finish == "length" else "completed"
    response["completed_at"] = int(time.time())

    if reply.finish == "length":
        response["incomplete_details"] = {"reason": "max_output_tokens"}

    response["usage"] = {
        "input_tokens": reply.input_tokens,
        "input_tokens_details": {
            "cache_write_tokens": reply.written_tokens,
            "cached_tokens": reply.cached_tokens,
        },
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
        "total_tokens": reply.input_tokens + reply.output_tokens,
    }


def _reasoning_items(body: dict[str, t.Any], reply: Reply) -> list[dict[str, t.Any]]:
    if not reply.thought:
        return []

    item = {
        "id": f"rs_{uuid.uuid4().hex}",
        "type": "reasoning",
        "content": [],
        "summary": [],
    }

    if "reasoning.encrypted_content" in (body.get("include") or ()):
        item["encrypted_content"] = reply.seal

    return [item]


def _output_items(reply: Reply) -> list[dict[str, t.Any]]:
    if reply.tool_uses:
        return [
            {
                "id": f"fc_{use.id}",
                "type": "function_call",
                "status": "completed",
                "arguments": json.dumps(dict(use.arguments)),
                "call_id": f"call_{use.id}",
                "name": use.name,
            }
            for use in reply.tool_uses
        ]

    if not reply.text:
        return []

    part: dict[str, t.Any] = {
        "type": "output_text",
        "annotations": [],
        "logprobs": [],
        "text": reply.text,
    }

    if reply.finish == "filtered":
        part = {"type": "refusal", "refusal": reply.text}

    return [
        {
            "id": f"msg_{uuid.uuid4().hex}",
            "type": "message",
            "status": "incomplete" if reply.finish == "length" else "completed",
            "content": [part],
            "phase": "final_answer",
            "role": "assistant",
        }
    ]
