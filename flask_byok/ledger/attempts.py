"""One attempt: what is known before it is sent, and how it ended."""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from ..providers.types import Usage

#: How an attempt ended. ``unknown``: it was sent and nobody knows what it used.
EndState = t.Literal["done", "failed", "unknown", "cancelled"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class AttemptStart:
    """What is known of an attempt before it is sent.

    :param company_id: the typed text.
    :param label: the host's name of the feature that asked.
    :param call_id: the same for all attempts of one call.
    """

    company_id: str
    provider: str
    model: str | None
    label: str | None = None
    call_id: str | None = None
    streamed: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class AttemptEnd:
    """How an attempt ended.

    :param reason: a reason word; ``None`` when it answered.
    :param code: a provider's code from our own table.
    :param usage: as far as the provider told it.
    """

    state: EndState
    reason: str | None = None
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    latency_ms: int | None = None
    usage: Usage | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """An attempt on a system key that is under way; hand it to ``settle``.

    :param id: of the row, for ever: usable as a key for exports.
    :param period: the month it is charged to, however long it takes.
    :param est_tokens: what is reserved; ``None`` without a budget.
    :param written: whether the row exists already.
    """

    id: str
    start: AttemptStart
    started_at: dt.datetime
    expires_at: dt.datetime
    period: str
    est_tokens: int | None
    written: bool


def end_values(end: AttemptEnd) -> dict[str, t.Any]:
    """Give the columns an attempt's end is written to."""
    usage = end.usage or Usage()
    known = end.usage is not None
    return {
        "state": end.state,
        "reason": end.reason,
        "status": end.status,
        "code": end.code,
        "request_id": end.request_id,
        "latency_ms": end.latency_ms,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens if known else None,
        "reasoning_tokens": usage.reasoning_tokens if known else None,
    }


def charged_tokens(end: AttemptEnd, est_tokens: int) -> int:
    """Charge real use; without any, the estimate: never silently nothing."""
    if end.state == "failed":
        return 0

    usage = end.usage or Usage()

    if usage.input_tokens is None and usage.output_tokens is None:
        return est_tokens

    return (usage.input_tokens or 0) + (usage.output_tokens or 0)
