"""How the reports of rotate and verify read, to people and to programs."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import json
import typing as t

import click

from ..service.upkeep import RotationReport
from ..service.upkeep import VerifyReport
from ..vault.sealed_rows import UnreadableKey


def rotation_json(report: RotationReport, error: str | None) -> str:
    """Give the report of a rotation as JSON text."""
    return _dump({**dataclasses.asdict(report), "error": error})


def verify_json(report: VerifyReport, error: str | None) -> str:
    """Give the report of a verification as JSON text."""
    return _dump(
        {
            "total": report.total,
            "opened": dict(sorted(report.opened.items())),
            "failed": report.failed,
            "failures": [dataclasses.asdict(failure) for failure in report.failures],
            "error": error,
        }
    )


def _dump(report: dict[str, t.Any]) -> str:
    return json.dumps(report, indent=2)


def tell_rotation(
    report: RotationReport, *, ended: bool, key_ids: cabc.Sequence[str]
) -> None:
    """Print what a rotation came to.

    :param ended: it went through to its end, so what is left was counted.
    :param key_ids: of the master keys this process knows.
    """
    verb = "would be" if report.dry_run else "are now"
    click.echo(f"{report.moved:,} stored keys {verb} sealed by {report.primary}.")

    if report.changed:
        click.echo(f"{report.changed:,} were saved, removed or moved meanwhile.")

    tell_failures(report.failures, report.failed, "stays as it is")

    if not ended or report.dry_run:
        return

    if report.left:
        ids = ", ".join(f"{number:,} by {id}" for id, number in report.left.items())
        click.echo(f"Still sealed by other master keys: {ids}.")
    elif len(key_ids) == 1:
        click.echo(
            f"{key_ids[0]} is the only master key here, so there is none to go over "
            "to. To change it: make one with 'flask byok generate-key', put it beside "
            "this one in BYOK_MASTER_KEYS of every process, name it in "
            "BYOK_PRIMARY_KEY_ID, and run this again."
        )
    else:
        click.echo(
            "No other master key is needed any more. Next: 'flask byok verify', then "
            "'flask byok retire <id>'."
        )


def tell_verify(report: VerifyReport) -> None:
    """Print which keys open."""
    for key_id, number in sorted(report.opened.items()):
        click.echo(f"{key_id}  {number:,} open")

    opened = report.total - report.failed
    click.echo(
        f"{report.total:,} stored keys: {opened:,} open, {report.failed:,} do not."
    )
    tell_failures(report.failures, report.failed, "does not open")


def tell_failures(failures: list[UnreadableKey], number: int, fate: str) -> None:
    """Print the unreadable keys to standard error, by ids and reasons alone.

    :param fate: what is said of each: what it does, or what became of it.
    """
    for failure in failures:
        click.echo(
            f"The key {failure.record_id} of company {failure.company_id} "
            f"({failure.provider}, sealed by {failure.key_id}) {fate}: "
            f"{failure.reason}.",
            err=True,
        )

    if number > len(failures):
        click.echo(f"… and {number - len(failures):,} more.", err=True)
