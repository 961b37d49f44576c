from __future__ import annotations

import collections.abc as cabc
import itertools
import json
import socket
import threading
import typing as t

import pytest

from flask_byok.providers.base import Provider
from flask_byok.providers.deadline import Deadline
from flask_byok.providers.http import Sender
from flask_byok.providers.streams import ProviderStream
from flask_byok.providers.types import AttemptFailed
from flask_byok.providers.types import ChatAnswer
from flask_byok.providers.types import Failure
from flask_byok.secret import Secret

from .conftest import CANARY
from .replay import answer_with
from .replay import build_answer
from .replay import build_chunks
from .replay import build_head
from .replay import load
from .replay import Request
from .replay import Server
from .replay import stream_with
from .test_recordings import facts
from .test_recordings import HELLO
from .test_recordings import PROVIDERS
from .test_recordings import SEGMENT
from .test_recordings import STREAMS

Serve = cabc.Callable[..., Server]


def open_stream(
    kind: str, server: Server, sender: Sender, seconds: float = 10.0
) -> ProviderStream:
    provider: Provider = PROVIDERS[kind]
    base = server.url + SEGMENT[kind.partition("-")[0]]
    return provider.with_base_url(base).open_stream(
        sender,
        HELLO,
        model="asked-1",
        api_key=Secret(CANARY),
        deadline=Deadline(seconds),
    )


def fail_to_open(kind: str, server: Server, sender: Sender) -> Failure:
    with pytest.raises(AttemptFailed) as caught:
        open_stream(kind, server, sender)

    assert caught.value.__context__ is None
    return caught.value.failure


def drain(stream: ProviderStream) -> Failure:
    with pytest.raises(AttemptFailed) as caught:
        for _ in stream:
            pass

    assert caught.value.__context__ is None
    return caught.value.failure


def sse(*events: object) -> bytes:
    """Write events: objects as JSON, texts as they are."""
    return b"".join(
        b"data: %b\n\n" % (e if isinstance(e, str) else json.dumps(e)).encode()
        for e in events
    )


# What each wire sends: something before content, content, more of it, and the end.
PREAMBLE: cabc.Mapping[str, bytes] = {
    "openai": sse({"type": "response.created", "response": {"status": "in_progress"}}),
    "openai-chat": sse({"choices": [{"delta": {"role": "assistant", "content": ""}}]}),
    "anthropic": sse(
        {"type": "message_start", "message": {"usage": {"input_tokens": 3}}},
        {"type": "ping"},
    ),
    "gemini": sse(
        {"candidates": [{"content": {"parts": [{"text": "Hm", "thought": True}]}}]}
    ),
}
CONTENT: cabc.Mapping[str, bytes] = {
    "openai": sse({"type": "response.output_text.delta", "delta": "one"}),
    "openai-chat": sse({"choices": [{"delta": {"content": "one"}}]}),
    "anthropic": sse(
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "one"},
        }
    ),
    "gemini": sse({"candidates": [{"content": {"parts": [{"text": "one"}]}}]}),
}
END: cabc.Mapping[str, bytes] = {
    "openai": sse(
        {
            "type": "response.completed",
            "response": {"status": "completed", "usage": {"output_tokens": 2}},
        }
    ),
    "openai-chat": sse({"choices": [{"delta": {}, "finish_reason": "stop"}]}, "[DONE]"),
    "anthropic": sse(
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 2},
        },
        {"type": "message_stop"},
    ),
    "gemini": sse({"candidates": [{"finishReason": "STOP"}]}),
}
QUOTA = {"message": "You exceeded", "type": "insufficient_quota", "param": None}
ERRORS: cabc.Sequence[tuple[str, bytes, tuple[str, ...], str | None]] = [
    (
        "openai",
        sse({"type": "error", "error": {**QUOTA, "code": "insufficient_quota"}}),
        ("insufficient_quota",),
        "insufficient_quota",
    ),
    (
        "openai",
        sse({"type": "error", "code": "server_error", "message": "no", "param": None}),
        ("server_error",),
        None,
    ),
    (
        "openai",
        sse(
            {
                "type": "response.failed",
                "response": {
                    "status": "failed",
                    "error": {"code": "rate_limit_exceeded", "message": "slow"},
                },
            }
        ),
        ("rate_limit_exceeded",),
        None,
    ),
    ("openai-chat", sse({"error": {**QUOTA, "code": "c"}}), ("c",), QUOTA["type"]),
    (
        "anthropic",
        sse({"type": "error", "error": {"type": "overloaded_error", "message": "O"}}),
        (),
        "overloaded_error",
    ),
    (
        "gemini",
        sse({"error": {"code": 503, "message": "full", "status": "UNAVAILABLE"}}),
        (),
        "UNAVAILABLE",
    ),
    (
        "gemini",
        json.dumps(
            {"error": {"code": 503, "message": "full", "status": "UNAVAILABLE"}},
            indent=2,
        ).encode(),
        (),
        "UNAVAILABLE",
    ),
]


