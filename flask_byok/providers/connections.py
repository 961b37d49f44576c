"""Connections that know their limits: deadlines, silence, no other CA than certifi's.

A read timeout of the libraries below holds per read, so a server that sends a byte now
and then holds a caller for as long as it likes. Here every single read, of status line,
headers, chunk sizes, body and trailers alike, is given only the time that is left.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import threading
import time
import typing as t

import certifi
from urllib3.connection import HTTPConnection
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError
from urllib3.exceptions import NewConnectionError
from urllib3.util import Timeout

from .deadline import Deadline

# A body up to so many bytes leaves together with the head: one packet, not two. A
# larger one is not copied for it.
_JOINED = 64 * 1024


class Watch:
    """What one attempt may still take, and what happened to it so far.

    :param deadline: for connecting, sending and waiting.
    :param connect_timeout: seconds for name, connection and TLS together.
    """

    __slots__ = (
        "answer",
        "answered",
        "connected",
        "connecting",
        "deadline",
        "gap",
        "gap_left",
        "is_cut",
        "lock",
        "reused",
        "sock",
        "total_left",
    )

    def __init__(self, deadline: Deadline, connect_timeout: float) -> None:
        self.deadline: Deadline | None = deadline
        #: For name, every address tried, and TLS.
        self.connecting: Deadline = Deadline(connect_timeout)
        #: A connection stands, so something may have been sent.
        self.connected: bool = False
        #: That connection had carried an earlier request.
        self.reused: bool = False
        #: At least one byte of the answer arrived.
        self.answered: bool = False
        #: The answer as ``http.client`` has it, once its headers are here.
        self.answer: http.client.HTTPResponse | None = None
        #: The connection in use, once it stands; for :meth:`cut` alone.
        self.sock: socket.socket | None = None
        #: Held while that connection is cut, or goes to somebody else.
        self.lock: threading.Lock = threading.Lock()
        self.is_cut: bool = False
        #: Seconds of waiting allowed between two events; ``None`` outside streams.
        self.gap: float | None = None
        self.gap_left: float = 0.0
        self.total_left: float = 0.0

    def cut(self) -> None:
        """Close the connection from another thread: its reader meets the end."""
        self.is_cut = True
        self.limit_total(0.0)

        with self.lock:
            if self.sock is not None:
                try:
                    # Not the method of a TLS socket: it takes its state from the
                    # reader.
                    socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
                except OSError:
                    pass  # closed already

    def let_go(self) -> None:
        """Forget the connection: from now on it is another attempt's."""
        with self.lock:
            self.sock = None

    def connect_left(self) -> float:
        """Tell the seconds the connection may take."""
        return min(self.connecting.left(), self.read_left())

    def read_left(self) -> float:
        """Tell the seconds the next read may wait; 0 when the time is over."""
        left = self.total_left if self.deadline is None else self.deadline.left()
        return left if self.gap is None else min(left, self.gap_left)

    def waited(self, seconds: float) -> None:
        """Book the time one read took. Time between reads is the consumer's own."""
        self.gap_left -= seconds
        self.total_left -= seconds

    def limit_gaps(self, seconds: float) -> None:
        """Allow so many seconds of waiting until the next event."""
        self.gap = self.gap_left = seconds

    def note_event(self) -> None:
        """Start the next gap: an event is complete."""
        if self.gap is not None:
            self.gap_left = self.gap

    def limit_total(self, seconds: float) -> None:
        """Replace the deadline by so many seconds of waiting in all."""
        self.deadline = None
        self.total_left = seconds


class _TimedReads(io.RawIOBase):
    """The reading side of a socket, each read within the time that is left."""

    def __init__(self, sock: socket.socket, watch: Watch) -> None:
        super().__init__()
        self._sock = sock
        self._watch = watch
        self._timeout: float | None = None
        # Keeps the descriptor open when the connection lets go of the socket first.
        self._file = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        left = self._watch.read_left()

        if left <= 0.0:
            raise TimeoutError("timed out")

        # The same for each event of a stream; setting it asks the system.
        if left != self._timeout:
            self._sock.settimeout(left)
            self._timeout = left

        started = time.monotonic()
        size = self._sock.recv_into(buffer)
        self._watch.waited(time.monotonic() - started)

        if size:
            self._watch.answered = True

        return size

    def close(self) -> None:
        self._file.close()
        super().close()


class _TimedSocket:
    """The one method of a socket that ``http.client`` needs to read an answer."""

    def __init__(self, sock: socket.socket, watch: Watch) -> None:
        self._sock = sock
        self._watch = watch

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReads(self._sock, self._watch))


class _Answer(http.client.HTTPResponse):
    def begin(self) -> None:
        super().begin()
        # urllib3 logs what it could not parse of the headers. A hostile server may
        # have put the key there, so what is left over is thrown away.
        self.msg.defects = []
        self.msg.set_payload("")


