from __future__ import annotations

import collections.abc as cabc
import json
import typing as t

import pytest

from flask_byok.providers.base import Provider
from flask_byok.providers.deadline import Deadline
from flask_byok.providers.http import Sender
from flask_byok.providers.types import AttemptFailed
from flask_byok.providers.types import Failure
from flask_byok.secret import Secret

from .conftest import CANARY
from .replay import answer_with
from .replay import Behaviour
from .replay import FIXTURES
from .replay import load
from .replay import Server
from .test_http import assert_clean
from .test_recordings import HELLO
from .test_recordings import PROVIDERS
from .test_recordings import SEGMENT

Serve = cabc.Callable[..., Server]


def fail(
    serve: Serve, sender: Sender, kind: str, behave: Behaviour, api_key: str = CANARY
) -> Failure:
    base = serve(behave).url + SEGMENT[kind.partition("-")[0]]
    provider: Provider = PROVIDERS[kind].with_base_url(base)

    with pytest.raises(AttemptFailed) as caught:
        provider.chat(
            sender, HELLO, model="m", api_key=Secret(api_key), deadline=Deadline(10)
        )

    assert_clean(caught.value)
    return caught.value.failure


@pytest.mark.parametrize(
    ("kind", "name", "reasons", "word", "text"),
    [
        (
            "openai",
            "err_401_invalid_api_key_responses",
            ("invalid_api_key",),
            "invalid_request_error",
            "incorrect api key",
        ),
        (
            "openai",
            "err_400_model_not_found_responses",
            ("model_not_found",),
            "invalid_request_error",
            "does not exist",
        ),
        (
            "openai",
            "err_400_context_length_exceeded_responses",
            ("context_length_exceeded",),
            "invalid_request_error",
            "context window",
        ),
        (
            "openai",
            "err_429_insufficient_quota_body_only",
            ("insufficient_quota",),
            "insufficient_quota",
            "exceeded your current quota",
        ),
        (
            "openai-chat",
            "err_404_model_not_found_chat",
            ("model_not_found",),
            "invalid_request_error",
            "does not exist",
        ),
        (
            "anthropic",
            "err_401_authentication_error",
            (),
            "authentication_error",
            "invalid x-api-key",
        ),
        (
            "anthropic",
            "err_404_model_not_found",
            (),
            "not_found_error",
            "model: claude-sonet-4-5",
        ),
        (
            "gemini",
            "err_400_api_key_invalid",
            ("API_KEY_INVALID",),
            "INVALID_ARGUMENT",
            "not valid",
        ),
        ("gemini", "err_404_model_not_found", (), "NOT_FOUND", "not found"),
        (
            "gemini",
            "err_429_quota_retryinfo",
            (),
            "RESOURCE_EXHAUSTED",
            "exceeded your current quota",
        ),
    ],
)
def test_recorded_errors_are_read(
    serve: Serve,
    sender: Sender,
    kind: str,
    name: str,
    reasons: tuple[str, ...],
    word: str,
    text: str,
) -> None:
    """Status, machine words and text of each recorded error are there for matching."""
    recording = load(f"{kind.partition('-')[0]}/{name}")

    failure = fail(serve, sender, kind, recording.behave())

    assert (failure.kind, failure.status) == ("answer", recording.status)
    assert (failure.reasons, failure.type) == (reasons, word)
    assert text in failure.text
    assert failure.has_envelope
    assert not failure.is_html


def test_the_details_of_a_quota_are_kept(serve: Serve, sender: Sender) -> None:
    """GEMINI's quota and delay stand in the details."""
    failure = fail(
        serve, sender, "gemini", load("gemini/err_429_quota_retryinfo").behave()
    )
    kinds = [entry["@type"].rpartition(".")[2] for entry in failure.details]

    assert kinds == ["Help", "QuotaFailure", "RetryInfo"]
    assert failure.details[2]["retryDelay"] == "48s"


def _reported() -> list[t.Any]:
    path = FIXTURES / "reported_error_bodies.json"

    if not path.exists():
        return []

    document = json.loads(path.read_text("utf-8"))
    return [
        pytest.param(kind, entry, id=f"{kind}-{entry['id']}")
        for kind in ("openai", "anthropic", "gemini")
        for entry in document[kind]
    ]


@pytest.mark.parametrize(("kind", "entry"), _reported())
def test_reported_errors_are_read(
    serve: Serve, sender: Sender, kind: str, entry: dict[str, t.Any]
) -> None:
    """Every body people reported gives its words, a page gives none."""
    body = entry.get("text") or json.dumps(entry["body"])
    failure = fail(serve, sender, kind, answer_with(entry["status"], body.encode()))

    assert failure.status == entry["status"]
    assert failure.is_html is ("text" in entry)

    if "body" in entry:
        error = entry["body"]["error"]
        assert failure.text == error["message"].lower()
        assert failure.type == error.get("type", error.get("status"))
        # A firewall in front of CLAUDE answers without the outer type.
        assert failure.has_envelope is (entry["id"] != "forbidden_waf")