@pytest.mark.parametrize(("kind", "name"), STREAMS)
def test_any_cut_gives_the_same_answer(
    serve: Serve, sender: Sender, kind: str, name: str
) -> None:
    """Pieces of any size, down to single bytes, end in the same chunks and answer."""
    body = load(f"{kind.partition('-')[0]}/{name}").body
    sizes = [len(body), 1, 2, 7, 1000] if len(body) < 9000 else [len(body), 3, 997]
    results: list[tuple[list[object], dict[str, t.Any]]] = []

    for size in sizes:
        pieces = [body[i : i + size] for i in range(0, len(body), size)]
        stream = open_stream(kind, serve(stream_with(pieces)), sender)
        chunks = [
            (c.text, c.tool_call.arguments if c.tool_call else None) for c in stream
        ]
        results.append((list(chunks), {**facts(stream.answer), "tool_calls": None}))

    assert all(result == results[0] for result in results)


@pytest.mark.parametrize("kind", PROVIDERS)
def test_an_end_without_its_mark_is_never_clean(
    serve: Serve, sender: Sender, kind: str
) -> None:
    """Wherever a stream ends too early, it fails: before content, or after it."""
    before, content, end = PREAMBLE[kind], CONTENT[kind], END[kind]
    whole = before + content + end
    # The last blank line belongs to the end mark.
    places = [*range(0, len(whole), 9), len(whole) - 1]

    for place in places:
        for closes_well in (True, False):
            server = serve(stream_with([whole[:place]], ends=closes_well))

            if place < len(before + content):
                failure = fail_to_open(kind, server, sender)
                assert not failure.committed
            else:
                stream = open_stream(kind, server, sender)
                failure = drain(stream)
                assert stream.text == "one"
                assert failure.committed

            assert failure.kind == "interrupted"
            server.close()


@pytest.mark.parametrize("kind", PROVIDERS)
def test_nothing_is_handed_on_before_content(
    serve: Serve, sender: Sender, kind: str
) -> None:
    """The stream opens with the first content and not before, then flows."""
    goes_on = threading.Event()
    pieces = [list(build_chunks([part])) for part in (PREAMBLE[kind], CONTENT[kind])]

    def behave(conn: socket.socket, request: Request) -> None:
        conn.sendall(build_head(200, {"transfer-encoding": "chunked"}))
        conn.sendall(pieces[0][0] + pieces[1][0])
        goes_on.wait(5)
        conn.sendall(b"".join(build_chunks([CONTENT[kind] + END[kind]])))

    stream = open_stream(kind, serve(behave), sender)
    assert next(stream).text == "one"
    goes_on.set()
    assert [chunk.text for chunk in stream] == ["one"]
    assert stream.answer.text == stream.text == "oneone"
    assert stream.answer.finish_reason == "stop"


def test_silence_before_content_ends_at_the_deadline(
    serve: Serve, sender: Sender
) -> None:
    """Thinking without end, pings included, is a timeout and not committed."""
    stopped = threading.Event()

    def behave(conn: socket.socket, request: Request) -> None:
        conn.sendall(build_head(200, {"transfer-encoding": "chunked"}))

        while not stopped.wait(0.05):
            conn.sendall(b"".join(list(build_chunks([PREAMBLE["anthropic"]]))[:-1]))

    with pytest.raises(AttemptFailed) as caught:
        open_stream("anthropic", serve(behave), sender, seconds=0.4)

    stopped.set()
    assert caught.value.failure.kind == "timeout"
    assert not caught.value.failure.committed


#: Shapes of vendors and of other framings, which nobody combines with each other.
RARE_ERRORS = [
    ("openai-chat", sse({"error": "No credit left", "code": 402}), ("402",), None),
    (
        "gemini",
        b'[{"error": {"code": 503, "message": "full", "status": "UNAVAILABLE"}}]\n',
        (),
        "UNAVAILABLE",
    ),
]


