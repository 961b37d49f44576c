"""Every row of the three error tables, in bodies of our own that say just enough."""

from __future__ import annotations

import datetime as dt
import typing as t

import pytest

from flask_byok.failover.classify import DIALECTS
from tests.support.failures import judge
from tests.support.failures import judge_body

CANARY = "not-a-real-openai-key-0001-AbCd"
DECEMBER = dt.datetime(2026, 12, 1, tzinfo=dt.timezone.utc)
# Midnight in Los Angeles is eight in the morning of UTC in winter.
PACIFIC_MIDNIGHT = dt.datetime(2026, 11, 24, 8, tzinfo=dt.timezone.utc)


def openai(message: str = "", code: t.Any = None, type: str | None = None) -> t.Any:
    return {"error": {"message": message, "type": type, "param": None, "code": code}}


def claude(type: str, message: str = "", error_code: str | None = None) -> t.Any:
    details = {"details": {"error_code": error_code}} if error_code else {}
    return {"type": "error", "error": {"type": type, "message": message, **details}}


def gemini(
    status: str, message: str = "", reason: str | None = None, **quota: str
) -> t.Any:
    details: list[t.Any] = []

    if reason:
        details.append({"@type": "x/google.rpc.ErrorInfo", "reason": reason})

    if quota:
        violations = {"@type": "x/google.rpc.QuotaFailure", "violations": [quota]}
        details.append(violations)

    return {"error": {"message": message, "status": status, "details": details}}


BAD = "invalid_request_error"

