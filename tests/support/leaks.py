"""Looks for an API key, or a piece of one, where none may be.

A canary is 40 random letters and digits. A leak is any run of six of them, as it is or
encoded, and any usual hash of the whole. The last four may be shown to managers; they
can fill no window of six.
"""

from __future__ import annotations

import base64
import collections.abc as cabc
import contextlib
import copy
import hashlib
import io
import json
import logging
import pathlib
import pickle
import random
import string
import traceback
import typing as t

import sqlalchemy as sa

#: Characters of a key that count as a leak.
WINDOW: t.Final = 6

#: Numbers of a log record that differ each time.
_VARYING: t.Final = frozenset({"created", "msecs", "relativeCreated", "thread"})

#: Where :class:`Guard` must have looked before it says that nothing leaked.
SINKS: t.Final = frozenset(
    {
        "command line",
        "database files",
        "exceptions",
        "logs",
        "output",
        "pickles",
        "requests",
        "responses",
        "sessions",
        "signals",
        "tables",
    }
)


def make_canary(seed: str) -> str:
    """Draw a key that looks like nothing real; the same for the same test."""
    draw = random.Random(seed)
    return "".join(draw.choices(string.ascii_letters + string.digits, k=40))


def encodings(canary: str) -> dict[str, frozenset[bytes]]:
    """List what betrays a canary, by the name of the encoding."""
    windows = [canary[i : i + WINDOW] for i in range(len(canary) - WINDOW + 1)]
    return {
        "raw": _all(windows, str.encode),
        "base64": frozenset(
            _base64(w.encode(), at) for w in windows for at in range(3)
        ),
        "hex": _all(windows, lambda w: w.encode().hex().encode()),
        "HEX": _all(windows, lambda w: w.encode().hex().upper().encode()),
        "percent": _all(windows, lambda w: _join(w, "%{:02X}")),
        "percent, lower": _all(windows, lambda w: _join(w, "%{:02x}")),
        "JSON": _all(windows, lambda w: _join(w, "\\u{:04x}")),
        "JSON, upper": _all(windows, lambda w: _join(w, "\\u{:04X}")),
        "entities": _all(windows, lambda w: _join(w, "&#{};")),
        "entities, hex": _all(windows, lambda w: _join(w, "&#x{:x};")),
        "UTF-16": _all(windows, lambda w: w.encode("utf-16-le")),
        "UTF-16, big": _all(windows, lambda w: w.encode("utf-16-be")),
        "hash": frozenset(_hashes(canary.encode())),
    }


def _all(
    windows: cabc.Iterable[str], encode: cabc.Callable[[str], bytes]
) -> frozenset[bytes]:
    return frozenset(encode(window) for window in windows)


def _join(window: str, form: str) -> bytes:
    return "".join(form.format(ord(character)) for character in window).encode()


