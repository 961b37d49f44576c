"""Leaving an attempt from another thread than the one that waits for its answer."""

from __future__ import annotations

import typing as t


class CallLeft(BaseException):
    """The caller is gone; no answer is wanted, and no other route is taken.

    Like an interrupt no ``Exception``, so that nobody takes it for a failure.
    """


class Cuttable(t.Protocol):
    """What can be cut from outside."""

    def cut(self) -> None:
        """Close the connection, whoever waits at it."""
        ...


class Hangup:
    """Held by the one who may leave. It may be used from any thread, once."""

    __slots__ = ("_line", "is_cut")

    def __init__(self) -> None:
        self._line: Cuttable | None = None
        #: The caller has left.
        self.is_cut: bool = False

    def follow(self, line: Cuttable) -> None:
        """Take note of the attempt that is under way."""
        self._line = line

        if self.is_cut:
            line.cut()

    def cut(self) -> None:
        """Leave: the attempt under way ends at once, and no other begins."""
        self.is_cut = True
        line = self._line

        if line is not None:
            line.cut()

    def check(self) -> None:
        """See that the caller is still there.

        :raises CallLeft: when it is not.
        """
        if self.is_cut:
            raise CallLeft
