"""Everything an exception may tell: its texts, its chain, the locals of its frames."""

from __future__ import annotations

import collections.abc as cabc
import pathlib
import traceback
import typing as t

from .values import tell

Show = cabc.Callable[[object], None]


def tell_error(
    error: BaseException, show: Show, own_code: cabc.Collection[pathlib.Path] = ()
) -> None:
    """Show an exception and all that hangs on it.

    :param own_code: files or folders whose frames hold the key by right: the test's.
    """
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    spare(report, own_code)
    show("".join(report.format()))

    for one in chain(error):
        show([str(one), one.args, getattr(one, "__notes__", ())])
        tell(one, show)


def chain(error: BaseException) -> list[BaseException]:
    """List an exception with its causes, contexts and members, each of them once.

    ``raise … from None`` hides a context and keeps it.
    """
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]

    while waiting:
        one = waiting.pop()

        if one is None or any(one is known for known in found):
            continue

        found.append(one)
        waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]

    return found


def spare(
    report: traceback.TracebackException, own_code: cabc.Collection[pathlib.Path]
) -> None:
    """Leave out the locals of the test's own frames, all along the chain."""
    waiting: list[traceback.TracebackException | None] = [report]
    seen: set[int] = set()

    while waiting:
        one = waiting.pop()

        if one is None or id(one) in seen:
            continue

        seen.add(id(one))
        waiting += [one.__cause__, one.__context__, *(_members(one))]

        for frame in one.stack:
            if is_below(frame.filename, own_code):
                frame.locals = None


def is_below(file: str, folders: cabc.Collection[pathlib.Path]) -> bool:
    """Tell whether a file is one of these or lies below one of them."""
    path = pathlib.Path(file)
    return any(folder in (path, *path.parents) for folder in folders)


def _members(
    report: traceback.TracebackException,
) -> cabc.Sequence[traceback.TracebackException]:
    return t.cast(
        "cabc.Sequence[traceback.TracebackException]",
        getattr(report, "exceptions", None) or (),
    )
