"""The row of an attempt, as it is known before its end."""

from __future__ import annotations

import datetime as dt
import typing as t

from ..providers.types import Source
from .attempts import AttemptStart
from .attempts import Started
from .rows import period_of


def start_values(
    attempt_id: str,
    start: AttemptStart,
    source: Source,
    started_at: dt.datetime,
    expires_at: dt.datetime,
) -> dict[str, t.Any]:
    """Give the columns of an attempt that begins."""
    return {
        "id": attempt_id,
        "call_id": start.call_id,
        "company_id": start.company_id,
        "period": period_of(started_at),
        "source": source,
        "provider": start.provider,
        "model": start.model,
        "label": start.label,
        "streamed": start.streamed,
        "state": "started",
        "started_at": started_at,
        "expires_at": expires_at,
    }


def started_values(started: Started) -> dict[str, t.Any]:
    """Give the columns of an attempt on a system key, with what it reserved."""
    values = start_values(
        started.id,
        started.start,
        "system",
        started.started_at,
        started.expires_at,
    )

    if started.reserved is not None:
        values["est_tokens"] = started.reserved.tokens
        values["est_micros"] = started.reserved.micros

    return values
