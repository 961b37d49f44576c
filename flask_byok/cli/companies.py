"""Which company an argument of a command means."""

from __future__ import annotations

import typing as t

import click

from ..vault.company import company_value
from .group import calling

if t.TYPE_CHECKING:
    from ..extension import BYOK


def stored_companies(byok: BYOK) -> tuple[str, ...]:
    """List the companies with a stored key, as typed texts."""
    return calling(byok.state.store.companies)


def find_company(byok: BYOK, argument: str) -> str:
    """Give the typed text a person means: as written, or the one id that fits."""
    if _is_typed(argument):
        return argument

    fitting = [
        text for text in stored_companies(byok) if text.partition(":")[2] == argument
    ]

    if len(fitting) == 1:
        return fitting[0]

    if fitting:
        raise click.ClickException(
            f"Several companies fit: {', '.join(fitting)}. Name one with its type."
        )

    raise click.ClickException(
        "No stored company fits. Write the id with its type: i:42, s:acme or u:<uuid>."
    )


def _is_typed(argument: str) -> bool:
    try:
        company_value(argument)
    except ValueError:
        return False

    return True
