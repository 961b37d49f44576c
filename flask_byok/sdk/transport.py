"""The way of an SDK's HTTP client: to the engine, and nowhere else."""

from __future__ import annotations

import collections.abc as cabc
import threading
import typing as t
import urllib.parse

import anyio
import anyio.to_thread
import httpx2

from ..providers.hangup import CallLeft
from ..providers.hangup import Hangup
from .causes import ERROR_EXTENSION
from .outgoing import Incoming
from .outgoing import keep_headers
from .passage import Passage
from .relaying import Relay
from .replies import build_refusal
from .replies import Reply

# Seconds a caller that leaves waits for its attempt to be settled; the connection is
# cut, so that this takes no time unless the database does.
_SETTLED_WITHIN: t.Final = 5.0
_STARTED_WITHIN: t.Final = 0.1

T = t.TypeVar("T")


class Transport(httpx2.BaseTransport):
    """Hands each request of an SDK to the engine."""

    def __init__(self, relay: Relay) -> None:
        self._reader = _Reader(relay)
        self._dialect = relay.provider.dialect

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request; opens no connection of its own."""
        reply = self._reader.send(request, request.read(), Hangup())

        if reply.stream is None:
            return _build_response(reply, httpx2.ByteStream(reply.body))

        passage = Passage(reply.stream, self._dialect)
        return _build_response(reply, Body(passage))


class AsyncTransport(httpx2.AsyncBaseTransport):
    """Hands each request of an async SDK to the engine, in a thread of its own.

    The thread works in a copy of the caller's context, so that Flask's are there. A
    task that is cancelled cuts the connection, and the attempt is settled.
    """

    def __init__(self, relay: Relay) -> None:
        self._reader = _Reader(relay)
        self._dialect = relay.provider.dialect

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request; opens no connection of its own."""
        body, hangup = await request.aread(), Hangup()

        def send() -> Reply:
            return self._reader.send(request, body, hangup)

        reply = await _in_thread(hangup, send, _close)

        if reply.stream is None:
            return _build_response(reply, httpx2.ByteStream(reply.body))

        passage = Passage(reply.stream, self._dialect)
        return _build_response(reply, AsyncBody(passage, hangup))


class Body(httpx2.SyncByteStream):
    """The body of a streamed answer."""

    def __init__(self, passage: Passage) -> None:
        self._passage = passage

    def __iter__(self) -> cabc.Iterator[bytes]:
        while (piece := self._passage.next()) is not None:
            yield piece

        _raise_break(self._passage)

    def close(self) -> None:
        """Leave the stream."""
        self._passage.close()


class AsyncBody(httpx2.AsyncByteStream):
    """The body of a streamed answer, each piece awaited in a thread."""

    def __init__(self, passage: Passage, hangup: Hangup) -> None:
        self._passage = passage
        self._hangup = hangup

    async def __aiter__(self) -> cabc.AsyncIterator[bytes]:
        while True:
            piece = await _in_thread(self._hangup, self._passage.next)

            if piece is None:
                break

            yield piece

        _raise_break(self._passage)

    async def aclose(self) -> None:
        """Leave the stream."""
        with anyio.CancelScope(shield=True):
            await _in_thread(self._hangup, self._passage.close)


async def _in_thread(
    hangup: Hangup,
    work: cabc.Callable[[], T],
    undo: cabc.Callable[[T], None] | None = None,
) -> T:
    """Do blocking work beside the event loop; one who is cancelled hangs up.

    :param undo: is given what came of it too late.
    """
    started, done = threading.Event(), threading.Event()
    results: list[T] = []

    def watched() -> None:
        started.set()

        try:
            results.append(work())
        except CallLeft:
            pass  # nobody waits for an answer any more
        finally:
            done.set()

    try:
        # A limiter of its own: waiting for a provider takes none of the app's threads.
        await anyio.to_thread.run_sync(
            watched, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
        )
    except anyio.get_cancelled_exc_class():
        hangup.cut()

        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(
                done.wait,
                _SETTLED_WITHIN if started.is_set() else _STARTED_WITHIN,
                limiter=anyio.CapacityLimiter(1),
            )

            if results and undo is not None:
                await anyio.to_thread.run_sync(undo, results[0])

        raise

    if not results:
        raise httpx2.ReadError("The stream was left.")

    return results[0]


def _close(reply: Reply) -> None:
    if reply.stream is not None:
        reply.stream.close()


def _raise_break(passage: Passage) -> None:
    """End a broken stream as one, for those who did not read the event about it."""
    if passage.failure is not None:
        raise httpx2.ReadError(str(passage.failure))


class _Reader:
    """Reads what an SDK sends to one provider, and hands it to the relay."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        # As the SDK's own HTTP client writes it.
        self._base = str(httpx2.URL(relay.provider.base_url)).rstrip("/")

    def send(self, request: httpx2.Request, body: bytes, hangup: Hangup) -> Reply:
        path = find_path(str(request.url), self._base)

        if path is None:
            provider = self._relay.provider
            return build_refusal(
                f"This client speaks to {provider.label} alone; the request was for "
                "another address and was not sent.",
                provider.dialect,
            )

        timeout = (request.extensions.get("timeout") or {}).get("read")
        is_stated = isinstance(timeout, (int, float)) and timeout > 0
        incoming = Incoming(
            method=request.method,
            path=path,
            headers=keep_headers(request.headers.raw),
            body=body,
            timeout=timeout if is_stated else None,
        )
        return self._relay.send(incoming, hangup)


def find_path(url: str, base_url: str) -> str | None:
    """Give the part of a URL behind the base URL; ``None`` when it lies elsewhere.

    :param base_url: without a slash at the end, written by the same hand as ``url``.
    """
    if not url.startswith(f"{base_url}/"):
        return None

    path = url[len(base_url) :].partition("#")[0]
    bare = path.partition("?")[0]

    if "%" in bare or "\\" in bare or ".." in bare:
        steps = urllib.parse.unquote(bare).replace("\\", "/").split("/")
        return None if ".." in steps else path

    return path


def _build_response(
    reply: Reply, stream: httpx2.SyncByteStream | httpx2.AsyncByteStream
) -> httpx2.Response:
    # As a stream, although the body may be whole: the SDK's client reads it once, and
    # tells how long that took.
    return httpx2.Response(
        reply.status,
        headers=reply.headers,
        stream=stream,
        extensions=None if reply.error is None else {ERROR_EXTENSION: reply.error},
    )
