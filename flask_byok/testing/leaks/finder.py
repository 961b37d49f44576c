"""Searches what it is shown, remembers what was found and where it has looked."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import threading
import typing as t

from .needles import Needles
from .sinks import MAY_SHOW_LAST_FOUR
from .values import pieces

#: Texts shorter than this are looked at once: a statement is logged hundreds of times.
_REMEMBERED: t.Final = 10_000


class Finder:
    """Looks for secrets in whatever it is shown; may be used from several threads."""

    def __init__(self, needles: Needles) -> None:
        #: What was found so far: the sink, the encoding, and what stands around it.
        self.leaks: list[str] = []
        self._needles = [needles]
        self._seen: set[str] = set()
        self._known: set[tuple[bool, bytes]] = set()
        self._hides_last_four = False
        self._busy = threading.local()

    def watch_also(self, secret: str | bytes) -> None:
        """Look for one more secret from now on: a system key, a master key."""
        self._needles.append(Needles(secret))
        self._known.clear()

    def look(self, sink: str, *found: object) -> None:
        """Look into bytes, texts, containers, or whatever an object's repr shows."""
        may_show = sink in MAY_SHOW_LAST_FOUR and not self._hides_last_four
        self._look(sink, found, last_four=not may_show)

    def _look(
        self, sink: str, found: cabc.Iterable[object], *, last_four: bool
    ) -> None:
        self._seen.add(sink)

        # A repr may log, and that record would be looked at in the middle of this.
        if getattr(self._busy, "is_looking", False):
            return

        self._busy.is_looking = True

        try:
            for value in found:
                for data in pieces(value):
                    self._search(sink, data, last_four)
        finally:
            self._busy.is_looking = False

    def _search(self, sink: str, data: bytes, last_four: bool) -> None:
        if (last_four, data) in self._known:
            return

        if len(data) < _REMEMBERED:
            self._known.add((last_four, data))

        for needles in self._needles:
            hit = needles.find(data, last_four=last_four)

            if hit is not None:
                self.leaks.append(f"{sink}: {hit}")

    @contextlib.contextmanager
    def no_digits(self) -> cabc.Iterator[None]:
        """Treat the last four characters as a leak on pages and in values, too.

        For what is shown to people who may not manage keys.
        """
        self._hides_last_four = True

        try:
            yield
        finally:
            self._hides_last_four = False

    def note_sink(self, sink: str) -> None:
        """Remember that somebody stands at a sink where nothing came by yet."""
        self._seen.add(sink)
