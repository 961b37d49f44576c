"""One attempt: what is known before it is sent, and how it ended."""

from __future__ import annotations

import datetime as dt
import typing as t

from ..providers.types import Usage

#: How an attempt ended. ``unknown``: it was sent and nobody knows what it used.
EndState = t.Literal["done", "failed", "unknown", "cancelled"]


class AttemptStart(t.NamedTuple):
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


class AttemptEnd(t.NamedTuple):
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


class Amounts(t.NamedTuple):
    """What one attempt takes from a month.

    :param micros: millionths of a US dollar.
    """

    requests: int
    tokens: int
    micros: int


class Reserved(t.NamedTuple):
    """What is reserved for one attempt, beside its one request.

    :param micros: millionths of a US dollar; ``None`` when the model is not priced.
    """

    tokens: int
    micros: int | None

    @property
    def amounts(self) -> Amounts:
        """The same as counted: what is not priced counts nothing."""
        return Amounts(requests=1, tokens=self.tokens, micros=self.micros or 0)


class Started(t.NamedTuple):
    """An attempt on a system key that is under way; hand it to ``settle``.

    :param id: of the row, for ever: usable as a key for exports.
    :param period: the month it is charged to, however long it takes.
    :param reserved: of the budget; ``None`` without one.
    :param written: whether the row exists already.
    """

    id: str
    start: AttemptStart
    started_at: dt.datetime
    expires_at: dt.datetime
    period: str
    reserved: Reserved | None
    written: bool


def end_values(end: AttemptEnd, cost_micros: int | None) -> dict[str, t.Any]:
    """Give the columns an attempt's end is written to."""
    usage = end.usage
    return {
        "state": end.state,
        "reason": end.reason,
        "status": end.status,
        "code": end.code,
        "request_id": end.request_id,
        "latency_ms": end.latency_ms,
        "input_tokens": usage and usage.input_tokens,
        "output_tokens": usage and usage.output_tokens,
        "cached_tokens": usage and usage.cached_tokens,
        "reasoning_tokens": usage and usage.reasoning_tokens,
        "cost_micros": cost_micros,
    }


def charged(end: AttemptEnd, reserved: Reserved, cost_micros: int | None) -> Amounts:
    """Charge real use; without any, the estimate: never silently nothing.

    :param cost_micros: of the real use; ``None`` when it is not priced.
    """
    if end.state == "failed":
        return Amounts(requests=0, tokens=0, micros=0)

    tokens = used_tokens(end)
    return Amounts(
        requests=1,
        tokens=reserved.tokens if tokens is None else tokens,
        micros=(reserved.micros or 0) if cost_micros is None else cost_micros,
    )


def used_tokens(end: AttemptEnd) -> int | None:
    """Tell how many tokens the provider counted; ``None`` when it did not say."""
    usage = end.usage

    if usage is None or (usage.input_tokens is None and usage.output_tokens is None):
        return None

    return (usage.input_tokens or 0) + (usage.output_tokens or 0)
