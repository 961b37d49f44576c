"""``flask byok doctor``."""

from __future__ import annotations

import dataclasses
import json
import sys
import typing as t

import click
from flask import current_app

from ..service.doctor import Finding
from .group import byok_cli
from .group import this_byok

_MARKS: t.Final = {"ok": "ok     ", "warning": "warning", "error": "ERROR  "}


@byok_cli.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Check settings, tables, every stored key and the providers.

    Ends with 1 when something does not work.
    """
    byok = this_byok()
    findings: list[Finding] = []

    for finding in byok.state.doctor.examine(
        has_loader=byok.has_company_loader,
        has_access_check=byok.has_access_check,
        has_secret_key=bool(current_app.secret_key),
    ):
        findings.append(finding)

        if not as_json:
            click.echo(f"{_MARKS[finding.level]} {finding.check}: {finding.text}")

    if as_json:
        click.echo(json.dumps([dataclasses.asdict(f) for f in findings], indent=2))

    if any(finding.level == "error" for finding in findings):
        sys.exit(1)
