"""The one sender: the only place from which a key leaves the process.

Built on ``requests``' adapter without its session. No redirects, no proxies, no
``.netrc``, no environment, no cookies; one deadline for the whole attempt; a cap on
decoded bytes. The plaintext key is in :func:`_prepare` and in the request it returns,
and no exception that has seen either leaves this module.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import http.client
import ipaddress
import os
import re
import ssl
import typing as t
import urllib.parse
import zlib

import requests
import requests.adapters
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import DecodeError
from urllib3.exceptions import HTTPError
from urllib3.exceptions import IncompleteRead

from ..secret import Secret
from .connections import build_pool
from .connections import Watch
from .connections import WatchedTimeout
from .deadline import Deadline as Deadline
from .types import AttemptFailed
from .types import Failure
from .types import FailureKind

#: Decoded bytes of an error answer: its telling part is a few hundred bytes.
ERROR_CAP = 64 * 1024
#: Decoded bytes of a list of models: about 500 bytes for each of 2,000 models.
LIST_CAP = 1024 * 1024
#: Decoded bytes of an answer: 128,000 tokens, escaped, with reasoning, fit many times.
ANSWER_CAP = 32 * 1024 * 1024
#: Decoded bytes of vectors: 2,048 texts of 1,536 numbers of 20 characters.
VECTORS_CAP = 64 * 1024 * 1024

#: Seconds of silence allowed between two events of a stream.
GAP_LIMIT = 30.0
#: Seconds of waiting allowed in all after the first content of a stream.
STREAM_LIMIT = 15 * 60.0

_SENDABLE = re.compile(r"[\x21-\x7e]{8,2048}")
_BLOCK = 64 * 1024
# Seconds to wait for the end of a transfer whose content is complete.
_LAST_BYTES = 0.02


class Auth(t.NamedTuple):
    """How a provider wants its key: header name, key, and what stands before it."""

    header: str
    api_key: Secret
    prefix: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class HttpAnswer:
    """A whole answer.

    :param headers: names in lower case.
    :param body: decoded, within the cap; of an error answer perhaps only its start.
    """

    status: int
    # Not shown: a provider may send back the key it was sent.
    headers: cabc.Mapping[str, str] = dataclasses.field(repr=False)
    body: bytes = dataclasses.field(repr=False)
    reused_connection: bool


class Sender:
    """Send requests, one attempt each: no retries, no redirects.

    Thread- and greenlet-safe; a forked child makes connections of its own.

    :param connect_timeout: seconds for one connection.
    :param pool_size: idle connections kept per host.
    """

    def __init__(self, connect_timeout: float, *, pool_size: int = 50) -> None:
        self._connect_timeout = connect_timeout
        self._pool_size = pool_size
        self._open()

    def _open(self) -> None:
        self._process = os.getpid()
        self._adapter = _Adapter(self._pool_size)

    def close(self) -> None:
        """Close the idle connections. The sender stays usable."""
        self._adapter.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: cabc.Mapping[str, str],
        auth: Auth,
        body: bytes | None = None,
        deadline: Deadline,
        cap: int = ANSWER_CAP,
    ) -> HttpAnswer:
        """Send one request and read the whole answer.

        :param cap: decoded bytes allowed; error answers are cut at :data:`ERROR_CAP`.
        :raise AttemptFailed: when no whole answer came; of any 3xx too.
        """
        stream = self.stream(
            method, url, headers=headers, auth=auth, body=body, deadline=deadline
        )

        return HttpAnswer(
            status=stream.status,
            headers=stream.headers,
            body=stream.read(cap),
            reused_connection=stream.reused_connection,
        )

    def stream(
        self,
        method: str,
        url: str,
        *,
        headers: cabc.Mapping[str, str],
        auth: Auth,
        body: bytes | None = None,
        deadline: Deadline,
    ) -> HttpStream:
        """Send one request and hand over status and headers, the body unread.

        :raise AttemptFailed: when no status came, or a 3xx.
        """
        if self._process != os.getpid():
            # The parent's pools are kept, not closed: their locks may be held.
            self._inherited = self._adapter
            self._open()

        watch = Watch(deadline, self._connect_timeout)
        raw, error = self._exchange(_Parts(method, url, headers, auth, body), watch)

        if error is not None:
            raise error

        stream = HttpStream(raw, watch)
        failure = _refuse_status(stream.status)

        if failure is not None:
            stream.close()
            raise AttemptFailed(failure)

        return stream

    def _exchange(
        self, parts: _Parts, watch: Watch
    ) -> tuple[t.Any, BaseException | None]:
        """Send, and give the raw answer or what to raise instead.

        Raised by the caller, so that this frame, which has seen the headers, is gone.
        """
        try:
            prepared = _prepare(parts)
        except AttemptFailed as error:
            return None, error.with_traceback(None)

        try:
            response = self._adapter.send(
                prepared, stream=True, timeout=t.cast(t.Any, WatchedTimeout(watch))
            )
            return response.raw, None
        except BaseException as error:
            caught = error

        return None, _judge(caught, watch)


class _Parts(t.NamedTuple):
    method: str
    url: str
    headers: cabc.Mapping[str, str]
    auth: Auth
    body: bytes | None


class HttpStream:
    """An answer whose body is still on its way.

    :param raw: urllib3's response.
    """

    def __init__(self, raw: t.Any, watch: Watch) -> None:
        self._raw = raw
        self._watch = watch
        self._inflate = _build_inflate(raw.headers.get("content-encoding"))
        self._size = 0
        self.status: int = raw.status
        #: Names in lower case; of repeated headers the last.
        self.headers: cabc.Mapping[str, str] = {
            name.lower(): value for name, value in raw.headers.items()
        }
        self.reused_connection: bool = watch.reused

    def read(self, cap: int) -> bytes:
        """Read the rest. Of an error answer at most :data:`ERROR_CAP` is read.

        :raise AttemptFailed: when the body breaks off, is too large or too slow.
        """
        is_error = self.status >= 400
        pieces = []

        try:
            for piece in self.read_chunks(ERROR_CAP if is_error else cap):
                pieces.append(piece)
        except AttemptFailed as error:
            failure = error.failure

            # The status of an error answer says more than its missing end.
            if not is_error or failure.kind not in ("too_large", "unreadable_answer"):
                self.close()
                pieces.clear()
                raise

        return b"".join(pieces)

    def read_chunks(self, cap: int = ANSWER_CAP) -> cabc.Iterator[bytes]:
        """Give the body in decoded pieces, as they come.

        :param cap: decoded bytes allowed; what lies within it is given first.
        :raise AttemptFailed: when the body breaks off, is too large or too slow.
        """
        size = 0

        while True:
            piece, error = self._read_piece(cap - size + 1)

            if error is not None:
                self.close()
                raise error

            if piece is None:
                return

            size += len(piece)

            if size > cap:
                self.close()
                yield piece[: cap - size]
                raise AttemptFailed(Failure(kind="too_large", status=self.status))

            if piece:
                yield piece

    def limit_gaps(self, seconds: float) -> None:
        """Allow so many seconds of waiting between two events."""
        self._watch.limit_gaps(seconds)

    def note_event(self) -> None:
        """Start the next gap: an event is complete."""
        self._watch.note_event()

    def limit_total(self, seconds: float) -> None:
        """Replace the deadline by so many seconds of waiting in all."""
        self._watch.limit_total(seconds)

    def finish(self) -> None:
        """Let go of a stream whose end mark was read.

        The last bytes of the transfer coding mostly are here already: with them the
        connection can be kept. Nobody waits for them.
        """
        self.limit_total(_LAST_BYTES)
        piece, error = self._read_piece(_BLOCK)

        while error is None and piece is not None:
            piece, error = self._read_piece(_BLOCK)

        self.close()

    def close(self) -> None:
        """Give the connection back when the body was read to its end, else cut it."""
        try:
            self._raw.close()
            self._raw.release_conn()
        except (HTTPError, OSError):  # pragma: no cover - nothing is left to do
            pass

    def _read_piece(self, limit: int) -> tuple[bytes | None, BaseException | None]:
        """Read what is there: a piece (perhaps empty), or ``None`` at the end.

        :return: the piece, and what to raise instead.
        """
        try:
            piece = self._raw.read1(_BLOCK, decode_content=False)

            if self._inflate is not None:
                return self._decode(piece, limit), None

            return piece or None, None
        except BaseException as error:
            caught = error

        return None, _judge(caught, self._watch, status=self.status)

    def _decode(self, piece: bytes, limit: int) -> bytes | None:
        if self._inflate is None or piece:
            return self._inflate.decompress(piece, limit) if self._inflate else piece

        if not self._inflate.eof:
            raise zlib.error("cut")

        return None


class _Adapter(requests.adapters.HTTPAdapter):
    """requests' adapter with pools of our own, and without cookies."""

    def __init__(self, pool_size: int) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1)
        self._pool_size = pool_size
        self._pools: dict[str, HTTPConnectionPool] = {}

    def get_connection_with_tls_context(
        self, request: t.Any, verify: t.Any, proxies: t.Any = None, cert: t.Any = None
    ) -> HTTPConnectionPool:
        """Give the pool of the request's host, whatever the environment says."""
        origin = _origin(request.url)
        pool = self._pools.get(origin)

        if pool is None:
            parts = urllib.parse.urlsplit(origin)
            made = build_pool(
                parts.scheme, parts.hostname or "", parts.port, self._pool_size
            )
            pool = self._pools.setdefault(origin, made)

        return pool

    def cert_verify(self, conn: t.Any, url: t.Any, verify: t.Any, cert: t.Any) -> None:
        """Leave the pool's TLS context alone: it was settled when the pool was made."""

    def request_url(self, request: t.Any, proxies: t.Any) -> str:
        """Give the part of the URL behind the host."""
        url: str = request.url
        return url[len(_origin(url)) :]

    def build_response(self, req: t.Any, resp: t.Any) -> requests.Response:
        """Wrap urllib3's answer; no cookie is looked at, and no request is kept."""
        response = requests.Response()
        response.status_code = resp.status
        response.raw = resp
        return response

    def close(self) -> None:
        """Close all idle connections; the next request makes new pools."""
        pools, self._pools = self._pools, {}

        for pool in pools.values():
            pool.close()

        super().close()


