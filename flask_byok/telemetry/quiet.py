"""Keeps trouble of an observer away from the calls it looks at."""

from __future__ import annotations

import collections.abc as cabc
import functools
import logging
import typing as t

from ..events import log_event

P = t.ParamSpec("P")

_log = logging.getLogger("flask_byok")


def quietly(method: cabc.Callable[P, None]) -> cabc.Callable[P, None]:
    """Let a method log what it raises, by its type alone, and go on."""

    @functools.wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(*args, **kwargs)
        except Exception as error:
            complain(error)

    return guarded


def complain(error: Exception) -> None:
    """Log that a part of the telemetry is lost."""
    log_event(
        _log,
        logging.WARNING,
        "telemetry_lost",
        "Telemetry of a call was lost: %(error)s.",
        error=type(error).__name__,
    )
