"""The command group, and how each command finds the app and says what went wrong."""

from __future__ import annotations

import typing as t

import click
from flask.cli import AppGroup

from ..errors import BYOKError
from ..proxies import find_byok

if t.TYPE_CHECKING:
    from ..extension import BYOK

_T = t.TypeVar("_T")


class _Group(AppGroup):
    """Says in one sentence why the app of a command cannot be made."""

    def invoke(self, ctx: click.Context) -> t.Any:
        """Run a command. The app is loaded in here, and may refuse its settings."""
        return calling(lambda: super(_Group, self).invoke(ctx))


byok_cli: AppGroup = _Group(
    "byok",
    help="Company API keys: master keys, rotation, checks, stored keys, the simulator.",
)


def this_byok() -> BYOK:
    """Give the extension of the app that the command runs for."""
    return calling(find_byok)


def calling(work: t.Callable[[], _T]) -> _T:
    """Do ``work``; say an error of ours in its sentence and end with 1."""
    try:
        return work()
    except (BYOKError, ValueError) as error:
        sentence = str(error)

    raise click.ClickException(sentence)