OPENAI_ROWS = [
    (401, openai("API key expired."), "A", "expired", None),
    (401, openai("This API key is expired."), "A", "expired", None),
    (403, openai("", "unsupported_country_region_territory"), "L", "our_side", None),
    (404, openai("Your organization must be verified."), "B", "permission", None),
    (429, openai("", "credit_balance_exhausted", "requests"), "C", "quota", None),
    (200, openai("", "invalid_base64_image"), "G", "request", "invalid_base64_image"),
    (401, openai("Wrong.", "invalid_api_key", BAD), "A", "auth", "invalid_api_key"),
    (401, openai("Gone.", "account_deactivated"), "A", "auth", "account_deactivated"),
    (401, openai("Missing scopes: a.b"), "B", "permission", "missing_scope"),
    (401, openai("", "ip_not_authorized"), "B", "permission", "ip_not_authorized"),
    (401, openai("", "incorrect_hostname"), "B", "permission", "incorrect_hostname"),
    (
        401,
        openai("You must be a member of an organization to do so."),
        "B",
        "permission",
        "not_a_member",
    ),
    (401, openai("This API key has expired."), "A", "expired", None),
    (401, openai("Something new."), "A", "auth", None),
    (401, {"error": "Invalid API Key"}, "A", "auth", None),
    (403, openai("", "model_not_found"), "M", "model", "model_not_found"),
    (
        403,
        openai("", "unsupported_country_region_territory", "request_forbidden"),
        "L",
        "our_side",
        "unsupported_country_region_territory",
    ),
    (403, openai("", None, "request_forbidden"), "L", "our_side", "request_forbidden"),
    (403, openai("Not allowed."), "B", "permission", None),
    (404, openai("", "model_not_found"), "M", "model", "model_not_found"),
    (400, openai("", "model_not_found", BAD), "M", "model", "model_not_found"),
    (404, openai("No such address."), "G", "request", None),
    (
        400,
        openai("Your organization must be verified to stream this model."),
        "B",
        "permission",
        "organization_not_verified",
    ),
    (400, openai("", "context_length_exceeded"), "G", "request", None),
    (400, openai("", "unsupported_parameter"), "G", "request", None),
    (400, openai("", "decimal_below_min_value"), "G", "request", None),
    (
        400,
        openai("Could not finish the message because max_tokens was reached."),
        "G",
        "request",
        "output_cap_reached",
    ),
    (400, openai("", "invalid_prompt"), "G", "request", "invalid_prompt"),
    (400, openai("", "bio_policy"), "G", "request", "bio_policy"),
    (400, openai("", "cyber_policy"), "G", "request", "cyber_policy"),
    (400, openai("", "misalignment_policy_violation"), "G", "request", None),
    (429, openai("", "insufficient_quota"), "C", "quota", "insufficient_quota"),
    (429, openai("", None, "insufficient_quota"), "C", "quota", "insufficient_quota"),
    (
        429,
        openai("", "credit_balance_exhausted", "insufficient_quota"),
        "C",
        "quota",
        "credit_balance_exhausted",
    ),
    (429, openai("", "organization_usage_limit_exceeded"), "C", "quota", None),
    (429, openai("", "organization_spend_limit_exceeded"), "C", "quota", None),
    (429, openai("", "project_spend_limit_exceeded"), "C", "quota", None),
    (429, openai("", "billing_not_active"), "C", "quota", "billing_not_active"),
    (400, openai("", "insufficient_quota"), "C", "quota", "insufficient_quota"),
    (402, openai("No money.", 402), "C", "quota", None),
    (429, openai("", "rate_limit_exceeded", "tokens"), "D", "rate_limit", None),
    (429, openai("", "slow_down", "rate_limit_error"), "D", "rate_limit", "slow_down"),
    (429, openai("Check your plan and billing."), "D", "rate_limit", None),
    (429, openai("", 429), "D", "rate_limit", None),
    (500, openai("", "server_error"), "E", "outage", "server_error"),
    (503, openai("", "server_is_overloaded"), "E", "outage", "server_is_overloaded"),
    (408, openai(""), "E", "outage", None),
    (409, openai(""), "E", "outage", None),
    (200, openai("", "insufficient_quota"), "C", "quota", "insufficient_quota"),
    (200, openai("", "invalid_api_key"), "A", "auth", "invalid_api_key"),
    (200, openai("", "rate_limit_exceeded"), "D", "rate_limit", "rate_limit_exceeded"),
    (200, openai("", "server_error"), "E", "outage", "server_error"),
    (200, openai("", "data_residency_mismatch"), "B", "permission", None),
    (200, openai("", "model_not_found"), "M", "model", "model_not_found"),
    (200, openai("", "invalid_image_format"), "G", "request", "invalid_image_format"),
    (200, openai("", "image_parse_error"), "G", "request", "image_parse_error"),
    (200, openai("", "invalid_prompt"), "G", "request", "invalid_prompt"),
    (200, openai("", 429), "D", "rate_limit", None),
    (200, openai("", "never_seen"), "E", "outage", None),
]

