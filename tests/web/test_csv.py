"""The CSV file of the usage."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import decimal
import io

import pytest

from flask_byok.ledger.usage import UsageRow
from flask_byok.web.csvfile import render_csv
from tests.web.conftest import Host


def row(label: str, cost: str | None = "0.012300", unpriced: int = 0) -> UsageRow:
    """One row with a label of the host's."""
    return UsageRow(
        day=dt.date(2026, 11, 20),
        source="company",
        provider="OPENAI",
        model="gpt-6-sol",
        label=label,
        requests=1234,
        failed=1,
        unknown=0,
        input_tokens=10,
        cached_tokens=2,
        output_tokens=5,
        reasoning_tokens=0,
        cost=None if cost is None else decimal.Decimal(cost),
        unpriced=unpriced,
    )


@pytest.mark.parametrize("label", ["=1+1", "+1", "-1", "@cmd", "\tx", "\rx"])
def test_no_cell_runs(label: str) -> None:
    """A text that a spreadsheet would run gets an apostrophe."""
    cells = list(csv.reader(io.StringIO(render_csv([row(label)]).decode("utf-8-sig"))))
    assert cells[1][4] == f"'{label}"


def test_the_form_of_the_file() -> None:
    """BOM, CRLF, the promised columns, plain numbers."""
    data = render_csv([row('write, "twice"')])
    assert data.startswith(b"\xef\xbb\xbfdate,key_source,provider,model,label,requests")
    assert data.count(b"\r\n") == 2
    cells = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))[0]
    assert ",".join(cells) == (
        "date,key_source,provider,model,label,requests,failed,unknown,input_tokens,"
        "cached_input_tokens,output_tokens,estimated_cost,currency"
    )
    assert (cells["requests"], cells["label"]) == ("1234", 'write, "twice"')


def test_what_is_not_priced_is_no_zero() -> None:
    """A cost is dollars or the words that it is not priced, never a sum of both."""
    mixed = dataclasses.replace(row("c", "1.000000", 3), unknown=1)
    rows = [row("a"), row("b", None, 1234), mixed]
    text = render_csv(rows).decode("utf-8-sig")
    cells = [
        tuple(line[name] for name in ("requests", "failed", "unknown", "output_tokens"))
        + (line["estimated_cost"], line["currency"])
        for line in csv.DictReader(io.StringIO(text))
    ]
    assert cells == [
        ("1234", "1", "0", "5", "0.012300", "USD"),
        ("1234", "1", "0", "5", "not priced", "USD"),
        ("1231", "1", "0", "5", "1.000000", "USD"),
        ("3", "0", "1", "0", "not priced", "USD"),
    ]


def test_the_download(host: Host) -> None:
    """Managers get a file with a name; a range that is none is refused."""
    host.chat()
    ada = host.client()
    answer = ada.get("/usage.csv?since=2026-01-01&until=2026-01-31")
    assert answer.mimetype == "text/csv"
    assert "ai-usage-2026-01-01-2026-01-31.csv" in answer.headers["Content-Disposition"]
    assert b"system,OPENAI" in ada.get("/usage.csv").data
    assert ada.get("/usage.csv?since=2026-02-31").status_code == 400
    assert ada.get("/usage.csv?since=1990-01-01").status_code == 400
