"""``flask byok sweep``."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import click

from ..service.sweeping import KEEP_DAYS
from ..service.sweeping import SweepReport
from .group import byok_cli
from .group import this_byok
from .progress import drain
from .progress import follow

#: What is said of each chore, done or foreseen; a new chore is named as it is.
_SENTENCES: t.Final = {
    "settled": "{n:,} attempts nobody ended {verb} charged at their estimates.",
    "rolled_up": "{n:,} attempts older than {days} days {verb} added up per day.",
    "notices": "{n:,} notices about company keys {verb} sent.",
    "reminders": "{n:,} reminders of keys that expire {verb} sent.",
    "drafts": "{n:,} pasted keys that were never saved {verb} deleted.",
}


@byok_cli.command("sweep")
@click.option(
    "--keep-days",
    default=KEEP_DAYS,
    show_default=True,
    type=click.IntRange(1, 36_500),
    help="Days an attempt stays a row of its own.",
)
@click.option("--dry-run", is_flag=True, help="Change nothing; tell what would be.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def sweep(keep_days: int, dry_run: bool, as_json: bool) -> None:
    """Keep the ledger in order; send notices that are due.

    Charges attempts that dead processes left, adds old ones up per day, sends notices
    and reminders of keys that expire, and deletes pasted keys that nobody saved within
    15 minutes.

    Usage stays what it was: the sums of a day take the place of its attempts. The
    history is kept. Each batch is committed: run it daily, again after it was stopped,
    or in several places at once.
    """
    report = SweepReport(dry_run=dry_run, keep_days=keep_days)
    steps = this_byok().state.sweeper.sweep(report)
    trouble = drain(follow(steps, "Sweeping", lambda: report.swept, "rows"))

    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(report), "error": trouble}))
    else:
        _tell(report)

    if trouble is not None:
        raise click.ClickException(trouble)


def _tell(report: SweepReport) -> None:
    verb = "would be" if report.dry_run else "are now"

    for name, number in report.done.items():
        sentence = _SENTENCES.get(name, name.replace("_", " ") + ": {n:,}.")
        click.echo(sentence.format(n=number, days=report.keep_days, verb=verb))