def test_machine_words_come_in_order_of_weight(serve: Serve, sender: Sender) -> None:
    """First the code, then CLAUDE's error_code; a vendor's number is a word, too."""
    claude = {"type": "t", "message": "M", "details": {"error_code": "e"}}
    body = json.dumps({"type": "error", "error": claude, "request_id": "req_7"})
    failure = fail(serve, sender, "anthropic", answer_with(429, body.encode()))
    assert (failure.reasons, failure.type) == (("e",), "t")
    assert failure.request_id == "req_7"

    body = json.dumps({"error": {"code": "c", "type": "t", "param": "p"}})
    failure = fail(serve, sender, "openai", answer_with(400, body.encode()))
    assert (failure.reasons, failure.param) == (("c",), "p")

    body = json.dumps({"error": {"code": 429, "message": "vendor"}})
    failure = fail(serve, sender, "openai", answer_with(429, body.encode()))
    assert failure.reasons == ("429",)

    body = json.dumps({"error": "Just words"})
    failure = fail(serve, sender, "openai", answer_with(402, body.encode()))
    assert (failure.text, failure.has_envelope) == ("just words", True)


@pytest.mark.case("D2")
def test_only_headers_a_verdict_needs_are_kept(serve: Serve, sender: Sender) -> None:
    """Organisation ids and cookies are not."""
    headers = {
        "Retry-After": "3",
        "Retry-After-MS": "3000",
        "Date": "Wed, 21 Oct 2026 07:28:00 GMT",
        "X-Should-Retry": "false",
        "OpenAI-Organization": "org-1",
        "Set-Cookie": "a=b",
        "X-Request-Id": "req_1",
    }
    failure = fail(serve, sender, "openai", answer_with(429, b"{}", headers))

    assert set(failure.headers) == {
        "retry-after",
        "retry-after-ms",
        "date",
        "x-should-retry",
    }
    assert failure.request_id == "req_1"


@pytest.mark.case("D10")
@pytest.mark.parametrize("kind", PROVIDERS)
@pytest.mark.parametrize(
    ("body", "is_html"),
    [
        (b"<html>Forbidden</html>", True),
        (b"", False),
        (b"  ", False),
        (b'{"error": {"mess', True),
        (b'{"a": NaN}', True),
        (b"\xff\xfe", True),
        (b"[" * 60_000, True),
        (b'"text"', False),
    ],
)
def test_answers_that_are_none(
    serve: Serve, sender: Sender, kind: str, body: bytes, is_html: bool
) -> None:
    """HTML, nothing, cut or absurd JSON: with 200 unreadable, with 403 by status."""
    good = fail(serve, sender, kind, answer_with(200, body))
    bad = fail(serve, sender, kind, answer_with(403, body))

    assert (good.kind, good.status) == ("unreadable_answer", 200)
    assert (bad.kind, bad.status, bad.is_html) == ("answer", 403, is_html)
    assert not bad.has_envelope


@pytest.mark.parametrize("kind", PROVIDERS)
def test_json_of_another_shape_is_unreadable(
    serve: Serve, sender: Sender, kind: str
) -> None:
    """Valid JSON that is no answer of this wire is not taken for an empty answer."""
    bodies = (b"{}", b"[]", b"null", b'{"choices": 1, "output": 2, "content": 3}')

    for body in bodies:
        assert fail(serve, sender, kind, answer_with(200, body)).kind == (
            "unreadable_answer"
        )


@pytest.mark.parametrize("kind", PROVIDERS)
def test_an_error_object_in_a_good_answer_is_an_error(
    serve: Serve, sender: Sender, kind: str
) -> None:
    """Status 200 does not make an error an answer."""
    body = json.dumps(
        {"type": "error", "error": {"code": "x", "type": "y", "message": "Z"}}
    )

    failure = fail(serve, sender, kind, answer_with(200, body.encode()))

    assert (failure.kind, failure.status, failure.reasons) == ("answer", 200, ("x",))


def test_a_limited_account_is_a_failure_although_the_status_is_200(
    serve: Serve, sender: Sender
) -> None:
    """GEMINI says so as a finish reason."""
    body = json.dumps({"candidates": [{"finishReason": "PUP_LIMITED_DISABLED"}]})

    failure = fail(serve, sender, "gemini", answer_with(200, body.encode()))

    assert failure.reasons == ("PUP_LIMITED_DISABLED",)
    assert (failure.kind, failure.status) == ("answer", 200)


@pytest.mark.case("D1", "D2")
@pytest.mark.parametrize("kind", PROVIDERS)
def test_an_echoed_key_is_nowhere_to_be_seen(
    serve: Serve, sender: Sender, kind: str
) -> None:
    """Ids with six characters of the key are dropped, and repr shows nothing."""
    error = {"message": f"Bad key {CANARY}", "code": CANARY, "type": CANARY}

    for shown in (CANARY, CANARY[3:9], "req_" + CANARY[-6:]):
        body = json.dumps({"type": "error", "error": error, "request_id": shown})
        headers = {"x-request-id": shown, "request-id": shown, "Location": shown}
        failure = fail(serve, sender, kind, answer_with(401, body.encode(), headers))

        assert failure.request_id is None
        assert CANARY not in repr(failure)
        assert shown not in repr(failure)


@pytest.mark.case("D2")
@pytest.mark.parametrize("value", ["", "a b", "x" * 129, "ä", "<b>"])
def test_what_does_not_look_like_a_request_id_is_none(
    serve: Serve, sender: Sender, value: str
) -> None:
    """Only plain ids are taken over."""
    headers = {"x-request-id": value} if value.isascii() else {}
    behave = answer_with(500, b"{}", headers)

    assert fail(serve, sender, "openai", behave).request_id is None


def test_the_message_is_cut(serve: Serve, sender: Sender) -> None:
    """Four thousand characters are enough to match on."""
    body = json.dumps({"error": {"message": "A" * 9000}})

    failure = fail(serve, sender, "openai", answer_with(400, body.encode()))

    assert failure.text == "a" * 4000
