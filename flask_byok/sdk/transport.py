"""The way of an SDK's HTTP client: to the engine, and nowhere else."""

from __future__ import annotations

import collections.abc as cabc
import urllib.parse

import httpx2

from ..errors import BYOKError
from ..failover.streams import OpenStream
from .outgoing import Incoming
from .relaying import Relay
from .replies import build_break
from .replies import build_refusal
from .replies import Reply

#: What an SDK's response carries beside the provider's answer: the error of ours that
#: it tells of.
ERROR_EXTENSION = "byok_error"


class Transport(httpx2.BaseTransport):
    """Hands each request of an SDK to the engine."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request; opens no connection of its own."""
        incoming = read_request(request, request.read(), self._relay)

        if incoming is None:
            return build_response(_refuse(self._relay), None)

        reply = self._relay.send(incoming)
        body = None

        if reply.stream is not None:
            body = Body(Passage(reply.stream, self._relay.provider.dialect))

        return build_response(reply, body)


class Passage:
    """The bytes of one stream, given on and settled.

    :param opened: the stream behind its first content.
    """

    def __init__(self, opened: OpenStream[bytes], dialect: str) -> None:
        self._opened = opened
        self._dialect = dialect
        self._failure: BYOKError | None = None

    def next(self) -> bytes | None:
        """Give the next bytes; ``None`` at the end.

        :raises httpx2.ReadError: when the stream broke; the bytes before it say so in
            an event of the provider's own shape.
        """
        if self._failure is not None:
            raise httpx2.ReadError(str(self._failure))

        try:
            piece = self._opened.next()
        except StopIteration:
            return None
        except BYOKError as error:
            self._failure = error.with_traceback(None)
        else:
            self._settle()
            return piece

        return build_break(self._failure, self._dialect)

    def _settle(self) -> None:
        """Come to the end at once: an SDK stops reading at the last event."""
        if self._opened.is_read:
            try:
                self._opened.next()
            except StopIteration:
                pass

    def close(self) -> None:
        """Leave the stream; what was used until now is counted."""
        self._opened.close()


class Body(httpx2.SyncByteStream):
    """The body of a streamed answer."""

    def __init__(self, passage: Passage) -> None:
        self._passage = passage

    def __iter__(self) -> cabc.Iterator[bytes]:
        while True:
            piece = self._passage.next()

            if piece is None:
                return

            yield piece

    def close(self) -> None:
        """Leave the stream."""
        self._passage.close()


def read_request(request: httpx2.Request, body: bytes, relay: Relay) -> Incoming | None:
    """Read what an SDK sends; ``None`` when it is not for its provider's address."""
    path = find_path(str(request.url), relay.provider.base_url)

    if path is None:
        return None

    timeout = (request.extensions.get("timeout") or {}).get("read")
    return Incoming(
        method=request.method,
        path=path,
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        timeout=timeout if isinstance(timeout, (int, float)) and timeout > 0 else None,
    )


def find_path(url: str, base_url: str) -> str | None:
    """Give the part of a URL behind the base URL; ``None`` when it lies elsewhere."""
    asked, base = urllib.parse.urlsplit(url), urllib.parse.urlsplit(base_url)
    path = urllib.parse.unquote(asked.path)
    is_there = (asked.scheme, asked.hostname, asked.port) == (
        base.scheme,
        base.hostname,
        base.port,
    )
    steps = path.replace("\\", "/").split("/")

    if not is_there or ".." in steps or not asked.path.startswith(f"{base.path}/"):
        return None

    query = f"?{asked.query}" if asked.query else ""
    return asked.path[len(base.path) :] + query


def build_response(
    reply: Reply, body: httpx2.SyncByteStream | httpx2.AsyncByteStream | None
) -> httpx2.Response:
    """Make the response an SDK reads."""
    extensions = {} if reply.error is None else {ERROR_EXTENSION: reply.error}

    if body is None:
        return httpx2.Response(
            reply.status,
            headers=dict(reply.headers),
            content=reply.body,
            extensions=extensions,
        )

    return httpx2.Response(
        reply.status, headers=dict(reply.headers), stream=body, extensions=extensions
    )


def _refuse(relay: Relay) -> Reply:
    return build_refusal(
        f"This client speaks to {relay.provider.label} alone; the request was for "
        "another address and was not sent.",
        relay.provider.dialect,
    )
