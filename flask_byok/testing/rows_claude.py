"""The errors of CLAUDE, by name. Facts age: one row per error, nothing else."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from .exchange import ErrorRow
from .retry_rows import retry_rows

Scope = t.Literal["all", "generate", "list"]
_REQUEST = "invalid_request_error"


def error_body(
    message: str, *, kind: str, error_code: str | None = None
) -> dict[str, t.Any]:
    """Put an error into CLAUDE's envelope."""
    error: dict[str, t.Any] = {"type": kind, "message": message}

    if error_code is not None:
        error["details"] = {"error_code": error_code}

    return {"type": "error", "error": error, "request_id": "{request_id}"}


def _row(
    status: int,
    kind: str,
    message: str,
    error_code: str | None = None,
    *,
    scope: Scope = "generate",
    headers: cabc.Mapping[str, str] | None = None,
) -> ErrorRow:
    body = error_body(message, kind=kind, error_code=error_code)
    return ErrorRow(status=status, body=body, headers=headers or {}, scope=scope)


def _account(error_code: str) -> ErrorRow:
    return _row(400, _REQUEST, "The account cannot be used.", error_code, scope="all")


def _spend_limit(error_code: str) -> ErrorRow:
    return _row(429, "rate_limit_error", "A spend limit was reached.", error_code)


_NO_CREDIT = (
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & "
    "Billing to upgrade or purchase credits."
)
_BUSY = (
    "This request would exceed your organization's rate limit of 30,000 input tokens "
    "per minute"
)
_REGAIN = "You will regain access on 2026-12-01 at 00:00 UTC."

_BASE: dict[str, ErrorRow] = {
    # the words of the contract
    "revoked": _row(401, "authentication_error", "invalid x-api-key", scope="all"),
    "expired": _row(401, "authentication_error", "API key has expired", scope="all"),
    "restricted": _row(
        403,
        "permission_error",
        "Your API key does not have permission to use the specified resource.",
        "api_key_scope_missing",
    ),
    "nocredit": _row(400, _REQUEST, _NO_CREDIT),
    "ratelimited": _row(429, "rate_limit_error", _BUSY, headers={"retry-after": "20"}),
    "overloaded": _row(529, "overloaded_error", "Overloaded"),
    "outage": _row(500, "api_error", "Internal server error", scope="all"),
    # 400 that are about the account
    "own_usage_limit": _row(
        400, _REQUEST, f"You have reached your specified API usage limits. {_REGAIN}"
    ),
    "workspace_usage_limit": _row(
        400,
        _REQUEST,
        f"You have reached your specified workspace API usage limits. {_REGAIN}",
    ),
    "organization_disabled": _row(
        400, _REQUEST, "This organization has been disabled.", scope="all"
    ),
    "organization_on_hold": _account("organization_on_hold"),
    "cmek_key_disabled": _account("cmek_key_disabled"),
    "cmek_key_network_blocked": _account("cmek_key_network_blocked"),
    "user_profile_required": _account("user_profile_required"),
    "key_creator_not_member": _account("claude_code_key_creator_not_member"),
    "key_profile_mismatch": _account("key_profile_mismatch"),
    # 400, 413, 422: the request
    "context_length": _row(
        400, _REQUEST, "prompt is too long: 3333404 tokens > 200000 maximum"
    ),
    "bad_request": _row(400, _REQUEST, "messages.0: Input does not match the shape."),
    "request_too_large": _row(413, "request_too_large", "Request too large"),
    "unprocessable": _row(422, _REQUEST, "Cannot be processed."),
    # 401, 402, 403
    "cors": _row(
        401,
        "authentication_error",
        "CORS requests are not allowed for this Organization",
        scope="all",
    ),
    "key_echoed": _row(
        401,
        "authentication_error",
        "invalid x-api-key: {api_key}",
        scope="all",
        headers={"request-id": "{api_key}"},
    ),
    "billing_error": _row(402, "billing_error", "billing"),
    "linked_billing_unavailable": _row(
        402, "billing_error", "billing", "linked_organization_billing_unavailable"
    ),
    "linked_spend_limit": _row(
        402, "billing_error", "billing", "linked_organization_spend_limit_reached"
    ),
    "permission_error": _row(
        403,
        "permission_error",
        "Your API key does not have permission to use the specified resource.",
    ),
    "user_profile_forbidden": _row(
        403, "permission_error", "Not for this profile.", "user_profile_forbidden"
    ),
    "generate_only": _row(
        403,
        "permission_error",
        "Your API key does not have permission to use the specified resource.",
        "api_key_scope_missing",
        scope="list",
    ),
    "forbidden_waf": ErrorRow(
        status=403,
        body={"error": {"type": "forbidden", "message": "Request not allowed"}},
    ),
    # 404
    "model_not_found": _row(404, "not_found_error", "model: {model}"),
    "not_found_other": _row(404, "not_found_error", "Not found"),
    # 429
    "ramp_limit": _row(429, "rate_limit_error", _BUSY, "ramp_limit_exceeded"),
    "enforced_spend_limit": _spend_limit("enforced_spend_limit_reached"),
    "contract_spend_limit": _spend_limit("contract_spend_limit_reached"),
    # trouble
    "timeout_408": _row(408, "timeout_error", "timeout"),
    "conflict_409": _row(409, "conflict_error", "conflict"),
    "cmek_unavailable": _row(503, "api_error", "unavailable", "cmek_key_unavailable"),
    "gateway_timeout": _row(504, "timeout_error", "timeout"),
}

#: Every error of CLAUDE by its name.
ROWS: cabc.Mapping[str, ErrorRow] = {**_BASE, **retry_rows(_BASE["ratelimited"])}