CLAUDE_ROWS = [
    (401, claude("authentication_error", "API key expired."), "A", "expired", None),
    (401, claude("authentication_error", "The key is expired."), "A", "expired", None),
    (403, claude("x", "", "api_key_scope_missing"), "B", "permission", None),
    (
        200,
        claude("x", "", "linked_organization_billing_unavailable"),
        "C",
        "quota",
        None,
    ),
    (
        200,
        claude("x", "", "linked_organization_spend_limit_reached"),
        "C",
        "quota",
        None,
    ),
    (
        400,
        claude(BAD, "Your credit balance is too low to go on."),
        "C",
        "quota",
        "credit_balance_too_low",
    ),
    (
        400,
        claude(BAD, "You have reached your specified API usage limits."),
        "C",
        "quota",
        "usage_limit_reached",
    ),
    (
        400,
        claude(BAD, "You have reached your workspace API usage limits."),
        "C",
        "quota",
        "usage_limit_reached",
    ),
    (
        400,
        claude(BAD, "This organization has been disabled."),
        "A",
        "auth",
        "organization_disabled",
    ),
    (400, claude(BAD, "", "organization_on_hold"), "B", "permission", None),
    (400, claude(BAD, "", "cmek_key_disabled"), "B", "permission", None),
    (400, claude(BAD, "", "cmek_key_network_blocked"), "B", "permission", None),
    (400, claude(BAD, "", "user_profile_required"), "B", "permission", None),
    (
        400,
        claude(BAD, "", "claude_code_key_creator_not_member"),
        "B",
        "permission",
        None,
    ),
    (400, claude(BAD, "", "key_profile_mismatch"), "B", "permission", None),
    (400, claude(BAD, "prompt is too long: 9 tokens > 8 maximum"), "G", "request", BAD),
    (400, claude(BAD, "", "never_seen"), "G", "request", BAD),
    (413, claude("request_too_large"), "G", "request", "request_too_large"),
    (422, claude(BAD), "G", "request", BAD),
    (401, claude("authentication_error", "invalid x-api-key"), "A", "auth", None),
    (401, claude("authentication_error", "API key has expired"), "A", "expired", None),
    (
        401,
        claude("authentication_error", "CORS requests are not allowed here"),
        "L",
        "our_side",
        "cors_not_allowed",
    ),
    (402, claude("billing_error"), "C", "quota", "billing_error"),
    (
        402,
        claude("billing_error", "", "linked_organization_billing_unavailable"),
        "C",
        "quota",
        "linked_organization_billing_unavailable",
    ),
    (
        402,
        claude("x", "", "linked_organization_spend_limit_reached"),
        "C",
        "quota",
        None,
    ),
    (403, claude("permission_error"), "B", "permission", "permission_error"),
    (
        403,
        claude("permission_error", "", "api_key_scope_missing"),
        "B",
        "permission",
        "api_key_scope_missing",
    ),
    (403, claude("x", "", "user_profile_not_billable"), "B", "permission", None),
    (403, claude("x", "", "user_profile_never_seen"), "B", "permission", None),
    (
        403,
        {"error": {"type": "forbidden", "message": "Request not allowed"}},
        "L",
        "our_side",
        "forbidden",
    ),
    (404, claude("not_found_error", "model: x"), "M", "model", "model_not_found"),
    (404, claude("not_found_error", "No such file."), "G", "request", None),
    (408, claude("x"), "E", "outage", None),
    (409, claude("conflict_error"), "E", "outage", "conflict_error"),
    (429, claude("rate_limit_error", "would exceed"), "D", "rate_limit", None),
    (429, claude("x", "", "ramp_limit_exceeded"), "D", "rate_limit", None),
    (429, claude("x", "", "enforced_spend_limit_reached"), "C", "quota", None),
    (429, claude("x", "", "contract_spend_limit_reached"), "C", "quota", None),
    (500, claude("api_error"), "E", "outage", "api_error"),
    (503, claude("api_error", "", "cmek_key_disabled"), "E", "outage", None),
    (504, claude("timeout_error"), "E", "outage", "timeout_error"),
    (529, claude("overloaded_error"), "E", "outage", "overloaded_error"),
    (200, claude("overloaded_error"), "E", "outage", "overloaded_error"),
    (200, claude("rate_limit_error"), "D", "rate_limit", "rate_limit_error"),
    (200, claude("authentication_error"), "A", "auth", "authentication_error"),
    (200, claude("billing_error"), "C", "quota", "billing_error"),
    (200, claude("permission_error"), "B", "permission", "permission_error"),
    (200, claude(BAD, "Something."), "G", "request", BAD),
    (200, claude(BAD, "Credit balance is too low."), "C", "quota", None),
    (200, claude("not_found_error", "model: x"), "M", "model", "model_not_found"),
    (200, claude("never_seen"), "E", "outage", None),
]

FULL = "RESOURCE_EXHAUSTED"
DENIED = "PERMISSION_DENIED"
PLAN = "You exceeded your current quota, check your plan and billing details."

