"""What the parts "Usage" and "History" of the page are given."""

from __future__ import annotations

import dataclasses
import typing as t

from markupsafe import Markup


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What one payer's requests came to. Every text is ready to print.

    :param requests: attempts that are over; ``unit`` is the word behind their number.
    :param failed: of these, refused or never answered.
    :param failed_share: the same in percent; ``None`` without a request.
    :param unknown: of these, sent and never heard of again.
    :param input_tokens: cached ones included.
    :param cost: an estimate in US dollars, or that it is not priced.
    :param has_unknown: whether ``unknown`` is more than nothing.
    """

    requests: Markup
    unit: Markup
    failed: Markup
    failed_share: Markup | None
    unknown: Markup
    tokens: Markup
    input_tokens: Markup
    cached_tokens: Markup
    output_tokens: Markup
    cost: Markup
    has_unknown: bool


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class UsageLine:
    """One day. Own keys and the key provided by the app are never added up.

    :param note: that the company's key was out on that day.
    """

    day: Markup
    own: Figures
    provided: Figures
    note: Markup | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SplitLine:
    """One provider, model or feature on one payer's keys.

    :param is_own: whether the company's own keys paid.
    :param payer: the same in words.
    """

    name: Markup
    is_own: bool
    payer: Markup
    figures: Figures


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """The range once more, by provider, by model or by feature: ``head`` says which."""

    head: Markup
    lines: tuple[SplitLine, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Meter:
    """How much of one unit of the allowance is used.

    :param percent: 0 to 100, for the picture.
    :param tone: ``ok``, ``warn`` from 80 percent on, ``error`` when it is used up.
    """

    text: Markup
    note: Markup
    percent: int
    tone: t.Literal["ok", "warn", "error"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """Bars per day, as outlines in the units of the picture.

    :param title: what it shows; ``description`` tells the highest day and the sums.
    :param width: of the picture; its height is always 160.
    :param own: outlines of the bars of the company's own keys; ``provided`` those of
        the key provided by the app, and ``episodes`` of the days a key was out.
    :param scale: numbers beside the picture, from top to bottom.
    :param days: days below it, from the first to the last.
    """

    title: Markup
    description: Markup
    width: int
    own: str
    provided: str
    episodes: str
    scale: tuple[Markup, ...]
    days: tuple[Markup, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """A range of days one may go to."""

    href: str
    text: Markup
    selected: bool


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class UsageSection:
    """Requests, tokens and cost of a range of days.

    :param since: the first day; ``since_value`` is the same for a date field.
    :param error: why the days that were asked for are not shown.
    :param share: percent of all requests on the key provided by the app.
    :param lines: newest day first; ``total`` over all of them.
    :param chart: ``None`` without a request.
    :param episodes: from when to when a key of the company was out.
    """

    since: Markup
    until: Markup
    since_value: str
    until_value: str
    ranges: tuple[Range, ...]
    csv_url: str
    total: UsageLine
    lines: tuple[UsageLine, ...] = ()
    share: Markup | None = None
    meters: tuple[Meter, ...] = ()
    chart: Chart | None = None
    episodes: tuple[Markup, ...] = ()
    splits: tuple[Split, ...] = ()
    error: Markup | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class HistoryLine:
    """One event: when, what, who."""

    at: Markup
    what: Markup
    who: str
