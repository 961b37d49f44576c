"""Failures for the classifier: from a body as it came, or from the facts alone."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import json
import typing as t

from flask_byok.failover.classify import classify
from flask_byok.failover.verdict import Verdict
from flask_byok.providers.failures import read_failure
from flask_byok.providers.types import Failure
from flask_byok.providers.wire import IdCleaner
from flask_byok.secret import Secret

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.timezone.utc)


def read_body(
    dialect: str,
    status: int,
    body: object,
    headers: cabc.Mapping[str, str] | None = None,
) -> Failure:
    """Read a decoded body plainly, without the adapters' code; a string is a page."""
    lowered = {name.lower(): value for name, value in (headers or {}).items()}

    if not isinstance(body, cabc.Mapping):
        return Failure(kind="answer", status=status, is_html=True, headers=lowered)

    error: t.Any = body.get("error")

    if not isinstance(error, cabc.Mapping):
        error = {"message": str(error)}

    details = error.get("details")
    listed = tuple(details) if isinstance(details, list) else ()
    words = {
        "OPENAI": [error.get("code")],
        "CLAUDE": [details.get("error_code") if isinstance(details, dict) else None],
        "COMPATIBLE": [error.get("code")],
        "GEMINI": [entry.get("reason") for entry in listed],
    }[dialect]
    return Failure(
        kind="answer",
        status=status,
        reasons=tuple(str(word) for word in words if word is not None),
        type=error.get("status" if dialect == "GEMINI" else "type"),
        param=error.get("param"),
        text=str(error.get("message") or "").lower(),
        details=listed,
        has_envelope=dialect != "CLAUDE" or body.get("type") == "error",
        headers=lowered,
    )


def judge_body(
    dialect: str,
    status: int,
    body: object,
    headers: cabc.Mapping[str, str] | None = None,
) -> Verdict:
    """Read a body and judge it, at :data:`NOW`."""
    return classify(read_body(dialect, status, body, headers), dialect=dialect, now=NOW)


def judge_answer(
    dialect: str,
    status: int,
    body: object,
    headers: cabc.Mapping[str, str] | None = None,
) -> Verdict:
    """Judge an answer's bytes as the adapters read them; a string is a page."""
    raw = body if isinstance(body, str) else json.dumps(body)
    failure = read_failure(
        status,
        headers or {},
        raw.encode(),
        dialect=dialect,
        cleaner=IdCleaner(Secret("not-a-real-key-0001-AbCd")),
    )
    return classify(failure, dialect=dialect, now=NOW)


def judge(dialect: str = "OPENAI", **facts: t.Any) -> Verdict:
    """Judge a failure stated by its facts, at :data:`NOW`."""
    facts.setdefault("kind", "answer")
    return classify(Failure(**facts), dialect=dialect, now=NOW)