def _prepare(parts: _Parts) -> requests.PreparedRequest:
    """Put a request together by hand: the only place that writes a key into a header.

    :raise AttemptFailed: of kind ``not_sendable``, before anything is sent.
    """
    method, url, headers, auth, body = parts
    api_key = auth.api_key.reveal()

    if not _SENDABLE.fullmatch(api_key):
        raise _not_sendable("api_key")

    if not _is_safe(url):
        raise _not_sendable("request")

    prepared = requests.PreparedRequest()
    prepared.method = method
    prepared.url = url
    prepared.body = body
    written = {**headers, auth.header: auth.prefix + api_key}

    if body is not None:
        written["Content-Length"] = str(len(body))

    # A plain dict is all the adapter needs, at half the price of requests' own.
    prepared.headers = t.cast(t.Any, written)
    return prepared


def _not_sendable(what: str) -> AttemptFailed:
    return AttemptFailed(Failure(kind="not_sendable", reasons=(what,), sent=False))


def _origin(url: str) -> str:
    return url[: url.index("/", 8)]


def _is_safe(url: str) -> bool:
    """Tell whether a key may go there: TLS, or this very machine."""
    if url.startswith("https://"):
        return True

    host = urllib.parse.urlsplit(url).hostname if url.startswith("http://") else None

    if host is None or host == "localhost":
        return host is not None

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_status(status: int) -> Failure | None:
    if 300 <= status < 400:
        return Failure(kind="redirect", status=status)

    if status < 200:
        return Failure(kind="unreadable_answer", status=status)

    return None


