"""Asks a server over and over, or for many streams at once."""

from __future__ import annotations

import asyncio
import time
import typing as t

from shared.provider import read_length


class _Caller(asyncio.Protocol):
    """Asks again as soon as it has its answer."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._data = b""
        self.answers = 0
        self.failed = False
        self.warm: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: t.Any) -> None:
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")

        if end and len(body) >= read_length(head):
            self._data = b""
            self.failed |= not head.startswith(b"HTTP/1.1 200")
            self.answers += 1

            if not self.warm.done():
                self.warm.set_result(None)

            self._transport.write(self._request)

    def connection_lost(self, error: Exception | None) -> None:
        self.failed |= self.answers == 0


class _Reader(asyncio.Protocol):
    """Opens one stream and notes when it has come whole."""

    def __init__(self, request: bytes, pieces: int) -> None:
        self._request = request
        self._left = pieces
        self._tail = b""
        self.ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: t.Any) -> None:
        self._began = time.perf_counter()
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        seen = self._tail + data
        self._left -= seen.count(b"data: ")
        # So much cannot hold the words once more.
        self._tail = seen[-5:]

        if self._left <= 0 and not self.ended.done():
            self.ended.set_result(time.perf_counter() - self._began)


def _write(port: int, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode()


def call_for(port: int, seconds: float, connections: int) -> float:
    """Give the answers per second to so many callers.

    :raises RuntimeError: when one of them was no good answer.
    """
    return asyncio.run(_call_for(port, seconds, connections))


async def _call_for(port: int, seconds: float, connections: int) -> float:
    loop, request = asyncio.get_running_loop(), _write(port, "/call")
    made = [
        await loop.create_connection(lambda: _Caller(request), "127.0.0.1", port)
        for _ in range(connections)
    ]
    callers = [caller for _, caller in made]
    # A first call makes connections and more.
    await asyncio.wait_for(asyncio.gather(*(one.warm for one in callers)), 60)
    before, began = sum(caller.answers for caller in callers), time.perf_counter()
    answers, took = 0, 0.0

    # A slow server is given the time for so many answers that they say something.
    while took < seconds or (answers < connections and took < 60):
        await asyncio.sleep(seconds / 10)
        answers = sum(caller.answers for caller in callers) - before
        took = time.perf_counter() - began

    if not answers or any(caller.failed for caller in callers):
        raise RuntimeError("A server under load refused a call, or did not answer.")

    for transport, _ in made:
        transport.abort()

    return answers / took


def stream_from(port: int, number: int, pieces: int, limit: float) -> int:
    """Open so many streams at once; give how many came whole within the limit."""
    return asyncio.run(_stream_from(port, number, pieces, limit))


async def _stream_from(port: int, number: int, pieces: int, limit: float) -> int:
    loop, request = asyncio.get_running_loop(), _write(port, "/stream")
    made = await asyncio.gather(
        *(
            loop.create_connection(lambda: _Reader(request, pieces), "127.0.0.1", port)
            for _ in range(number)
        )
    )
    ended = [reader.ended for _, reader in made]
    await asyncio.wait(ended, timeout=limit)
    whole = sum(one.done() and one.result() <= limit for one in ended)

    for transport, _ in made:
        transport.abort()

    return whole
