"""What a provider that means harm sends, byte by byte, and how each must end.

Each attack is a behaviour of :class:`tests.providers.replay.Server`. Those that never
end are cut by the deadline; all others end by themselves, and none needs more memory
than a cap allows.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import gzip
import json
import socket
import threading
import typing as t
import zlib

from tests.hostile import shapes
from tests.providers.replay import Behaviour
from tests.providers.replay import build_answer
from tests.providers.replay import build_head
from tests.providers.replay import Request

MIB: t.Final = 1024 * 1024

#: How a failed attempt may end where the wire is nonsense.
NONSENSE: t.Final = frozenset({"unreadable_answer", "interrupted"})
TOO_LARGE: t.Final = frozenset({"too_large"})
TIMEOUT: t.Final = frozenset({"timeout"})

_JSON: t.Final = {"content-type": "application/json"}
_SSE: t.Final = {"content-type": "text/event-stream"}
_CHUNKED: t.Final = {"transfer-encoding": "chunked"}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Attack:
    """One thing a hostile server does.

    :param ends: the kinds of failure it may come to.
    :param endless: only the deadline ends it.
    """

    behave: Behaviour
    ends: cabc.Set[str]
    endless: bool = False


def send(*pieces: bytes) -> Behaviour:
    """Send these bytes and close."""

    def behave(conn: socket.socket, request: Request) -> bool:
        conn.sendall(b"".join(pieces))
        return True

    return behave


def send_for_ever(first: bytes, block: bytes) -> Behaviour:
    """Send a beginning, then the same block as long as anybody takes it."""

    def behave(conn: socket.socket, request: Request) -> bool:
        conn.sendall(first)

        with contextlib.suppress(OSError):
            while True:
                conn.sendall(block)

        return True

    return behave


def drip(first: bytes, data: bytes = b"x") -> Behaviour:
    """Send a beginning, then a byte every tenth of a second."""

    def behave(conn: socket.socket, request: Request) -> bool:
        conn.sendall(first)
        pause = threading.Event()

        with contextlib.suppress(OSError):
            while not pause.wait(0.1):
                conn.sendall(data)

        return True

    return behave


def _body(data: bytes, status: int = 200, **headers: str) -> Behaviour:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return send(build_answer(status, data, {**_JSON, **named}))


def _head(headers: cabc.Mapping[str, str], status: int = 200) -> bytes:
    return build_head(status, {**_JSON, **headers})


def _attack(behave: Behaviour, ends: cabc.Set[str], endless: bool = False) -> Attack:
    return Attack(behave=behave, ends=ends, endless=endless)


def _block(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _zip(data: bytes) -> bytes:
    return gzip.compress(data, 1)


def _wide(entry: bytes, size: int = 31 * MIB) -> bytes:
    """Give one JSON list with as many small entries as fit under the cap."""
    return b"[" + (entry + b",") * (size // (len(entry) + 1)) + entry + b"]"


#: A stored block of nothing: five bytes that unpack to none.
_NOTHING: t.Final = b"\x00\x00\x00\xff\xff"
_TWO_LENGTHS: t.Final = (
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 40\r\n\r\n{}"
)
_BOTH: t.Final = (
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"
    b"transfer-encoding: chunked\r\n\r\n40\r\n{}\r\n0\r\n\r\n"
)

#: Whole answers and their heads: for every kind of request.
ATTACKS: t.Final[cabc.Mapping[str, cabc.Callable[[], Attack]]] = {
    "drip": lambda: _attack(drip(_head({"content-length": "999"})), TIMEOUT, True),
    "drip in the status": lambda: _attack(drip(b"HTTP/1.1 200 "), TIMEOUT, True),
    "endless 100": lambda: _attack(
        send_for_ever(b"", b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" * 500),
        TIMEOUT,
        True,
    ),
    "103 and nothing": lambda: _attack(
        send(b"HTTP/1.1 103 Early Hints\r\n\r\n"), NONSENSE
    ),
    "gzip bomb": lambda: _attack(
        _body(_zip(b" " * 64 * MIB), content_encoding="gzip"), TOO_LARGE
    ),
    "deflate bomb": lambda: _attack(
        _body(zlib.compress(b" " * 64 * MIB), content_encoding="deflate"), TOO_LARGE
    ),
    "bomb in a bomb": lambda: _attack(
        _body(_zip(_zip(b" " * 64 * MIB)), content_encoding="gzip, gzip"), NONSENSE
    ),
    "bomb as an error": lambda: _attack(
        _body(_zip(b" " * 64 * MIB), 500, content_encoding="gzip"), {"answer"}
    ),
    "encodings nobody knows": lambda: _attack(
        _body(b"{}", content_encoding="br, zstd"), NONSENSE
    ),
    "bytes behind the gzip": lambda: _attack(
        send_for_ever(_head({"content-encoding": "gzip"}) + _zip(b"{}"), b"x" * 65536),
        TOO_LARGE | NONSENSE,
    ),
    "gzip of nothing, for ever": lambda: _attack(
        send_for_ever(
            _head({"content-encoding": "gzip"}) + _zip(b"")[:10], _NOTHING * 13_000
        ),
        TOO_LARGE | TIMEOUT,
    ),
    "endless body": lambda: _attack(send_for_ever(_head({}), b" " * 65536), TOO_LARGE),
    "huge header": lambda: _attack(
        send(b"HTTP/1.1 200 OK\r\nX: ", b"a" * 70_000, b"\r\n\r\n{}"), TOO_LARGE
    ),
    "headers of six megabytes": lambda: _attack(
        send(b"HTTP/1.1 500 No\r\n", (b"X: " + b"a" * 60_000 + b"\r\n") * 98, b"\r\n"),
        {"answer"},
    ),
    "many headers": lambda: _attack(
        send(b"HTTP/1.1 200 OK\r\n", b"X: a\r\n" * 300, b"\r\n{}"), NONSENSE
    ),
    "endless header": lambda: _attack(
        send_for_ever(b"HTTP/1.1 200 OK\r\nX: ", b"a" * 65536), TOO_LARGE
    ),
    "shorter than said": lambda: _attack(
        send(_head({"content-length": "100"}), b"{"), NONSENSE
    ),
    "longer than said": lambda: _attack(
        send(_head({"content-length": "2"}), b"[]", b"[]" * MIB), NONSENSE
    ),
    "two lengths": lambda: _attack(send(_TWO_LENGTHS), NONSENSE),
    "length and chunks": lambda: _attack(send(_BOTH), NONSENSE),
    "negative length": lambda: _attack(
        send(_head({"content-length": "-5"}), b"[]"), NONSENSE
    ),
    "length of letters": lambda: _attack(
        send(_head({"content-length": "many"}), b"[]"), NONSENSE
    ),
    "length beyond all": lambda: _attack(
        send(_head({"content-length": "9" * 40}), b"[]"), NONSENSE
    ),
    "chunk of letters": lambda: _attack(
        send(_head(_CHUNKED), b"zz\r\n{}\r\n0\r\n\r\n"), NONSENSE
    ),
    "negative chunk": lambda: _attack(
        send(_head(_CHUNKED), b"-2\r\n{}\r\n0\r\n\r\n"), NONSENSE
    ),
    "chunk beyond all": lambda: _attack(
        send(_head(_CHUNKED), b"f" * 15 + b"\r\n[]"), NONSENSE
    ),
    "endless chunk extensions": lambda: _attack(
        send_for_ever(_head(_CHUNKED), b"1;" + b"e" * 30_000 + b"\r\n \r\n"),
        TOO_LARGE,
    ),
    "endless trailers": lambda: _attack(
        send_for_ever(_head(_CHUNKED) + b"2\r\n[]\r\n0\r\n", b"X: y\r\n" * 10_000),
        TOO_LARGE,
    ),
    "page": lambda: _attack(_body(b"<!DOCTYPE html><p>Hi"), NONSENSE),
    "deep JSON": lambda: _attack(_body(b"[" * 500_000), NONSENSE),
    "deep JSON of objects": lambda: _attack(_body(b'{"a":' * 200_000), NONSENSE),
    "JSON of many lists": lambda: _attack(_body(_wide(b"[]")), NONSENSE | TOO_LARGE),
    "JSON of many objects": lambda: _attack(
        _body(_wide(b'{"a":1}')), NONSENSE | TOO_LARGE
    ),
    "JSON of many texts": lambda: _attack(_body(_wide(b'"ab"')), NONSENSE | TOO_LARGE),
    "JSON of many numbers": lambda: _attack(_body(_wide(b"300")), NONSENSE | TOO_LARGE),
    "JSON as dense as is taken": lambda: _attack(
        _body(_wide(b'"ab"', 17 * MIB)[:-1] + b"," + _wide(b'{"a":1}', 3 * MIB) + b"]"),
        NONSENSE,
    ),
    "number of a million digits": lambda: _attack(_body(b"9" * MIB), NONSENSE),
    "not a number": lambda: _attack(_body(b'{"a": NaN, "b": Infinity}'), NONSENSE),
    "bad UTF-8": lambda: _attack(_body(b'{"a": "\xff\xfe"}'), NONSENSE),
    "half a character": lambda: _attack(_body(b'"\\ud800"'), NONSENSE),
}


def _stream(first: bytes, block: bytes) -> Behaviour:
    head = build_head(200, {**_SSE, **_CHUNKED})
    start = _block(first) if first else b""
    return send_for_ever(head + start, _block(block))


def _event(value: t.Any) -> bytes:
    return b"data: %b\n\n" % json.dumps({**value, "padding": "x" * 4000}).encode()


#: Before its first content, what a stream of each wire may say for ever.
PREAMBLES: t.Final[cabc.Mapping[str, bytes]] = {
    "claude": _event({"type": "ping"}),
    "gemini": _event({"candidates": [{"content": {"parts": []}}]}),
    "openai": _event({"type": "response.in_progress"}),
    "openai-chat": _event({"choices": [{"delta": {"role": "assistant"}}]}),
}

#: One piece of content of each wire.
CONTENTS: t.Final[cabc.Mapping[str, bytes]] = {
    "claude": _event(
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "one"},
        }
    ),
    "gemini": _event({"candidates": [{"content": {"parts": [{"text": "one"}]}}]}),
    "openai": _event({"type": "response.output_text.delta", "delta": "one"}),
    "openai-chat": _event({"choices": [{"delta": {"content": "one"}}]}),
}

#: Thinking, which is held back, of the wire that keeps it.
_THINKING: t.Final = _event(
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "thinking", "thinking": ""},
    }
)
_THOUGHT: t.Final = _event(
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "thinking_delta", "thinking": "hm " * 300},
    }
)


def stream_attacks(kind: str) -> dict[str, cabc.Callable[[], Attack]]:
    """Give what a stream of this wire may do, before its content or behind some."""
    attacks: dict[str, cabc.Callable[[], Attack]] = {}

    for where, first in (("", b""), (", later", CONTENTS[kind])):
        attacks |= {
            f"endless line{where}": lambda first=first: _attack(
                _stream(first, b"x" * 65536), TOO_LARGE
            ),
            f"endless data{where}": lambda first=first: _attack(
                _stream(first, b"data: xx\n" * 7000), TOO_LARGE | TIMEOUT
            ),
            f"endless comments{where}": lambda first=first: _attack(
                _stream(first, b": still here\n" * 5000), TOO_LARGE | TIMEOUT
            ),
            f"endless text{where}": lambda first=first: _attack(
                _stream(first, b"no field\n" * 7000), TOO_LARGE
            ),
            f"endless preamble{where}": lambda first=first: _attack(
                _stream(first, PREAMBLES[kind] * 16), TOO_LARGE | TIMEOUT
            ),
            f"event of many parts{where}": lambda first=first: _attack(
                _stream(first, b"data: " + _wide(b'{"a":1}', 7 * MIB) + b"\n\n"),
                TOO_LARGE | NONSENSE,
            ),
            f"gzip of nothing in it{where}": lambda first=first: _attack(
                send_for_ever(
                    build_head(200, {**_SSE, "content-encoding": "gzip"})
                    + _zip(b"")[:10]
                    + _stored(first),
                    _NOTHING * 13_000,
                ),
                TOO_LARGE | TIMEOUT,
            ),
            f"endless extensions in it{where}": lambda first=first: _attack(
                send_for_ever(
                    build_head(200, {**_SSE, **_CHUNKED}) + _block(first or b"\n"),
                    b"1;" + b"e" * 30_000 + b"\r\n\n\r\n",
                ),
                TOO_LARGE,
            ),
        }

    if kind == "claude":
        attacks["endless thinking"] = lambda: _attack(
            _stream(_THINKING, _THOUGHT * 16), TOO_LARGE | TIMEOUT
        )

    attacks["endless content"] = lambda: _attack(
        _stream(CONTENTS[kind], CONTENTS[kind] * 16), TOO_LARGE
    )
    attacks["endless bytes behind the end"] = lambda: _attack(
        _stream(_whole_stream(kind), b"x" * 65536), TOO_LARGE | {"an answer"}
    )
    return attacks


def _stored(data: bytes) -> bytes:
    """Give bytes as a stored block of deflate."""
    size = len(data)
    return (
        b"\x00"
        + size.to_bytes(2, "little")
        + (size ^ 0xFFFF).to_bytes(2, "little")
        + data
    )


def _whole_stream(kind: str) -> bytes:
    return b"".join(
        _event(e) if e != "[DONE]" else b"data: [DONE]\n\n"
        for e in shapes.STREAMS[kind]
    )
