"""generateContent of the simulated GEMINI: answers written."""

from __future__ import annotations

import collections.abc as cabc
import json
import typing as t
import uuid

from .exchange import Piece
from .exchange import PieceKind
from .reply import Reply
from .reply import split

_FINISH = {
    "stop_sequence": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "filtered": "SAFETY",
    "stop": "STOP",
}


def render(reply: Reply, model: str) -> dict[str, t.Any]:
    """Write the whole answer as one object."""
    thoughts = [{"text": reply.thought, "thought": True}] if reply.thought else []
    parts = [*thoughts, *_answer_parts(reply)]
    content = {"parts": parts, "role": "model"} if parts else {"role": "model"}

    if reply.finish == "filtered":
        content = {}

    return _chunk(reply, model, content, last=True) | _ids(model)


def colour(answer: dict[str, t.Any], traits: cabc.Set[str]) -> dict[str, t.Any]:
    """Turn a good answer into one of those that are none, at status 200."""
    if "blocked_prompt" in traits:
        kept = {name: item for name, item in answer.items() if name != "candidates"}
        return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, **kept}

    if "pup_limited" in traits:
        candidate = {"finishReason": "PUP_LIMITED_DISABLED", "index": 0, "content": {}}
        return answer | {"candidates": [candidate]}

    return answer


def render_stream(
    reply: Reply, model: str, traits: cabc.Set[str] = frozenset()
) -> tuple[Piece, ...]:
    """Write the answer as chunks; there is no end mark but a finish reason."""
    ids = _ids(model)
    pieces: list[Piece] = []

    def add(kind: PieceKind, content: dict[str, t.Any], last: bool) -> None:
        value = _chunk(reply, model, content, last=last) | ids
        pieces.append(Piece(kind=kind, data=_event(value)))

    if traits & {"blocked_prompt", "pup_limited"}:
        value = colour(render(reply, model), traits)
        return (Piece(kind="end", data=_event(value)),)

    for text in split(reply.thought):
        part = {"text": text, "thought": True}
        add("preamble", {"parts": [part], "role": "model"}, last=False)

    if reply.finish == "filtered":
        add("end", {}, last=True)
        return tuple(pieces)

    for text in split(reply.text):
        add("content", {"parts": [{"text": text}], "role": "model"}, last=False)

    for part in [part for part in _answer_parts(reply) if "functionCall" in part]:
        add("content", {"parts": [part], "role": "model"}, last=False)

    final = {"text": "", "thoughtSignature": reply.seal}
    add("end", {"parts": [final], "role": "model"}, last=True)
    return tuple(pieces)


def _event(value: dict[str, t.Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\r\n\r\n"


def _answer_parts(reply: Reply) -> list[dict[str, t.Any]]:
    if reply.finish == "filtered":
        return []

    parts: list[dict[str, t.Any]] = []

    if reply.text:
        parts.append({"text": reply.text, "thoughtSignature": reply.seal})

    for at, use in enumerate(reply.tool_uses):
        call = {"name": use.name, "args": dict(use.arguments), "id": use.id[:8]}
        part: dict[str, t.Any] = {"functionCall": call}

        if at == 0:
            part["thoughtSignature"] = reply.seal

        parts.append(part)

    return parts


def _chunk(
    reply: Reply, model: str, content: dict[str, t.Any], *, last: bool
) -> dict[str, t.Any]:
    candidate: dict[str, t.Any] = {"content": content}

    if last:
        candidate["finishReason"] = _FINISH[reply.finish]

    candidate["index"] = 0

    if last and reply.tool_uses:
        candidate["finishMessage"] = "Model generated function call(s)."

    return {"candidates": [candidate], "usageMetadata": _usage(reply, last)}


def _usage(reply: Reply, last: bool) -> dict[str, t.Any]:
    """Count; here alone thoughts stand outside of the output."""
    total = reply.input_tokens + (reply.output_tokens if last else 0)
    usage: dict[str, t.Any] = {
        "promptTokenCount": reply.input_tokens,
        "totalTokenCount": total,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": reply.input_tokens}],
        "serviceTier": "standard",
    }

    if last:
        usage["candidatesTokenCount"] = reply.output_tokens - reply.reasoning_tokens
        usage["thoughtsTokenCount"] = reply.reasoning_tokens

    if reply.cached_tokens:
        usage["cachedContentTokenCount"] = reply.cached_tokens

    return usage


def _ids(model: str) -> dict[str, str]:
    return {"modelVersion": model, "responseId": uuid.uuid4().hex[:22]}
