"""A gate that opens when everybody is there: many requests, truly at once."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import http.server
import threading
import typing as t

#: Seconds somebody waits for the others: a guard against a hanging suite.
LONGEST: t.Final = 30.0


class Gate:
    """Holds each request until so many have come."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._changed = threading.Condition()
        self._wanted = 0
        #: Who came, by the process it runs in.
        self.pids: list[int] = []

    def expect(self, number: int) -> None:
        """Close the gate until so many have come."""
        with self._changed:
            self._wanted, self.pids = number, []

    def pass_through(self, pid: int) -> bool:
        """Wait for the others; ``False`` when they did not come."""
        with self._changed:
            self.pids.append(pid)
            self._changed.notify_all()
            return self._changed.wait_for(
                lambda: len(self.pids) >= self._wanted, LONGEST
            )


@contextlib.contextmanager
def open_gate() -> cabc.Iterator[Gate]:
    """Serve a gate on a free loopback port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            met = gate.pass_through(int(self.path.strip("/")))
            self.send_response(204 if met else 503)
            self.end_headers()

        def log_message(self, format: str, *args: t.Any) -> None:
            """Log nothing."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

    server = Server(("127.0.0.1", 0), Handler)
    gate = Gate(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()

    try:
        yield gate
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
