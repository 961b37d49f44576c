"""Sums of what was used, in words: per payer, and by provider, model and feature."""

from __future__ import annotations

import collections.abc as cabc
import decimal
import typing as t

from markupsafe import escape
from markupsafe import Markup

from .texts import dollars
from .texts import Names
from .texts import percent as write_percent
from .texts import say
from .texts import say_count
from .usageparts import Figures
from .usageparts import Split
from .usageparts import SplitLine

if t.TYPE_CHECKING:
    from ..ledger.usage import UsageRow
    from ..providers.registry import Registry

Rows = cabc.Sequence["UsageRow"]


def is_own(row: UsageRow) -> bool:
    """Tell whether one of the company's own keys paid."""
    return row.source == "company"


def add_up(rows: Rows) -> Figures:
    """Add up the rows of one payer."""
    requests = sum(row.requests for row in rows)
    failed = sum(row.failed for row in rows)
    unknown = sum(row.unknown for row in rows)
    into = sum(row.input_tokens for row in rows)
    out = sum(row.output_tokens for row in rows)
    return Figures(
        requests=_number(requests),
        unit=say_count("request", "requests", requests),
        failed=_number(failed),
        failed_share=percent(failed, requests),
        unknown=_number(unknown),
        tokens=_number(into + out),
        input_tokens=_number(into),
        cached_tokens=_number(sum(row.cached_tokens for row in rows)),
        output_tokens=_number(out),
        cost=_cost(rows),
        has_unknown=unknown > 0,
    )


def percent(part: int, whole: int) -> Markup | None:
    """Write a share; what is not quite nothing, or not quite all, never looks it."""
    if not whole:
        return None

    share = 100 * part / whole
    digits = 1 if 0 < share < 10 or 99 <= share < 100 else 0
    shown = min(max(round(share, digits), 0.1), 99.9) if 0 < part < whole else share
    return write_percent(shown, digits)


def _number(value: int) -> Markup:
    return say("{n}", n=value)


def _cost(rows: Rows) -> Markup:
    """Say what rows cost; never 0 for what has no known price."""
    priced = [row.cost for row in rows if row.cost is not None]
    unpriced = sum(row.unpriced for row in rows)

    if unpriced and not priced:
        return say("not priced")

    cost = dollars(sum(priced, decimal.Decimal(0)))

    if unpriced:
        return say_count(
            "{cost} + {n} not priced", "{cost} + {n} not priced", unpriced, cost=cost
        )

    return escape(cost)


def build_splits(rows: Rows, names: Names, registry: Registry) -> tuple[Split, ...]:
    """Put the rows of a range together by provider, by model and by feature."""

    def provider(row: UsageRow) -> Markup:
        known = row.provider in registry.ids
        label = registry.get(row.provider).label if known else row.provider
        return say("{provider}", provider=label)

    def model(row: UsageRow) -> Markup:
        return say("{model}", model=row.model) if row.model else say("Not told")

    def feature(row: UsageRow) -> Markup:
        return say("{label}", label=row.label) if row.label else say("Without a name")

    return (
        Split(
            head=say("Provider"),
            lines=_split(rows, provider, names),
        ),
        Split(
            head=say("Model"),
            lines=_split(rows, model, names),
        ),
        Split(
            head=say("Feature"),
            lines=_split(rows, feature, names),
        ),
    )


def _split(
    rows: Rows, name: cabc.Callable[[UsageRow], Markup], names: Names
) -> tuple[SplitLine, ...]:
    """Group by a name and by who paid, the most requests first."""
    groups: dict[tuple[Markup, bool], list[UsageRow]] = {}

    for row in rows:
        groups.setdefault((name(row), is_own(row)), []).append(row)

    def order(entry: tuple[tuple[Markup, bool], list[UsageRow]]) -> t.Any:
        (text, own), of_group = entry
        return (-sum(row.requests for row in of_group), text, not own)

    payers = {True: say("Your key"), False: names.say("Key provided by {app}")}
    return tuple(
        SplitLine(name=text, is_own=own, payer=payers[own], figures=add_up(of_group))
        for (text, own), of_group in sorted(groups.items(), key=order)
    )
