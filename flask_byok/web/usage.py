"""Usage per day, as a table and as CSV. Own and provided keys are never added up."""

from __future__ import annotations

import collections.abc as cabc
import csv
import dataclasses
import datetime as dt
import decimal
import io
import re
import typing as t

from flask import url_for
from markupsafe import Markup

from .page import Option
from .page import UsageLine
from .page import UsageTable
from .texts import amount
from .texts import dollars
from .texts import Names
from .texts import say

if t.TYPE_CHECKING:
    from ..ledger.usage import UsageRow
    from ..service.types import Allowance

#: The longest range of days one may ask for.
MOST_DAYS: t.Final = 366

#: The ranges the page offers, in days; the first is the usual one.
RANGES: t.Final = (7, 30)

#: The columns of the CSV file; they stay as they are, in English.
CSV_COLUMNS: t.Final = (
    "date",
    "key_source",
    "provider",
    "model",
    "label",
    "requests",
    "failed",
    "unknown",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "estimated_cost",
    "currency",
    "unpriced_requests",
)

# A spreadsheet takes a cell that begins so for a formula.
_FORMULA_START: t.Final = ("=", "+", "-", "@", "\t", "\r")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DayRange:
    """Days in UTC, both included."""

    since: dt.date
    until: dt.date

    @property
    def days(self) -> int:
        """How many days these are."""
        return (self.until - self.since).days + 1


def read_range(args: cabc.Mapping[str, str], today: dt.date) -> DayRange | None:
    """Read ``since`` and ``until``; ``None`` when they are no range of days.

    Without ``since`` the range is a week; without ``until`` it ends today.
    """
    try:
        until = _read_day(args.get("until")) or today
        since = _read_day(args.get("since")) or until - dt.timedelta(RANGES[0] - 1)
    except (OverflowError, ValueError):
        return None

    days = DayRange(since=since, until=until)
    # The day after the last one is asked for as the end.
    is_last = until == dt.date.max
    return days if 1 <= days.days <= MOST_DAYS and not is_last else None


def _read_day(text: str | None) -> dt.date | None:
    if text is None:
        return None

    # Python 3.11 reads more forms than 3.10; the address takes one.
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        raise ValueError("not a day")

    return dt.date.fromisoformat(text)


def last_days(days: int, today: dt.date) -> DayRange:
    """Give the range that ends today."""
    return DayRange(since=today - dt.timedelta(days - 1), until=today)


def build_table(
    rows: cabc.Sequence[UsageRow],
    days: DayRange,
    allowances: cabc.Sequence[Allowance],
    names: Names,
    today: dt.date,
) -> UsageTable:
    """Put the rows of a range into a table, newest day first."""
    by_day: dict[dt.date, list[UsageRow]] = {}

    for row in rows:
        by_day.setdefault(row.day, []).append(row)

    return UsageTable(
        lines=tuple(
            _line(say("{day}", day=day), by_day[day])
            for day in sorted(by_day, reverse=True)
        ),
        total=_line(say("All days"), rows),
        since=say("{day}", day=days.since),
        until=say("{day}", day=days.until),
        ranges=tuple(_ranges(days, today)),
        csv_url=url_for(
            "byok.usage_csv",
            since=days.since.isoformat(),
            until=days.until.isoformat(),
        ),
        allowances=tuple(_allowance_line(a, names) for a in allowances),
    )


def _ranges(days: DayRange, today: dt.date) -> t.Iterator[Option]:
    for number in RANGES:
        offered = last_days(number, today)
        yield Option(
            value=url_for(
                "byok.page",
                since=offered.since.isoformat(),
                until=offered.until.isoformat(),
            )
            + "#byok-usage",
            text=say("{n} days", n=number),
            selected=offered == days,
        )


def _line(day: Markup, rows: cabc.Sequence[UsageRow]) -> UsageLine:
    own = [row for row in rows if row.source == "company"]
    provided = [row for row in rows if row.source != "company"]
    return UsageLine(
        day=day,
        own_requests=sum(row.requests for row in own),
        own_failed=sum(row.failed for row in own),
        own_tokens=_tokens(own),
        own_cost=_cost(own),
        provided_requests=sum(row.requests for row in provided),
        provided_failed=sum(row.failed for row in provided),
        provided_tokens=_tokens(provided),
        provided_cost=_cost(provided),
    )


def _tokens(rows: cabc.Iterable[UsageRow]) -> int:
    return sum(row.input_tokens + row.output_tokens for row in rows)


def _cost(rows: cabc.Sequence[UsageRow]) -> Markup:
    """Say what rows cost; never 0 for what has no known price."""
    priced = [row.cost for row in rows if row.cost is not None]
    unpriced = sum(row.unpriced for row in rows)

    if unpriced and not priced:
        return say("not priced")

    cost = dollars(sum(priced, decimal.Decimal(0)))

    if unpriced:
        return say("{cost} + {n} not priced", cost=cost, n=unpriced)

    return say("{cost}", cost=cost)


def _allowance_line(allowance: Allowance, names: Names) -> Markup:
    return names.say(
        "{used} of {total} used on the key provided by {app}; it starts again on "
        "{date}.",
        used=amount(allowance.used, None),
        total=amount(allowance.limit, allowance.unit),
        date=allowance.resets_on,
    )


def render_csv(rows: cabc.Iterable[UsageRow]) -> bytes:
    """Write the rows as CSV: UTF-8 with BOM, CRLF, no cell that runs as a formula."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(_cells(row) for row in rows)
    return buffer.getvalue().encode("utf-8-sig")


def _cells(row: UsageRow) -> list[str]:
    return [
        row.day.isoformat(),
        row.source,
        _text_cell(row.provider),
        _text_cell(row.model),
        _text_cell(row.label),
        str(row.requests),
        str(row.failed),
        str(row.unknown),
        str(row.input_tokens),
        str(row.cached_tokens),
        # No provider's answer is read for these yet; an empty cell is not a zero.
        "",
        str(row.output_tokens),
        "not priced" if row.cost is None else str(row.cost),
        "USD",
        str(row.unpriced),
    ]


def _text_cell(text: str | None) -> str:
    text = text or ""
    return f"'{text}" if text.startswith(_FORMULA_START) else text