class _Guarded(HTTPConnection):
    """What both kinds of connection have in common."""

    # Pinned: a host may have switched on the printing of headers for all connections.
    debuglevel = 0
    watch: Watch
    _is_head_held = False
    _head = b""

    def response_class(  # type: ignore[override]
        self, sock: t.Any, debuglevel: int = 0, method: str | None = None
    ) -> http.client.HTTPResponse:
        self.watch.answer = _Answer(
            t.cast(socket.socket, _TimedSocket(sock, self.watch)), method=method
        )
        return self.watch.answer

    def _new_conn(self) -> socket.socket:
        # As in urllib3, but all addresses of a name share one connect timeout.
        failure: OSError | None = None
        addresses: list[t.Any] = []

        try:
            addresses = socket.getaddrinfo(
                self._dns_host, self.port, 0, socket.SOCK_STREAM
            )
        except (OSError, UnicodeError):
            pass

        if not addresses:
            raise NameResolutionError(self.host, self, socket.gaierror())

        for family, kind, protocol, _, address in addresses:
            sock: socket.socket | None = None

            try:
                sock = socket.socket(family, kind, protocol)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(max(self.watch.connect_left(), 0.001))
                sock.connect(address)
                return sock
            except OSError as error:
                failure = error

                if sock is not None:
                    sock.close()

        raise NewConnectionError(self, "No address answered.") from failure

    def request(  # type: ignore[override]
        self, method: str, url: str, **options: t.Any
    ) -> None:
        if self.sock is None:
            self.connect()

        self.watch.sock = self.sock

        if self.watch.is_cut:
            raise ConnectionAbortedError("cut")

        self.watch.connected = True
        # urllib3 sends under the connect timeout, which a large image outlasts.
        self.timeout: float | None = max(self.watch.read_left(), 0.001)
        body = options.get("body")
        self._is_head_held = isinstance(body, bytes) and 0 < len(body) <= _JOINED

        try:
            super().request(method, url, **options)
        finally:
            # The key stands in it.
            self._is_head_held, self._head = False, b""

    def send(self, data: t.Any) -> None:
        """Send what ``http.client`` hands over: the head first, then the body."""
        if self._is_head_held:
            self._is_head_held, self._head = False, data
            return

        head, self._head = self._head, b""
        super().send(head + data if head else data)


class _PlainConnection(_Guarded):
    pass


class _TLSConnection(_Guarded, HTTPSConnection):  # pyright: ignore[reportIncompatibleMethodOverride, reportIncompatibleVariableOverride] - urllib3's own classes differ
    pass


class WatchedTimeout(Timeout):
    """A urllib3 timeout that carries the watch down to the connection.

    Made for one request: what urllib3 asks copies for, to be used by many.
    """

    def __init__(self, watch: Watch) -> None:
        super().__init__(
            connect=max(watch.connect_left(), 0.001),
            read=max(watch.read_left(), 0.001),
        )
        self.watch = watch

    def clone(self) -> WatchedTimeout:
        """Give itself where urllib3 asks for a copy."""
        return self


class _WatchedPool(HTTPConnectionPool):
    ConnectionCls: t.Any = _PlainConnection

    def _make_request(self, conn: t.Any, *args: t.Any, **options: t.Any) -> t.Any:
        watch: Watch = options["timeout"].watch
        watch.reused = not conn.is_closed
        conn.watch = watch
        return super()._make_request(conn, *args, **options)

    def _put_conn(self, conn: t.Any) -> None:
        watch: Watch | None = getattr(conn, "watch", None)

        # Before anybody can take it out: a late cut would meet a stranger's answer.
        if watch is not None:
            watch.let_go()

        super()._put_conn(conn)


class _WatchedTLSPool(_WatchedPool, HTTPSConnectionPool):
    ConnectionCls: t.Any = _TLSConnection


def build_pool(
    scheme: str,
    host: str,
    port: int | None,
    maxsize: int,
    ca_file: str | None = None,
) -> HTTPConnectionPool:
    """Make the pool of kept connections to one host.

    :param maxsize: of idle connections kept; more may be in use.
    :param ca_file: certificates to trust in place of certifi's, as PEM.
    """
    if scheme == "https":
        context = build_tls_context(ca_file)
        return _WatchedTLSPool(
            host, port, maxsize=maxsize, block=False, ssl_context=context
        )

    return _WatchedPool(host, port, maxsize=maxsize, block=False)


def build_tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Make a context that trusts certifi's list, or one file, alone; from TLS 1.2 on.

    Built from the bare class: ``ssl.create_default_context`` reads ``SSLKEYLOGFILE``
    from the environment.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(ca_file or certifi.where())
    return context
