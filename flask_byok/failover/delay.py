"""How long a provider asks us to wait: headers, structured details, texts, dates.

Order, units and what is ignored: negative, not a number, infinite or unreadable values,
and everything on a 2xx (some answers carry ``Retry-After`` although they succeeded).
"""

from __future__ import annotations

import calendar
import collections.abc as cabc
import datetime as dt
import email.utils
import math
import re
import typing as t
import zoneinfo

from ..providers.types import Failure

#: Seconds; no delay counts for more, whatever the provider says.
LONGEST_DELAY: t.Final = 24 * 3600.0

_NUMBER: t.Final = re.compile(
    r"[+-]?[0-9]{1,15}(?:\.[0-9]{0,9})?(?:[eE][+-]?[0-9]{1,3})?"
)
_PROTO_DURATION: t.Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)s")
_GO_DURATION: t.Final = re.compile(
    r"(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?"
    r"(?:([0-9]{1,9}(?:\.[0-9]{1,12})?)(ms|s))?(?![0-9a-z])"
)
_REGAIN_DATE: t.Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?: at ([0-9]{2}):([0-9]{2}))?"
)


def read_delay(failure: Failure, now: dt.datetime) -> float | None:
    """Tell how long the provider asks us to wait, in seconds from 0 to a day.

    :param now: aware, UTC; a date in a header counts from the answer's own ``Date``.
    :return: ``None`` when it did not say, or not readably.

    Source: RFC 9110, section 10.2.3; ``google.rpc.RetryInfo``; the message texts of
    OPENAI and GEMINI.
    """
    if failure.status is not None and 200 <= failure.status < 300:
        return None

    stated = (
        _read_number(failure.headers.get("retry-after-ms"), unit=0.001),
        read_retry_after(failure.headers, now),
        _read_retry_info(failure.details),
        _read_text(failure.text),
    )
    return next((delay for delay in stated if delay is not None), None)


def read_retry_after(headers: cabc.Mapping[str, str], now: dt.datetime) -> float | None:
    """Read ``Retry-After``: seconds, or a date against the answer's ``Date``.

    :param headers: of an error answer; names in lower case.
    :param now: aware, UTC; used when the answer has no readable ``Date``.
    :return: seconds from 0 to a day; ``None`` when missing, past or unreadable.
    """
    value = headers.get("retry-after")
    seconds = _read_number(value)

    if seconds is not None:
        return seconds

    at = _read_http_date(value)

    if at is None:
        return None

    sent_at = _read_http_date(headers.get("date")) or now
    return _limit((at - sent_at).total_seconds())


def read_regain_date(text: str, now: dt.datetime) -> dt.datetime | None:
    """Read the day CLAUDE names for the end of a usage limit.

    :param text: lower-cased message.
    :return: UTC; ``None`` when there is none, or it has passed.
    """
    _, found, rest = text.partition("regain access on ")
    match = _REGAIN_DATE.match(rest) if found else None

    if match is None:
        return None

    year, month, day, hour, minute = (int(group or 0) for group in match.groups())

    try:
        at = dt.datetime(year, month, day, hour, minute, tzinfo=dt.timezone.utc)
    except ValueError:
        return None

    return at if at > now else None


def next_month(now: dt.datetime) -> dt.datetime:
    """Tell when the next calendar month begins, UTC."""
    year, month = (now.year, now.month + 1) if now.month < 12 else (now.year + 1, 1)
    return dt.datetime(year, month, 1, tzinfo=dt.timezone.utc)


def next_pacific_midnight(now: dt.datetime) -> dt.datetime:
    """Tell when GEMINI's daily quotas begin anew: midnight US Pacific time, as UTC."""
    tomorrow = (now + pacific_offset(now)).date() + dt.timedelta(days=1)
    midnight = dt.datetime.combine(tomorrow, dt.time(), tzinfo=dt.timezone.utc)
    # Clocks change at two in the morning, so either offset finds the right one.
    return midnight - pacific_offset(midnight + dt.timedelta(hours=8))


def pacific_offset(moment: dt.datetime) -> dt.timedelta:
    """Tell how far US Pacific time is from UTC at ``moment``."""
    try:
        zone = zoneinfo.ZoneInfo("America/Los_Angeles")
    except zoneinfo.ZoneInfoNotFoundError:
        # A small system or Windows without the tzdata package.
        return pacific_offset_by_law(moment)

    return moment.astimezone(zone).utcoffset() or pacific_offset_by_law(moment)


def pacific_offset_by_law(moment: dt.datetime) -> dt.timedelta:
    """Tell the same from the rule alone: US law since 2007.

    Daylight time runs from the second Sunday in March, 2:00, to the first in November.
    """
    begins = _sunday(moment.year, 3, 2).replace(hour=10)
    ends = _sunday(moment.year, 11, 1).replace(hour=9)
    return dt.timedelta(hours=-7 if begins <= moment < ends else -8)


def _sunday(year: int, month: int, count: int) -> dt.datetime:
    first = dt.datetime(year, month, 1, tzinfo=dt.timezone.utc)
    days = (calendar.SUNDAY - first.weekday()) % 7 + 7 * (count - 1)
    return first + dt.timedelta(days=days)


def _limit(seconds: float) -> float | None:
    if not math.isfinite(seconds) or seconds < 0:
        return None

    return min(seconds, LONGEST_DELAY)


def _read_number(value: str | None, unit: float = 1.0) -> float | None:
    # float() alone would take "nan", "1_000" and digits of other scripts.
    if value is None or _NUMBER.fullmatch(value.strip()) is None:
        return None

    return _limit(float(value) * unit)


def _read_http_date(value: str | None) -> dt.datetime | None:
    if value is None or len(value) > 64:
        return None

    try:
        at = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None

    return at if at.tzinfo is not None else at.replace(tzinfo=dt.timezone.utc)


def _read_retry_info(
    details: cabc.Iterable[cabc.Mapping[str, t.Any]],
) -> float | None:
    for entry in details:
        value = entry.get("retryDelay", entry.get("retry_delay"))
        is_info = str(entry.get("@type")).endswith("RetryInfo")

        if is_info and isinstance(value, str):
            match = _PROTO_DURATION.fullmatch(value)
            return None if match is None else _limit(float(match[1]))

    return None


def _read_text(text: str) -> float | None:
    for phrase in ("try again in ", "retry in "):
        _, found, rest = text.partition(phrase)
        match = _GO_DURATION.match(rest[:64]) if found else None

        if match is not None and match[0]:
            return _limit(_seconds(match))

    return None


def _seconds(match: re.Match[str]) -> float:
    hours, minutes, last, unit = match.groups()
    rest = float(last or 0) * (0.001 if unit == "ms" else 1.0)
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + rest
