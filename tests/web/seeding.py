"""Days of use and lines of history, as rows: for the parts that look back."""

from __future__ import annotations

import datetime as dt
import typing as t

import sqlalchemy as sa

from flask_byok.vault.company import company_text
from tests.web.conftest import Host

_COUNTS: dict[str, int] = {
    "failed": 0,
    "unknown": 0,
    "input_tokens": 0,
    "cached_tokens": 0,
    "output_tokens": 0,
    "reasoning_tokens": 0,
    "cost_micros": 0,
    "unpriced": 0,
}


def today(host: Host) -> dt.date:
    """Give the day by the database's clock."""
    return t.cast("dt.date", host.status().now.date())


def add_use(host: Host, ago: int, source: str, requests: int, **more: t.Any) -> None:
    """Note the use of a day that lies so many days back."""
    row: dict[str, t.Any] = {
        "company_id": company_text(1),
        "day": today(host) - dt.timedelta(days=ago),
        "source": source,
        "provider": "OPENAI",
        "model": "gpt-6-sol",
        "label": "write",
        "requests": requests,
        **_COUNTS,
        **more,
    }
    row["id"] = str(hash(tuple(row.values())))
    _insert(host, "usage_day", row)


def add_event(host: Host, ago: dt.timedelta, action: str, **more: t.Any) -> None:
    """Note an event that happened so long ago."""
    details = more.pop("details", None)

    with host.app.app_context(), host.byok.state.database.write() as conn:
        host.byok.state.companies._desk.ledger.audit.write(
            conn,
            company_text(1),
            t.cast("t.Any", action),
            at=host.byok.status(1).now - ago,
            details=details,
            **{"provider": "OPENAI", **more},
        )


def add_month(host: Host) -> None:
    """Note a month with both payers, an outage, failures and unknown outcomes."""
    for ago in range(0, 30):
        if ago % 9 == 5:
            continue

        out = ago in (3, 4)
        add_use(
            host,
            ago,
            "system" if out else "company",
            9 + (ago * 7) % 13,
            failed=ago % 3,
            input_tokens=2000 + 311 * ago,
            cached_tokens=120,
            output_tokens=900 + 97 * ago,
            cost_micros=35_000 + 900 * ago,
        )

        if ago % 4 == 0:
            add_use(
                host,
                ago,
                "system",
                2 + ago % 3,
                model="gpt-6-luna",
                label=None,
                unknown=1,
                unpriced=1,
            )

        if ago % 3 == 0:
            add_use(
                host,
                ago,
                "company",
                3,
                provider="CLAUDE",
                model="claude-sonnet-5",
                label="translate",
            )

    add_outage(host, 4, 3)


def add_outage(host: Host, start: int, end: int) -> None:
    """Note that the OpenAI key was out, from so many days ago until so many."""
    add_event(
        host,
        dt.timedelta(days=start),
        "fallback_started",
        details={"reason": "expired", "to": "OPENAI"},
    )
    add_event(
        host,
        dt.timedelta(days=end),
        "fallback_ended",
        details={"reason": "expired"},
    )


def _insert(host: Host, table: str, row: dict[str, t.Any]) -> None:
    with host.app.app_context(), host.byok.state.database.write() as conn:
        conn.execute(sa.insert(getattr(host.byok.state.tables, table)), row)
