"""Every record of every logger, whatever its level, its handlers and its parents."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import logging
import typing as t

#: Numbers of a record that differ each time and tell nothing.
_VARYING: t.Final = frozenset({"created", "msecs", "relativeCreated", "thread"})

#: Loggers that print rows as they are once they are told to: the last four stand there.
_PRINT_ROWS: t.Final = "sqlalchemy"

#: Gets a record's texts and parts, its exception, and whether rows may stand in it.
Listener = cabc.Callable[[list[object], "BaseException | None", bool], None]


@contextlib.contextmanager
def hearing(listener: Listener) -> cabc.Iterator[None]:
    """Hear all records, down to DEBUG, until the end of the block.

    Loggers with a level of their own, or cut off from the root, are opened up; they
    are put back as they were.
    """
    handler = _Handler(listener)
    root = logging.getLogger()
    named = [*_loggers(), root]
    before = [(log, log.level, log.disabled) for log in named]
    ends = [log for log in named if log is root or not log.propagate]
    disabled, root.manager.disable = root.manager.disable, 0

    for log in named:
        log.setLevel(logging.DEBUG)
        log.disabled = False

    for log in ends:
        log.addHandler(handler)

    try:
        yield
    finally:
        root.manager.disable = disabled

        for log in ends:
            log.removeHandler(handler)

        for log, level, was_disabled in before:
            log.setLevel(level)
            log.disabled = was_disabled


def _loggers() -> list[logging.Logger]:
    known = logging.getLogger().manager.loggerDict
    return [log for log in list(known.values()) if isinstance(log, logging.Logger)]


class _Handler(logging.Handler):
    def __init__(self, listener: Listener) -> None:
        super().__init__(logging.DEBUG)
        self._listener = listener

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        may_show_rows = record.name.partition(".")[0] == _PRINT_ROWS
        parts = {
            name: value
            for name, value in vars(record).items()
            if name not in _VARYING and name != "exc_info"
        }
        self._listener([_message(record), parts], error, may_show_rows)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:
        # logging prints such a record to stderr; its parts are looked at anyway.
        return f"<no message: {type(error).__name__}>"
