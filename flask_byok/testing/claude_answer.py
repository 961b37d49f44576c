"""The Messages wire of the simulated CLAUDE: answers written."""

from __future__ import annotations

import collections.abc as cabc
import typing as t
import uuid

from .exchange import compact
from .exchange import Piece
from .exchange import PieceKind
from .reply import Reply
from .reply import split
from .reply import split_json

_FINISH = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "filtered": "refusal",
}


def render(body: dict[str, t.Any], reply: Reply) -> dict[str, t.Any]:
    """Write the whole answer as one object."""
    return _frame(body) | {
        "content": _blocks(reply),
        "stop_reason": _FINISH.get(reply.finish, reply.finish),
        "stop_sequence": reply.stop_sequence,
        "stop_details": _stop_details(reply),
        "usage": _usage(reply)
        | {"output_tokens_details": {"thinking_tokens": reply.reasoning_tokens}},
    }


def render_stream(body: dict[str, t.Any], reply: Reply) -> tuple[Piece, ...]:
    """Write the answer as events, with a ping and with padded JSON."""
    pieces: list[Piece] = []

    def add(kind: PieceKind, event: str, **fields: t.Any) -> None:
        data = write_event(event, {"type": event, **fields})
        pieces.append(Piece(kind=kind, data=data))

    start = _frame(body) | {"usage": _usage(reply) | {"output_tokens": 1}}
    add("preamble", "message_start", message=start)

    for at, block in enumerate(_blocks(reply)):
        kind: PieceKind = "content" if block["type"] == "tool_use" else "preamble"
        add(kind, "content_block_start", index=at, content_block=_opened(block))

        if at == 0:
            ping = b'event: ping\ndata: {"type": "ping"}\n\n'
            pieces.append(Piece(kind="preamble", data=ping))

        inner: PieceKind = "preamble" if block["type"] == "thinking" else "content"

        for delta in _deltas(block):
            add(inner, "content_block_delta", index=at, delta=delta)

        last: PieceKind = "preamble" if block["type"] == "thinking" else "tail"
        add(last, "content_block_stop", index=at)

    usage = _usage(reply)
    stop = {
        "stop_reason": _FINISH.get(reply.finish, reply.finish),
        "stop_sequence": reply.stop_sequence,
        "stop_details": _stop_details(reply),
    }
    short = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    counts = {name: usage[name] for name in (*short, "output_tokens")}
    add("tail", "message_delta", delta=stop, usage=counts)
    add("end", "message_stop")
    return tuple(pieces)


def write_event(event: str, data: cabc.Mapping[str, t.Any]) -> bytes:
    """Write one event; blanks stand before the last brace, as the real one does."""
    text = compact(data)
    padding = " " * (len(text) % 14)
    return f"event: {event}\ndata: {text[:-1]}{padding}}}\n\n".encode()


def _frame(body: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        "model": body["model"],
        "id": f"msg_{uuid.uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
    }


def _blocks(reply: Reply) -> list[dict[str, t.Any]]:
    blocks: list[dict[str, t.Any]] = []

    if reply.thought:
        thought = {"thinking": reply.thought, "signature": reply.seal}
        blocks.append({"type": "thinking", **thought})

    if reply.text:
        blocks.append({"type": "text", "text": reply.text})

    for use in reply.tool_uses:
        blocks.append(
            {
                "type": "tool_use",
                "id": f"toolu_{use.id}",
                "name": use.name,
                "input": dict(use.arguments),
                "caller": {"type": "direct"},
            }
        )

    return blocks


def _opened(block: dict[str, t.Any]) -> dict[str, t.Any]:
    empty: dict[str, t.Any] = {"text": "", "thinking": "", "signature": "", "input": {}}
    return block | {name: empty[name] for name in block if name in empty}


def _deltas(block: dict[str, t.Any]) -> cabc.Iterator[dict[str, t.Any]]:
    if block["type"] == "thinking":
        for text in split(block["thinking"]):
            yield {"type": "thinking_delta", "thinking": text}

        yield {"type": "signature_delta", "signature": block["signature"]}
    elif block["type"] == "text":
        for text in split(block["text"]):
            yield {"type": "text_delta", "text": text}
    else:
        yield {"type": "input_json_delta", "partial_json": ""}

        for text in split_json(compact(block["input"])):
            yield {"type": "input_json_delta", "partial_json": text}


def _stop_details(reply: Reply) -> dict[str, t.Any] | None:
    if reply.finish != "filtered":
        return None

    return {"type": "refusal", "category": "cyber", "explanation": "Simulated."}


def _usage(reply: Reply) -> dict[str, t.Any]:
    """Count; here alone cached tokens stand outside of the input."""
    return {
        "input_tokens": (
            reply.input_tokens - reply.cached_tokens - reply.written_tokens
        ),
        "cache_creation_input_tokens": reply.written_tokens,
        "cache_read_input_tokens": reply.cached_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": reply.written_tokens,
            "ephemeral_1h_input_tokens": 0,
        },
        "output_tokens": reply.output_tokens,
        "service_tier": "standard",
        "inference_geo": "global",
    }
