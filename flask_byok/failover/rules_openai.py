"""The errors of OPENAI and of vendors that speak its wire.

The order is the precedence: quota family, 401 by code or text, 403 by code, missing
model, unverified organisation, rate limit, trouble, request.
"""

from __future__ import annotations

import types
import typing as t

from .rules import Dialect
from .rules import EXPIRED_TEXTS
from .rules import no_marks
from .rules import Rule

_S401: t.Final = frozenset({401})
_S403: t.Final = frozenset({403})

_RULES: t.Final = (
    # A spend limit of the account's own ends with the month; lost credit does not.
    Rule(
        letter="C",
        words=("organization_spend_limit_exceeded", "project_spend_limit_exceeded"),
        until="month",
    ),
    Rule(
        letter="C",
        words=(
            "insufficient_quota",
            "credit_balance_exhausted",
            "organization_usage_limit_exceeded",
            "billing_not_active",
        ),
    ),
    # Compatible vendors.
    Rule(letter="C", statuses=frozenset({402})),
    Rule(letter="B", words=("ip_not_authorized",)),
    Rule(letter="B", words=("incorrect_hostname", "data_residency_mismatch")),
    # A valid key with fewer grants than the request needs.
    Rule(letter="B", statuses=_S401, texts=("missing scopes",), code="missing_scope"),
    Rule(
        letter="B",
        statuses=_S401,
        texts=("must be a member of an organization",),
        code="not_a_member",
    ),
    Rule(letter="A", statuses=_S401, texts=EXPIRED_TEXTS, reason="expired"),
    Rule(letter="A", statuses=_S401),
    Rule(letter="L", words=("unsupported_country_region_territory",)),
    Rule(letter="L", statuses=_S403, words=("request_forbidden",)),
    # With 403 the project lacks the model for certain; elsewhere it may be a typing
    # mistake.
    Rule(letter="M", statuses=_S403, words=("model_not_found",)),
    Rule(letter="M", words=("model_not_found",), ambiguous=True),
    Rule(
        letter="B",
        statuses=frozenset({400, 403, 404}),
        texts=("organization must be verified",),
        code="organization_not_verified",
        model_scoped=True,
    ),
    Rule(letter="B", statuses=_S403),
    Rule(letter="D", statuses=frozenset({429})),
    # Proves that the key works: thoughts used up the cap.
    Rule(
        letter="G",
        statuses=frozenset({400}),
        texts=("could not finish the message because max_tokens",),
        code="output_cap_reached",
    ),
    Rule(
        letter="G",
        statuses=frozenset({200}),
        words=("image_*", "invalid_image*", "invalid_base64_image"),
    ),
)

_CODES: t.Final = frozenset(
    {
        "account_deactivated",
        "array_above_max_length",
        "authentication_error",
        "billing_not_active",
        "bio_policy",
        "content_filter",
        "content_policy_violation",
        "context_length_exceeded",
        "credit_balance_exhausted",
        "cyber_policy",
        "data_residency_mismatch",
        "decimal_above_max_value",
        "decimal_below_min_value",
        "empty_array",
        "image_content_policy_violation",
        "image_file_too_large",
        "image_parse_error",
        "image_too_large",
        "image_too_small",
        "incorrect_hostname",
        "insufficient_quota",
        "integer_above_max_value",
        "integer_below_min_value",
        "invalid_api_key",
        "invalid_base64_image",
        "invalid_image",
        "invalid_image_format",
        "invalid_image_mode",
        "invalid_image_url",
        "invalid_prompt",
        "invalid_type",
        "invalid_value",
        "ip_not_authorized",
        "misalignment_policy_violation",
        "missing_required_parameter",
        "model_not_found",
        "organization_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "permission_error",
        "project_spend_limit_exceeded",
        "rate_limit_error",
        "rate_limit_exceeded",
        "request_forbidden",
        "server_error",
        "server_is_overloaded",
        "service_unavailable_error",
        "slow_down",
        "string_above_max_length",
        "unknown_parameter",
        "unsupported_country_region_territory",
        "unsupported_file",
        "unsupported_image_media_type",
        "unsupported_parameter",
        "unsupported_value",
        "vector_store_timeout",
    }
)

_WORD_STATUSES: t.Final = types.MappingProxyType(
    {
        "account_deactivated": 401,
        "authentication_error": 401,
        "bio_policy": 400,
        "content_filter": 400,
        "content_policy_violation": 400,
        "context_length_exceeded": 400,
        "cyber_policy": 400,
        "invalid_api_key": 401,
        "invalid_prompt": 400,
        "misalignment_policy_violation": 400,
        "permission_error": 403,
        "rate_limit_error": 429,
        "rate_limit_exceeded": 429,
        "request_forbidden": 403,
        "server_error": 500,
        "server_is_overloaded": 503,
        "service_unavailable_error": 503,
        "slow_down": 429,
        "unsupported_parameter": 400,
        "unsupported_value": 400,
        "vector_store_timeout": 500,
        # Types: looked at after every code.
        "invalid_request_error": 400,
        "requests": 429,
        "tokens": 429,
    }
)

OPENAI: t.Final = Dialect(
    rules=_RULES, codes=_CODES, word_statuses=_WORD_STATUSES, read_marks=no_marks
)
