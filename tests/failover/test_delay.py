"""What a provider says about waiting, in all its forms."""

from __future__ import annotations

import datetime as dt
import typing as t
import zoneinfo

import pytest

from flask_byok.failover import delay as delays
from flask_byok.failover.delay import LONGEST_DELAY
from flask_byok.failover.delay import next_month
from flask_byok.failover.delay import next_pacific_midnight
from flask_byok.failover.delay import pacific_offset
from flask_byok.failover.delay import pacific_offset_by_law
from flask_byok.failover.delay import read_delay
from flask_byok.failover.delay import read_regain_date
from flask_byok.providers.types import Failure
from tests.support.failures import NOW


def read(**facts: t.Any) -> float | None:
    facts.setdefault("status", 429)
    return read_delay(Failure(kind="answer", **facts), NOW)


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.timezone.utc)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("1e3", 1000),
        ("1e9", LONGEST_DELAY),
        ("999999999999999", LONGEST_DELAY),
        ("-5", None),
        ("-0.1", None),
        ("NaN", None),
        ("nan", None),
        ("inf", None),
        ("Infinity", None),
        ("1e999", None),
        ("1_000", None),
        ("٧", None),
        ("", None),
        ("soon", None),
        ("7s", None),
        ("9" * 100_000, None),
    ],
)
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    """Plain numbers count; everything else is ignored, nothing exceeds a day."""
    assert read(headers={"retry-after": value}) == seconds


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("Mon, 23 Nov 2026 12:00:30 GMT", None, 30),
        ("Mon, 23 Nov 2026 12:00:30 GMT", "Mon, 23 Nov 2026 12:00:10 GMT", 20),
        ("Mon, 23 Nov 2026 12:00:30 GMT", "Mon, 23 Nov 2026 14:00:20 GMT", None),
        ("Mon, 23 Nov 2026 12:00:30 GMT", "rubbish", 30),
        ("Mon, 23 Nov 2026 13:00:30 +0100", None, 30),
        ("Mon, 23 Nov 2026 12:00:30 -0000", None, 30),
        ("Mon, 23 Nov 2026 11:59:59 GMT", None, None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None, LONGEST_DELAY),
        ("Mon, 99 Nov 2026 12:00:30 GMT", None, None),
        ("Mon, 23 Nov 2026 12:00:30 +9999999", None, None),
        ("Mon, 23 Nov 2026 12:00:30 GMT" + " " * 100_000, None, None),
    ],
)
def test_retry_after_as_a_date(
    value: str, date: str | None, seconds: float | None
) -> None:
    """A date counts from the answer's own clock, which may differ from ours."""
    headers = {"retry-after": value, **({"date": date} if date else {})}

    assert read(headers=headers) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("1500", 1.5), ("174.5", 0.1745), ("-1", None), ("NaN", None), ("x", None)],
)
def test_retry_after_in_milliseconds(value: str, seconds: float | None) -> None:
    """``retry-after-ms`` is a thousandth of it."""
    assert read(headers={"retry-after-ms": value}) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("48s", 48),
        ("0.5s", 0.5),
        ("39043s", 39043),
        ("99999999s", LONGEST_DELAY),
        ("-5s", None),
        ("48", None),
        ("NaNs", None),
        (48, None),
        (None, None),
    ],
)
@pytest.mark.parametrize("name", ["retryDelay", "retry_delay"])
def test_retry_info(name: str, value: t.Any, seconds: float | None) -> None:
    """GEMINI states a duration in the details, in camel or snake case."""
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", name: value}

    assert read(details=({"@type": "x.Help", "links": []}, info)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("please try again in 174ms.", 0.174),
        ("please try again in 1m6.7s.", 66.7),
        ("please try again in 6m0s.", 360),
        ("please try again in 1h2m3s", 3723),
        ("please try again in 20s. visit", 20),
        ("please retry in 48.939935699s.", 48.939935699),
        ("please try again in 99999h.", LONGEST_DELAY),
        ("please try again in a while", None),
        ("please try again in -5s", None),
        ("please try again in 20 parsecs", None),
        ("please try again in 5sec", None),
        ("please try again in " + "9" * 100_000, None),
        ("please try again in ", None),
        ("please try again later", None),
    ],
)
def test_delay_in_a_text(text: str, seconds: float | None) -> None:
    """OPENAI and GEMINI name a duration in the message."""
    assert read(text=text) == pytest.approx(seconds)


