"""Usage as a CSV file for a spreadsheet."""

from __future__ import annotations

import collections.abc as cabc
import csv
import dataclasses
import io
import typing as t

if t.TYPE_CHECKING:
    from ..ledger.usage import UsageRow

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
    "output_tokens",
    "estimated_cost",
    "currency",
)

# A spreadsheet takes a cell that begins so for a formula.
_FORMULA_START: t.Final = ("=", "+", "-", "@", "\t", "\r")


def render_csv(rows: cabc.Iterable[UsageRow]) -> bytes:
    """Write the rows as CSV: UTF-8 with BOM, CRLF, no cell that runs as a formula."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(_cells(part) for row in rows for part in _by_price(row))
    return buffer.getvalue().encode("utf-8-sig")


def _by_price(row: UsageRow) -> t.Iterator[UsageRow]:
    """Part what has no price from what has one: a sum of both would look whole.

    Of one model on one day, requests lack a price when nobody counted their use. So
    the tokens belong to the others; and of unknown outcome are these first.
    """
    if row.cost is None or not row.unpriced:
        yield row
        return

    unknown = min(row.unknown, row.unpriced)
    yield dataclasses.replace(
        row,
        requests=row.requests - row.unpriced,
        unknown=row.unknown - unknown,
        unpriced=0,
    )
    yield dataclasses.replace(
        row,
        requests=row.unpriced,
        failed=0,
        unknown=unknown,
        input_tokens=0,
        cached_tokens=0,
        output_tokens=0,
        reasoning_tokens=0,
        cost=None,
    )


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
        str(row.output_tokens),
        "not priced" if row.cost is None else str(row.cost),
        "USD",
    ]


def _text_cell(text: str | None) -> str:
    text = text or ""
    return f"'{text}" if text.startswith(_FORMULA_START) else text
