"""The result of Test Connection: three checks as graded rows."""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from markupsafe import Markup

from ..service.endings import Ending
from ..service.endings import near_ending
from ..service.types import ConnectionReport
from ..service.types import Grade
from .expiry import FIRST_DAYS
from .models import build_options
from .models import end_line
from .models import group_options
from .page import Badge
from .page import Check
from .page import TestResult
from .page import Tone
from .reasons import Reason
from .reasons import reason_in_words
from .texts import join
from .texts import N_
from .texts import Names
from .texts import say
from .texts import say_count

_TONES: t.Final[dict[Grade, Tone]] = {
    "pass": "ok",
    "remark": "warn",
    "fail": "error",
    "unknown": "info",
}

_OVERALL: t.Final[dict[str, tuple[str, Tone, str]]] = {
    "working": ("test-ok", "ok", N_("Connected")),
    "remarks": ("test-remarks", "warn", N_("Connected, with remarks")),
    "other_model": ("test-remarks", "warn", N_("Connected, with remarks")),
    "not_usable": ("test-failed", "error", N_("Not connected")),
    "rejected": ("test-failed", "error", N_("Not connected")),
    "could_not_ask": ("test-unknown", "info", N_("Could not test")),
}


def build_result(
    report: ConnectionReport,
    names: Names,
    *,
    expires_on: dt.date | None = None,
    changed: bool = False,
    typed: bool = False,
) -> TestResult:
    """Put a report into words.

    :param expires_on: the date the company declared for this key.
    :param changed: the test changed what the rest of the page says.
    :param typed: there is a key in the form that was not tested.
    """
    slug, tone, word = _OVERALL[_overall(report, expires_on)]
    models = tuple(build_options(report))
    return TestResult(
        provider=report.provider,
        slug=slug,
        badge=Badge(tone=tone, text=say(word)),
        tested_at=say("Tested {time}.", time=report.tested_at),
        checks=_checks(report, names, expires_on),
        lines=tuple(_lines(report, names, changed, typed)),
        models=models,
        groups=tuple(group_options(models)),
        request_id=report.request_id,
    )


def as_past(result: TestResult) -> TestResult:
    """Say of a good result that it is over: nothing green on a key that is out."""
    checks = tuple(dataclasses.replace(each, tone="info") for each in result.checks)
    over = say("The key has stopped working since this test.")
    return dataclasses.replace(
        result,
        badge=dataclasses.replace(result.badge, tone="info"),
        checks=checks,
        lines=(over, *result.lines),
    )


def _overall(report: ConnectionReport, expires_on: dt.date | None) -> str:
    grades = {report.key, report.latency, report.generate}

    if report.list_asked:
        grades.add(report.list)

    is_clear = grades == {"pass"} and not _is_near(report, expires_on)

    if report.verdict == "working" and (not is_clear or _ending(report) is not None):
        return "remarks"

    return report.verdict


def _checks(
    report: ConnectionReport, names: Names, expires_on: dt.date | None
) -> tuple[Check, ...]:
    reason = reason_in_words(
        report.reason, names, until=report.until, model=report.model
    )
    key_grade = "remark" if _is_near(report, expires_on) else report.key
    return (
        _check(say("Key"), key_grade, _key_text(report, names, expires_on)),
        _check(say("Latency"), report.latency, _latency_text(report)),
        _check(say("Permission to list models"), report.list, _list_text(report)),
        _check(
            say("Permission to generate with {model}", model=report.model),
            report.generate,
            _generate_text(report, reason),
        ),
    )


def _ending(report: ConnectionReport) -> Ending | None:
    return near_ending(
        report.model, report.model_shuts_down_on, report.tested_at.date()
    )


def _check(name: Markup, grade: Grade, text: Markup) -> Check:
    words = {
        "pass": say("Passed"),
        "remark": say("Remark"),
        "fail": say("Failed"),
        "unknown": say("Not known"),
    }
    return Check(name=name, tone=_TONES[grade], word=words[grade], text=text)


def _is_past(report: ConnectionReport, expires_on: dt.date | None) -> bool:
    if expires_on is None or report.key not in ("pass", "remark"):
        return False

    return expires_on <= report.tested_at.date()


def _is_near(report: ConnectionReport, expires_on: dt.date | None) -> bool:
    """Tell whether the declared date is worth a remark: it is near, or has passed."""
    if expires_on is None or report.key not in ("pass", "remark"):
        return False

    return (expires_on - report.tested_at.date()).days <= FIRST_DAYS


def _key_text(
    report: ConnectionReport, names: Names, expires_on: dt.date | None
) -> Markup:
    if report.key == "unknown":
        return say("Not reached.")

    if report.key == "fail":
        expired = report.reason == "expired"
        return names.say(
            "{vendor} says it has expired."
            if expired
            else "{vendor} did not accept it."
        )

    if expires_on is None:
        return say("Accepted, not expired.")

    if _is_past(report, expires_on):
        return say("Accepted, though your date, {date}, has passed.", date=expires_on)

    return say("Accepted. Expires on {date}.", date=expires_on)


def _latency_text(report: ConnectionReport) -> Markup:
    if report.latency_ms is None:
        return say("Not measured.")

    message = N_("{ms} ms (limit {limit} ms)")

    if report.latency == "remark":
        message = N_("Slow: {ms} ms (limit {limit} ms)")

    return say(message, ms=report.latency_ms, limit=report.limit_ms)


def _list_text(report: ConnectionReport) -> Markup:
    if report.list == "pass":
        return say_count("Yes, {n} model.", "Yes, {n} models.", len(report.models))

    if not report.list_asked:
        return say("Not asked: the list says nothing about a key here.")

    if report.list == "unknown":
        return say("Not known.")

    return say("No. Type the model's name yourself.")


def _generate_text(report: ConnectionReport, reason: Reason) -> Markup:
    if report.generate == "pass" and report.answered_model is not None:
        return say("Yes. It answers as {model}.", model=report.answered_model)

    if report.generate == "pass":
        return say("Yes.")

    if report.generate == "unknown":
        return say("Not tried.")

    if report.generate == "remark":
        return say("Not now: {reason}.", reason=reason.words)

    lacks = answers = None

    if report.missing is not None:
        lacks = say("The missing permission: {name}.", name=report.missing)

    if report.answered_model is not None:
        answers = say("It answers with {model}.", model=report.answered_model)

    return join(say("No: {reason}.", reason=reason.words), lacks, answers)


def _lines(
    report: ConnectionReport, names: Names, changed: bool, typed: bool
) -> t.Iterator[Markup]:
    if report.verdict == "could_not_ask":
        yield say("Your saved key has not changed.")

    if report.verdict in ("rejected", "not_usable"):
        yield reason_in_words(report.reason, names, until=report.until).remedy

    ending = _ending(report)

    if ending is not None:
        yield end_line(ending, names)

    if changed:
        yield say("This changed what is in use. Load the page again to see it.")

    if typed:
        yield say(
            "This tested the saved key. The one you typed is not saved yet; Save "
            "checks it too."
        )

    if report.tokens is not None:
        yield names.say_count(
            "This test used about {n} token of your account at {vendor}.",
            "This test used about {n} tokens of your account at {vendor}.",
            report.tokens,
        )
