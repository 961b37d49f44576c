"""What an exception of the libraries below means, without keeping any of it."""

from __future__ import annotations

import http.client
import ssl
import sys
import typing as t
import zlib

from urllib3.exceptions import DecodeError
from urllib3.exceptions import HTTPError
from urllib3.exceptions import IncompleteRead

from .connections import Watch
from .types import AttemptFailed
from .types import Failure
from .types import FailureKind

#: What a connection, a transfer or a request that cannot be may raise.
_EXPECTED: t.Final = (
    OSError,
    HTTPError,
    http.client.HTTPException,
    ValueError,
    zlib.error,
)
#: Packages whose exceptions may have seen the key.
_BELOW: t.Final = sys.stdlib_module_names | {"flask_byok", "requests", "urllib3"}


def judge(
    caught: BaseException, watch: Watch, *, status: int | None = None
) -> BaseException:
    """Give what is to be raised instead of an exception that has seen the key.

    :param status: of the answer, when it had come so far.
    :return: a failure; an interrupt itself, or the time limit of a job, stripped of
        its frames; or a mistake of ours, told by the name of its type alone.
    """
    if is_from_outside(caught):
        caught.__cause__ = caught.__context__ = None
        return caught.with_traceback(None)

    kind = _kind_of(_causes(caught), watch)

    if kind is None:
        return RuntimeError(f"The sender failed with {type(caught).__name__}.")

    return AttemptFailed(
        Failure(
            kind=kind,
            status=status if kind == "unreadable_answer" else None,
            reasons=("request",) if kind == "not_sendable" else (),
            sent=watch.connected and kind != "not_sendable",
        )
    )


def is_from_outside(caught: BaseException) -> bool:
    """Tell an interrupt, or what the handler of a signal raised, from our own errors.

    Job queues limit time so, and catch their own class: one that nobody here knows.
    """
    if not isinstance(caught, Exception):
        return True

    package = type(caught).__module__.partition(".")[0]
    return package not in _BELOW and not isinstance(caught, _EXPECTED)


def _causes(error: BaseException) -> list[BaseException]:
    """List an exception with all it wraps; the libraries wrap in four ways."""
    found: list[BaseException] = []
    waiting: list[object] = [error]

    while waiting:
        one = waiting.pop()

        if isinstance(one, BaseException) and not any(one is seen for seen in found):
            found.append(one)
            waiting += (*one.args, one.__cause__, one.__context__)
            waiting.append(getattr(one, "reason", None))

    return found


def _kind_of(causes: list[BaseException], watch: Watch) -> FailureKind | None:
    def any_of(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if not any_of(*_EXPECTED):
        return None

    if not watch.connected:
        # A handshake that just ends is a host out of reach, as a reset is.
        refused = any_of(ssl.SSLError) and not any_of(ssl.SSLEOFError)
        return "tls" if refused else "unreached"

    if any_of(TimeoutError):
        return "timeout"

    if any_of(http.client.InvalidURL) and not watch.answered:
        return "not_sendable"

    if any_of(http.client.LineTooLong):
        return "too_large"

    if any_of(IncompleteRead, http.client.IncompleteRead, DecodeError, zlib.error):
        return "unreadable_answer"

    if any_of(ConnectionError, ssl.SSLError):
        is_stale = watch.reused and not watch.answered
        return "reset_reused" if is_stale else "reset"

    return "unreadable_answer" if watch.answered else "reset"