def _base64(window: bytes, at: int) -> bytes:
    """Give the characters that depend on the window alone, ``at`` bytes into a text."""
    whole = base64.b64encode(b"\0" * at + window)
    first = -(-at * 8 // 6)
    last = (at + len(window)) * 8 // 6
    return whole[first:last]


def _hashes(whole: bytes) -> cabc.Iterator[bytes]:
    for name in ("md5", "sha1", "sha256"):
        digest = hashlib.new(name, whole, usedforsecurity=False).digest()
        yield digest
        yield digest.hex().encode()
        yield digest.hex().upper().encode()
        yield base64.b64encode(digest).rstrip(b"=")
        yield base64.urlsafe_b64encode(digest).rstrip(b"=")


class Guard:
    """Looks into sinks and remembers what it found and where it has looked."""

    def __init__(self, canary: str) -> None:
        self.leaks: list[str] = []
        self._seen: set[str] = set()
        self._known: set[bytes] = set()
        self._encodings = encodings(canary)

    def look(self, sink: str, *found: object) -> None:
        """Look into bytes, a text or anything with a repr."""
        self._seen.add(sink)

        for value in found:
            data = _as_bytes(value)

            # The same statement is logged hundreds of times.
            if data in self._known:
                continue

            if len(data) < 10_000:
                self._known.add(data)

            self.leaks += [
                f"{sink}: {name}, near {_near(data, needle)!r}"
                for name, needles in self._encodings.items()
                for needle in needles
                if needle in data
            ][:5]

    def look_at_error(self, error: BaseException) -> None:
        """Look at everything an exception may tell, its chain and frames included."""
        trace = traceback.TracebackException.from_exception(error, capture_locals=True)
        texts = "".join(trace.format())
        links: list[BaseException] = []
        link: BaseException | None = error

        while link is not None and link not in links:
            links.append(link)
            link = link.__cause__ or link.__context__

        for one in links:
            self.look(
                "exceptions", texts, str(one), repr(one), repr(one.args), vars(one)
            )
            self.look_at_pickle(one)

    def look_at_pickle(self, value: object) -> None:
        """Look into what a cache or a queue would keep, where it can be kept at all."""
        self.look("pickles", repr(value), str(value))

        for keep in (pickle.dumps, copy.deepcopy):
            with contextlib.suppress(TypeError, AttributeError, pickle.PicklingError):
                self.look("pickles", keep(value))

    def look_at_database(self, engine: sa.Engine) -> None:
        """Look into every table and, on SQLite, into the bytes of the files."""
        metadata = sa.MetaData()
        metadata.reflect(engine)
        self._seen.add("tables")

        with engine.connect() as connection:
            for table in metadata.tables.values():
                for row in connection.execute(sa.select(table)):
                    self.look("tables", *row)

        if engine.url.database is None or engine.dialect.name != "sqlite":
            return

        path = pathlib.Path(engine.url.database)

        for file in path.parent.glob(f"{path.name}*"):
            self.look("database files", file.read_bytes())

    def look_at_response(self, response: t.Any) -> None:
        """Look at a response of the test client: status, headers and body."""
        self.look(
            "responses",
            response.status,
            "\n".join(f"{name}: {value}" for name, value in response.headers),
            response.get_data(),
        )

    def look_at_requests(self, requests: cabc.Iterable[t.Any], *allowed: str) -> None:
        """Look at what providers received, besides the header that carries the key."""
        for request in requests:
            others = {n: v for n, v in request.headers.items() if n not in allowed}
            self.look("requests", request.path, repr(others), json.dumps(request.body))

    @contextlib.contextmanager
    def listening(self) -> cabc.Iterator[None]:
        """Look at every record of every logger, down to DEBUG, and at its parts."""
        handler, root = _Handler(self), logging.getLogger()
        before = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        self._seen.add("logs")

        try:
            yield
        finally:
            root.removeHandler(handler)
            root.setLevel(before)

    def verify(self, sinks: cabc.Set[str] = SINKS) -> None:
        """Fail on a leak, and where somebody forgot to look."""
        assert not self.leaks, "\n".join(self.leaks[:20])
        assert sinks <= self._seen, f"Never looked at: {sorted(sinks - self._seen)}"


class _Handler(logging.Handler):
    def __init__(self, guard: Guard) -> None:
        super().__init__(logging.DEBUG)
        self._guard = guard

    def emit(self, record: logging.LogRecord) -> None:
        buffer = io.StringIO()

        if record.exc_info and record.exc_info[1] is not None:
            traceback.print_exception(*record.exc_info, file=buffer)
            self._guard.look_at_error(record.exc_info[1])

        parts = {n: v for n, v in vars(record).items() if n not in _VARYING}
        self._guard.look("logs", record.getMessage(), parts, buffer.getvalue())


def _as_bytes(value: object) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)

    text = value if isinstance(value, str) else repr(value)
    return text.encode("utf-8", "backslashreplace")


def _near(data: bytes, needle: bytes) -> bytes:
    at = data.index(needle)
    return data[max(0, at - 60) : at + 20]
