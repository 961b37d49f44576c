"""What an app sends to browsers, read where it leaves the app."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse
    from _typeshed.wsgi import WSGIApplication
    from _typeshed.wsgi import WSGIEnvironment

#: Gets the status line, the headers and the body as sent.
ShowResponse = cabc.Callable[[str, cabc.Sequence[tuple[str, str]], bytes], None]


#: Bytes of a body that nobody has read, read for it when the guard looks around.
_MOST_UNREAD: t.Final = 16 * 1024 * 1024


class ResponseTap:
    """A WSGI app around another one that shows each response once it is sent.

    Streams are passed on piece by piece; what a client broke off is shown, too.
    """

    def __init__(self, app: WSGIApplication, show: ShowResponse) -> None:
        self.app = app
        self._show = show
        self._open: list[_Sent] = []

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> cabc.Iterable[bytes]:
        """Serve one request with the app behind."""
        sent = _Sent(self._show)
        self._open = [one for one in self._open if not one.is_shown]
        self._open.append(sent)

        def start(
            status: str, headers: list[tuple[str, str]], exc_info: t.Any = None
        ) -> cabc.Callable[[bytes], object]:
            sent.status, sent.headers = status, headers
            return start_response(status, headers, exc_info)

        sent.begin(self.app(environ, t.cast("StartResponse", start)))
        return sent

    def finish(self) -> None:
        """Show what no client has read: a test client does not read by itself."""
        for sent in self._open:
            sent.finish()

        self._open.clear()


class _Sent:
    """One response on its way: an iterable of its pieces with a ``close``."""

    def __init__(self, show: ShowResponse) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.is_shown = False
        self._show = show
        self._read: list[bytes] = []
        self.begin(())

    def begin(self, body: cabc.Iterable[bytes]) -> None:
        """Take the body that the app gave."""
        self._body = body
        self._pieces = iter(body)

    def __iter__(self) -> cabc.Iterator[bytes]:
        given = 0

        while given < len(self._read) or self._pull():
            yield self._read[given]
            given += 1

        self._tell()

    def _pull(self) -> bool:
        piece = next(self._pieces, None)

        if piece is None:
            return False

        self._read.append(piece)
        return True

    def close(self) -> None:
        """End the response, as servers do, whether it was read to its end or not."""
        close = getattr(self._body, "close", None)

        if close is not None:
            close()

        self._tell()

    def finish(self) -> None:
        """Read what is left of a body that has an end, keep it for who comes later."""
        has_end = any(name.lower() == "content-length" for name, _ in self.headers)

        while has_end and sum(map(len, self._read)) < _MOST_UNREAD and self._pull():
            pass

        self._tell()

    def _tell(self) -> None:
        if not self.is_shown and self.status:
            self.is_shown = True
            self._show(self.status, self.headers, b"".join(self._read))