GEMINI_ROWS = [
    (400, gemini("x", "The key has expired.", "API_KEY_INVALID"), "A", "expired", None),
    (400, gemini("x", "The key is expired.", "API_KEY_INVALID"), "A", "expired", None),
    (400, gemini("x", "", "ACCESS_TOKEN_EXPIRED"), "A", "auth", None),
    (400, gemini("x", "", "API_KEY_SERVICE_BLOCKED"), "B", "permission", None),
    (400, gemini("x", "", "SERVICE_DISABLED"), "B", "permission", None),
    (403, gemini(DENIED, "", "NEVER_SEEN"), "B", "permission", DENIED),
    (403, gemini(DENIED, "User location is not supported."), "L", "our_side", None),
    (403, gemini("FAILED_PRECONDITION", "No free tier here."), "C", "quota", None),
    (400, gemini("FAILED_PRECONDITION", "Enable billing."), "C", "quota", None),
    (
        400,
        gemini("INVALID_ARGUMENT", "Key not valid.", "API_KEY_INVALID"),
        "A",
        "auth",
        "API_KEY_INVALID",
    ),
    (
        400,
        gemini("INVALID_ARGUMENT", "API key expired.", "API_KEY_INVALID"),
        "A",
        "expired",
        "API_KEY_INVALID",
    ),
    (
        400,
        gemini("INVALID_ARGUMENT", "Not found", "API_KEY_INVALID"),
        "A",
        "auth",
        None,
    ),
    (
        400,
        gemini("FAILED_PRECONDITION", "User location is not supported."),
        "L",
        "our_side",
        "location_not_supported",
    ),
    (
        400,
        gemini("FAILED_PRECONDITION", "No free tier there; enable billing."),
        "C",
        "quota",
        "billing_required",
    ),
    (403, gemini(DENIED, "", "BILLING_DISABLED"), "C", "quota", "BILLING_DISABLED"),
    (
        400,
        gemini("INVALID_ARGUMENT", "Multiple authentication credentials received."),
        "L",
        "our_side",
        "two_credentials",
    ),
    (400, gemini("INVALID_ARGUMENT", "input token count"), "G", "request", None),
    (400, gemini("INVALID_ARGUMENT", "billing address"), "G", "request", None),
    (401, gemini("UNAUTHENTICATED"), "A", "auth", "UNAUTHENTICATED"),
    (
        401,
        gemini("UNAUTHENTICATED", "", "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        "A",
        "auth",
        "ACCESS_TOKEN_TYPE_UNSUPPORTED",
    ),
    (402, gemini(FULL, "Credits are gone."), "C", "quota", "credits_depleted"),
    (403, gemini(DENIED, "Your key was reported as leaked."), "A", "auth", "leaked"),
    (403, gemini(DENIED, "", "CONSUMER_SUSPENDED"), "A", "auth", "CONSUMER_SUSPENDED"),
    (403, gemini(DENIED, "", "CONSUMER_INVALID"), "A", "auth", "CONSUMER_INVALID"),
    (403, gemini(DENIED, "", "API_KEY_SERVICE_BLOCKED"), "B", "permission", None),
    (403, gemini(DENIED, "", "SERVICE_DISABLED"), "B", "permission", None),
    (403, gemini(DENIED, "", "API_KEY_HTTP_REFERRER_BLOCKED"), "B", "permission", None),
    (403, gemini(DENIED, "", "API_KEY_IP_ADDRESS_BLOCKED"), "B", "permission", None),
    (403, gemini(DENIED, "", "API_KEY_NEVER_SEEN"), "B", "permission", None),
    (
        403,
        gemini(DENIED, "The caller does not have permission"),
        "B",
        "permission",
        DENIED,
    ),
    (404, gemini("NOT_FOUND", "models/x is not found"), "M", "model", "NOT_FOUND"),
    (404, gemini("NOT_FOUND", "no longer available to new users"), "M", "model", None),
    (429, gemini(FULL, "Over its spending cap."), "C", "quota", "spending_cap"),
    (429, gemini(FULL, "Prepayment is used up."), "C", "quota", "credits_depleted"),
    (429, gemini(FULL, "Credits are depleted."), "C", "quota", "credits_depleted"),
    (
        429,
        gemini(FULL, PLAN, quotaId="RequestsPerDayPerModel-FreeTier", quotaValue="20"),
        "C",
        "quota",
        "quota_per_day",
    ),
    (429, gemini(FULL, PLAN, quota_id="RequestsPerDay"), "C", "quota", "quota_per_day"),
    (
        429,
        gemini(FULL, PLAN, quotaId="TokensPerMinute", quotaValue="0"),
        "C",
        "quota",
        "quota_limit_zero",
    ),
    (429, gemini(FULL, PLAN + " limit: 0, model: x"), "C", "quota", "quota_limit_zero"),
    (429, gemini(FULL, PLAN + " limit: 0.5"), "D", "rate_limit", None),
    (429, gemini(FULL, PLAN + " limit: 1000"), "D", "rate_limit", None),
    (
        429,
        gemini(FULL, PLAN, quotaId="TokensPerModelPerMinute", quotaValue="1000000"),
        "D",
        "rate_limit",
        "quota_per_minute",
    ),
    (429, gemini(FULL, PLAN), "D", "rate_limit", None),
    (429, gemini(FULL, "Resource exhausted"), "D", "rate_limit", None),
    (499, gemini("CANCELLED"), "E", "outage", "CANCELLED"),
    (500, gemini("INTERNAL"), "E", "outage", "INTERNAL"),
    (503, gemini("UNAVAILABLE"), "E", "outage", "UNAVAILABLE"),
    (504, gemini("DEADLINE_EXCEEDED"), "E", "outage", "DEADLINE_EXCEEDED"),
    (409, gemini("ABORTED"), "E", "outage", "ABORTED"),
    (200, gemini("UNAVAILABLE"), "E", "outage", "UNAVAILABLE"),
    (200, gemini(FULL, PLAN, quotaId="RequestsPerDay"), "C", "quota", "quota_per_day"),
    (200, gemini(FULL, PLAN), "D", "rate_limit", None),
    (200, gemini("INVALID_ARGUMENT", "", "API_KEY_INVALID"), "A", "auth", None),
    (200, gemini("INVALID_ARGUMENT", "Something."), "G", "request", None),
    (200, gemini("x", "", "PUP_LIMITED_DISABLED"), "B", "permission", None),
    (200, gemini("NEVER_SEEN"), "E", "outage", None),
]

ROWS = [
    pytest.param(name, *row, id=f"{name}-{row[0]}-{row[2]}-{number}")
    for name, rows in (
        ("OPENAI", OPENAI_ROWS),
        ("CLAUDE", CLAUDE_ROWS),
        ("GEMINI", GEMINI_ROWS),
    )
    for number, row in enumerate(rows)
]


@pytest.mark.parametrize(
    ("dialect", "status", "body", "letter", "reason", "code"), ROWS
)
def test_row(
    dialect: str, status: int, body: t.Any, letter: str, reason: str, code: str | None
) -> None:
    """Each row of the tables is its class, with a reason word and a code of ours."""
    verdict = judge_body(dialect, status, body)

    assert (verdict.letter, verdict.reason) == (letter, reason)
    assert code is None or verdict.code == code
    assert verdict.status == status


@pytest.mark.parametrize("dialect", list(DIALECTS))
@pytest.mark.parametrize("status", [418, 599])
def test_unknown_statuses(dialect: str, status: int) -> None:
    """An unknown 4xx is the request's fault, an unknown 5xx the provider's trouble."""
    verdict = judge_body(dialect, status, {"type": "error", "error": {"message": "x"}})

    assert verdict.letter == ("G" if status == 418 else "E")
    assert verdict.code == f"http_{status}"


@pytest.mark.parametrize("dialect", list(DIALECTS))
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("is_html", [True, False])
def test_pages_and_empty_refusals_blame_nobody(
    dialect: str, status: int, is_html: bool
) -> None:
    """A firewall's 401 or 403, a page or nothing at all, is no word about a key."""
    verdict = judge(dialect, status=status, is_html=is_html)

    assert (verdict.letter, verdict.code) == ("L", "not_from_provider")


@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_a_page_is_foreign_whatever_stands_in_it(dialect: str) -> None:
    """A page about keys is still no word of the provider's."""
    assert judge(dialect, status=401, is_html=True, text="key expired").letter == "L"


@pytest.mark.case("D3")
def test_redirects_read_as_answers() -> None:
    """A 3xx is our side, however it was found."""
    verdict = judge(status=302)

    assert (verdict.letter, verdict.code) == ("L", "redirect")


@pytest.mark.parametrize(
    ("status", "letter"), [(400, "G"), (404, "G"), (407, "L"), (429, "D"), (502, "E")]
)
@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_other_pages_go_by_their_status(dialect: str, status: int, letter: str) -> None:
    """Without an error object the status alone decides."""
    assert judge(dialect, status=status, is_html=True).letter == letter


@pytest.mark.parametrize(
    ("kind", "letter", "reason", "sent"),
    [
        ("unreadable_answer", "E", "outage", True),
        ("redirect", "L", "our_side", True),
        ("tls", "L", "our_side", False),
        ("unreached", "E", "outage", False),
        ("timeout", "F", "timeout", True),
        ("reset", "F", "timeout", True),
        ("reset_reused", "F", "timeout", True),
        ("too_large", "E", "outage", True),
        ("interrupted", "E", "outage", True),
        ("not_sendable", "G", "request", False),
    ],
)
@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_kinds(dialect: str, kind: str, letter: str, reason: str, sent: bool) -> None:
    """What went wrong on the way is judged alike for every provider."""
    verdict = judge(dialect, kind=kind)

    assert (verdict.letter, verdict.reason, verdict.sent) == (letter, reason, sent)


@pytest.mark.parametrize("kind", ["answer", "timeout", "reset", "interrupted"])
def test_after_content_everything_is_an_interruption(kind: str) -> None:
    """Once text was passed on, no failure may look as if another route could help."""
    verdict = judge(kind=kind, status=200, reasons=("server_error",), committed=True)

    assert (verdict.letter, verdict.reason) == ("K", "interrupted")


def test_a_key_that_cannot_be_sent_is_no_key() -> None:
    """A stored text that fits into no header is rejected without a request."""
    verdict = judge(kind="not_sendable", reasons=("api_key",), sent=False)

    assert (verdict.letter, verdict.code) == ("A", "not_sendable")
    assert verdict.sent is False


@pytest.mark.parametrize(
    ("status", "letter"), [(200, "E"), (401, "L"), (429, "D"), (500, "E"), (400, "G")]
)
def test_an_error_answer_too_large_to_read_has_its_status(
    status: int, letter: str
) -> None:
    """The cap on bytes hides the body, not the status."""
    verdict = judge(kind="too_large", status=status)

    assert verdict.letter == letter
    assert (verdict.code == "too_large") is (status == 200)


@pytest.mark.parametrize(
    ("dialect", "status", "body", "model_scoped"),
    [
        ("OPENAI", 429, openai("", "rate_limit_exceeded"), True),
        ("OPENAI", 429, openai("", "insufficient_quota"), False),
        ("OPENAI", 400, openai("Organization must be verified."), True),
        ("OPENAI", 403, openai("Organization must be verified."), True),
        ("OPENAI", 404, openai("", "model_not_found"), True),
        ("OPENAI", 401, openai("", "invalid_api_key"), False),
        ("OPENAI", 500, openai(""), False),
        ("GEMINI", 403, gemini(DENIED, "The caller does not …"), True),
        ("GEMINI", 403, gemini(DENIED, "", "SERVICE_DISABLED"), False),
        ("GEMINI", 403, gemini(DENIED, "", "NEVER_SEEN"), False),
        ("GEMINI", 429, gemini(FULL, PLAN, quotaId="PerDay"), True),
        ("GEMINI", 429, gemini(FULL, "Over its spending cap."), False),
    ],
)
def test_scope(dialect: str, status: int, body: t.Any, model_scoped: bool) -> None:
    """What concerns one model leaves the key's other models in use."""
    assert judge_body(dialect, status, body).model_scoped is model_scoped


@pytest.mark.parametrize(
    ("dialect", "status", "body", "ambiguous"),
    [
        ("OPENAI", 403, openai("", "model_not_found"), False),
        ("OPENAI", 404, openai("", "model_not_found"), True),
        ("OPENAI", 400, openai("", "model_not_found"), True),
        ("CLAUDE", 404, claude("not_found_error", "model: x"), True),
        ("GEMINI", 404, gemini("NOT_FOUND"), True),
    ],
)
def test_a_missing_model_may_be_a_typing_mistake(
    dialect: str, status: int, body: t.Any, ambiguous: bool
) -> None:
    """Only OPENAI's 403 says for certain that the model exists and the key lacks it."""
    assert judge_body(dialect, status, body).ambiguous is ambiguous


@pytest.mark.parametrize(
    ("dialect", "status", "body", "until"),
    [
        ("OPENAI", 429, openai("", "project_spend_limit_exceeded"), DECEMBER),
        ("OPENAI", 429, openai("", "insufficient_quota"), None),
        ("CLAUDE", 429, claude("x", "", "enforced_spend_limit_reached"), DECEMBER),
        (
            "CLAUDE",
            400,
            claude(
                BAD,
                "You have reached your specified API usage limits. You will regain "
                "access on 2026-12-05 at 09:30 UTC.",
            ),
            dt.datetime(2026, 12, 5, 9, 30, tzinfo=dt.timezone.utc),
        ),
        ("CLAUDE", 400, claude(BAD, "Credit balance is too low"), None),
        ("GEMINI", 429, gemini(FULL, PLAN, quotaId="PerDay"), PACIFIC_MIDNIGHT),
        ("GEMINI", 429, gemini(FULL, "spending cap"), None),
        ("GEMINI", 429, gemini(FULL, PLAN, quotaId="PerMinute"), None),
    ],
)
def test_stated_ends(
    dialect: str, status: int, body: t.Any, until: dt.datetime | None
) -> None:
    """Caps end by the provider's calendar; lost credit does not."""
    assert judge_body(dialect, status, body).until == until


def test_a_daily_quota_ignores_the_delay_beside_it() -> None:
    """GEMINI says "59s" beside a quota that is gone until midnight."""
    day = judge_body(
        "GEMINI", 429, gemini(FULL, PLAN + " retry in 59s.", quotaId="PerDay")
    )
    minute = judge_body(
        "GEMINI", 429, gemini(FULL, PLAN + " retry in 59s.", quotaId="PerMinute")
    )

    assert day.delay is None
    assert minute.delay == 59


@pytest.mark.parametrize(
    ("header", "may_retry"),
    [("false", False), (" False ", False), ("true", True), ("", True)],
)
def test_the_provider_may_forbid_a_retry(header: str, may_retry: bool) -> None:
    """``x-should-retry: false`` is obeyed."""
    verdict = judge(status=429, headers={"x-should-retry": header})

    assert verdict.may_retry is may_retry


@pytest.mark.case("D18")
@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("missing scopes: api.responses.write.", "api.responses.write"),
        ("missing scopes: model.request. check that you", "model.request"),
        ("missing scopes: a.b, c.d_e. then more", "a.b, c.d_e"),
        ("missing scopes: not-a-real-key-0001", None),
        ("missing scopes: " + "x" * 65, None),
        ("missing scopes:", None),
        ("missing scopes: a, b, c, d, e", "a, b, c, d"),
        ("missing scopes: a.b or so, c.d", "a.b"),
    ],
)
def test_missing_scopes_are_named(text: str, missing: str | None) -> None:
    """A scope's name is shown when it looks like one, and nothing else of the text."""
    verdict = judge(status=401, text=text, has_envelope=True)

    assert verdict.letter == "B"
    assert verdict.missing == missing


