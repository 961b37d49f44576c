"""The errors of compatible vendors, in every shape, as the adapter reads them."""

from __future__ import annotations

import typing as t

import pytest

from flask_byok.failover.classify import classify
from flask_byok.providers.failures import read_error
from flask_byok.testing.rows_vendor import ROWS
from tests.support.failures import judge_answer
from tests.support.failures import NOW

#: By name of a row: class, reason word, code of ours.
EXPECTED: dict[str, tuple[str, str, str | None]] = {
    "revoked": ("A", "auth", None),
    "expired": ("A", "expired", None),
    "restricted": ("B", "permission", None),
    "nocredit": ("C", "quota", None),
    "ratelimited": ("D", "rate_limit", None),
    "overloaded": ("E", "outage", None),
    "outage": ("E", "outage", None),
    "bare_message": ("A", "auth", None),
    "bare_detail": ("A", "auth", None),
    "bare_not_found": ("M", "model", "model_not_found"),
    "wrong_key_400": ("A", "auth", "invalid_api_key"),
    "key_echoed": ("A", "auth", None),
    "credits_403": ("C", "quota", "no_credit"),
    "no_balance": ("C", "quota", None),
    "model_not_found": ("M", "model", "model_not_found"),
    "model_not_found_400": ("M", "model", "model_not_found"),
    "decommissioned": ("M", "model", "model_decommissioned"),
    "no_deployment": ("M", "model", "model_not_found"),
    "flagged": ("G", "request", "content_filter"),
    "firewall": ("L", "our_side", "network_refused"),
    "no_capacity": ("D", "rate_limit", None),
    "bad_request": ("G", "request", None),
    "context_length": ("G", "request", "context_length_exceeded"),
}


@pytest.mark.parametrize("name", [n for n in ROWS if not n.startswith("ratelimited_")])
def test_row(name: str) -> None:
    """Status first, then the code, then the text; whatever the envelope."""
    verdict = judge_answer("COMPATIBLE", ROWS[name].status, ROWS[name].body)

    assert (verdict.letter, verdict.reason, verdict.code) == EXPECTED[name]


@pytest.mark.parametrize(
    ("body", "letter"),
    [
        ({"error": {"message": "Slow down.", "code": 429}}, "D"),
        ({"error": {"message": "No money.", "code": 402}}, "C"),
        ({"error": {"message": "Gone.", "code": 502}}, "E"),
        ({"error": "Something broke."}, "E"),
        ({"object": "error", "message": "No such model.", "code": 404}, "M"),
    ],
)
def test_an_error_inside_a_good_answer(body: t.Any, letter: str) -> None:
    """Its number counts as the status; without one it is the vendor's trouble."""
    failure = read_error(body, status=200, dialect="COMPATIBLE", cleaner=None)

    assert failure is not None
    assert classify(failure, dialect="COMPATIBLE", now=NOW).letter == letter


def test_a_good_answer_with_a_message_is_none() -> None:
    """A message of its own, beside no error, makes no error of an answer."""
    body = {"object": "chat.completion", "message": "hi", "choices": []}

    assert read_error(body, status=200, dialect="COMPATIBLE", cleaner=None) is None


def test_a_number_of_geminis_stays_a_number() -> None:
    """There it repeats the status, and would hide the words behind it."""
    body = {"error": {"code": 400, "message": "x", "status": "INVALID_ARGUMENT"}}
    failure = read_error(body, status=400, dialect="GEMINI", cleaner=None)

    assert failure is not None and failure.reasons == ()
