"""Reports of tests as JSON text for the row, and back."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import typing as t

from .types import ConnectionReport

_TIMES: t.Final = ("tested_at", "until")


def render_report(report: ConnectionReport) -> str:
    """Write a report as JSON text. It holds words of ours, ids and numbers alone."""
    values = dataclasses.asdict(report)

    for name in _TIMES:
        if values[name] is not None:
            values[name] = values[name].isoformat()

    return json.dumps(values)


def parse_report(text: str | None) -> ConnectionReport | None:
    """Read a stored report; ``None`` when there is none or another version wrote it."""
    if text is None:
        return None

    try:
        values = json.loads(text)

        for name in _TIMES:
            if values[name] is not None:
                values[name] = dt.datetime.fromisoformat(values[name])

        values["models"] = tuple(values["models"])
        return ConnectionReport(**values)
    except (KeyError, TypeError, ValueError):
        return None