@pytest.mark.parametrize(("kind", "error", "reasons", "word"), [*ERRORS, *RARE_ERRORS])
def test_an_error_in_a_good_stream_is_read(
    serve: Serve,
    sender: Sender,
    kind: str,
    error: bytes,
    reasons: tuple[str, ...],
    word: str | None,
) -> None:
    """Whether before or after content, the facts of the error are there."""
    server = serve(stream_with([PREAMBLE[kind], error], {"x-request-id": "req_1"}))
    failure = fail_to_open(kind, server, sender)

    assert (failure.kind, failure.status, failure.committed) == ("answer", 200, False)
    assert (failure.reasons, failure.type) == (reasons, word)
    assert failure.text
    assert failure.request_id == "req_1"

    stream = open_stream(kind, serve(stream_with([CONTENT[kind] + error])), sender)
    assert next(stream).text == "one"
    failure = drain(stream)
    assert (failure.reasons, failure.committed) == (reasons, True)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(first, second, id=f"{first[0]}-{number}")
        for number, (first, second) in enumerate(itertools.permutations(ERRORS, 2))
        if first[0] == second[0]
    ],
)
def test_of_two_errors_in_a_stream_the_first_counts(
    serve: Serve,
    sender: Sender,
    first: tuple[str, bytes, tuple[str, ...], str | None],
    second: tuple[str, bytes, tuple[str, ...], str | None],
) -> None:
    """In whatever two shapes they come, and the end mark behind them is no answer."""
    kind, error, reasons, word = first
    both = error + b"\n" + second[1] + END[kind]

    failure = fail_to_open(kind, serve(stream_with([PREAMBLE[kind] + both])), sender)
    assert (failure.reasons, failure.type) == (reasons, word)

    stream = open_stream(kind, serve(stream_with([CONTENT[kind] + both])), sender)
    assert next(stream).text == "one"
    failure = drain(stream)
    assert (failure.reasons, failure.committed) == (reasons, True)
    assert stream.text == "one"


@pytest.mark.parametrize("kind", PROVIDERS)
def test_a_refused_stream_is_read_as_any_error(
    serve: Serve, sender: Sender, kind: str
) -> None:
    """Before the stream the error is plain JSON with its own status."""
    body = json.dumps([{"error": {"message": "No", "code": 429, "status": "X"}}])
    server = serve(answer_with(429, body.encode(), {"retry-after": "7"}))

    failure = fail_to_open(kind, server, sender)

    assert (failure.kind, failure.status, failure.text) == ("answer", 429, "no")
    assert failure.headers["retry-after"] == "7"


@pytest.mark.parametrize("kind", PROVIDERS)
def test_a_page_or_nothing_is_no_stream(
    serve: Serve, sender: Sender, kind: str
) -> None:
    """A 200 with HTML, with nothing, or with plain JSON never opens."""
    page = serve(answer_with(200, b"<!DOCTYPE html>\n<title>Hi</title>\n"))
    empty = serve(answer_with(200, b""))
    broken = serve(stream_with([b"data: {cut\n\n"]))

    failure = fail_to_open(kind, page, sender)
    assert (failure.kind, failure.is_html) == ("unreadable_answer", True)
    assert fail_to_open(kind, empty, sender).kind == "interrupted"
    assert fail_to_open(kind, broken, sender).kind in ("interrupted",)


def test_a_clean_end_without_content_is_an_answer(serve: Serve, sender: Sender) -> None:
    """A refusal without a word, or a cap eaten by thinking, opens and ends."""
    recording = load("anthropic/stream_refusal_payloads")
    stream = open_stream("anthropic", serve(stream_with([recording.body])), sender)

    assert list(stream) == []
    assert stream.answer.finish_reason == "content_filter"
    assert stream.usage.output_tokens == 5


def test_closing_early_cuts_the_connection(serve: Serve, sender: Sender) -> None:
    """A consumer who leaves does not make the provider go on."""
    noticed = threading.Event()

    def behave(conn: socket.socket, request: Request) -> bool:
        conn.sendall(build_head(200, {"transfer-encoding": "chunked"}))
        first = b"".join(list(build_chunks([CONTENT["openai"]]))[:-1])
        conn.sendall(first)
        conn.settimeout(5)

        if conn.recv(1) == b"":
            noticed.set()

        return True

    stream = open_stream("openai", serve(behave), sender)
    next(stream)
    stream.close()

    assert noticed.wait(5)
    assert list(stream) == []
    assert stream.text == "one"


def test_a_finished_stream_leaves_the_connection_for_the_next(
    serve: Serve, sender: Sender
) -> None:
    """Streams and calls share kept connections."""
    server = serve(stream_with([PREAMBLE["openai"], CONTENT["openai"], END["openai"]]))

    for _ in range(3):
        assert [chunk.text for chunk in open_stream("openai", server, sender)] == [
            "one"
        ]

    assert server.connections == 1


