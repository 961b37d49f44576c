"""The errors of GEMINI.

The order is the precedence: the reason of ``ErrorInfo``, "leaked", the kinds of 429,
our own side, billing, then the status. Every quota 429 says "check your plan and
billing details", the ones per minute too: neither "billing" nor "quota" tells anything
there.
"""

from __future__ import annotations

import collections.abc as cabc
import re
import types
import typing as t

from ..providers.types import Failure
from .rules import Dialect
from .rules import EXPIRED_TEXTS
from .rules import Rule

_S400: t.Final = frozenset({400})
_S400_403: t.Final = frozenset({400, 403})
_S403: t.Final = frozenset({403})
_S429: t.Final = frozenset({429})

#: Marks of ours for what the violations of a ``QuotaFailure`` say.
PER_DAY: t.Final = "quota_per_day"
LIMIT_ZERO: t.Final = "quota_limit_zero"
PER_MINUTE: t.Final = "quota_per_minute"
OTHER_QUOTA: t.Final = "quota_other"
#: No ``ErrorInfo`` says why.
BARE: t.Final = "bare"

_RULES: t.Final = (
    # The account is limited; comes as a finish reason with 200.
    Rule(letter="B", words=("PUP_LIMITED_DISABLED",)),
    Rule(letter="A", words=("API_KEY_INVALID",), texts=EXPIRED_TEXTS, reason="expired"),
    Rule(letter="A", words=("API_KEY_INVALID", "CONSUMER_*", "ACCESS_TOKEN_*")),
    Rule(letter="B", words=("API_KEY_*", "SERVICE_DISABLED")),
    Rule(letter="C", words=("BILLING_DISABLED",)),
    Rule(letter="A", statuses=_S403, texts=("leaked",), code="leaked"),
    Rule(letter="C", statuses=_S429, texts=("spending cap",), code="spending_cap"),
    Rule(
        letter="C",
        statuses=_S429,
        texts=("prepayment", "credits are depleted"),
        code="credits_depleted",
    ),
    Rule(
        letter="C",
        statuses=_S429,
        words=(PER_DAY, LIMIT_ZERO),
        model_scoped=True,
        until="pacific_midnight",
    ),
    Rule(letter="D", statuses=_S429),
    Rule(
        letter="L",
        statuses=_S400_403,
        texts=("user location",),
        code="location_not_supported",
    ),
    Rule(
        letter="L",
        statuses=_S400,
        texts=("multiple authentication credentials",),
        code="two_credentials",
    ),
    Rule(
        letter="C",
        statuses=_S400_403,
        words=("FAILED_PRECONDITION",),
        texts=("billing", "free tier"),
        code="billing_required",
    ),
    Rule(letter="A", statuses=frozenset({401})),
    Rule(letter="C", statuses=frozenset({402}), code="credits_depleted"),
    # Often one model only: the others stay in use.
    Rule(letter="B", statuses=_S403, words=(BARE,), model_scoped=True),
    Rule(letter="B", statuses=_S403),
    Rule(letter="M", statuses=frozenset({404}), has_envelope=True, ambiguous=True),
)

_CODES: t.Final = frozenset(
    {
        PER_DAY,
        LIMIT_ZERO,
        PER_MINUTE,
        OTHER_QUOTA,
        "ABORTED",
        "ACCESS_TOKEN_EXPIRED",
        "ACCESS_TOKEN_TYPE_UNSUPPORTED",
        "API_KEY_ANDROID_APP_BLOCKED",
        "API_KEY_HTTP_REFERRER_BLOCKED",
        "API_KEY_INVALID",
        "API_KEY_IOS_APP_BLOCKED",
        "API_KEY_IP_ADDRESS_BLOCKED",
        "API_KEY_SERVICE_BLOCKED",
        "BILLING_DISABLED",
        "CANCELLED",
        "CONSUMER_INVALID",
        "CONSUMER_SUSPENDED",
        "DEADLINE_EXCEEDED",
        "FAILED_PRECONDITION",
        "INTERNAL",
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "OUT_OF_RANGE",
        "PERMISSION_DENIED",
        "PUP_LIMITED_DISABLED",
        "RATE_LIMIT_EXCEEDED",
        "SERVICE_DISABLED",
        "UNAUTHENTICATED",
        "UNAVAILABLE",
        "UNKNOWN",
    }
)

# https://cloud.google.com/apis/design/errors#handling_errors
_WORD_STATUSES: t.Final = types.MappingProxyType(
    {
        "ABORTED": 409,
        "CANCELLED": 499,
        "DEADLINE_EXCEEDED": 504,
        "FAILED_PRECONDITION": 400,
        "INTERNAL": 500,
        "INVALID_ARGUMENT": 400,
        "NOT_FOUND": 404,
        "OUT_OF_RANGE": 400,
        "PERMISSION_DENIED": 403,
        "RESOURCE_EXHAUSTED": 429,
        "UNAUTHENTICATED": 401,
        "UNAVAILABLE": 503,
        "UNKNOWN": 500,
    }
)

# "limit: 0" as a whole: "limit: 0.5" and "limit: 05" are limits like any other.
_LIMIT_ZERO: t.Final = re.compile(r"limit: 0(?!\.?[0-9])")


def read_marks(failure: Failure) -> tuple[str, ...]:
    """Say in words of ours what the details tell, the gravest first."""
    bare = () if any(not word.isdigit() for word in failure.reasons) else (BARE,)

    if failure.status != 429 and failure.type != "RESOURCE_EXHAUSTED":
        return bare

    return (*_quota_marks(failure), *bare)


def _quota_marks(failure: Failure) -> cabc.Iterator[str]:
    violations = tuple(_violations(failure.details))
    ids = [_field(entry, "quotaId", "quota_id").lower() for entry in violations]
    limits = [_field(entry, "quotaValue", "quota_value") for entry in violations]

    if any("perday" in quota_id for quota_id in ids):
        yield PER_DAY

    if "0" in limits or _LIMIT_ZERO.search(failure.text):
        yield LIMIT_ZERO

    if any("perminute" in quota_id for quota_id in ids):
        yield PER_MINUTE

    if violations:
        yield OTHER_QUOTA


def _violations(
    details: cabc.Iterable[cabc.Mapping[str, t.Any]],
) -> cabc.Iterator[cabc.Mapping[str, t.Any]]:
    for entry in details:
        found = entry.get("violations")

        if str(entry.get("@type")).endswith("QuotaFailure") and isinstance(found, list):
            yield from (one for one in found if isinstance(one, cabc.Mapping))


def _field(entry: cabc.Mapping[str, t.Any], *names: str) -> str:
    """Read a field whose name comes in camel or in snake case."""
    return next((str(entry[name]) for name in names if name in entry), "")


GEMINI: t.Final = Dialect(
    rules=_RULES, codes=_CODES, word_statuses=_WORD_STATUSES, read_marks=read_marks
)
