"""From an error of ours to the answer an SDK makes its own exception of.

Every word in it is ours: an SDK puts the whole body into its exception.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import json
import typing as t

from ..errors import BYOKError
from ..errors import CallError
from ..errors import CompanyKeyUnavailable
from ..errors import NoRoute
from ..errors import ProviderError
from ..errors import StateUnavailable
from ..errors import StoredKeyUnreadable
from ..errors import SystemBudgetExceeded
from ..errors import SystemKeyRefused
from ..failover.streams import OpenStream


class AddressRefused(CallError):
    """An SDK was to send a request to an address that is not its provider's."""


#: Errors that have no reason of their own, by a word; the first that fits.
_WORDS: t.Final[tuple[tuple[type[BYOKError], str], ...]] = (
    (SystemBudgetExceeded, "budget"),
    (SystemKeyRefused, "system_key"),
    (StoredKeyUnreadable, "unreadable"),
    (StateUnavailable, "state"),
    (NoRoute, "no_route"),
    (AddressRefused, "address"),
)

#: The status of a failure that came without one, or with one that is no error.
_STATUS: t.Final[cabc.Mapping[str, int]] = {
    "auth": 401,
    "expired": 401,
    "permission": 403,
    "model": 404,
    "quota": 429,
    "rate_limit": 429,
    "outage": 503,
    "timeout": 504,
    "request": 400,
    "our_side": 502,
    "interrupted": 502,
}

# What the providers write into their own envelopes beside a status.
_OPENAI_TYPES: t.Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
}
_CLAUDE_TYPES: t.Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_GEMINI_STATUSES: t.Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

#: Where a provider's SDK looks for the request id, if not in ``x-request-id``.
_ID_HEADERS: t.Final = {"CLAUDE": "request-id"}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What an SDK is answered.

    :param headers: names in lower case.
    :param body: whole; empty when there is a stream.
    :param stream: bytes still to come.
    :param error: what it tells of, when it is an error of ours.
    """

    status: int
    headers: cabc.Mapping[str, str]
    body: bytes = dataclasses.field(default=b"", repr=False)
    stream: OpenStream[bytes] | None = None
    error: BYOKError | None = None


def build_reply(error: BYOKError, dialect: str) -> Reply:
    """Make the answer that tells of an error, in the provider's envelope."""
    status, reason = status_of(error), reason_of(error)
    headers = {
        "content-type": "application/json",
        "x-byok-error": type(error).__name__,
        "x-byok-reason": reason,
        # Whoever switched the SDK's own retries on: the engine has retried.
        "x-should-retry": "false",
    }

    if isinstance(error, ProviderError):
        headers["x-byok-provider"] = error.provider
        headers["x-byok-source"] = error.source

        if error.request_id is not None:
            headers[_ID_HEADERS.get(dialect, "x-request-id")] = error.request_id

        if error.retry_after is not None:
            headers["retry-after"] = f"{error.retry_after:g}"

    return Reply(
        status=status,
        headers=headers,
        body=json.dumps(build_envelope(error, dialect, status)).encode(),
        error=error.with_traceback(None),
    )


def build_refusal(message: str, dialect: str) -> Reply:
    """Make the answer to a request that is not for any provider."""
    return build_reply(AddressRefused(message), dialect)


def build_break(error: BYOKError, dialect: str) -> bytes:
    """Write the event that tells of a stream broken after its first content."""
    envelope = build_envelope(error, dialect, status_of(error))
    name = b"event: error\n" if dialect == "CLAUDE" else b""
    return name + b"data: " + json.dumps(envelope).encode() + b"\n\n"


def build_envelope(error: BYOKError, dialect: str, status: int) -> dict[str, t.Any]:
    """Put an error's sentence and words into the provider's own shape."""
    message, code = str(error), getattr(error, "code", None) or reason_of(error)

    if dialect == "CLAUDE":
        inner = {
            "type": _CLAUDE_TYPES.get(status, "api_error"),
            "message": message,
        }
        return {"type": "error", "error": inner}

    if dialect == "GEMINI":
        detail = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": code,
            "domain": "flask-byok",
        }
        word = _GEMINI_STATUSES.get(status, "INTERNAL")
        return {
            "error": {
                "code": status,
                "message": message,
                "status": word,
                "details": [detail],
            }
        }

    kind = _OPENAI_TYPES.get(status, "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def status_of(error: BYOKError) -> int:
    """Give the HTTP status an SDK is told."""
    if isinstance(error, ProviderError):
        if error.status is not None and error.status >= 400:
            return error.status

        return _STATUS.get(error.reason, 502)

    if isinstance(error, CompanyKeyUnavailable):
        return _STATUS.get(error.reason, 503)

    if isinstance(error, SystemBudgetExceeded):
        return 402

    return 403 if isinstance(error, (NoRoute, AddressRefused)) else 503


def reason_of(error: BYOKError) -> str:
    """Give one word of ours for an error."""
    if isinstance(error, (ProviderError, CompanyKeyUnavailable)):
        return error.reason

    return next((word for kind, word in _WORDS if isinstance(error, kind)), "call")