def test_order() -> None:
    """Milliseconds, seconds, details, text; an unreadable one gives way to the next."""
    headers = {"retry-after-ms": "1000", "retry-after": "2"}
    details = ({"@type": "x.RetryInfo", "retryDelay": "3s"},)
    text = "try again in 4s"
    found = []

    found.append(read(headers=headers, details=details, text=text))
    headers["retry-after-ms"] = "-1"
    found.append(read(headers=headers, details=details, text=text))
    headers["retry-after"] = "NaN"
    found.append(read(headers=headers, details=details, text=text))
    found.append(read(headers=headers, text=text))

    assert found == [1, 2, 3, 4]


@pytest.mark.parametrize("status", [200, 201, 299])
def test_nothing_counts_on_a_success(status: int) -> None:
    """CLAUDE sends ``retry-after`` on answers that succeed."""
    delay = read(
        status=status, headers={"retry-after": "9"}, text="please try again in 9s"
    )

    assert delay is None


@pytest.mark.parametrize(
    ("text", "date"),
    [
        (
            "you will regain access on 2026-12-01 at 00:00 utc.",
            utc(2026, 12, 1),
        ),
        ("regain access on 2026-12-01 at 09:30 utc", utc(2026, 12, 1, 9, 30)),
        ("regain access on 2026-12-01.", utc(2026, 12, 1)),
        ("regain access on 2026-11-01 at 00:00 utc.", None),
        ("regain access on 2026-13-01", None),
        ("regain access on 0000-01-01", None),
        ("regain access on monday", None),
        ("2026-12-01", None),
    ],
)
def test_regain_date(text: str, date: dt.datetime | None) -> None:
    """The day a usage limit ends is read, a day that has passed is not."""
    assert read_regain_date(text, NOW) == date


@pytest.mark.parametrize(
    ("now", "month"),
    [
        (utc(2026, 11, 23, 12), utc(2026, 12, 1)),
        (utc(2026, 12, 31, 23, 59, 59), utc(2027, 1, 1)),
        (utc(2026, 11, 1), utc(2026, 12, 1)),
    ],
)
def test_next_month(now: dt.datetime, month: dt.datetime) -> None:
    """Spend limits end on the first at midnight UTC."""
    assert next_month(now) == month


PACIFIC = [
    (utc(2026, 11, 23, 12), utc(2026, 11, 24, 8)),
    (utc(2026, 11, 24, 7, 59), utc(2026, 11, 24, 8)),
    (utc(2026, 11, 24, 8), utc(2026, 11, 25, 8)),
    (utc(2026, 7, 1, 6, 59), utc(2026, 7, 1, 7)),
    (utc(2026, 7, 1, 7), utc(2026, 7, 2, 7)),
    # Clocks go forward on 8 March and back on 1 November 2026.
    (utc(2026, 3, 8, 7), utc(2026, 3, 8, 8)),
    (utc(2026, 3, 8, 9), utc(2026, 3, 9, 7)),
    (utc(2026, 11, 1, 6), utc(2026, 11, 1, 7)),
    (utc(2026, 11, 1, 8), utc(2026, 11, 2, 8)),
]


@pytest.mark.parametrize(("now", "midnight"), PACIFIC)
def test_pacific_midnight(now: dt.datetime, midnight: dt.datetime) -> None:
    """GEMINI's day ends at midnight in California, summer and winter."""
    assert next_pacific_midnight(now) == midnight


@pytest.mark.parametrize(("now", "midnight"), PACIFIC)
def test_pacific_midnight_without_zone_data(
    now: dt.datetime, midnight: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system without time zone data comes to the same."""
    zoneinfo.ZoneInfo.clear_cache()
    monkeypatch.setattr(zoneinfo, "TZPATH", ())
    zoneinfo.reset_tzpath(to=())

    try:
        assert next_pacific_midnight(now) == midnight
    finally:
        monkeypatch.undo()
        zoneinfo.reset_tzpath()
        zoneinfo.ZoneInfo.clear_cache()


def test_the_law_agrees_with_the_zone_data() -> None:
    """Every hour of four years, both ways to the offset give the same."""
    if delays.pacific_offset(NOW) is None:  # pragma: no cover
        pytest.skip("No zone data.")

    hours = (utc(2025, 1, 1) + dt.timedelta(hours=n) for n in range(4 * 365 * 24))

    assert all(pacific_offset(hour) == pacific_offset_by_law(hour) for hour in hours)
