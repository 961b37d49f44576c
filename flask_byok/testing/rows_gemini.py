"""The errors of GEMINI, by name. Facts age: one row per error, nothing else."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from .exchange import ErrorRow
from .retry_rows import retry_rows

Scope = t.Literal["all", "generate", "list"]
Details = list[dict[str, t.Any]]
_TYPES = "type.googleapis.com/google.rpc."
_SERVICE = "generativelanguage.googleapis.com"


def error_body(
    code: int, status: str, message: str, details: Details | None = None
) -> dict[str, t.Any]:
    """Put an error into GEMINI's envelope."""
    error: dict[str, t.Any] = {"code": code, "message": message, "status": status}

    if details:
        error["details"] = details

    return {"error": error}


def error_info(reason: str, **metadata: str) -> dict[str, t.Any]:
    """Make the detail that carries a machine's reason."""
    return {
        "@type": f"{_TYPES}ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"service": _SERVICE, **metadata},
    }


def _row(
    code: int,
    status: str,
    message: str,
    details: Details | None = None,
    scope: Scope = "generate",
) -> ErrorRow:
    body = error_body(code, status, message, details)
    return ErrorRow(status=code, body=body, scope=scope)


def _bad_key(message: str) -> ErrorRow:
    words = {
        "@type": f"{_TYPES}LocalizedMessage",
        "locale": "en-US",
        "message": message,
    }
    details = [error_info("API_KEY_INVALID"), words]
    return _row(400, "INVALID_ARGUMENT", message, details, "all")


def _denied(message: str, reason: str, scope: Scope = "all") -> ErrorRow:
    details = [error_info(reason, consumer="projects/1")]
    return _row(403, "PERMISSION_DENIED", message, details, scope)


def _quota(quota_id: str, limit: str, delay: str, message: str = "") -> ErrorRow:
    text = message or (
        "You exceeded your current quota, please check your plan and billing details. "
        f"\n* Quota exceeded for metric: {_SERVICE}/generate_content_requests, "
        f"limit: {limit}, model: {{model}}\nPlease retry in {delay}."
    )
    violation = {
        "quotaMetric": f"{_SERVICE}/generate_content_requests",
        "quotaId": quota_id,
        "quotaDimensions": {"model": "{model}", "location": "global"},
        "quotaValue": limit,
    }
    details = [
        _HELP,
        {"@type": f"{_TYPES}QuotaFailure", "violations": [violation]},
        {"@type": f"{_TYPES}RetryInfo", "retryDelay": delay},
    ]
    return _row(429, "RESOURCE_EXHAUSTED", text, details)


_HELP: dict[str, t.Any] = {
    "@type": f"{_TYPES}Help",
    "links": [
        {
            "description": "Learn more about Gemini API quotas",
            "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
        }
    ],
}
_BLOCKED = f"Requests to this API {_SERVICE} method {{path}} are blocked."
_NOT_FOUND = (
    "models/{model} is not found for API version v1beta, or is not supported for "
    "generateContent. Call ModelService.ListModels to see the list of available models "
    "and their supported methods."
)
_EXHAUSTED = "Resource exhausted. Please try again later."
_PER_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel"
_PER_DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"

