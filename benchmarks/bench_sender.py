"""What an AI call costs this process: our providers, bare requests, the official SDKs.

Run it from the repository: ``python benchmarks/bench_sender.py``. CPU time of this
process is measured, with the server in another one; the rounds of all clients are
interleaved, and of each client the median round counts. Below a minute by default.
"""

from __future__ import annotations

import argparse
import collections.abc as cabc
import contextlib
import json
import multiprocessing
import multiprocessing.connection
import socket
import socketserver
import statistics
import sys
import time
import typing as t

import requests

from flask_byok.providers.claude import ClaudeProvider
from flask_byok.providers.deadline import Deadline
from flask_byok.providers.gemini import GeminiProvider
from flask_byok.providers.http import Sender
from flask_byok.providers.openai import OpenAIProvider
from flask_byok.providers.types import ChatRequest
from flask_byok.providers.types import Message
from flask_byok.secret import Secret

# Loaded where they are used: other benchmarks import this one and measure memory.
if t.TYPE_CHECKING:
    import anthropic
    import openai
    from google import genai

API_KEY = "not-a-real-benchmark-key-0001"
#: A key that the server answers with 401.
REFUSED = "not-a-real-refused-key-0002"
QUESTION = "What is the capital of France? Answer in one word."
HELLO = ChatRequest(messages=(Message(role="user", content=QUESTION),), max_tokens=64)
TEXT = "The capital of France is Paris. " * 8
PIECES = 200
HEADERS = {f"x-filler-{n}": "some value of a usual length" for n in range(12)}

Call = cabc.Callable[[], object]
Stream = cabc.Callable[[], int]


def _claude_answer() -> dict[str, t.Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": TEXT}],
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
                "content": [{"type": "output_text", "text": TEXT, "annotations": []}],
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
    message = {"role": "assistant", "content": TEXT}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 64, "total_tokens": 76},
    }


