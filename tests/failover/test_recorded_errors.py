"""Recorded and reported error answers, read from the shared fixtures."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from flask_byok.failover.verdict import Verdict
from tests.support.failures import judge_answer

FIXTURES = pathlib.Path(__file__).parents[3] / "shared" / "fixtures"
DIALECTS = {"openai": "OPENAI", "anthropic": "CLAUDE", "gemini": "GEMINI"}

needs_fixtures = pytest.mark.skipif(
    not FIXTURES.is_dir(), reason="The recorded exchanges are not beside this checkout."
)

REPORTED = {
    ("openai", "missing_scopes"): ("B", "missing_scope"),
    ("openai", "account_deactivated"): ("A", "account_deactivated"),
    ("openai", "project_no_model_access"): ("M", "model_not_found"),
    ("openai", "unsupported_country"): ("L", "unsupported_country_region_territory"),
    ("openai", "rate_limit_tokens"): ("D", "rate_limit_exceeded"),
    ("openai", "insufficient_quota"): ("C", "insufficient_quota"),
    ("openai", "slow_down"): ("D", "slow_down"),
    ("openai", "overloaded"): ("E", "server_is_overloaded"),
    ("anthropic", "credit_balance_too_low"): ("C", "credit_balance_too_low"),
    ("anthropic", "own_usage_limit"): ("C", "usage_limit_reached"),
    ("anthropic", "billing_error"): ("C", "billing_error"),
    ("anthropic", "permission_error"): ("B", "permission_error"),
    ("anthropic", "forbidden_waf"): ("L", "forbidden"),
    ("anthropic", "rate_limit"): ("D", "rate_limit_error"),
    ("anthropic", "api_error"): ("E", "api_error"),
    ("anthropic", "timeout"): ("E", "timeout_error"),
    ("anthropic", "overloaded"): ("E", "overloaded_error"),
    ("gemini", "key_expired"): ("A", "API_KEY_INVALID"),
    ("gemini", "token_type_unsupported"): ("A", "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
    ("gemini", "leaked"): ("A", "leaked"),
    ("gemini", "service_blocked"): ("B", "API_KEY_SERVICE_BLOCKED"),
    ("gemini", "service_disabled"): ("B", "SERVICE_DISABLED"),
    ("gemini", "no_permission_bare"): ("B", "PERMISSION_DENIED"),
    ("gemini", "html_403"): ("L", "not_from_provider"),
    ("gemini", "prepay_depleted_402"): ("C", "credits_depleted"),
    ("gemini", "location"): ("L", "location_not_supported"),
    ("gemini", "overloaded"): ("E", "UNAVAILABLE"),
    ("gemini", "deadline"): ("E", "DEADLINE_EXCEEDED"),
}

RECORDED = {
    ("openai", "err_400_context_length_exceeded_responses"): (
        "G",
        "context_length_exceeded",
    ),
    ("openai", "err_400_invalid_temperature_responses"): (
        "G",
        "decimal_below_min_value",
    ),
    ("openai", "err_400_max_tokens_reasoning_model_body_only"): (
        "G",
        "unsupported_parameter",
    ),
    ("openai", "err_400_model_not_found_responses"): ("M", "model_not_found"),
    ("openai", "err_400_unsupported_parameter_stop_chat"): (
        "G",
        "unsupported_parameter",
    ),
    ("openai", "err_401_invalid_api_key_responses"): ("A", "invalid_api_key"),
    ("openai", "err_404_model_not_found_chat"): ("M", "model_not_found"),
    ("openai", "err_404_model_not_found_embeddings"): ("M", "model_not_found"),
    ("openai", "err_429_insufficient_quota_body_only"): ("C", "insufficient_quota"),
    ("anthropic", "err_400_prompt_too_long"): ("G", "invalid_request_error"),
    ("anthropic", "err_400_shape"): ("G", "invalid_request_error"),
    ("anthropic", "err_401_authentication_error"): ("A", "authentication_error"),
    ("anthropic", "err_404_model_not_found"): ("M", "model_not_found"),
    ("gemini", "err_400_api_key_invalid"): ("A", "API_KEY_INVALID"),
    ("gemini", "err_404_model_not_found"): ("M", "NOT_FOUND"),
    ("gemini", "err_429_quota_retryinfo"): ("D", "quota_per_minute"),
}


def load(*names: str) -> t.Any:
    return json.loads(FIXTURES.joinpath(*names).read_text("utf-8"))


def judge_recorded(folder: str, answer: t.Any) -> Verdict:
    return judge_answer(
        DIALECTS[folder], answer["status"], answer["json"], answer["headers"]
    )


@needs_fixtures
@pytest.mark.parametrize(("folder", "id"), list(REPORTED))
def test_reported(folder: str, id: str) -> None:
    """Each error people reported is the class the tables say."""
    reported = load("reported_error_bodies.json")[folder]
    entry = next(entry for entry in reported if entry["id"] == id)
    body = entry.get("body", entry.get("text"))

    verdict = judge_answer(DIALECTS[folder], entry["status"], body)

    assert (verdict.letter, verdict.code) == REPORTED[folder, id]


@needs_fixtures
@pytest.mark.parametrize(("folder", "name"), list(RECORDED))
def test_recorded(folder: str, name: str) -> None:
    """Each recorded error answer is the class the tables say."""
    answer = load(folder, f"{name}.json")["response"]

    verdict = judge_recorded(folder, answer)

    assert (verdict.letter, verdict.code) == RECORDED[folder, name]


@needs_fixtures
def test_no_fixture_is_left_out() -> None:
    """A new recording or report needs its expected class here."""
    reported = load("reported_error_bodies.json")
    recorded = {(path.parent.name, path.stem) for path in FIXTURES.glob("*/err_*.json")}

    assert set(REPORTED) == {
        (folder, entry["id"]) for folder in DIALECTS for entry in reported[folder]
    }
    assert set(RECORDED) == recorded


@needs_fixtures
@pytest.mark.parametrize(
    ("folder", "name", "seconds"),
    [
        ("gemini", "err_429_quota_retryinfo", 48),
        ("anthropic", "err_401_authentication_error", None),
    ],
)
def test_recorded_delays(folder: str, name: str, seconds: float | None) -> None:
    """A delay is read from where the provider really puts it."""
    answer = load(folder, f"{name}.json")["response"]

    verdict = judge_recorded(folder, answer)

    assert verdict.delay == seconds
    assert verdict.may_retry is (folder == "gemini")