def _build_inflate(encoding: str | None) -> t.Any:
    """Make a decoder for the encodings a server may send although not asked to."""
    if encoding is None or encoding.strip().lower() in ("", "identity"):
        return None

    # 47: gzip or zlib, told apart by their first bytes; any other fails to decode.
    return zlib.decompressobj(47)


def _judge(
    caught: BaseException, watch: Watch, *, status: int | None = None
) -> BaseException:
    """Give what is to be raised instead of an exception that has seen the key.

    :param status: of the answer, when it had come so far.
    :return: a failure; an interrupt itself, stripped of its frames; or a mistake of
        ours, told by the name of its type alone.
    """
    if not isinstance(caught, Exception):
        caught.__cause__ = caught.__context__ = None
        return caught.with_traceback(None)

    kind = _kind_of(_causes(caught), watch)

    if kind is None:
        return RuntimeError(f"The sender failed with {type(caught).__name__}.")

    return AttemptFailed(
        Failure(
            kind=kind,
            status=status if kind == "unreadable_answer" else None,
            reasons=("request",) if kind == "not_sendable" else (),
            sent=watch.connected and kind != "not_sendable",
        )
    )


def _causes(error: BaseException) -> list[BaseException]:
    """List an exception with all it wraps; the libraries wrap in four ways."""
    found: list[BaseException] = []
    waiting: list[object] = [error]

    while waiting:
        one = waiting.pop()

        if isinstance(one, BaseException) and not any(one is seen for seen in found):
            found.append(one)
            waiting += (*one.args, one.__cause__, one.__context__)
            waiting.append(getattr(one, "reason", None))

    return found


def _kind_of(causes: list[BaseException], watch: Watch) -> FailureKind | None:
    def any_of(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if not any_of(
        OSError, HTTPError, http.client.HTTPException, ValueError, zlib.error
    ):
        return None

    if not watch.connected:
        # A handshake that just ends is a host out of reach, as a reset is.
        refused = any_of(ssl.SSLError) and not any_of(ssl.SSLEOFError)
        return "tls" if refused else "unreached"

    if any_of(TimeoutError):
        return "timeout"

    if any_of(http.client.InvalidURL) and not watch.answered:
        return "not_sendable"

    if any_of(http.client.LineTooLong):
        return "too_large"

    if any_of(IncompleteRead, http.client.IncompleteRead, DecodeError, zlib.error):
        return "unreadable_answer"

    if any_of(ConnectionError, ssl.SSLError):
        is_stale = watch.reused and not watch.answered
        return "reset_reused" if is_stale else "reset"

    return "unreadable_answer" if watch.answered else "reset"
