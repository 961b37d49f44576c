"""The errors of CLAUDE.

The order is the precedence: ``error_code``, then 401, 402, 403 and the three texts that
come with 400, missing model, rate limit, trouble, request.
"""

from __future__ import annotations

import types
import typing as t

from .rules import Dialect
from .rules import EXPIRED_TEXTS
from .rules import no_marks
from .rules import Rule

_S400: t.Final = frozenset({400})
_S401: t.Final = frozenset({401})
_S403: t.Final = frozenset({403})

_RULES: t.Final = (
    Rule(
        letter="C",
        words=("enforced_spend_limit_reached", "contract_spend_limit_reached"),
        until="month",
    ),
    Rule(
        letter="C",
        words=(
            "linked_organization_billing_unavailable",
            "linked_organization_spend_limit_reached",
        ),
    ),
    # With 503 the cmek codes are the provider's trouble.
    Rule(
        letter="B",
        statuses=frozenset({400, 403}),
        words=(
            "api_key_scope_missing",
            "claude_code_key_creator_not_member",
            "cmek_key_disabled",
            "cmek_key_network_blocked",
            "key_profile_mismatch",
            "organization_on_hold",
            "user_profile_required",
        ),
    ),
    Rule(
        letter="L",
        statuses=_S401,
        texts=("cors requests are not allowed",),
        code="cors_not_allowed",
    ),
    Rule(letter="A", statuses=_S401, texts=EXPIRED_TEXTS, reason="expired"),
    Rule(letter="A", statuses=_S401),
    Rule(letter="C", statuses=frozenset({402})),
    Rule(letter="B", statuses=_S403, words=("permission_error", "user_profile_*")),
    Rule(letter="L", statuses=_S403),
    Rule(
        letter="C",
        statuses=_S400,
        texts=("credit balance is too low",),
        code="credit_balance_too_low",
    ),
    Rule(
        letter="C",
        statuses=_S400,
        texts=("specified api usage limits", "workspace api usage limits"),
        code="usage_limit_reached",
    ),
    Rule(
        letter="A",
        statuses=_S400,
        texts=("organization has been disabled",),
        code="organization_disabled",
    ),
    Rule(
        letter="M",
        statuses=frozenset({404}),
        words=("not_found_error",),
        texts=("model:",),
        code="model_not_found",
        ambiguous=True,
    ),
    Rule(letter="D", statuses=frozenset({429})),
)

_CODES: t.Final = frozenset(
    {
        "api_error",
        "api_key_scope_missing",
        "authentication_error",
        "billing_error",
        "claude_code_key_creator_not_member",
        "cmek_context_unavailable",
        "cmek_key_disabled",
        "cmek_key_network_blocked",
        "cmek_key_unreachable",
        "conflict_error",
        "contract_spend_limit_reached",
        "enforced_spend_limit_reached",
        "forbidden",
        "image_dimensions_too_large",
        "invalid_request_error",
        "key_profile_mismatch",
        "linked_organization_billing_unavailable",
        "linked_organization_spend_limit_reached",
        "not_found_error",
        "organization_on_hold",
        "overloaded_error",
        "permission_error",
        "ramp_limit_exceeded",
        "rate_limit_error",
        "request_too_large",
        "timeout_error",
        "tool_name_conflict",
        "user_profile_billing_not_authorized",
        "user_profile_not_billable",
        "user_profile_not_found",
        "user_profile_required",
        "workspace_policy_violation",
    }
)

_WORD_STATUSES: t.Final = types.MappingProxyType(
    {
        "api_error": 500,
        "authentication_error": 401,
        "billing_error": 402,
        "conflict_error": 409,
        "forbidden": 403,
        "invalid_request_error": 400,
        "not_found_error": 404,
        "overloaded_error": 529,
        "permission_error": 403,
        "rate_limit_error": 429,
        "request_too_large": 413,
        "timeout_error": 504,
    }
)

CLAUDE: t.Final = Dialect(
    rules=_RULES, codes=_CODES, word_statuses=_WORD_STATUSES, read_marks=no_marks
)
