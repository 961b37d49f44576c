"""``flask byok usage``."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import csv
import dataclasses
import datetime as dt
import json
import re
import sys
import typing as t

import click

from ..service.accounts import Account
from ..vault.company import company_value
from .companies import find_company
from .group import byok_cli
from .group import calling
from .group import this_byok

#: The columns of the CSV output; they stay as they are.
COLUMNS: t.Final = (
    "company",
    "key_source",
    "requests",
    "failed",
    "unknown",
    "input_tokens",
    "output_tokens",
    "estimated_cost",
    "currency",
    "unpriced_requests",
    "requests_left",
    "tokens_left",
    "money_left",
)

if t.TYPE_CHECKING:
    _ParamType = click.ParamType[dt.date]
else:
    _ParamType = click.ParamType

_ROW: t.Final = "{:<24} {:<8} {:>10} {:>8} {:>14}  {:<26} {}"


class _Day(_ParamType):
    """A day such as 2026-11-30."""

    name = "day"

    def convert(
        self, value: t.Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dt.date:
        """Read a day; nothing else is taken for one."""
        if isinstance(value, dt.date):
            return value

        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
            with contextlib.suppress(OverflowError, ValueError):
                day = dt.date.fromisoformat(value)
                # A range ends with the next midnight, so there must be one.
                return day + dt.timedelta(days=1) - dt.timedelta(days=1)

        self.fail(f"{value!r} is no day. Write it as 2026-11-30.", param, ctx)


@byok_cli.command("usage")
@click.argument("company", required=False)
@click.option(
    "--since",
    type=_Day(),
    metavar="DAY",
    help="First day, UTC; else the first of this month.",
)
@click.option(
    "--until", type=_Day(), metavar="DAY", help="Last day, UTC, included; else today."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
def usage(
    company: str | None,
    since: dt.date | None,
    until: dt.date | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Tell what COMPANY (or each of them) used and what it cost.

    Its own keys and the app's are told apart. Costs are estimates from list prices, in
    US dollars; what has no known price is counted apart. What is left is of
    BYOK_SYSTEM_BUDGET this month.
    """
    if as_json and as_csv:
        raise click.UsageError("Choose --json or --csv.")

    byok = this_byok()
    text = None if company is None else find_company(byok, company)

    if text is not None:
        calling(lambda: company_value(text))

    accounts = byok.state.accounts
    today = calling(accounts.today)
    until = today if until is None else until
    since = until.replace(day=1) if since is None else since

    if since > until:
        raise click.UsageError(f"The first day {since} is after the last one {until}.")

    tell = _tell_json if as_json else _tell_csv if as_csv else _tell_table
    calling(lambda: tell(accounts.read(since, until, text)))


def _tell_json(rows: cabc.Iterable[Account]) -> None:
    for row in rows:
        cells = {name: getattr(row, name) for name in _names(Account)}
        cells["left"] = {unit: _number(left) for unit, left in row.left.items()}
        cells["cost"] = None if row.cost is None else str(row.cost)
        click.echo(json.dumps({**cells, "currency": "USD"}))


def _names(kind: type[Account]) -> cabc.Iterator[str]:
    return (field.name for field in dataclasses.fields(kind))


def _number(left: object) -> object:
    """Give what is left: whole numbers as they are, money as an exact text."""
    return left if isinstance(left, int) else str(left)


def _tell_csv(rows: cabc.Iterable[Account]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)

    for row in rows:
        writer.writerow(
            [
                row.company,
                row.source,
                row.requests,
                row.failed,
                row.unknown,
                row.input_tokens,
                row.output_tokens,
                "not priced" if row.cost is None else row.cost,
                "USD",
                row.unpriced,
                *(row.left.get(unit, "") for unit in ("requests", "tokens", "money")),
            ]
        )


def _tell_table(rows: cabc.Iterable[Account]) -> None:
    is_empty = True

    for row in rows:
        if is_empty:
            titles = ("company", "key", "requests", "failed", "tokens")
            click.echo(_ROW.format(*titles, "estimated cost", "left this month"))
            is_empty = False

        click.echo(
            _ROW.format(
                row.company,
                row.source,
                f"{row.requests:,}",
                f"{row.failed:,}",
                f"{row.input_tokens + row.output_tokens:,}",
                _cost(row),
                _left(row),
            ).rstrip()
        )

    if is_empty:
        click.echo("Nothing was used in these days.", err=True)


def _cost(row: Account) -> str:
    if row.cost is None:
        return "not priced"

    more = f" + {row.unpriced:,} not priced" if row.unpriced else ""
    return f"${row.cost:,.4f}{more}"


def _left(row: Account) -> str:
    parts = [
        f"${left:,.2f}" if unit == "money" else f"{left:,} {unit}"
        for unit, left in row.left.items()
    ]
    return ", ".join(parts)
