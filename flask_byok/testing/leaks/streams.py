"""What is written to standard output and standard error, and what is warned of."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import sys
import typing as t
import warnings

Show = cabc.Callable[[object], None]


#: A run written one character at a time is seen whole: the longest has six escapes.
_KEPT: t.Final = 64


@contextlib.contextmanager
def reading_output(show: Show) -> cabc.Iterator[None]:
    """Read along with standard output and standard error until the end of the block.

    The streams stay where they are, and their ``write`` is wrapped: pytest puts its own
    streams back at each phase of a test, which would undo a replacement.
    """
    with contextlib.ExitStack() as stack:
        for stream in (sys.stdout, sys.stderr):
            stack.enter_context(_tapped(stream, show))
            binary = getattr(stream, "buffer", None)

            # What is written as text arrives there, too, once it is flushed.
            if binary is not None:
                stack.enter_context(_tapped(binary, show))

        yield


@contextlib.contextmanager
def _tapped(stream: t.Any, show: Show) -> cabc.Iterator[None]:
    kept = b""
    write = stream.write
    is_tapped = "write" in vars(stream)

    def tap(written: t.Any) -> t.Any:
        nonlocal kept
        data = (
            written.encode("utf-8", "replace")
            if isinstance(written, str)
            else bytes(written)
        )
        show(kept + data)
        kept = (kept + data)[-_KEPT:]
        return write(written)

    stream.write = tap

    try:
        yield
    finally:
        if is_tapped:
            stream.write = write
        else:
            del stream.write


@contextlib.contextmanager
def reading_warnings(show: Show) -> cabc.Iterator[None]:
    """Read every warning that is shown until the end of the block.

    One that a filter turns into an error is an exception and is met as such.
    """
    before = warnings.showwarning

    def read(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: t.TextIO | None = None,
        line: str | None = None,
    ) -> None:
        show([str(message), getattr(message, "args", ())])
        before(message, category, filename, lineno, file, line)

    warnings.showwarning = read

    try:
        yield
    finally:
        warnings.showwarning = before
