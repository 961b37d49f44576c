"""The guard: shows everything to the search, and remembers where it has looked."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import json
import pathlib
import typing as t

from . import logs
from . import reports
from . import streams
from .bodies import open_cookie
from .bodies import Undecodable
from .bodies import unpack
from .exceptions import tell_error
from .finder import Finder
from .needles import Needles
from .sinks import SINKS
from .stores import read_files
from .stores import read_limiter
from .stores import read_tables
from .values import tell

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from flask import Flask

    from ..server import Simulator

#: Leaks told; the rest is counted.
_TOLD: t.Final = 20

#: The header in which each provider wants the key, the only place for it; vendors
#: beside these as OPENAI, unless the guard is told of another.
_AUTH: t.Final[cabc.Mapping[str, str]] = {
    "OPENAI": "authorization",
    "GEMINI": "x-goog-api-key",
    "CLAUDE": "x-api-key",
}


class LeakGuard(Finder):
    """Looks for a key where none may be, and says so; fails where nobody looked.

    A leak is any run of six characters of the key, plain or encoded (base64, hex,
    percent, JSON escapes, HTML entities, UTF-16), and MD5, SHA-1 or SHA-256 of the
    whole. Where neither managers nor operators look, the last four characters are a
    leak as well.

    :param canary: the planted key, as :func:`make_canary` draws it.
    :param prefix: the public prefix the canary begins with; that much may be shown.
    :param own_code: files or folders whose frames hold the key by right: the test's.
    """

    def __init__(
        self,
        canary: str,
        *,
        prefix: str = "",
        own_code: cabc.Iterable[pathlib.Path] = (),
    ) -> None:
        super().__init__(Needles(canary, prefix))
        #: The planted key.
        self.canary = canary
        #: Whether :meth:`verify` was called.
        self.is_verified: bool = False
        #: Sinks that :meth:`verify` insists on.
        self.required: set[str] = set(SINKS)
        #: Files or folders whose frames hold the key by right.
        self.own_code: tuple[pathlib.Path, ...] = tuple(own_code)
        self._carriers = dict(_AUTH)
        self._blind: list[str] = []
        self._attached = contextlib.ExitStack()
        self._at_the_end: list[cabc.Callable[[], None]] = []

    def require(self, *sinks: str) -> None:
        """Say at which sinks this test must have looked, in place of all.

        :raises ValueError: for a sink that does not exist.
        """
        unknown = set(sinks) - set(SINKS)

        if unknown:
            raise ValueError(f"No such sink: {', '.join(sorted(unknown))}.")

        self.required = set(sinks)

    def look_at_value(self, value: object) -> None:
        """Look at a value in every form it may be printed, copied or kept in."""
        tell(value, lambda written: self.look("pickles", written))

    def look_at_error(self, error: BaseException) -> None:
        """Look at all an exception tells: texts, chain, pickles, locals of frames."""
        tell_error(error, lambda told: self.look("exceptions", told), self.own_code)

    def look_at_response(self, response: t.Any) -> None:
        """Look at a response of a test client: status, headers, cookies and body.

        Of an attached app this happens by itself.
        """
        self._look_at_sent(response.status, list(response.headers), response.get_data())

    def _look_at_sent(
        self, status: str, headers: cabc.Sequence[tuple[str, str]], body: bytes
    ) -> None:
        encoding = ""
        self._seen.add("cookies")
        self.look("responses", status, body)

        for name, value in headers:
            self.look("responses", f"{name}: {value}")

            if name.lower() == "set-cookie":
                self.look("cookies", *open_cookie(value))
            elif name.lower() == "content-encoding":
                encoding = value

        if encoding:
            self._look_into(body, encoding)

    def _look_into(self, body: bytes, encoding: str) -> None:
        trouble = None

        try:
            self.look("responses", unpack(body, encoding))
        except Undecodable as error:
            trouble = str(error)

        if trouble is not None:
            self._blind.append(f"responses: {trouble}")

    def look_at_requests(self, requests: cabc.Iterable[t.Any]) -> None:
        """Look at what a simulated provider received, besides the key's own header."""
        for request in requests:
            allowed = self._carriers.get(request.provider, "authorization")

            # What a redirect brought must hold no key in any header.
            if request.provider == "ELSEWHERE":
                allowed = ""

            others = {n: v for n, v in request.headers.items() if n != allowed}
            self.look("requests", request.path, others, json.dumps(request.body))

    def look_at_database(self, engine: sa.Engine) -> None:
        """Look into every table and, on SQLite, into the bytes of the files.

        The last four may stand in a column that is called ``last4``.
        """
        self._seen.add("tables")
        read_tables(engine, self._look_at_cell)

        if read_files(engine, lambda data: self.look("database files", data)):
            self._seen.add("database files")

    def _look_at_cell(self, table: str, column: str, value: object) -> None:
        sink = {"byok_audit": "audit", "byok_attempt": "ledger"}.get(table, "tables")
        self._look(sink, [value], last_four=column != "last4")

    def look_at_limiter(self, storage: t.Any) -> None:
        """Look at the keys and values of a storage of the ``limits`` library."""
        self._seen.add("limiter")
        read_limiter(storage, lambda found: self.look("limiter", found))

    def look_at_command(self, result: t.Any) -> None:
        """Look at what a click command printed, and at its error."""
        # As bytes: the texts have lost what is not UTF-8. Click kept stderr apart late.
        self.look("command line", result.stdout_bytes)
        self.look("command line", getattr(result, "stderr_bytes", None) or b"")

        if result.exception is not None:
            self.look_at_error(result.exception)

    def invoke(self, app: Flask, *words: str, **more: t.Any) -> t.Any:
        """Run a command of an app, ``invoke(app, "byok", "doctor")``, and look at it.

        :param more: for click's runner, such as ``input``.
        :return: click's result.
        """
        result = app.test_cli_runner().invoke(args=list(words), **more)
        self.look_at_command(result)
        return result

    @contextlib.contextmanager
    def listening(self) -> cabc.Iterator[None]:
        """Listen to all loggers, both output streams and all warnings."""
        self._seen |= {"logs", "output", "warnings", "exceptions"}

        with (
            logs.hearing(self._hear),
            self.reading_output(),
            streams.reading_warnings(lambda told: self.look("warnings", told)),
        ):
            yield

    def reading_output(self) -> contextlib.AbstractContextManager[None]:
        """Read along with what is standard output and standard error at this moment.

        :meth:`listening` does; once more when the streams were replaced since.
        """
        return streams.reading_output(lambda data: self.look("output", data))

    def _hear(
        self, parts: list[object], error: BaseException | None, may_show_rows: bool
    ) -> None:
        self._look("logs", parts, last_four=not may_show_rows)

        if error is not None:
            self.look_at_error(error)

    @contextlib.contextmanager
    def reporting(self) -> cabc.Iterator[None]:
        """Look at what a Sentry SDK with its defaults would send.

        :raises ImportError: without sentry-sdk.
        """
        self._seen.add("sentry")

        with reports.collecting(lambda sent: self.look("sentry", sent)):
            yield

    def attach(self, app: Flask) -> None:
        """Look at all an app does from now on, and at all it keeps when verifying.

        Responses, cookies, sessions, flashed messages, signals, exceptions; then every
        database, the counters of the limits, the configuration.
        """
        from .attached import watch_app

        self._at_the_end.append(self._attached.enter_context(watch_app(self, app)))

    def attach_simulator(
        self, simulator: Simulator, *, carriers: cabc.Mapping[str, str] | None = None
    ) -> None:
        """Look at every request a provider simulator receives from now on.

        :param carriers: by the id of a registered vendor, the header that carries its
            key, where that is not ``Authorization``.
        """
        for vendor, header in (carriers or {}).items():
            self._carriers[vendor] = header.lower()

        self._attached.enter_context(
            simulator.log.watching(lambda request: self.look_at_requests([request]))
        )

    def look_around(self) -> None:
        """Look at what the attached apps keep at this moment."""
        for look in self._at_the_end:
            look()

    def detach(self) -> None:
        """Leave the attached apps and simulators."""
        self._at_the_end.clear()
        self._attached.close()

    def verify(self) -> None:
        """Look around once more; fail on a leak, and where nobody has looked.

        :raises AssertionError: with what was found, or with each sink that was never
            attached and how to attach it.
        """
        self.is_verified = True

        try:
            self.look_around()
        finally:
            self.detach()

        found = [*self.leaks, *self._blind]

        if found:
            more = f"\n  … and {len(found) - _TOLD} more" if found[_TOLD:] else ""
            told = "\n  ".join(found[:_TOLD])
            raise AssertionError(f"The key came to light:\n  {told}{more}")

        missing = sorted(self.required - self._seen)

        if missing:
            told = "\n  ".join(f"{sink}: {SINKS[sink]}" for sink in missing)
            raise AssertionError(f"The leak guard never looked at:\n  {told}")
