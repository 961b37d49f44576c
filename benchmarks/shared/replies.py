"""What the provider of the benchmarks answers: bytes that are prepared once.

Nothing but the standard library is imported here: a peer in an environment of its own
reads the question and the keys, too.
"""

from __future__ import annotations

import collections.abc as cabc
import json
import typing as t

API_KEY = "not-a-real-benchmark-key-0001"
#: A key that is answered with 401.
REFUSED = "not-a-real-refused-key-0002"
#: With this key the pieces of a stream come one by one.
PACED = "not-a-real-paced-key-0003"

#: What is asked, in the same words by every client.
QUESTION = "What is the capital of France? Answer in one word."
#: How many pieces a stream has.
PIECES = 200
_TEXT = "The capital of France is Paris. " * 8
_HEADERS = {f"x-filler-{n}": "some value of a usual length" for n in range(12)}

#: What is sent at once, and what comes a little later.
Reply = tuple[bytes, bytes]


def _claude_answer() -> dict[str, t.Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": _TEXT}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 64},
    }


def _openai_answer() -> dict[str, t.Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "m",
        "output": [
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": _TEXT, "annotations": []}],
            }
        ],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 12,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 64,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 76,
        },
    }


def _chat_answer() -> dict[str, t.Any]:
    message = {"role": "assistant", "content": _TEXT}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 64, "total_tokens": 76},
    }


def _gemini_answer(text: str = _TEXT, finish: str | None = "STOP") -> dict[str, t.Any]:
    content = {"parts": [{"text": text}], "role": "model"}
    candidate = {"content": content, "index": 0}
    return {
        "candidates": [candidate | ({"finishReason": finish} if finish else {})],
        "usageMetadata": {
            "promptTokenCount": 12,
            "candidatesTokenCount": 64,
            "totalTokenCount": 76,
        },
        "modelVersion": "m",
        "responseId": "r-1",
    }


def _named(events: cabc.Iterable[dict[str, t.Any]]) -> list[bytes]:
    return [
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        for event in events
    ]


def _claude_events() -> list[bytes]:
    delta = {"type": "text_delta", "text": " piece"}
    start = {"type": "content_block_start", "index": 0}
    return _named(
        [
            {"type": "message_start", "message": _claude_answer() | {"content": []}},
            start | {"content_block": {"type": "text", "text": ""}},
            *[{"type": "content_block_delta", "index": 0, "delta": delta}] * PIECES,
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"output_tokens": 64},
            },
            {"type": "message_stop"},
        ]
    )


def _openai_events() -> list[bytes]:
    piece = {
        "type": "response.output_text.delta",
        "item_id": "msg_1",
        "output_index": 0,
        "content_index": 0,
        "delta": " piece",
        "logprobs": [],
        "sequence_number": 2,
    }
    begun = _openai_answer() | {"output": [], "status": "in_progress"}
    return _named(
        [
            {"type": "response.created", "response": begun, "sequence_number": 0},
            *[piece] * PIECES,
            {
                "type": "response.completed",
                "response": _openai_answer(),
                "sequence_number": 3,
            },
        ]
    )


def _chat_events() -> list[bytes]:
    """Give the older wire of OpenAI, which some peers speak."""
    kept = {k: v for k, v in _chat_answer().items() if k != "usage"}
    kept["object"] = "chat.completion.chunk"
    choice = {"index": 0, "finish_reason": None, "delta": {"content": " piece"}}
    last = {"index": 0, "finish_reason": "stop", "delta": {}}
    events = [kept | {"choices": [choice]}] * PIECES + [kept | {"choices": [last]}]
    return [
        *(f"data: {json.dumps(event)}\n\n".encode() for event in events),
        b"data: [DONE]\n\n",
    ]


def _gemini_events() -> list[bytes]:
    events = [_gemini_answer(" piece", None)] * (PIECES - 1)
    events.append(_gemini_answer(" piece"))
    return [f"data: {json.dumps(event)}\r\n\r\n".encode() for event in events]


def _render(kind: str, body: bytes, extra: dict[str, str]) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"content-type: {kind}"]
    lines += [f"{name}: {value}" for name, value in (_HEADERS | extra).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _render_json(body: bytes) -> bytes:
    return _render("application/json", body, {"content-length": str(len(body))})


def build_replies() -> dict[str, Reply]:
    """Give the reply to each kind of request, as :func:`choose` names it.

    Of a stream, in the chunked coding, the first events come alone.
    """
    whole = {
        "messages": _claude_answer(),
        "responses": _openai_answer(),
        "completions": _chat_answer(),
        "generate": _gemini_answer(),
    }
    streams = {
        "messages": _claude_events(),
        "responses": _openai_events(),
        "completions": _chat_events(),
        "generate": _gemini_events(),
    }
    replies: dict[str, Reply] = {}

    for name, answer in whole.items():
        replies[name] = _render_json(json.dumps(answer).encode()), b""

    for name, events in streams.items():
        chunks = [b"%x\r\n%b\r\n" % (len(e), e) for e in events]
        start = _render(
            "text/event-stream", b"".join(chunks[:4]), {"transfer-encoding": "chunked"}
        )
        replies[f"{name}-stream"] = start, b"".join(chunks[4:]) + b"0\r\n\r\n"

    # Each of the three wires finds its own words in it.
    error = {
        "type": "authentication_error",
        "code": "invalid_api_key",
        "status": "UNAUTHENTICATED",
        "message": "No such key.",
    }
    refusal = json.dumps({"type": "error", "error": error}).encode()
    refused = _render_json(refusal).replace(b"200 OK", b"401 No", 1)
    replies["refusal"] = refused, b""
    return replies


def choose(head: bytes, body: bytes) -> str:
    """Name the reply to a request."""
    if REFUSED.encode() in head:
        return "refusal"

    path = head.split(b" ", 2)[1]
    name = (
        "generate" if b"enerateContent" in path else path.rpartition(b"/")[2].decode()
    )
    streams = b"streamGenerateContent" in path or b'"stream":true' in body.replace(
        b" ", b""
    )
    return f"{name}-stream" if streams else name
