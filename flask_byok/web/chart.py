"""The picture of a range of days: bars, as outlines that a template draws.

Everything is told by shape as well as by colour: the bars of the provided key are
hatched, and stand a gap above the others. The picture is stretched to the width of the
page, which leaves its flat stripes and its upright bars as they are; so the numbers
beside it are text of the page, at the size of text.

No library draws this: those that make SVG on the server write colours and style sheets
into it, which a strict Content-Security-Policy blocks and a dark page cannot change.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import typing as t

from .texts import amount
from .texts import Names
from .texts import say
from .texts import tell
from .usageparts import Chart

#: The height of the picture.
HEIGHT: t.Final = 160

#: A day's share of the width.
DAY: t.Final = 10

# Between the bars of the two payers, and the least that a bar is high.
_GAP: t.Final = 2
_LEAST: t.Final = 2

# The line at the foot of a day on which a key was out.
_FOOT: t.Final = 3


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DayCount:
    """Requests of one day, per payer, and whether a key was out on it."""

    day: dt.date
    own: int = 0
    provided: int = 0
    is_out: bool = False


def draw_chart(days: cabc.Sequence[DayCount], names: Names) -> Chart | None:
    """Draw the days in their order; ``None`` when none has a request."""
    highest = max(days, key=lambda day: day.own + day.provided)
    most = highest.own + highest.provided

    if not most:
        return None

    top = _round_up(most)
    bars = _Bars(len(days), top)

    for place, day in enumerate(days):
        bars.add(place, day)

    return Chart(
        title=names.say("Requests per day: your keys, and the key provided by {app}"),
        description=names.say(
            "The highest day is {day} with {own} on your keys and {provided} on the "
            "key provided by {app}. In all these days: {all_own} on your keys, "
            "{all_provided} on the key provided by {app}.",
            day=tell("{day}", day=highest.day),
            own=amount(highest.own, "requests"),
            provided=amount(highest.provided, "requests"),
            all_own=sum(day.own for day in days),
            all_provided=sum(day.provided for day in days),
        ),
        width=len(days) * DAY,
        own="".join(bars.own),
        provided="".join(bars.provided),
        episodes="".join(bars.episodes),
        scale=tuple(say("{n}", n=n) for n in _scale(top)),
        days=tuple(say("{day}", day=day) for day in _ticks(days)),
    )


class _Bars:
    """Collects the outlines."""

    def __init__(self, days: int, top: int) -> None:
        self._top = top
        # Few days would be few broad blocks.
        self._width = 4 if days <= 10 else 6 if days <= 62 else 8
        self.own: list[str] = []
        self.provided: list[str] = []
        self.episodes: list[str] = []

    def add(self, place: int, day: DayCount) -> None:
        """Add the bars of one day."""
        left = place * DAY + (DAY - self._width) / 2
        own, provided = self._height(day.own), self._height(day.provided)
        lift = own + _GAP if own else 0
        # The gap must not lift the bar of the highest day out of the picture.
        provided = min(provided, HEIGHT - lift) if provided else 0

        if own:
            self.own.append(_box(left, HEIGHT, self._width, own))

        if provided:
            self.provided.append(_box(left, HEIGHT - lift, self._width, provided))

        if day.is_out:
            self.episodes.append(_box(place * DAY, HEIGHT + 2 * _FOOT, DAY, _FOOT))

    def _height(self, requests: int) -> float:
        return max(HEIGHT * requests / self._top, _LEAST) if requests else 0


def _box(left: float, foot: float, width: float, height: float) -> str:
    return f"M{left:g} {foot:.4g}h{width:g}v{-height:.4g}h{-width:g}z"


def _round_up(most: int) -> int:
    """Find the number at the top: even, and 1, 2, 4, 5 or 8 with noughts."""
    size = 10 ** (len(str(most)) - 1)
    return next(
        n
        for n in (2, size, 2 * size, 4 * size, 5 * size, 8 * size, 10 * size)
        if n >= most and n % 2 == 0
    )


def _scale(top: int) -> tuple[int, ...]:
    return (top, top // 2, 0)


def _ticks(days: cabc.Sequence[DayCount]) -> tuple[dt.date, ...]:
    """Pick the days that are named below the picture."""
    if len(days) < 3:
        return tuple(day.day for day in days)

    return (days[0].day, days[len(days) // 2].day, days[-1].day)
