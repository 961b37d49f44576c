"""The provider that is asked: one process, cheap, and the same for every client.

It answers in prepared bytes, on each of the three wires. A key steers it: one is
refused, with one a stream comes piece by piece as a model would send it.
"""

from __future__ import annotations

import asyncio
import collections.abc as cabc
import contextlib
import multiprocessing
import multiprocessing.connection
import typing as t

from .replies import build_replies
from .replies import choose
from .replies import PACED
from .replies import Reply

_NOT_FOUND: t.Final = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


class Pace(t.NamedTuple):
    """How a paced stream comes: so many pieces, so many seconds apart."""

    pieces: int
    gap: float

    @property
    def seconds(self) -> float:
        """How long such a stream takes."""
        return self.pieces * self.gap


_NO_PACE: t.Final = Pace(0, 0.0)


class _Connection(asyncio.Protocol):
    """One connection; requests come one after the other."""

    replies: t.ClassVar[dict[str, Reply]] = {}
    pieces: t.ClassVar[dict[str, tuple[bytes, bytes, bytes]]] = {}
    pace: t.ClassVar[Pace] = _NO_PACE

    def connection_made(self, transport: t.Any) -> None:
        self._transport = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, rest = self._data.partition(b"\r\n\r\n")

        if end and len(rest) >= (length := read_length(head)):
            self._data = rest[length:]
            self._answer(head, rest[:length])

    def _answer(self, head: bytes, body: bytes) -> None:
        name = choose(head, body)

        if PACED.encode() in head and name in self.pieces:
            self._begin(*self.pieces[name])
            return

        # The proxy asks for lists, too, and goes on without.
        first, rest = self.replies.get(name, (_NOT_FOUND, b""))
        self._transport.write(first)

        if rest:
            # Else whoever wants the first piece would get them all at once.
            loop = asyncio.get_running_loop()
            loop.call_later(0.002, self._transport.write, rest)

    def _begin(self, head: bytes, piece: bytes, end: bytes) -> None:
        loop = asyncio.get_running_loop()
        began, pace = loop.time(), self.pace
        self._transport.write(head)

        def send(number: int) -> None:
            if self._transport.is_closing():
                return

            is_last = number == pace.pieces
            self._transport.write(piece + end if is_last else piece)

            if not is_last:
                # By the clock of the whole stream: a late piece delays no other.
                loop.call_at(began + (number + 1) * pace.gap, send, number + 1)

        loop.call_at(began + pace.gap, send, 1)


def read_length(head: bytes) -> int:
    """Give the bytes of the body behind a request's or an answer's head."""
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


def _split(reply: Reply) -> tuple[bytes, bytes, bytes]:
    """Take a prepared stream apart: up to its first piece, a piece, behind the last."""
    head, end, body = b"".join(reply).partition(b"\r\n\r\n")
    chunks = body.split(b"\r\n0\r\n\r\n")[0]
    found: list[bytes] = []

    while chunks:
        size, _, rest = chunks.partition(b"\r\n")
        length = int(size, 16)
        found.append(size + b"\r\n" + rest[:length] + b"\r\n")
        chunks = rest[length + 2 :]

    piece = max(set(found), key=found.count)
    at = found.index(piece)
    last = len(found) - found[::-1].index(piece)
    return (
        head + end + b"".join(found[:at]),
        piece,
        b"".join(found[last:]) + b"0\r\n\r\n",
    )


def _serve(ready: multiprocessing.connection.Connection, pace: Pace) -> None:
    replies = build_replies()
    _Connection.replies = replies
    _Connection.pace = pace
    _Connection.pieces = {
        name: _split(reply)
        for name, reply in replies.items()
        if name.endswith("-stream")
    }
    asyncio.run(_run(ready))


async def _run(ready: multiprocessing.connection.Connection) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=4096)
    ready.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


@contextlib.contextmanager
def answering(pace: Pace = _NO_PACE) -> cabc.Iterator[str]:
    """Run the provider in a process of its own; give its address."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=_serve, args=(theirs, pace), daemon=True)
    server.start()

    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        server.terminate()
        server.join()
