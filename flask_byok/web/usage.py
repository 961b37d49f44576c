"""The part "Usage" of the page. Own and provided keys are never added up."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import re
import typing as t

from flask import url_for
from markupsafe import Markup

from .chart import DayCount
from .chart import draw_chart
from .episodes import Episode
from .episodes import find_episodes
from .figures import add_up
from .figures import build_splits
from .figures import is_own
from .figures import percent
from .reasons import reason_in_words
from .texts import amount
from .texts import join
from .texts import Names
from .texts import say
from .texts import say_count
from .texts import tell
from .usageparts import Chart
from .usageparts import Meter
from .usageparts import Range
from .usageparts import UsageLine
from .usageparts import UsageSection

if t.TYPE_CHECKING:
    from ..config import Settings
    from ..ledger.audit import HistoryEntry
    from ..ledger.usage import UsageRow
    from ..providers.registry import Registry
    from ..service.types import Allowance

#: The longest range of days one may ask for.
MOST_DAYS: t.Final = 366

#: The ranges the page offers, in days; the first is the usual one.
RANGES: t.Final = (7, 30)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DayRange:
    """Days in UTC, both included."""

    since: dt.date
    until: dt.date

    @property
    def days(self) -> int:
        """How many days these are."""
        return (self.until - self.since).days + 1

    def each(self) -> t.Iterator[dt.date]:
        """Give every day, the first first."""
        return (self.since + dt.timedelta(number) for number in range(self.days))


def read_range(args: cabc.Mapping[str, str], today: dt.date) -> DayRange | None:
    """Read ``since`` and ``until``; ``None`` when they are no range of days.

    Without ``since`` the range is a week; without ``until`` it ends today.
    """
    try:
        until = _read_day(args.get("until")) or today
        since = _read_day(args.get("since")) or until - dt.timedelta(RANGES[0] - 1)
    except (OverflowError, ValueError):
        return None

    days = DayRange(since=since, until=until)
    # The day after the last one is asked for as the end.
    is_last = until == dt.date.max
    return days if 1 <= days.days <= MOST_DAYS and not is_last else None


def _read_day(text: str | None) -> dt.date | None:
    if text is None:
        return None

    # Python 3.11 reads more forms than 3.10; the address takes one.
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        raise ValueError("not a day")

    return dt.date.fromisoformat(text)


def last_days(days: int, today: dt.date) -> DayRange:
    """Give the range that ends today."""
    return DayRange(since=today - dt.timedelta(days - 1), until=today)


class UsageBuilder:
    """Builds the part out of the rows of a range.

    :param entries: the history, newest first: it tells when a key was out.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        rows: cabc.Sequence[UsageRow],
        days: DayRange,
        entries: cabc.Sequence[HistoryEntry],
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._names = Names.of(settings)
        self._rows = rows
        self._days = days
        self._episodes = [
            episode
            for episode in find_episodes(entries)
            if any(episode.touches(day) for day in days.each())
        ]

    def build(
        self,
        allowances: cabc.Sequence[Allowance],
        today: dt.date,
        error: Markup | None = None,
    ) -> UsageSection:
        """Build it.

        :param error: why other days are shown than those that were asked for.
        """
        since, until = self._days.since, self._days.until
        provided = sum(row.requests for row in self._rows if not is_own(row))
        return UsageSection(
            since=say("{day}", day=since),
            until=say("{day}", day=until),
            since_value=since.isoformat(),
            until_value=until.isoformat(),
            ranges=tuple(_ranges(self._days, today)),
            csv_url=url_for(
                "byok.usage_csv", since=since.isoformat(), until=until.isoformat()
            ),
            total=_line(say("All days"), self._rows),
            lines=tuple(self._lines()),
            share=percent(provided, sum(row.requests for row in self._rows)),
            meters=tuple(_meter(each, self._names) for each in allowances),
            chart=self._chart(),
            episodes=tuple(self._tell(episode) for episode in self._episodes),
            splits=build_splits(self._rows, self._names, self._registry)
            if self._rows
            else (),
            error=error,
        )

    def _lines(self) -> t.Iterator[UsageLine]:
        by_day: dict[dt.date, list[UsageRow]] = {}

        for row in self._rows:
            by_day.setdefault(row.day, []).append(row)

        for day in sorted(by_day, reverse=True):
            note = say("Key out") if self._is_out(day) else None
            yield _line(Markup.escape(tell("{day}", day=day)), by_day[day], note)

    def _is_out(self, day: dt.date) -> bool:
        return any(episode.touches(day) for episode in self._episodes)

    def _chart(self) -> Chart | None:
        counts: dict[tuple[dt.date, bool], int] = {}

        for row in self._rows:
            slot = (row.day, is_own(row))
            counts[slot] = counts.get(slot, 0) + row.requests

        days = [
            DayCount(
                day=day,
                own=counts.get((day, True), 0),
                provided=counts.get((day, False), 0),
                is_out=self._is_out(day),
            )
            for day in self._days.each()
        ]
        return draw_chart(days, self._names)

    def _tell(self, episode: Episode) -> Markup:
        known = episode.provider in self._registry.ids
        provider = self._registry.get(episode.provider) if known else None
        names = Names.of(self._settings, provider)
        sentence = names.say(
            "Your {label} key was out from {start} on and still is.",
            label=names.provider or episode.provider,
            start=episode.start,
        )

        if episode.end is not None:
            sentence = names.say(
                "Your {label} key was out from {start} to {end}.",
                label=names.provider or episode.provider,
                start=episode.start,
                end=episode.end,
            )

        if episode.reason is None:
            return sentence

        words = reason_in_words(episode.reason, names).words
        return join(sentence, say("Reason: {reason}.", reason=words))


def _ranges(days: DayRange, today: dt.date) -> t.Iterator[Range]:
    for number in RANGES:
        offered = last_days(number, today)
        yield Range(
            href=url_for(
                "byok.page",
                since=offered.since.isoformat(),
                until=offered.until.isoformat(),
                _anchor="byok-usage",
            ),
            text=say_count("{n} day", "{n} days", number),
            selected=offered == days,
        )


def _line(
    day: Markup, rows: cabc.Sequence[UsageRow], note: Markup | None = None
) -> UsageLine:
    return UsageLine(
        day=day,
        own=add_up([row for row in rows if is_own(row)]),
        provided=add_up([row for row in rows if not is_own(row)]),
        note=note,
    )


def _meter(allowance: Allowance, names: Names) -> Meter:
    used = min(int(100 * allowance.used / allowance.limit), 100)
    return Meter(
        text=say(
            "{used} of {total} used",
            used=amount(allowance.used, None),
            total=amount(allowance.limit, allowance.unit),
        ),
        note=names.say(
            "On the key provided by {app}; it starts again on {date}.",
            date=allowance.resets_on,
        ),
        percent=used,
        tone="error" if used == 100 else "warn" if used >= 80 else "ok",
    )