def test_tool_calls_arrive_in_pieces(serve: Serve, sender: Sender) -> None:
    """Id and name come with the first piece of each call, the rest by index."""
    body = sse(
        {"choices": [{"delta": {"tool_calls": [_fragment(0, "a", "f", "")]}}]},
        {"choices": [{"delta": {"tool_calls": [_fragment(0, None, None, '{"x"')]}}]},
        {
            "choices": [
                {
                    "delta": {
                        "tool_calls": [
                            _fragment(0, None, None, ":1}"),
                            _fragment(1, "b", "g", "no json"),
                        ]
                    }
                }
            ]
        },
        {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
        "[DONE]",
    )
    stream = open_stream("openai-chat", serve(stream_with([body])), sender)
    deltas = [chunk.tool_call for chunk in stream if chunk.tool_call]
    answer: ChatAnswer = stream.answer

    assert [(d.index, d.id, d.name, d.arguments) for d in deltas] == [
        (0, "a", "f", ""),
        (0, None, None, '{"x"'),
        (0, None, None, ":1}"),
        (1, "b", "g", "no json"),
    ]
    assert [dict(call.arguments) for call in answer.tool_calls] == [{"x": 1}, {}]
    assert answer.tool_calls[1].provider_state == {"raw_arguments": "no json"}
    assert answer.finish_reason == "tool_calls"


def _fragment(
    index: int, call_id: str | None, name: str | None, arguments: str
) -> dict[str, t.Any]:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"index": index, "function": function} | ({"id": call_id} if call_id else {})


def test_usage_is_known_as_soon_as_it_was_said(serve: Serve, sender: Sender) -> None:
    """An interrupted stream still tells the usage it stated."""
    body = PREAMBLE["anthropic"] + CONTENT["anthropic"]
    stream = open_stream("anthropic", serve(stream_with([body])), sender)

    drain(stream)
    assert stream.usage.input_tokens == 3
    assert stream.answer.text == "one"


def test_a_finish_reason_stands_once_it_was_told(serve: Serve, sender: Sender) -> None:
    """CLAUDE may change a message several times: a later count takes nothing back."""
    told = {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}}
    counted = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 9}}
    end = sse(told, counted, {"type": "message_stop"})
    body = PREAMBLE["anthropic"] + CONTENT["anthropic"] + end
    stream = open_stream("anthropic", serve(stream_with([body])), sender)

    assert [chunk.text for chunk in stream] == ["one"]
    assert stream.answer.finish_reason == "length"
    assert stream.usage.output_tokens == 9


def test_a_plain_answer_is_no_stream(serve: Serve, sender: Sender) -> None:
    """A server that ignores the wish to stream gives no half answer."""

    def behave(conn: socket.socket, request: Request) -> None:
        conn.sendall(build_answer(200, b'{"choices": []}'))

    failure = fail_to_open("openai-chat", serve(behave), sender)
    assert failure.kind == "unreadable_answer"


def flow(
    parts: cabc.Sequence[bytes], every: float, last: bytes
) -> cabc.Callable[[socket.socket, Request], None]:
    """Send the parts one by one, with a pause before each, and then the last."""

    def behave(conn: socket.socket, request: Request) -> None:
        pause = threading.Event()
        conn.sendall(build_head(200, {"transfer-encoding": "chunked"}))

        for part in parts:
            pause.wait(every)
            conn.sendall(b"%x\r\n%b\r\n" % (len(part), part))

        conn.sendall(b"".join(build_chunks([last])))

    return behave


@pytest.mark.parametrize("sign", [CONTENT["openai"], b": still here\n\n"])
def test_every_sign_of_life_starts_the_gap_anew(
    serve: Serve, sender: Sender, monkeypatch: pytest.MonkeyPatch, sign: bytes
) -> None:
    """Events and comments may go on for longer than a gap, in all."""
    monkeypatch.setattr("flask_byok.providers.streams.GAP_LIMIT", 0.4)
    parts = [CONTENT["openai"], *[sign] * 6]
    server = serve(flow(parts, 0.1, CONTENT["openai"] + END["openai"]))

    stream = open_stream("openai", server, sender)
    list(stream)

    assert stream.answer.finish_reason == "stop"


def test_bytes_without_an_event_are_silence(
    serve: Serve, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first content, a line that never ends is cut by the gap."""
    monkeypatch.setattr("flask_byok.providers.streams.GAP_LIMIT", 0.3)
    server = serve(flow([CONTENT["openai"], *[b"x"] * 30], 0.05, END["openai"]))

    failure = drain(open_stream("openai", server, sender))

    assert (failure.kind, failure.committed) == ("timeout", True)


def test_a_stream_has_a_limit_in_all(
    serve: Serve, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However lively, its waiting adds up to so much and no more."""
    monkeypatch.setattr("flask_byok.providers.streams.STREAM_LIMIT", 0.3)
    server = serve(flow([CONTENT["openai"]] * 30, 0.05, END["openai"]))

    failure = drain(open_stream("openai", server, sender))

    assert (failure.kind, failure.committed) == ("timeout", True)
