"""A progress bar on standard error, where a person looks at it."""

from __future__ import annotations

import collections.abc as cabc
import sys
import typing as t

import click

from ..errors import BYOKError

if t.TYPE_CHECKING:
    from click._termui_impl import ProgressBar

_PARTS: t.Final = 1000


class HasPosition(t.Protocol):
    """One step on a way that is known from 0 to 1."""

    @property
    def position(self) -> float:
        """How much of the way lies behind."""
        ...


_Step = t.TypeVar("_Step", bound=HasPosition)


def drain(steps: cabc.Iterator[HasPosition]) -> str | None:
    """Go all the way; give the sentence of what stopped it, if anything did."""
    try:
        for _ in steps:
            pass
    except BYOKError as error:
        return str(error)

    return None


def follow(
    steps: cabc.Iterator[_Step],
    label: str,
    count: cabc.Callable[[], int],
    unit: str = "keys",
) -> cabc.Iterator[_Step]:
    """Give the steps one by one; draw a bar meanwhile if a terminal is there.

    :param count: tells how many were dealt with so far.
    :param unit: what is counted.
    """
    if not sys.stderr.isatty():
        yield from steps
        return

    made: t.ContextManager[ProgressBar[int]] = click.progressbar(
        length=_PARTS,
        label=label,
        file=sys.stderr,
        item_show_func=lambda item: f"{count():,} {unit}",
    )

    with made as bar:
        for step in steps:
            # A second look begins at the front again; the bar does not.
            bar.update(max(0, int(step.position * _PARTS) - bar.pos))
            yield step
