"""The errors of vendors and servers that speak OPENAI's wire: one table for all.

The status comes first, since it is what they agree on; then machine words, then texts,
each bound to the statuses where it was seen. Bodies: ``error`` as an object or as a
text, or the fields with nothing around them; ``code`` may be the status as a number.

Sources: public reports and the vendors' pages on errors. Not tried on live accounts.
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
_S404: t.Final = frozenset({404})
_MONEY_WORDS: t.Final = (
    "insufficient_quota",
    "insufficient_balance",
    "insufficient_credits",
    "credit_balance_exhausted",
    "billing_not_active",
)

_RULES: t.Final = (
    Rule(letter="C", statuses=frozenset({402})),
    # xAI tells of money with 403 and with 429.
    Rule(
        letter="C",
        statuses=frozenset({403, 429}),
        texts=("used all available credits", "run out of credits", "have any credits"),
        code="no_credit",
    ),
    Rule(letter="C", statuses=frozenset({400, 403, 429}), words=_MONEY_WORDS),
    Rule(letter="A", statuses=_S401, texts=EXPIRED_TEXTS, reason="expired"),
    Rule(letter="A", statuses=_S401),
    # xAI refuses a wrong key with 400, once with its spaces written as in addresses.
    Rule(
        letter="A",
        statuses=_S400,
        texts=("incorrect api key provided", "incorrect%20api%20key%20provided"),
        code="invalid_api_key",
    ),
    Rule(
        letter="A",
        statuses=frozenset({400, 403}),
        words=("invalid_api_key", "organization_restricted"),
    ),
    # Azure: a firewall of the resource that does not let our servers in.
    Rule(
        letter="L",
        statuses=_S403,
        texts=("virtual network/firewall rules", "public access is disabled"),
        code="network_refused",
    ),
    Rule(
        letter="L",
        statuses=_S403,
        words=("unsupported_country_region_territory", "request_forbidden"),
    ),
    # OpenRouter: what was asked is against the rules of the model's own provider.
    Rule(
        letter="G",
        statuses=_S403,
        texts=("was flagged", "requires moderation"),
        code="content_filter",
    ),
    Rule(letter="M", statuses=_S403, words=("model_not_found",)),
    Rule(letter="B", statuses=_S403),
    Rule(
        letter="M",
        statuses=frozenset({400, 404}),
        words=("model_not_found", "model_decommissioned"),
        ambiguous=True,
    ),
    Rule(
        letter="M",
        statuses=_S404,
        words=("DeploymentNotFound", "NotFoundError"),
        code="model_not_found",
        ambiguous=True,
    ),
    Rule(
        letter="M",
        statuses=_S404,
        texts=("model", "deployment", "no endpoints found"),
        code="model_not_found",
        ambiguous=True,
    ),
    # Groq: no room for work that may wait.
    Rule(letter="D", statuses=frozenset({429, 498})),
)

_CODES: t.Final = frozenset(
    {
        "authentication_error",
        "billing_not_active",
        "content_filter",
        "context_length_exceeded",
        "credit_balance_exhausted",
        "insufficient_balance",
        "insufficient_credits",
        "insufficient_quota",
        "invalid_api_key",
        "model_decommissioned",
        "model_not_found",
        "organization_restricted",
        "rate_limit_exceeded",
        "request_forbidden",
        "server_error",
        "unsupported_country_region_territory",
    }
)

_WORD_STATUSES: t.Final = types.MappingProxyType(
    {
        "authentication_error": 401,
        "content_filter": 400,
        "context_length_exceeded": 400,
        "insufficient_balance": 402,
        "insufficient_credits": 402,
        "insufficient_quota": 402,
        "invalid_api_key": 401,
        "model_not_found": 404,
        "rate_limit_exceeded": 429,
        "server_error": 500,
        # A type: looked at after every code.
        "invalid_request_error": 400,
    }
)

COMPATIBLE: t.Final = Dialect(
    rules=_RULES, codes=_CODES, word_statuses=_WORD_STATUSES, read_marks=no_marks
)
