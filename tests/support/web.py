"""A WSGI app on a real port, and Debian's Chromium driven by Playwright."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import os
import shutil
import threading
import typing as t

import werkzeug.serving

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse
    from _typeshed.wsgi import WSGIApplication
    from _typeshed.wsgi import WSGIEnvironment

#: Chromium looks up its maker's hosts at every start unless told not to; the
#: resolver rule makes sure that no page leads a test out of this machine.
CHROMIUM_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


def find_chromium() -> str | None:
    """The path of a Chromium: ``TEST_CHROMIUM``, else the first found on ``PATH``."""
    names = (os.environ.get("TEST_CHROMIUM") or "chromium", "chromium-browser")
    return next((path for path in map(shutil.which, names) if path), None)


def find_nginx() -> str | None:
    """The path of nginx, which Debian keeps off the path of ordinary users."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))
    return shutil.which("nginx", path=path)


@contextlib.contextmanager
def serving(app: WSGIApplication) -> cabc.Iterator[str]:
    """Serve an app on a free loopback port, a thread per request; give its address."""
    server = werkzeug.serving.make_server(
        "127.0.0.1", 0, _closing(app), threaded=True, request_handler=_QuietHandler
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _closing(app: WSGIApplication) -> WSGIApplication:
    """Close each answer at its end: Werkzeug's server forgets to when a browser left.

    It first reads what the client still sends, and a reset connection ends it there,
    with the file of a static answer left open.
    """

    def answer(
        environ: WSGIEnvironment, start_response: StartResponse
    ) -> cabc.Iterator[bytes]:
        with contextlib.ExitStack() as stack:
            pieces = app(environ, start_response)

            if hasattr(pieces, "close"):
                stack.callback(pieces.close)

            yield from pieces

    return answer


class _QuietHandler(werkzeug.serving.WSGIRequestHandler):
    """Keep the access log out of the captured logs: tests hunt for keys there."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""
