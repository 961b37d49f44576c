"""Somebody may look on while calls are made; by default nobody does.

A watch neither raises nor changes anything: the call goes on as if it were not there.
"""

from __future__ import annotations

import types

from ..errors import StreamInterrupted
from ..providers.types import Attempt
from ..providers.types import Usage
from .changes import Change
from .notes import Step
from .rooms import Call


class CallWatch:
    """Looks at one call; a context manager around it. This one looks away.

    When the block ends without :meth:`answered` or :meth:`opened`, the call has failed
    with the exception that ended it.
    """

    __slots__ = ()

    def __enter__(self) -> CallWatch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        """End the part of the call that runs in the caller's own context."""

    def skipped(self, attempt: Attempt) -> None:
        """See a route that was passed by without a request."""

    def sending(self, step: Step, *, retried: bool) -> None:
        """See a request about to be sent; ``retried``: the same route once more."""

    def attempted(self, attempt: Attempt) -> None:
        """See how the request ended; of a stream, at its first content."""

    def changed(self, change: Change | None) -> None:
        """See what was written about a key; ``None`` when nothing was."""

    def answered(self, answer: object) -> None:
        """See the whole answer: of a chat, of embeddings, a list of models."""

    def opened(self) -> None:
        """See a stream handed over; one of the next three ends it."""

    def finished(self, answer: object) -> None:
        """See a stream that came to its end."""

    def interrupted(self, error: StreamInterrupted) -> None:
        """See a stream that broke."""

    def left(self, usage: Usage | None) -> None:
        """See a stream that its reader left; what it had used, if that is known."""


class Observer:
    """Gives each call its watch. May be used by many threads at once."""

    def watch(self, call: Call) -> CallWatch:
        """Begin to look at a call, or do not."""
        return UNWATCHED


#: Nobody looks.
UNWATCHED = CallWatch()