def test_scopes_are_missing_where_something_is_forbidden() -> None:
    """The same words in another failure say nothing about the key."""
    assert judge(status=500, text="missing scopes: a.b").missing is None


@pytest.mark.parametrize(
    ("param", "named"),
    [
        ("stop", "stop"),
        ("tools[0].parameters", "tools"),
        ("reasoning.summary", "reasoning"),
        (CANARY, None),
        (None, None),
    ],
)
def test_the_field_objected_to_is_named(param: str | None, named: str | None) -> None:
    """Only fields we know are named."""
    assert judge(status=400, param=param).param == named


@pytest.mark.case("D2")
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("req_011CeCGmBjaWkq37Sf5iU7so", "req_011CeCGmBjaWkq37Sf5iU7so"),
        ("two words", None),
        ("line\nbreak", None),
        ("req_1\n", None),
        ("x" * 129, None),
        ("<b>", None),
        ("", None),
    ],
)
def test_request_ids_have_a_plain_shape(given: str, kept: str | None) -> None:
    """What looks like no request id is dropped."""
    assert judge(status=500, request_id=given).request_id == kept


@pytest.mark.case("D1", "D2", "D23")
@pytest.mark.parametrize("dialect", list(DIALECTS))
@pytest.mark.parametrize("status", [200, 400, 401, 402, 403, 404, 418, 429, 500, 599])
def test_no_word_of_the_provider_leaves(dialect: str, status: int) -> None:
    """A hostile provider may put a key into every field: the verdict holds none."""
    verdict = judge(
        dialect,
        status=status,
        reasons=(CANARY, f"API_KEY_{CANARY}", f"image_{CANARY}"),
        type=CANARY,
        param=CANARY,
        text=f"missing scopes: {CANARY.lower()}",
        details=({"@type": "QuotaFailure", "violations": [{"quotaId": CANARY}]},),
        headers={"retry-after": CANARY, "x-should-retry": CANARY},
        has_envelope=True,
    )

    assert CANARY.lower() not in repr(verdict).lower()


