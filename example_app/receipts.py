"""Who paid for an answer, in words."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import json
import typing as t

from flask import current_app

from flask_byok import UnknownProvider

from .extensions import byok
from .models import Piece

if t.TYPE_CHECKING:
    from flask_byok.providers.types import Attempt

#: By reason word of flask-byok: what became of an attempt.
_REASONS: t.Final[cabc.Mapping[str, str]] = {
    "auth": "the provider rejected it",
    "expired": "the provider says it has expired",
    "permission": "it is not permitted to do this",
    "quota": "its account is out of credit",
    "rate_limit": "its account is limited for a moment",
    "outage": "the provider has a problem",
    "timeout": "the provider did not answer in time",
    "model": "it may not use this model",
    "unreadable": "the saved key cannot be read",
    "our_side": "the provider cannot be reached from here",
    "request": "the provider refused the request",
    "interrupted": "the answer broke off",
}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One attempt of a call.

    :param tone: ``ok`` when it answered, ``warn`` when it did not, ``quiet`` when it
        was not asked.
    """

    tone: str
    who: str
    outcome: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What stands below an answer.

    :param is_own: whether the company's own key paid.
    :param tokens: in and out; empty when the provider did not count.
    :param steps: every attempt, when there was more than one.
    """

    is_own: bool
    payer: str
    provider: str
    model: str
    latency_ms: int
    tokens: str
    steps: tuple[Step, ...]


def build_receipt(piece: Piece) -> Receipt:
    """Tell who paid for a piece."""
    steps = tuple(_step(attempt) for attempt in json.loads(piece.attempts))
    return Receipt(
        is_own=piece.source == "company",
        payer=name_payer(piece.source, piece.provider),
        provider=name_provider(piece.provider),
        model=piece.model,
        latency_ms=piece.latency_ms,
        tokens=_tokens(piece),
        steps=steps if len(steps) > 1 else (),
    )


def build_steps(attempts: cabc.Sequence[Attempt]) -> tuple[Step, ...]:
    """Tell what became of a call that failed."""
    return tuple(_step(attempt) for attempt in pack_attempts(attempts))


def pack_attempts(attempts: cabc.Sequence[Attempt]) -> list[dict[str, t.Any]]:
    """Make JSON of attempts."""
    return [dataclasses.asdict(attempt) for attempt in attempts]


def name_payer(source: str, provider: str) -> str:
    """Name a key by who pays for it."""
    label = name_provider(provider)

    if source == "company":
        return f"Your company's {label} key"

    return f"{label} key provided by {current_app.config['APP_NAME']}"


def name_provider(provider: str) -> str:
    """Give the label of a provider; its id when it is not there any more."""
    try:
        return byok.registry.get(provider).label
    except UnknownProvider:
        return provider


def _step(attempt: cabc.Mapping[str, t.Any]) -> Step:
    who = name_payer(attempt["source"], attempt["provider"])
    reason = attempt["reason"]

    if reason is None:
        return Step(tone="ok", who=who, outcome="answered")

    words = _REASONS.get(reason, "no answer")

    if not attempt["sent"]:
        return Step(tone="quiet", who=who, outcome=f"not asked: {words}")

    return Step(tone="warn", who=who, outcome=words)


def _tokens(piece: Piece) -> str:
    if piece.input_tokens is None or piece.output_tokens is None:
        return ""

    return f"{piece.input_tokens:,} in, {piece.output_tokens:,} out"