_BASE: dict[str, ErrorRow] = {
    # the words of the contract
    "revoked": _bad_key("API key not valid. Please pass a valid API key."),
    "expired": _bad_key("API key expired. Please renew the API key."),
    "restricted": _denied(_BLOCKED, "API_KEY_SERVICE_BLOCKED", "generate"),
    "nocredit": _row(
        402, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."
    ),
    "ratelimited": _quota(_PER_MINUTE, "1000", "20s"),
    "overloaded": _row(
        503, "UNAVAILABLE", "The model is overloaded. Please try again later."
    ),
    "outage": _row(500, "INTERNAL", "An internal error has occurred.", scope="all"),
    # 400
    "key_not_found": _bad_key("API Key not found. Please pass a valid API key."),
    "location": _row(
        400,
        "FAILED_PRECONDITION",
        "User location is not supported for the API use.",
        scope="all",
    ),
    "free_tier_unavailable": _row(
        400,
        "FAILED_PRECONDITION",
        "Gemini API free tier is not available in your country. Please enable billing "
        "on your project in Google AI Studio.",
    ),
    "billing_disabled": _denied("Billing is disabled.", "BILLING_DISABLED"),
    "multiple_credentials": _row(
        400,
        "INVALID_ARGUMENT",
        "Multiple authentication credentials received. Please pass only one.",
        scope="all",
    ),
    "bad_request": _row(400, "INVALID_ARGUMENT", "Invalid value at 'contents'."),
    "context_length": _row(
        400,
        "INVALID_ARGUMENT",
        "The input token count (1200000) exceeds the maximum number of tokens allowed "
        "(1048576).",
    ),
    # 401, 402
    "token_type_unsupported": _row(
        401,
        "UNAUTHENTICATED",
        "Request had invalid authentication credentials. Expected OAuth 2 access "
        "token, login cookie or other valid authentication credential.",
        [error_info("ACCESS_TOKEN_TYPE_UNSUPPORTED")],
        "all",
    ),
    # lists, but refuses to generate with the same key
    "unauthenticated_generate": _row(
        401, "UNAUTHENTICATED", "Request had invalid authentication credentials."
    ),
    # 403
    "leaked": _row(
        403,
        "PERMISSION_DENIED",
        "Your API key was reported as leaked. Please use another API key.",
    ),
    "consumer_suspended": _denied(
        "Permission denied: Consumer 'api_key:{api_key}' has been suspended.",
        "CONSUMER_SUSPENDED",
    ),
    "key_echoed": _denied(
        "Permission denied: Consumer 'api_key:{api_key}' has been suspended.",
        "CONSUMER_SUSPENDED",
    ),
    "consumer_invalid": _denied("Consumer invalid.", "CONSUMER_INVALID"),
    "service_disabled": _denied(
        "Generative Language API has not been used in project 1 before or it is "
        "disabled.",
        "SERVICE_DISABLED",
    ),
    "referrer_blocked": _denied(
        "Requests from referer <empty> are blocked.", "API_KEY_HTTP_REFERRER_BLOCKED"
    ),
    "ip_blocked": _denied(
        "The provided API key has an IP address restriction.",
        "API_KEY_IP_ADDRESS_BLOCKED",
    ),
    "no_permission": _row(
        403, "PERMISSION_DENIED", "The caller does not have permission"
    ),
    "generate_only": _denied(_BLOCKED, "API_KEY_SERVICE_BLOCKED", "list"),
    # 404
    "model_not_found": _row(404, "NOT_FOUND", _NOT_FOUND),
    "model_retired": _row(
        404, "NOT_FOUND", "This model is no longer available to new users."
    ),
    # 429
    "spending_cap": _row(
        429, "RESOURCE_EXHAUSTED", "Your project has exceeded its spending cap."
    ),
    "prepayment_depleted": _row(
        429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."
    ),
    "quota_per_minute": _quota(_PER_MINUTE, "1000000", "48s"),
    "quota_per_day": _quota(_PER_DAY, "20", "59s"),
    "quota_per_day_long": _quota(_PER_DAY, "250", "39043s"),
    "quota_zero": _quota("GenerateRequestsPerMinute-FreeTier", "0", "59s"),
    "quota_help_only": _row(429, "RESOURCE_EXHAUSTED", _EXHAUSTED, [_HELP]),
    "quota_no_details": _row(429, "RESOURCE_EXHAUSTED", _EXHAUSTED),
    "ratelimited_info": _quota(_PER_MINUTE, "1000", "0.5s"),
    # trouble
    "cancelled": _row(499, "CANCELLED", "The operation was cancelled."),
    "deadline": _row(
        504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."
    ),
}

#: Every error of GEMINI by its name. Its ``Retry-After`` headers are made up: the
#: provider puts the delay into ``RetryInfo``.
ROWS: cabc.Mapping[str, ErrorRow] = {
    **_BASE,
    **retry_rows(_row(429, "RESOURCE_EXHAUSTED", _EXHAUSTED)),
}
