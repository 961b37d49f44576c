"""The provider simulator: one HTTP server that speaks three wires."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import http.server
import re
import socket
import sys
import threading
import types
import typing as t

from .exchange import PROVIDERS
from .handler import Handler
from .holding import Hold
from .holding import Holds
from .records import RecordedRequest
from .records import RequestLog
from .switches import Switch
from .switches import Switchboard

_VENDOR = re.compile(r"[A-Z0-9_]{1,32}")
#: Stand at the beginning of the simulator's own addresses.
_TAKEN = ("ELSEWHERE", "FAULTS", "REQUESTS")


class Simulator:
    """Serves OPENAI, CLAUDE and GEMINI on one port of this machine.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`:

    .. code-block:: python

        with Simulator() as simulator:
            app.config["BYOK_PROVIDER_URLS"] = simulator.urls

    Any key works, unless it contains one of the words ``revoked``, ``expired``,
    ``restricted``, ``nocredit``, ``ratelimited``, ``overloaded``, ``outage``,
    ``slow``, ``hang`` or ``cut``. A model called ``fault-<name>`` and
    :meth:`set_fault` choose any fault of :mod:`flask_byok.testing.faults`.

    :param port: 0 takes a free one.
    :param pace: seconds between two pieces of a stream's content.
    :param slow_seconds: what the fault ``slow`` waits before it answers.
    :param vendors: ids of registered vendors to serve as well; any model of theirs
        answers, unless its name begins with ``no-such``.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        pace: float = 0.0,
        slow_seconds: float = 6.0,
        vendors: cabc.Iterable[str] = (),
    ) -> None:
        self.host = host
        self.pace = pace
        self.slow_seconds = slow_seconds
        self.switchboard: Switchboard = Switchboard()
        self.log: RequestLog = RequestLog()
        self.holds: Holds = Holds()
        self._vendors: tuple[str, ...] = ()
        self._wanted_port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._in_flight = 0
        self._lock = threading.Lock()

        for vendor in vendors:
            self.add_vendor(vendor)

    def add_vendor(self, vendor: str) -> None:
        """Serve one more vendor on OPENAI's wire, from now on.

        :param vendor: its id, as registered: of ``A-Z``, ``0-9`` and ``_``.
        :raises ValueError: when it is no such id, or has an address here already.
        """
        if not _VENDOR.fullmatch(vendor) or vendor in (*PROVIDERS, *_TAKEN):
            raise ValueError("A vendor's id has characters of A-Z, 0-9 and '_'.")

        self._know((*self._vendors, vendor))

    def clear_vendors(self) -> None:
        """Serve the built-in providers alone."""
        self._know(())

    def _know(self, vendors: tuple[str, ...]) -> None:
        self._vendors = tuple(dict.fromkeys(vendors))
        self.switchboard.know(self._vendors)

    def start(self) -> Simulator:
        """Open the port and serve in a thread of its own."""
        if self._server is not None:
            raise RuntimeError("This simulator is already running.")

        handler = type("BoundHandler", (Handler,), {"simulator": self})
        self._stopping.clear()
        self._server = _Server((self.host, self._wanted_port), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.1},
            name="provider-simulator",
            daemon=True,
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the port and every connection; waiting answers end at once."""
        if self._server is None or self._thread is None:
            return

        self._stopping.set()
        self.holds.release()
        self._server.shutdown()
        self._thread.join()
        self._server.close_connections()
        self._server.server_close()
        self._server = self._thread = None

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port in use; only while it runs."""
        if self._server is None:
            raise RuntimeError("This simulator is not running.")

        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        """The address of the page that switches faults."""
        host = "127.0.0.1" if self.host in ("", "0.0.0.0") else self.host
        return f"http://{host}:{self.port}"

    @property
    def elsewhere(self) -> str:
        """The same server by another name: where redirects lead."""
        host = "localhost" if self.address.startswith("http://127") else "127.0.0.1"
        return f"http://{host}:{self.port}/elsewhere"

    @property
    def providers(self) -> tuple[str, ...]:
        """The ids of all that are served here."""
        return (*PROVIDERS, *self._vendors)

    @property
    def urls(self) -> dict[str, str]:
        """The base URLs, as ``BYOK_PROVIDER_URLS`` takes them."""
        vendors = {
            vendor: f"{self.address}/{vendor.lower()}/v1" for vendor in self._vendors
        }
        return {
            "OPENAI": f"{self.address}/openai/v1",
            "CLAUDE": f"{self.address}/claude/v1",
            "GEMINI": f"{self.address}/gemini/v1beta",
            **vendors,
        }

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests so far, oldest first; ``ELSEWHERE``: what redirects brought."""
        return self.log.all()

    @property
    def in_flight(self) -> int:
        """How many answers are being written or held back right now."""
        with self._lock:
            return self._in_flight

    @property
    def faults(self) -> list[Switch]:
        """The faults that are switched on."""
        return self.switchboard.all()

    def api_keys_seen(self) -> list[str]:
        """List whose key each request carried, oldest first."""
        return [request.api_key for request in self.requests]

    def clear(self) -> None:
        """Forget the requests."""
        self.log.clear()

    def set_fault(
        self,
        provider: str,
        fault: str | None,
        keys: str | None = None,
        times: int | None = None,
    ) -> None:
        """Switch a fault on, or off with ``None``.

        :param provider: ``OPENAI``, ``CLAUDE``, ``GEMINI``, or ``*`` for all.
        :param fault: a name of :mod:`flask_byok.testing.faults`.
        :param keys: strike only keys that contain this text: with a part of the
            company's key the system key is spared.
        :param times: strike so many requests, then switch off.
        :raises ValueError: the provider or the fault does not exist.
        """
        self.switchboard.set(provider, fault, keys, times)

    def holding(
        self, provider: str = "*", keys: str | None = None
    ) -> contextlib.AbstractContextManager[Hold]:
        """Hold answers back inside a ``with`` block: what happens in mid-call?

        .. code-block:: python

            with simulator.holding("OPENAI") as hold:
                thread.start()  # calls AI
                hold.wait_for(1)  # its request is here, unanswered
                byok.remove_key(7, "OPENAI")

            thread.join()  # the answer came when the block ended

        Requests are recorded when they come, held or not.

        :param provider: ``OPENAI``, ``CLAUDE``, ``GEMINI``, or ``*`` for all.
        :param keys: hold only requests whose key contains this text.
        """
        return self.holds.holding(provider, keys)

    def clear_faults(self) -> None:
        """Switch every fault off."""
        self.switchboard.clear()

    def wait(self, seconds: float) -> bool:
        """Wait, but not beyond :meth:`stop`; tells whether it was called."""
        return self._stopping.wait(seconds) if seconds else self._stopping.is_set()

    @contextlib.contextmanager
    def answering(self) -> cabc.Iterator[None]:
        """Count an answer while it is written."""
        with self._lock:
            self._in_flight += 1

        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1


class _Server(http.server.ThreadingHTTPServer):
    """A thread per connection; knows its connections, so that it can close them."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[http.server.BaseHTTPRequestHandler],
    ) -> None:
        self._connections: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: t.Any, client_address: t.Any) -> None:
        with self._guard:
            self._connections.add(request)

        super().process_request(request, client_address)

    def shutdown_request(self, request: t.Any) -> None:
        with self._guard:
            self._connections.discard(request)

        super().shutdown_request(request)

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Say nothing of clients that left: tests kill them on purpose."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def close_connections(self) -> None:
        """Wake every thread that waits for its client."""
        with self._guard:
            connections = list(self._connections)

        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
