"""The one sender: the only place from which a key leaves the process.

Built on ``requests``' adapter without its session. No redirects, no proxies, no
``.netrc``, no environment, no cookies; one deadline for the whole attempt; a cap on
decoded bytes. The plaintext key is in :func:`_prepare` and in the request it returns,
and no exception that has seen either leaves this module.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import functools
import ipaddress
import os
import re
import typing as t
import urllib.parse

import requests
import requests.adapters
from urllib3.connectionpool import HTTPConnectionPool

from ..secret import Secret
from .body import ANSWER_CAP as ANSWER_CAP
from .body import ERROR_CAP as ERROR_CAP
from .body import GAP_LIMIT as GAP_LIMIT
from .body import HttpStream as HttpStream
from .body import LIST_CAP as LIST_CAP
from .body import STREAM_LIMIT as STREAM_LIMIT
from .body import VECTORS_CAP as VECTORS_CAP
from .connections import build_pool
from .connections import Watch
from .connections import WatchedTimeout
from .deadline import Deadline as Deadline
from .hangup import Hangup
from .troubles import judge
from .types import AttemptFailed
from .types import Failure

_SENDABLE = re.compile(r"[\x21-\x7e]{8,2048}")


class Auth(t.NamedTuple):
    """How a provider wants its key: header name, key, and what stands before it.

    :param plain_http: the operator lets this key travel without TLS, on a network of
        its own.
    """

    header: str
    api_key: Secret
    prefix: str = ""
    plain_http: bool = False


# Changed by nobody; frozen, it would take twice as long to build.
@dataclasses.dataclass(kw_only=True, slots=True)
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
    :param ca_file: certificates to trust in place of certifi's, as PEM.
    """

    def __init__(
        self,
        connect_timeout: float,
        *,
        pool_size: int = 50,
        ca_file: str | None = None,
    ) -> None:
        self._connect_timeout = connect_timeout
        self._pool_size = pool_size
        self._ca_file = ca_file
        # By process. What a parent made is kept, not closed: its locks may be held.
        self._adapters: dict[int, _Adapter] = {}

    def _own(self) -> _Adapter:
        """Find the adapter of this process: a fork must not share connections.

        One step for all threads: none of them meets the parent's meanwhile.
        """
        process = os.getpid()
        adapter = self._adapters.get(process)

        if adapter is None:
            made = _Adapter(self._pool_size, self._ca_file)
            adapter = self._adapters.setdefault(process, made)

        return adapter

    def close(self) -> None:
        """Close the idle connections. The sender stays usable."""
        self._own().close()

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
        hangup: Hangup | None = None,
    ) -> HttpStream:
        """Send one request and hand over status and headers, the body unread.

        :param hangup: in the hand of one who may leave, in another thread.
        :raise AttemptFailed: when no status came, or a 3xx.
        """
        watch = Watch(deadline, self._connect_timeout)

        if hangup is not None:
            hangup.follow(watch)

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
            response = self._own().send(
                prepared, stream=True, timeout=t.cast(t.Any, WatchedTimeout(watch))
            )
            return response.raw, None
        except BaseException as error:
            caught = error

        return None, judge(caught, watch)


class _Parts(t.NamedTuple):
    method: str
    url: str
    headers: cabc.Mapping[str, str]
    auth: Auth
    body: bytes | None


class _Adapter(requests.adapters.HTTPAdapter):
    """requests' adapter with pools of our own, and without cookies."""

    def __init__(self, pool_size: int, ca_file: str | None) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1)
        self._pool_size = pool_size
        self._ca_file = ca_file
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
                parts.scheme,
                parts.hostname or "",
                parts.port,
                self._pool_size,
                self._ca_file,
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
        """Wrap urllib3's answer; no cookie is looked at.

        The wrapping, with the request in it, is let go at once; stand-ins that
        hosts use in their tests look at it.
        """
        response = requests.Response()
        response.request = req
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

    if not _is_safe(url) and not auth.plain_http:
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
    return host is not None and _is_this_machine(host)


@functools.lru_cache(maxsize=64)
def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True

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
