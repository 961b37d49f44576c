"""Reports of tests as JSON text for the row, and back."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import typing as t

from .types import ConnectionReport
from .types import ListedModel

#: Characters a column of text holds on every database.
MOST_TEXT: t.Final = 60_000

_TIMES: t.Final = ("tested_at", "until")


def render_report(report: ConnectionReport) -> str:
    """Write a report as JSON text. It holds words of ours, ids and numbers alone.

    Of a list of models that is too long for the column the end is left out.
    """
    text = _render(report)

    while len(text) > MOST_TEXT and report.models:
        kept = report.models[: len(report.models) // 2]
        ids = frozenset(kept)
        facts = tuple(fact for fact in report.model_facts if fact.id in ids)
        report = dataclasses.replace(report, models=kept, model_facts=facts)
        text = _render(report)

    return text


def _render(report: ConnectionReport) -> str:
    values = dataclasses.asdict(report)
    values["model_facts"] = [_render_fact(fact) for fact in report.model_facts]
    values["model_shuts_down_on"] = _iso(report.model_shuts_down_on)

    for name in _TIMES:
        values[name] = _iso(values[name])

    return json.dumps(values, separators=(",", ":"))


def _render_fact(fact: ListedModel) -> dict[str, t.Any]:
    """Write what is not the usual: there may be hundreds."""
    values = {**dataclasses.asdict(fact), "shuts_down_on": _iso(fact.shuts_down_on)}
    usual = dataclasses.asdict(ListedModel(id=""))
    return {name: value for name, value in values.items() if value != usual[name]}


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
        values["model_facts"] = tuple(map(_parse_fact, values.get("model_facts", ())))
        values["model_shuts_down_on"] = _day(values.get("model_shuts_down_on"))
        return ConnectionReport(**values)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _parse_fact(values: dict[str, t.Any]) -> ListedModel:
    for name in ("kinds", "can"):
        if name in values:
            values[name] = tuple(values[name])

    values["shuts_down_on"] = _day(values.get("shuts_down_on"))
    return ListedModel(**values)


def _iso(value: dt.date | None) -> str | None:
    return None if value is None else value.isoformat()


def _day(text: str | None) -> dt.date | None:
    return None if text is None else dt.date.fromisoformat(text)