def _gemini_answer(text: str = TEXT, finish: str | None = "STOP") -> dict[str, t.Any]:
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
    lines += [f"{name}: {value}" for name, value in (HEADERS | extra).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _render_json(body: bytes) -> bytes:
    return _render("application/json", body, {"content-length": str(len(body))})


def _build_replies() -> dict[str, tuple[bytes, bytes]]:
    """Give the bytes for each kind of path, and what comes a little later.

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
    replies: dict[str, tuple[bytes, bytes]] = {}

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


class _Handler(socketserver.BaseRequestHandler):
    replies: t.ClassVar[dict[str, tuple[bytes, bytes]]] = {}

    def handle(self) -> None:
        # Who leaves a stream early cuts the connection.
        with contextlib.suppress(ConnectionError):
            self._answer()

    def _answer(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = b""

        while True:
            while b"\r\n\r\n" not in data:
                piece = self.request.recv(65536)

                if not piece:
                    return

                data += piece

            head, _, data = data.partition(b"\r\n\r\n")
            length = 0

            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])

            while len(data) < length:
                data += self.request.recv(65536)

            body, data = data[:length], data[length:]
            first, rest = self.replies[_choose(head, body)]
            self.request.sendall(first)

            if rest:
                # Else whoever wants the first piece would get them all at once.
                time.sleep(0.002)
                self.request.sendall(rest)


def _choose(head: bytes, body: bytes) -> str:
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


def _serve(ready: multiprocessing.connection.Connection) -> None:
    _Handler.replies = _build_replies()
    socketserver.ThreadingTCPServer.daemon_threads = True

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Handler) as server:
        ready.send(server.server_address[1])
        server.serve_forever()


def build_ours(url: str) -> tuple[dict[str, Call], dict[str, Stream]]:
    """Give one chat and one stream per provider, through one warm sender."""
    sender = Sender(5.0)
    api_key = Secret(API_KEY)
    providers = (
        OpenAIProvider(base_url=f"{url}/v1"),
        ClaudeProvider(base_url=f"{url}/v1"),
        GeminiProvider(base_url=f"{url}/v1beta"),
    )
    calls: dict[str, Call] = {}
    streams: dict[str, Stream] = {}

    for provider in providers:

        def call(provider: t.Any = provider) -> object:
            return provider.chat(
                sender, HELLO, model="m", api_key=api_key, deadline=Deadline(60)
            ).text

        def stream(provider: t.Any = provider) -> int:
            opened = provider.open_stream(
                sender, HELLO, model="m", api_key=api_key, deadline=Deadline(60)
            )
            return sum(1 for chunk in opened if chunk.text)

        calls[provider.id] = call
        streams[provider.id] = stream

    return calls, streams


_PATHS = {
    "OPENAI": ("/v1/responses", "/v1/responses"),
    "CLAUDE": ("/v1/messages", "/v1/messages"),
    "GEMINI": (
        "/v1beta/models/m:generateContent",
        "/v1beta/models/m:streamGenerateContent?alt=sse",
    ),
}


def build_bare(url: str) -> tuple[dict[str, Call], dict[str, Stream]]:
    """Give ``requests`` by hand: a warm session, ``json()``, ``iter_lines``."""
    session = requests.Session()
    headers = {"Authorization": f"Bearer {API_KEY}"}
    body = {"model": "m", "input": QUESTION, "max_output_tokens": 64}
    calls: dict[str, Call] = {}
    streams: dict[str, Stream] = {}

    for name, (path, stream_path) in _PATHS.items():

        def call(path: str = path) -> object:
            return session.post(
                url + path, json=body, headers=headers, timeout=60
            ).json()

        def stream(path: str = stream_path) -> int:
            count = 0

            with session.post(
                url + path,
                json=body | {"stream": True},
                headers=headers,
                timeout=60,
                stream=True,
            ) as answer:
                for line in answer.iter_lines():
                    if line.startswith(b"data: "):
                        count += bool(json.loads(line[6:]))

            return count

        calls[name] = call
        streams[name] = stream

    return calls, streams


def build_official(url: str) -> tuple[dict[str, Call], dict[str, Stream]]:
    """Give the official SDKs, one warm client each."""
    import anthropic
    import openai
    from google import genai
    from google.genai import types as genai_types

    first = openai.OpenAI(base_url=f"{url}/v1", api_key=API_KEY, max_retries=0)
    second = anthropic.Anthropic(base_url=url, api_key=API_KEY, max_retries=0)
    third = genai.Client(
        api_key=API_KEY,
        http_options=genai_types.HttpOptions(base_url=url, api_version="v1beta"),
    )
    return build_asking(first, second, third)


def build_asking(
    first: openai.OpenAI, second: anthropic.Anthropic, third: genai.Client
) -> tuple[dict[str, Call], dict[str, Stream]]:
    """Give one whole call and one whole stream of each of three clients."""
    turns: t.Any = [{"role": "user", "content": QUESTION}]

    def count(events: cabc.Iterable[object]) -> int:
        return sum(1 for _ in events)

    return {
        "OPENAI": lambda: first.responses.create(model="m", input=QUESTION),
        "CLAUDE": lambda: second.messages.create(
            model="m", max_tokens=64, messages=turns
        ),
        "GEMINI": lambda: third.models.generate_content(model="m", contents=QUESTION),
    }, {
        "OPENAI": lambda: count(
            first.responses.create(model="m", input=QUESTION, stream=True)
        ),
        "CLAUDE": lambda: count(
            second.messages.create(
                model="m", max_tokens=64, messages=turns, stream=True
            )
        ),
        "GEMINI": lambda: count(
            third.models.generate_content_stream(model="m", contents=QUESTION)
        ),
    }


def measure(
    clients: cabc.Mapping[str, Call], rounds: int, times: int
) -> dict[str, float]:
    """Give the CPU microseconds of one call of each client, the median of rounds."""
    spent: dict[str, list[float]] = {name: [] for name in clients}
    order = list(clients)

    for call in clients.values():
        call()

    for number in range(rounds):
        shift = number % len(order)

        for name in order[shift:] + order[:shift]:
            call = clients[name]
            started = time.process_time()

            for _ in range(times):
                call()

            spent[name].append((time.process_time() - started) / times * 1e6)

    return {name: statistics.median(values) for name, values in spent.items()}


def report(title: str, results: cabc.Mapping[str, float], per: int = 1) -> None:
    """Print one table row: microseconds, and ratios to bare requests."""
    bare = results["requests"]
    cells = [
        f"{name} {value / per:8.1f} us ({value / bare:.2f})"
        for name, value in results.items()
    ]
    print(f"{title:<16}", " | ".join(cells), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=60, help="per round")
    parser.add_argument("--streams", type=int, default=4, help="per round")
    options = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}"
    built = {
        "flask-byok": build_ours(url),
        "requests": build_bare(url),
        "official SDK": build_official(url),
    }
    print("CPU time of the client, and its ratio to bare requests")

    try:
        for provider in _PATHS:
            calls = {name: made[0][provider] for name, made in built.items()}
            report(f"{provider} call", measure(calls, options.rounds, options.calls))
            streams = {name: made[1][provider] for name, made in built.items()}
            results = measure(streams, options.rounds, options.streams)
            report(f"{provider} chunk", results, PIECES)
    finally:
        server.terminate()
        server.join()

    return 0


if __name__ == "__main__":
    sys.exit(main())
