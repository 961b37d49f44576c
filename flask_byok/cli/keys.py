"""Commands about the stored keys of companies: credentials, test, remove."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import json
import sys
import typing as t

import click

from ..service.types import ConnectionReport
from ..vault.company import company_value
from ..vault.types import CredentialInfo
from .companies import find_company
from .companies import stored_companies
from .group import byok_cli
from .group import calling
from .group import this_byok

if t.TYPE_CHECKING:
    from ..extension import BYOK

#: Who stands in the history for what is done here; the page puts it into words.
ACTOR: t.Final = "cli"


@byok_cli.command("credentials")
@click.argument("company", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def credentials(company: str | None, as_json: bool) -> None:
    """List the stored keys of COMPANY (or of all), masked.

    COMPANY is the id with its type, such as i:42 or s:acme; a bare id works when
    exactly one stored company fits it.
    """
    byok = this_byok()
    text = None if company is None else find_company(byok, company)
    companies = stored_companies(byok) if text is None else (text,)
    rows = calling(lambda: _credential_rows(byok, companies))

    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return

    if not rows:
        whose = "" if text is None else f" for company {text}"
        click.echo(f"No keys are stored{whose}.", err=True)

    for line in _as_table(rows):
        click.echo(line)


@byok_cli.command("test")
@click.argument("company")
@click.argument("provider", required=False)
@click.option("--provider", "named", metavar="PROVIDER", help="The same by its name.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def test(company: str, provider: str | None, named: str | None, as_json: bool) -> None:
    """Test the stored key of COMPANY with the provider.

    PROVIDER is OPENAI, GEMINI, CLAUDE or a registered one; else the key in use is
    tested. Ends with 1 when the key does not work.
    """
    if provider is not None and named not in (None, provider):
        raise click.UsageError(f"Choose one provider: {provider} or {named}.")

    byok = this_byok()
    provider = provider or named
    company_id = company_value(find_company(byok, company))
    report = calling(lambda: byok.test_connection(company_id, provider, actor=ACTOR))
    click.echo(_render_json(report) if as_json else _render_report(report))

    if report.verdict != "working":
        sys.exit(1)


@byok_cli.command("remove")
@click.argument("company")
@click.argument("provider")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(company: str, provider: str, yes: bool) -> None:
    """Delete the PROVIDER key of COMPANY for good."""
    byok = this_byok()
    text = find_company(byok, company)

    if not yes:
        click.confirm(f"Delete the {provider} key of company {text}?", abort=True)

    calling(lambda: byok.remove_key(company_value(text), provider, actor=ACTOR))
    click.echo(f"The {provider} key of company {text} is deleted.")


def _as_table(rows: cabc.Sequence[dict[str, t.Any]]) -> cabc.Iterator[str]:
    """Put rows under their names, each column as wide as its widest cell."""
    if not rows:
        return

    lines = [[*rows[0]], *([str(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _credential_rows(
    byok: BYOK, companies: cabc.Sequence[str]
) -> list[dict[str, t.Any]]:
    return [
        _credential_row(text, info)
        for text in companies
        for info in byok.credentials(company_value(text))
    ]


def _credential_row(company: str, info: CredentialInfo) -> dict[str, t.Any]:
    return {
        "company": company,
        "provider": info.provider,
        "masked": info.masked,
        "state": info.state,
        "circuit": info.circuit if info.reason is None else f"open ({info.reason})",
        "active": "active" if info.active else "-",
    }


def _render_json(report: ConnectionReport) -> str:
    return json.dumps(dataclasses.asdict(report), default=str, indent=2)


def _render_report(report: ConnectionReport) -> str:
    latency = "not measured" if report.latency_ms is None else f"{report.latency_ms} ms"
    lines = [
        f"{report.provider} {report.model}: {report.verdict}",
        f"  key accepted    {report.key}",
        f"  fast enough     {report.latency} ({latency}, limit {report.limit_ms} ms)",
        f"  may list models {report.list}",
        f"  may generate    {report.generate}",
    ]

    if report.answered_model is not None:
        lines.append(f"  answers as      {report.answered_model}")

    if report.model_shuts_down_on is not None:
        lines.append(f"  model ends      {report.model_shuts_down_on.isoformat()}")

    if report.reason is not None:
        facts = [report.reason, report.code, report.missing]
        lines.append(f"  reason          {', '.join(f for f in facts if f)}")

    return "\n".join(lines)
