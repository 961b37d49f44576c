"""``flask byok doctor``."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import json
import sys
import typing as t

import click
from flask.cli import ScriptInfo

from ..errors import BYOKError
from ..service.findings import error
from ..service.findings import Finding
from ..web.exposure import look_at_deployment
from ..web.fitness import look_at_page
from .group import byok_cli
from .group import this_byok

_MARKS: t.Final = {"ok": "ok     ", "warning": "warning", "error": "ERROR  "}


@byok_cli.command("doctor", with_appcontext=False)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option(
    "--deploy", is_flag=True, help="Look at what matters on a server as well."
)
@click.pass_context
def doctor(ctx: click.Context, as_json: bool, deploy: bool) -> None:
    """Check settings, tables, every stored key and the providers.

    Ends with 1 when something does not work. With --deploy debug mode, cookies and the
    like are looked at, too, which may be as they are on your own machine.
    """
    findings: list[Finding] = []

    for finding in _examine(ctx, deploy):
        findings.append(finding)

        if not as_json:
            click.echo(f"{_MARKS[finding.level]} {finding.check}: {finding.text}")

    if as_json:
        click.echo(json.dumps([dataclasses.asdict(f) for f in findings], indent=2))

    if any(finding.level == "error" for finding in findings):
        sys.exit(1)


def _examine(ctx: click.Context, deploy: bool) -> cabc.Iterator[Finding]:
    """Give the findings; an app that refuses its settings is the only one then."""
    app, trouble = None, ""

    try:
        app = ctx.ensure_object(ScriptInfo).load_app()
    except BYOKError as refused:
        trouble = str(refused)

    if app is None:
        yield error("settings", trouble)
        return

    with app.app_context():
        byok = this_byok()
        yield from look_at_page(app, byok.settings)

        if deploy:
            yield from look_at_deployment(
                app,
                byok.settings,
                byok.state.database,
                debug=byok.state.began_in_debug or app.debug,
            )

        yield from byok.state.doctor.examine(
            has_loader=byok.has_company_loader,
            has_access_check=byok.has_access_check,
            has_secret_key=bool(app.secret_key),
        )
