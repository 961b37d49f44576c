"""Commands about the master keys: generate-key, rotate, verify, retire."""

from __future__ import annotations

import sys

import click

from .. import masterkeys
from ..service.upkeep import RotationReport
from ..service.upkeep import VerifyReport
from ..vault.rotation import BATCH
from .group import byok_cli
from .group import calling
from .group import this_byok
from .progress import drain
from .progress import follow
from .upkeep_texts import rotation_json
from .upkeep_texts import tell_rotation
from .upkeep_texts import tell_verify
from .upkeep_texts import verify_json


@byok_cli.command("generate-key", with_appcontext=False)
def generate_key() -> None:
    """Print a new master key for BYOK_MASTER_KEYS. Nothing is stored.

    Runs without an app. Put it beside an id of four characters (a-z, 0-9):
    BYOK_MASTER_KEYS="k001:<the key>".
    """
    click.echo(masterkeys.generate())


@byok_cli.command("rotate")
@click.option(
    "--batch",
    default=BATCH,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="Keys of one transaction.",
)
@click.option("--max-rows", type=click.IntRange(1), help="Move at most so many keys.")
@click.option("--dry-run", is_flag=True, help="Change nothing; tell what would be.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def rotate(batch: int, max_rows: int | None, dry_run: bool, as_json: bool) -> None:
    """Seal every stored key under the primary master key.

    The app goes on meanwhile: a key that somebody saves or removes wins. Each batch
    is committed: run it again after it was stopped, or in several places at once to
    be done sooner. A key that does not open is listed and stays as it is.

    Ends with 1 when a key does not open or is left under another master key.
    """
    upkeep = this_byok().state.upkeep
    report = calling(lambda: upkeep.begin_report(dry_run=dry_run))
    steps = upkeep.rotate(report, batch=batch, max_rows=max_rows)
    label = f"Moving keys to {report.primary}"
    trouble = drain(follow(steps, label, lambda: report.moved))

    if as_json:
        click.echo(rotation_json(report, trouble))
    else:
        tell_rotation(report, ended=trouble is None, key_ids=upkeep.key_ids)

    _end(trouble, is_good=_is_good(report, max_rows))


def _is_good(report: RotationReport, max_rows: int | None) -> bool:
    """Tell whether a rotation did all it was asked for."""
    asked_for_less = report.dry_run or report.moved == max_rows
    return not report.failed and (asked_for_less or not report.left)


@byok_cli.command("verify")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def verify(as_json: bool) -> None:
    """Open every stored key and count them by master key. Nothing changes.

    Ends with 1 when a key does not open.
    """
    upkeep = this_byok().state.upkeep
    report = VerifyReport()
    looks = calling(lambda: upkeep.verify(report))
    trouble = drain(follow(looks, "Opening keys", lambda: report.total))

    if as_json:
        click.echo(verify_json(report, trouble))
    elif trouble is None or report.total:  # else no key was looked at
        tell_verify(report)

    _end(trouble, is_good=not report.failed)


@byok_cli.command("retire")
@click.argument("key_id", metavar="ID")
def retire(key_id: str) -> None:
    """Let nothing be sealed by the master key ID any more. There is no way back.

    Refused for the primary and while one stored key still needs it. Afterwards take
    it out of BYOK_MASTER_KEYS; keep it, offline, until the oldest backup that needs
    it has expired.
    """
    upkeep = this_byok().state.upkeep
    calling(lambda: upkeep.retire(key_id))
    click.echo(
        f"The master key {key_id} is retired. Take it out of BYOK_MASTER_KEYS, and "
        "keep it, offline, as long as a backup needs it."
    )


def _end(trouble: str | None, *, is_good: bool) -> None:
    """End with 1, and the sentence, unless all is well."""
    if trouble is not None:
        raise click.ClickException(trouble)

    if not is_good:
        sys.exit(1)
