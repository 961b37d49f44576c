"""From the facts of a failed attempt to a verdict. Pure: no clock, no state, no log.

What counts, in this order: content already passed on, the kind of failure, the error
object's code, its type, its text, the HTTP status. Nothing a provider wrote leaves
here: codes and fields come from our own vocabulary, ids and scopes only in a plain
shape.
"""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import re
import types
import typing as t

from ..providers.types import Failure
from ..providers.types import FailureKind
from .delay import next_month
from .delay import next_pacific_midnight
from .delay import read_delay
from .delay import read_regain_date
from .reasons import CLASSES
from .rules import Dialect
from .rules import Facts
from .rules import find_rule
from .rules import known_code
from .rules import read_facts
from .rules import Rule
from .rules_claude import CLAUDE
from .rules_compatible import COMPATIBLE
from .rules_gemini import GEMINI
from .rules_openai import OPENAI
from .verdict import Verdict as Verdict

#: The error table of each dialect.
DIALECTS: t.Final[cabc.Mapping[str, Dialect]] = types.MappingProxyType(
    {
        "OPENAI": OPENAI,
        "CLAUDE": CLAUDE,
        "GEMINI": GEMINI,
        "COMPATIBLE": COMPATIBLE,
    }
)

_KINDS: t.Final[cabc.Mapping[FailureKind, Rule]] = types.MappingProxyType(
    {
        "unreadable_answer": Rule(letter="E", code="unreadable_answer"),
        "redirect": Rule(letter="L", code="redirect"),
        "tls": Rule(letter="L", code="tls"),
        "unreached": Rule(letter="E", code="unreached"),
        "timeout": Rule(letter="F", code="timeout"),
        "reset": Rule(letter="F", code="reset"),
        "reset_reused": Rule(letter="F", code="reset"),
        "too_large": Rule(letter="E", code="too_large"),
        # A request that cannot be put on the wire is the caller's mistake.
        "not_sendable": Rule(letter="G", code="not_sendable"),
        "interrupted": Rule(letter="E", code="stream_cut"),
    }
)

# A key that cannot be put into a header can be no key: it came another way than by the
# form, and only a person can mend that.
_NO_KEY: t.Final = Rule(letter="A", code="not_sendable")

_UNSENT: t.Final = frozenset[FailureKind]({"tls", "unreached", "not_sendable"})

# Statuses whose meaning the tables name; any other is told by its number.
_KNOWN_STATUSES: t.Final = frozenset(
    {200, 400, 401, 402, 403, 404, 408, 409, 413, 422, 429}
    | {499, 500, 502, 503, 504, 529}
)
_TROUBLE: t.Final = frozenset({408, 409, 499})

_PARAMS: t.Final = frozenset(
    {
        "dimensions",
        "include",
        "input",
        "instructions",
        "max_completion_tokens",
        "max_output_tokens",
        "max_tokens",
        "messages",
        "model",
        "reasoning",
        "reasoning_effort",
        "response_format",
        "stop",
        "store",
        "stream",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_p",
    }
)
_REQUEST_ID: t.Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_SCOPE: t.Final = re.compile(r"[a-z._]{1,64}")
_MOST_SCOPES: t.Final = 4


def classify(failure: Failure, *, dialect: str, now: dt.datetime) -> Verdict:
    """Judge one failed attempt.

    :param dialect: whose error table applies: ``OPENAI``, ``CLAUDE``, ``GEMINI``
        or ``COMPATIBLE``.
    :param now: aware, UTC, of the database's clock.
    :raises KeyError: no such dialect.
    """
    table = DIALECTS[dialect]
    facts = read_facts(failure, table)
    rule = _find_rule(failure, facts, table)
    code = rule.code or known_code(facts, table)

    if failure.committed:
        rule = Rule(letter="K")

    entry = CLASSES[rule.letter]
    until = _until(rule, failure, now)
    # The delays beside a daily quota mislead: a minute, with the quota gone till night.
    misleads = rule.until == "pacific_midnight"
    return Verdict(
        letter=rule.letter,
        reason=rule.reason or entry.reason,
        code=code,
        status=failure.status,
        request_id=_read_plain(_REQUEST_ID, failure.request_id),
        model_scoped=rule.model_scoped or entry.scope == "model",
        ambiguous=rule.ambiguous,
        delay=None if misleads else read_delay(failure, now),
        until=until,
        may_retry=failure.headers.get("x-should-retry", "").strip().lower() != "false",
        sent=failure.sent and failure.kind not in _UNSENT,
        param=_read_param(failure.param),
        missing=_read_missing(failure.text) if rule.letter == "B" else None,
    )


def _find_rule(failure: Failure, facts: Facts, table: Dialect) -> Rule:
    status = failure.status or 0

    if failure.kind != "answer" and not _is_error_status(failure):
        return _judge_kind(failure)

    if 300 <= status < 400:
        return _KINDS["redirect"]

    if status == 407:
        return Rule(letter="L", code="proxy_authentication")

    if status in (401, 403) and _is_foreign(failure):
        return Rule(letter="L", code="not_from_provider")

    return find_rule(table.rules, facts) or _by_status(facts, table)


def _judge_kind(failure: Failure) -> Rule:
    if failure.kind == "not_sendable" and "api_key" in failure.reasons:
        return _NO_KEY

    return _KINDS[failure.kind]


def _is_error_status(failure: Failure) -> bool:
    """An error answer that cannot be read still has its status."""
    return failure.kind in ("unreadable_answer", "too_large") and bool(
        failure.status and failure.status >= 300
    )


def _is_foreign(failure: Failure) -> bool:
    """Tell a page or an empty body from the provider's own words."""
    is_empty = not (failure.has_envelope or failure.reasons or failure.text)
    return failure.is_html or is_empty


def _by_status(facts: Facts, table: Dialect) -> Rule:
    status = facts.status or 0
    known = status in _KNOWN_STATUSES or known_code(facts, table) is not None
    code = None if known or not 100 <= status <= 999 else f"http_{status}"
    # An error inside a 200 whose word nobody knows is the provider's trouble.
    is_trouble = status < 400 or status >= 500 or status in _TROUBLE
    return Rule(letter="E" if is_trouble else "G", code=code)


def _until(rule: Rule, failure: Failure, now: dt.datetime) -> dt.datetime | None:
    if rule.letter != "C":
        return None

    if rule.until == "pacific_midnight":
        return next_pacific_midnight(now)

    month = next_month(now) if rule.until == "month" else None
    return read_regain_date(failure.text, now) or month


def _read_plain(shape: re.Pattern[str], value: str | None) -> str | None:
    return value if value is not None and shape.fullmatch(value) else None


def _read_param(param: str | None) -> str | None:
    """Name the request field: ``tools[0].name`` is about ``tools``."""
    head = re.split(r"[.\[]", param or "", maxsplit=1)[0]
    return head if head in _PARAMS else None


def _read_missing(text: str) -> str | None:
    """Name the scopes after "missing scopes:", as long as they look like scopes."""
    _, _, rest = text.partition("missing scopes:")
    found = []

    for part in rest.split(",", _MOST_SCOPES)[:_MOST_SCOPES]:
        words = part.split(None, 1)
        scope = words[0].strip(".") if words else ""

        if _read_plain(_SCOPE, scope) is None:
            break

        found.append(scope)

        if len(words) > 1:
            break

    return ", ".join(found) or None
