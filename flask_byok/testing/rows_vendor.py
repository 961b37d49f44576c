"""The errors of vendors on OPENAI's wire, by name: each shape such vendors have.

Facts age: one row per error, nothing else. As public reports and the vendors' pages
show them.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from .exchange import ErrorRow
from .openai_common import error_body
from .retry_rows import retry_rows
from .rows_openai import ROWS as OPENAI_ROWS

Scope = t.Literal["all", "generate", "list"]


def _numbered(
    status: int, message: str, *, scope: Scope = "generate", **headers: str
) -> ErrorRow:
    """Put the status where the code belongs, as a number."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"error": {"message": message, "code": status}}
    return ErrorRow(status=status, body=body, headers=named, scope=scope)


def _row(status: int, body: t.Any, scope: Scope = "generate") -> ErrorRow:
    return ErrorRow(status=status, body=body, scope=scope)


def _named(
    status: int, message: str, code: str | None, kind: str = "invalid_request_error"
) -> ErrorRow:
    return _row(status, error_body(message, kind=kind, code=code))


_BASE: dict[str, ErrorRow] = {
    # the words of the contract
    "revoked": _row(401, {"error": "Invalid API Key {masked_key}"}, "all"),
    "expired": _numbered(401, "This API key has expired.", scope="all"),
    "restricted": _numbered(403, "This key may not use this endpoint."),
    "nocredit": _numbered(402, "Insufficient credits. Add more to go on."),
    "ratelimited": _numbered(429, "Rate limit exceeded.", retry_after="20"),
    "overloaded": _numbered(503, "No provider is available."),
    "outage": _numbered(500, "Internal Server Error", scope="all"),
    # the body is the error
    "bare_message": _row(
        401, {"message": "Unauthorized", "request_id": "{request_id}"}, "all"
    ),
    "bare_detail": _row(401, {"detail": "Unauthorized"}, "all"),
    "bare_not_found": _row(
        404,
        {
            "object": "error",
            "message": "The model `{model}` does not exist.",
            "type": "NotFoundError",
            "param": None,
            "code": 404,
        },
    ),
    # a wrong key, told with 400
    "wrong_key_400": _row(
        400,
        {
            "code": "Client specified an invalid argument",
            "error": "Incorrect API key provided: {masked_key}.",
        },
        "all",
    ),
    "key_echoed": _row(401, {"error": "Invalid API Key {api_key}"}, "all"),
    # money, in other words
    "credits_403": _row(
        403,
        {
            "code": "permission-denied",
            "error": "Your team has either used all available credits or reached its "
            "monthly spending limit.",
        },
    ),
    "no_balance": _named(
        402, "Insufficient Balance", "invalid_request_error", "unknown_error"
    ),
    # models
    "model_not_found": _named(
        404,
        "The model `{model}` does not exist or you do not have access to it.",
        "model_not_found",
    ),
    "model_not_found_400": _named(
        400, "The model `{model}` does not exist.", "model_not_found"
    ),
    "decommissioned": _named(
        400, "The model `{model}` is no longer served.", "model_decommissioned"
    ),
    "no_deployment": _row(
        404,
        {
            "error": {
                "code": "DeploymentNotFound",
                "message": "The API deployment for this resource does not exist.",
            }
        },
    ),
    # requests, and our own network
    "flagged": _numbered(403, "Your input was flagged."),
    "firewall": _row(
        403,
        {
            "error": {
                "code": "AccessDenied",
                "message": "Access denied due to Virtual Network/Firewall rules.",
            }
        },
        "all",
    ),
    "no_capacity": _numbered(498, "Flex tier capacity exceeded."),
    "bad_request": OPENAI_ROWS["bad_request"],
    "context_length": OPENAI_ROWS["context_length"],
}

#: Every error of such vendors by its name.
ROWS: cabc.Mapping[str, ErrorRow] = {**_BASE, **retry_rows(_BASE["ratelimited"])}