@pytest.mark.parametrize("status", [400, 401, 403, 429])
def test_an_echoed_key_matches_no_text_rule(status: int) -> None:
    """Words inside a key the message repeats do not change the class."""
    plain = judge(status=status, text="incorrect key: x", has_envelope=True)
    echo = judge(
        status=status,
        text="incorrect key: expired-missing-scopes-must-be-verified",
        has_envelope=True,
    )

    assert (echo.letter, echo.reason) == (plain.letter, plain.reason)


@pytest.mark.parametrize(
    "details",
    [
        ({},),
        ({"@type": 7, "violations": 7},),
        ({"@type": "QuotaFailure"},),
        ({"@type": "QuotaFailure", "violations": "PerDay"},),
        ({"@type": "QuotaFailure", "violations": [7, None, []]},),
        ({"@type": "QuotaFailure", "violations": [{"quotaId": None}]},),
        ({"@type": "RetryInfo", "retryDelay": 7},),
    ],
)
def test_odd_details_do_no_harm(details: t.Any) -> None:
    """Details of another shape than expected are looked past."""
    verdict = judge("GEMINI", status=429, details=details, has_envelope=True)

    assert (verdict.letter, verdict.delay) == ("D", None)


def test_quota_marks_are_looked_for_in_quota_errors_alone() -> None:
    """ "limit: 0" in another error is no quota."""
    verdict = judge_body("GEMINI", 400, gemini("INVALID_ARGUMENT", "limit: 0"))

    assert (verdict.letter, verdict.code) == ("G", "INVALID_ARGUMENT")


def test_an_unknown_dialect_is_a_mistake_of_ours() -> None:
    """Nothing is guessed for a wire nobody described."""
    with pytest.raises(KeyError):
        judge("KLINGON", status=500)


def test_every_code_a_rule_names_is_in_a_plain_shape() -> None:
    """Codes are stored and shown: short words of letters and underscores."""
    for dialect in DIALECTS.values():
        codes = {*dialect.codes, *(rule.code for rule in dialect.rules if rule.code)}
        assert all(code.isidentifier() and len(code) <= 64 for code in codes)
