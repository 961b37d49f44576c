"""The errors of OPENAI, by name. Facts age: one row per error, nothing else."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from .exchange import ErrorRow
from .openai_common import error_body
from .retry_rows import retry_rows

Scope = t.Literal["all", "generate", "list"]
_REQUEST = "invalid_request_error"


def _row(
    status: int,
    message: str,
    code: str | None = None,
    *,
    kind: str = _REQUEST,
    param: str | None = None,
    scope: Scope = "generate",
    path: str = "",
    **headers: str,
) -> ErrorRow:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = error_body(message, kind=kind, param=param, code=code)
    paths = (path,) if path else ()
    return ErrorRow(status=status, body=body, headers=named, scope=scope, paths=paths)


def _missing_scope(scope: str) -> str:
    return (
        "You have insufficient permissions for this operation. "
        f"Missing scopes: {scope}. Check that you have the correct role in your "
        "organization, and if you're using a restricted API key, that it has the "
        "necessary scopes."
    )


def _quota(code: str, message: str, kind: str = "insufficient_quota") -> ErrorRow:
    return _row(429, message, code, kind=kind)


_WRONG_KEY = (
    "Incorrect API key provided: {masked_key}. You can find your API key at "
    "https://platform.openai.com/account/api-keys."
)
_NO_MODEL = "The model `{model}` does not exist or you do not have access to it."
_NO_CREDIT = (
    "You exceeded your current quota, please check your plan and billing details."
)
_BUSY = (
    "Rate limit reached for {model} in organization org-TEST on tokens per min (TPM): "
    "Limit 30000, Used 18928, Requested 11159. Please try again in 20s."
)

_BASE: dict[str, ErrorRow] = {
    # the words of the contract
    "revoked": _row(401, _WRONG_KEY, "invalid_api_key", scope="all"),
    "expired": _row(401, "Your API key has expired.", "api_key_expired", scope="all"),
    "restricted": _row(401, _missing_scope("{scope}")),
    "nocredit": _quota("insufficient_quota", _NO_CREDIT),
    "ratelimited": _row(
        429, _BUSY, "rate_limit_exceeded", kind="tokens", retry_after="20"
    ),
    "overloaded": _row(
        503,
        "The engine is currently overloaded, please try again later",
        "server_is_overloaded",
        kind="service_unavailable_error",
    ),
    "outage": _row(
        500,
        "The server had an error while processing your request. Sorry about that!",
        "server_error",
        kind="server_error",
        scope="all",
    ),
    # 401
    "account_deactivated": _row(
        401,
        "The OpenAI account associated with this API key has been deactivated.",
        "account_deactivated",
        scope="all",
    ),
    "missing_chat_scope": _row(
        401, _missing_scope("model.request"), path="/chat/completions"
    ),
    "missing_responses_scope": _row(
        401, _missing_scope("api.responses.write"), path="/responses"
    ),
    "generate_only": _row(401, _missing_scope("api.model.read"), scope="list"),
    "ip_not_authorized": _row(
        401, "Your IP is not authorized.", "ip_not_authorized", scope="all"
    ),
    "incorrect_hostname": _row(
        401,
        "Attempted to access resource with incorrect regional hostname.",
        "incorrect_hostname",
        scope="all",
    ),
    "not_a_member": _row(
        401,
        "You must be a member of an organization to use the API.",
        scope="all",
    ),
    "unauthorized_other": _row(401, "Something else is wrong.", scope="all"),
    "key_echoed": _row(
        401,
        "Incorrect API key provided: {api_key}.",
        "invalid_api_key",
        scope="all",
        x_request_id="{api_key}",
    ),
    # 403, 404, and 400 that mean the same
    "project_no_model_access": _row(
        403,
        "Project `proj_TEST` does not have access to model `{model}`",
        "model_not_found",
    ),
    "unsupported_country": _row(
        403,
        "Country, region, or territory not supported",
        "unsupported_country_region_territory",
        kind="request_forbidden",
        scope="all",
    ),
    "forbidden_other": _row(403, "You are not allowed to do this.", scope="all"),
    "model_not_found": _row(404, _NO_MODEL, "model_not_found"),
    "model_not_found_400": _row(
        400,
        "The requested model '{model}' does not exist.",
        "model_not_found",
        param="model",
    ),
    "not_verified": _row(
        400,
        "Your organization must be verified to stream this model. Please go to: "
        "https://platform.openai.com/settings/organization/general.",
        "unsupported_value",
        param="stream",
    ),
    # 400
    "context_length": _row(
        400,
        "Your input exceeds the context window of this model. Please adjust your input "
        "and try again.",
        "context_length_exceeded",
        param="input",
    ),
    "bad_request": _row(
        400,
        "Unsupported parameter: 'stop' is not supported with this model.",
        "unsupported_parameter",
        param="stop",
    ),
    "below_minimum": _row(
        400,
        "Invalid 'temperature': decimal below minimum value. Expected a value >= 0, "
        "but got -1 instead.",
        "decimal_below_min_value",
        param="temperature",
    ),
    "could_not_finish": _row(
        400,
        "Could not finish the message because max_tokens or model output limit was "
        "reached. Please try again with higher max_tokens.",
    ),
    "invalid_prompt": _row(400, "Invalid prompt: flagged.", "invalid_prompt"),
    "bio_policy": _row(400, "Flagged.", "bio_policy"),
    "cyber_policy": _row(400, "Flagged.", "cyber_policy"),
    "misalignment_policy": _row(400, "Flagged.", "misalignment_policy_violation"),
    # 429: money
    "insufficient_quota_type": _quota("other_code", _NO_CREDIT),
    "credit_balance_exhausted": _quota("credit_balance_exhausted", "No credit left."),
    "organization_usage_limit": _quota(
        "organization_usage_limit_exceeded", "Usage limit reached."
    ),
    "organization_spend_limit": _quota(
        "organization_spend_limit_exceeded", "Spend limit reached.", _REQUEST
    ),
    "project_spend_limit": _quota(
        "project_spend_limit_exceeded", "Spend limit reached.", _REQUEST
    ),
    "billing_not_active": _quota(
        "billing_not_active", "Your account is not active.", "billing_not_active"
    ),
    # 429: busy
    "rate_limit_requests": _row(
        429,
        "Rate limit reached for {model} on requests per min (RPM): Limit 3, Used 3, "
        "Requested 1. Please try again in 1m6.7s.",
        "rate_limit_exceeded",
        kind="requests",
    ),
    "slow_down": _row(429, "Slow down", "slow_down", kind="rate_limit_error"),
    "too_many_other": _row(429, "Too many.", "something_new", kind="something_new"),
    # trouble
    "timeout_408": _row(408, "Request timed out.", kind="server_error"),
    "conflict_409": _row(409, "Conflict.", kind="server_error"),
    "data_residency_mismatch": _row(
        401, "Data residency mismatch.", "data_residency_mismatch"
    ),
}

#: Every error of OPENAI by its name.
ROWS: cabc.Mapping[str, ErrorRow] = {**_BASE, **retry_rows(_BASE["ratelimited"])}
