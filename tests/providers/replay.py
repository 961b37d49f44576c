"""Tiny servers on loopback that do exactly what a test says, byte by byte."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import http
import json
import pathlib
import socket
import ssl
import threading
import typing as t

import pytest

FIXTURES = pathlib.Path(__file__).parents[3] / "shared" / "fixtures"


@dataclasses.dataclass
class Request:
    """What a client sent; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> t.Any:
        return json.loads(self.body)


Behaviour = cabc.Callable[[socket.socket, Request], object]


class Server:
    """Accept connections and answer each request as ``behave`` says.

    A truthy result of ``behave`` closes the connection.
    """

    def __init__(self, behave: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self.behave = behave
        self.requests: list[Request] = []
        self.connections = 0
        self.stopped = threading.Event()
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=50)
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self.port: int = self._socket.getsockname()[1]
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._start(self._accept)

    def _start(self, run: cabc.Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=run, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.stopped.is_set():
            try:
                conn, _ = self._socket.accept()
            except OSError:
                return

            self.connections += 1
            self._open.add(conn)
            self._start(self._serve, conn)

    def _serve(self, conn: socket.socket) -> None:
        plain = conn

        try:
            if self._tls is not None:
                conn = self._tls.wrap_socket(conn, server_side=True)

            while (request := read_request(conn)) is not None:
                self.requests.append(request)

                if self.behave(conn, request):
                    break
        except OSError:
            pass
        finally:
            self._open.discard(plain)

            with contextlib.suppress(OSError):
                conn.close()

    def close(self) -> None:
        self.stopped.set()

        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

        self._socket.close()

        for conn in list(self._open):
            with contextlib.suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)

        for thread in self._threads:
            thread.join(5)


def read_request(conn: socket.socket) -> Request | None:
    data = b""

    while b"\r\n\r\n" not in data:
        piece = conn.recv(65536)

        if not piece:
            return None

        data += piece

    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }

    while len(body) < int(headers.get("content-length", 0)):
        body += conn.recv(65536)

    method, path, _ = first.split(" ", 2)
    return Request(method, path, headers, body)


def build_head(status: int, headers: cabc.Mapping[str, str]) -> bytes:
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "Other"

    lines = [f"HTTP/1.1 {status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def build_answer(
    status: int = 200,
    body: bytes = b"{}",
    headers: cabc.Mapping[str, str] | None = None,
) -> bytes:
    """Give a whole answer with its length."""
    named = {"content-type": "application/json", **(headers or {})}
    named.setdefault("content-length", str(len(body)))
    return build_head(status, named) + body


def build_chunks(pieces: cabc.Iterable[bytes]) -> cabc.Iterator[bytes]:
    """Give a body in the chunked coding, its end included."""
    for piece in pieces:
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece)

    yield b"0\r\n\r\n"


def answer_with(
    status: int = 200,
    body: bytes = b"{}",
    headers: cabc.Mapping[str, str] | None = None,
) -> Behaviour:
    """Give a behaviour that always sends this answer and keeps the connection."""
    whole = build_answer(status, body, headers)

    def behave(conn: socket.socket, request: Request) -> None:
        conn.sendall(whole)

    return behave


def stream_with(
    pieces: cabc.Sequence[bytes],
    headers: cabc.Mapping[str, str] | None = None,
    *,
    ends: bool = True,
) -> Behaviour:
    """Give a behaviour that streams these pieces, each in a chunk of its own.

    :param ends: with the last chunk; else the connection just closes.
    """
    named = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
    head = build_head(200, {**named, **(headers or {})})

    def behave(conn: socket.socket, request: Request) -> bool:
        conn.sendall(head)
        chunks = list(build_chunks(pieces))
        conn.sendall(b"".join(chunks if ends else chunks[:-1]))
        return not ends

    return behave


@dataclasses.dataclass
class Recording:
    """One recorded exchange."""

    name: str
    request: dict[str, t.Any]
    status: int
    headers: dict[str, str]
    body: bytes

    def behave(self) -> Behaviour:
        """Give a behaviour that replays it, with the headers that still hold."""
        dropped = ("content-encoding", "content-length", "transfer-encoding")
        dropped += ("connection", "date")
        kept = {k: v for k, v in self.headers.items() if k not in dropped}
        kept = {k: v for k, v in kept.items() if "\n" not in v and v.isascii()}
        return answer_with(self.status, self.body, kept)


def load(name: str) -> Recording:
    """Load a recording, or skip where the recordings are not at hand."""
    path = FIXTURES / f"{name}.json"

    if not path.exists():
        pytest.skip("The recorded exchanges (../shared/fixtures) are not here.")

    document = json.loads(path.read_text("utf-8"))
    response = document["response"]
    body = response.get("sse_text", response.get("text"))

    if body is None:
        body = json.dumps(response["json"])

    return Recording(
        name=name,
        request=document.get("request") or {},
        status=response["status"],
        headers=response.get("headers") or {},
        body=body.encode("utf-8"),
    )
