"""Every fault does what its name says, for the requests it concerns and no others."""

from __future__ import annotations

import gzip
import http.client
import json
import pathlib
import time
import typing as t

import pytest

from flask_byok.testing import Simulator
from flask_byok.testing.faults import fault_names
from flask_byok.testing.faults import KEY_WORDS
from flask_byok.testing.faults import WIRES
from tests.support.waiting import wait_until

from .conftest import Ask
from .conftest import KEYS
from .conftest import MODELS

PROVIDERS = ("OPENAI", "CLAUDE", "GEMINI")
#: What each word of the contract answers, by provider.
STATUSES = {
    "revoked": (401, 401, 400),
    "expired": (401, 401, 400),
    "restricted": (401, 403, 403),
    "nocredit": (429, 400, 402),
    "ratelimited": (429, 429, 429),
    "overloaded": (503, 529, 503),
    "outage": (500, 500, 500),
    "slow": (200, 200, 200),
    "cut": (200, 200, 200),
}
LISTS = {
    "OPENAI": "/openai/v1/models",
    "CLAUDE": "/claude/v1/models",
    "GEMINI": "/gemini/v1beta/models",
}
ROWS = [
    pytest.param(provider, name, id=f"{provider}-{name}")
    for provider in PROVIDERS
    for name in WIRES[provider].rows
]


def list_models(ask: Ask, provider: str, api_key: str) -> t.Any:
    """Ask for the models of a key."""
    headers = {"authorization": f"Bearer {api_key}", "anthropic-version": "2023-06-01"}

    if provider == "GEMINI":
        headers = {"x-goog-api-key": api_key}

    return ask("GET", LISTS[provider], None, headers)


@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize("word", STATUSES)
def test_a_word_in_the_key_fails_it(
    chat: Ask, simulator: Simulator, word: str, at: int
) -> None:
    """The contract's words work for each provider; the record names them."""
    reply = chat(PROVIDERS[at], api_key=f"not-a-real-{word}-key-0001")

    assert reply.status == STATUSES[word][at]
    assert simulator.requests[-1].fault == word
    assert simulator.requests[-1].status == reply.status
    assert simulator.api_keys_seen() == [f"not-a-real-{word}-key-0001"]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("word", KEY_WORDS)
def test_what_a_list_of_models_says(ask: Ask, provider: str, word: str) -> None:
    """A list proves that a key is real, not that it may generate."""
    if word == "hang":
        return

    status = list_models(ask, provider, f"not-a-real-{word}-key-0001").status

    assert (status == 200) == (word not in ("revoked", "expired", "outage"))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_key_may_generate_and_not_list(
    ask: Ask, chat: Ask, simulator: Simulator, provider: str
) -> None:
    """The reverse of a restricted key exists, too."""
    simulator.set_fault(provider, "generate_only")

    assert list_models(ask, provider, KEYS[provider]).status in (401, 403)
    assert chat(provider).status == 200


@pytest.mark.parametrize(("provider", "name"), ROWS)
def test_every_error_is_reached_by_its_model_name(
    ask: Ask, chat: Ask, simulator: Simulator, provider: str, name: str
) -> None:
    """``fault-<name>`` answers with that row, in the provider's envelope."""
    row = WIRES[provider].rows[name]

    if row.scope == "list" or row.paths:
        simulator.set_fault(provider, name)
        reply = (
            ask(
                "POST",
                "/openai/v1" + row.paths[0],
                {"model": MODELS[provider], "input": "hi", "messages": []},
                {"authorization": "Bearer x"},
            )
            if row.paths
            else list_models(ask, provider, "x")
        )
    else:
        reply = chat(provider, model=f"fault-{name}")

    assert reply.status == row.status
    assert simulator.requests[-1].fault == name
    assert set(reply.error) == set(row.body["error"])
    assert "{" not in json.dumps(reply.error["message"])

    if provider == "CLAUDE" and "request_id" in row.body:
        assert reply.json["request_id"] == reply.headers["request-id"]


def test_reported_errors_have_a_row(shared_folder: pathlib.Path) -> None:
    """Each error that was reported in public is one of the rows."""
    reported = json.loads(
        (shared_folder / "fixtures" / "reported_error_bodies.json").read_text()
    )
    telling = ("type", "code", "status")

    for provider, name in (("OPENAI", "openai"), ("CLAUDE", "anthropic")):
        known = {
            (row.status, *(row.body["error"].get(part) for part in telling))
            for row in WIRES[provider].rows.values()
        }

        for one in reported[name]:
            error = one["body"]["error"]
            assert (one["status"], *(error.get(part) for part in telling)) in known

    rows = WIRES["GEMINI"].rows.values()
    known = {
        (row.status, _reason(row.body), row.body["error"]["status"]) for row in rows
    }

    for one in reported["gemini"]:
        if "body" in one:
            body = one["body"]
            assert (one["status"], _reason(body), body["error"]["status"]) in known


def _reason(body: t.Any) -> str | None:
    for detail in body["error"].get("details", []):
        if "reason" in detail:
            return str(detail["reason"])

    return None


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_switch_can_spare_keys(
    chat: Ask, simulator: Simulator, provider: str
) -> None:
    """A fault for some keys leaves the system key in use; ``None`` ends it."""
    simulator.set_fault(provider, "expired", keys="company")

    assert chat(provider, api_key="not-a-real-company-key").status >= 400
    assert chat(provider, api_key="not-a-real-system-key").status == 200

    simulator.set_fault(provider, None)
    assert chat(provider, api_key="not-a-real-company-key").status == 200


def test_a_switch_for_all_providers_and_some_times(
    chat: Ask, simulator: Simulator
) -> None:
    """``*`` breaks all three; ``times`` counts requests."""
    simulator.set_fault("*", "outage", times=2)

    for provider in PROVIDERS:
        statuses = [chat(provider).status for _ in range(3)]
        assert statuses == [500, 500, 200]

    assert simulator.faults == []


def test_a_switch_goes_before_the_key(chat: Ask, simulator: Simulator) -> None:
    """What is switched on strikes first; slowness comes on top of the rest."""
    simulator.set_fault("OPENAI", "overloaded")
    assert chat("OPENAI", api_key="not-a-real-revoked-key").status == 503

    simulator.set_fault("OPENAI", "slow")
    started = time.monotonic()
    assert chat("OPENAI", api_key="not-a-real-revoked-key").status == 401
    assert time.monotonic() - started >= 0.3
    assert simulator.requests[-1].fault == "slow+revoked"


def test_unknown_faults_are_refused_loudly(chat: Ask, simulator: Simulator) -> None:
    """A misspelt name never passes for the fault that was meant."""
    with pytest.raises(ValueError, match="outtage.*outage"):
        simulator.set_fault("*", "outtage")

    with pytest.raises(ValueError, match="MISTRAL"):
        simulator.set_fault("MISTRAL", "outage")

    with pytest.raises(ValueError, match="forbidden_waf"):
        simulator.set_fault("OPENAI", "forbidden_waf")

    assert chat("OPENAI", model="fault-outtage").status == 501


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_listed_name_can_be_switched_on(
    simulator: Simulator, provider: str
) -> None:
    """What the list of faults offers exists."""
    for name in fault_names(provider):
        simulator.set_fault(provider, name)

    assert simulator.faults[-1].fault == fault_names(provider)[-1]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_whole_key_is_echoed(chat: Ask, provider: str) -> None:
    """Leak tests need an error that repeats the key."""
    reply = chat(provider, model="fault-key_echoed")

    assert KEYS[provider] in reply.error["message"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ratelimited_1s", {"retry-after": "1"}),
        ("ratelimited_ms", {"retry-after-ms": "750"}),
        ("ratelimited_negative", {"retry-after": "-5"}),
        ("ratelimited_nan", {"retry-after": "NaN"}),
        ("ratelimited_no_retry", {"retry-after": "1", "x-should-retry": "false"}),
    ],
)
def test_delays_come_in_every_form(
    chat: Ask, name: str, expected: dict[str, str]
) -> None:
    """The delay stands where the name says."""
    reply = chat("CLAUDE", model=f"fault-{name}")

    assert reply.status == 429
    assert expected.items() <= reply.headers.items()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_rate_limit_may_say_nothing(chat: Ask, provider: str) -> None:
    """Without a delay there is none: no header, no detail, no words."""
    reply = chat(provider, model="fault-ratelimited_bare")

    assert reply.status == 429
    assert not [name for name in reply.headers if name.startswith("retry-after")]
    assert "details" not in reply.error
    assert " in " not in reply.error["message"]


def test_gemini_puts_its_delay_into_a_detail(chat: Ask) -> None:
    """Per minute and per day differ in the quota's id; both bring a delay."""
    minute = chat("GEMINI", model="fault-quota_per_minute")
    day = chat("GEMINI", model="fault-quota_per_day")

    assert "retry-after" not in minute.headers
    assert minute.error["details"][2]["retryDelay"] == "48s"
    assert "PerMinute" in minute.error["details"][1]["violations"][0]["quotaId"]
    assert "PerDay" in day.error["details"][1]["violations"][0]["quotaId"]


@pytest.mark.parametrize(
    ("name", "status", "start"),
    [
        ("html", 403, b"<!DOCTYPE html>"),
        ("html_200", 200, b"<!DOCTYPE html>"),
        ("empty", 200, b""),
        ("empty_401", 401, b""),
        ("not_json", 200, b"{'no'"),
        ("status_418", 418, b"{"),
        ("status_599", 599, b"{"),
    ],
)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_answers_that_are_none(
    chat: Ask, provider: str, name: str, status: int, start: bytes
) -> None:
    """Firewalls, empty bodies and odd statuses."""
    reply = chat(provider, model=f"fault-{name}")

    assert (reply.status, reply.body[: len(start)]) == (status, start)
    assert (reply.body == b"") == name.startswith("empty")


@pytest.mark.parametrize(("name", "status"), [("redirect", 302), ("redirect_307", 307)])
def test_a_redirect_leads_to_another_host(
    ask: Ask, chat: Ask, simulator: Simulator, name: str, status: int
) -> None:
    """Who follows it is recorded under ``ELSEWHERE``."""
    reply = chat("OPENAI", model=f"fault-{name}")
    assert reply.status == status
    assert reply.headers["location"].startswith(f"http://localhost:{simulator.port}/")

    ask("POST", "/elsewhere", {}, {"x-api-key": "k"})
    assert simulator.requests[-1].provider == "ELSEWHERE"
    assert simulator.requests[-1].headers["x-api-key"] == "k"


def test_a_bomb_is_small_until_it_is_opened(chat: Ask) -> None:
    """A kilobyte for each megabyte."""
    reply = chat("OPENAI", model="fault-bomb")

    assert reply.headers["content-encoding"] == "gzip"
    assert len(reply.body) < 100_000
    assert len(gzip.decompress(reply.body)) == 64 * 1024 * 1024


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_cut_answer(chat: Ask, provider: str) -> None:
    """A stream breaks off behind some content; whole JSON comes as a half."""
    whole, cut = (
        chat(provider, stream=True),
        chat(provider, stream=True, model="fault-cut"),
    )
    early = chat(provider, stream=True, model="fault-cut_before_content")
    half = chat(provider, model="fault-cut")
    short = chat(provider, model="fault-cut_body")

    assert not whole.broken and cut.broken and early.broken and short.broken
    assert len(early.body) < len(cut.body) < len(whole.body)
    assert b"wrote" in cut.body and b"wrote" not in early.body
    assert not half.broken

    with pytest.raises(ValueError):
        half.json  # noqa: B018 - reading it is the point


@pytest.mark.parametrize(
    ("provider", "mark"),
    [
        ("OPENAI", b"response.completed"),
        ("CLAUDE", b"message_stop"),
        ("GEMINI", b"finishReason"),
    ],
)
def test_a_stream_without_its_end_mark(chat: Ask, provider: str, mark: bytes) -> None:
    """All of the content comes, then the stream ends as if nothing was missing."""
    whole = chat(provider, stream=True)
    reply = chat(provider, stream=True, model="fault-no_end_mark")

    assert mark in whole.body
    assert mark not in reply.body
    assert not reply.broken


@pytest.mark.parametrize("provider", PROVIDERS)
def test_errors_inside_a_stream(chat: Ask, provider: str) -> None:
    """An error stands before or behind content; without a stream it is plain."""
    before = chat(provider, stream=True, model="fault-stream_overloaded")
    behind = chat(provider, stream=True, model="fault-late_overloaded")
    plain = chat(provider, model="fault-stream_overloaded")

    assert (before.status, behind.status) == (200, 200)
    assert b"overloaded" in before.body.lower() and b"wrote" not in before.body
    assert b"overloaded" in behind.body.lower() and b"wrote" in behind.body
    assert plain.status in (503, 529)


def test_the_forms_of_an_error_inside_a_stream(chat: Ask) -> None:
    """OPENAI nests it or not; GEMINI sends bare JSON over several lines, or a chunk."""
    nested = chat("OPENAI", stream=True, model="fault-stream_nocredit").body
    flat = chat("OPENAI", stream=True, model="fault-stream_flat_nocredit").body
    raw = chat("GEMINI", stream=True, model="fault-stream_outage").body
    chunk = chat("GEMINI", stream=True, model="fault-stream_flat_outage").body

    third, last = [
        json.loads(line.removeprefix(b"data: "))
        for line in nested.split(b"\n")
        if line.startswith(b"data: ")
    ][2:]
    assert third["error"]["code"] == "insufficient_quota"
    assert last["response"]["status"] == "failed"
    assert b'"type":"error","code":"insufficient_quota"' in flat
    assert raw.startswith(b"{\n") and b"data:" not in raw
    assert chunk.startswith(b"data: {")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_bytes_one_by_one(chat: Ask, provider: str) -> None:
    """A stream cut at every byte, inside characters too, holds the same text."""
    reply = chat(
        provider,
        stream=True,
        model="fault-bytewise",
        prompt="Grüße an ö, ü und 🙂 heute",
    )

    assert "Grüße" in reply.body.decode()
    assert not reply.broken


def test_a_drip_is_too_slow_to_wait_for(simulator: Simulator) -> None:
    """Each read brings a byte, ten in a second; it ends when the client leaves."""
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=5)
    headers = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
    simulator.set_fault("CLAUDE", "drip")
    connection.request("GET", LISTS["CLAUDE"], headers=headers)
    answer = connection.getresponse()
    started = time.monotonic()

    assert answer.read(4) == b'{"da'
    assert time.monotonic() - started >= 0.25
    answer.close()
    connection.close()
    wait_until_idle(simulator)


def wait_until_idle(simulator: Simulator) -> None:
    """Wait for the answers that lost their client; fail when one stays."""
    wait_until(lambda: simulator.in_flight == 0, "no answer is under way")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_hang_ends_when_the_client_leaves(
    chat: Ask, simulator: Simulator, provider: str
) -> None:
    """Nothing is answered, the request is on record, no thread is left behind."""
    with pytest.raises(TimeoutError):
        chat(provider, api_key="not-a-real-hang-key", timeout=0.2)

    assert simulator.requests[-1].status is None
    wait_until_idle(simulator)


def test_a_reset_may_strike_used_connections_alone(simulator: Simulator) -> None:
    """The first request of a connection is answered, the second is not."""
    simulator.set_fault("OPENAI", "reset_reused")
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=5)
    headers = {"authorization": "Bearer k"}
    connection.request("GET", LISTS["OPENAI"], headers=headers)
    assert connection.getresponse().read().startswith(b'{"object":"list"')
    connection.request("GET", LISTS["OPENAI"], headers=headers)

    with pytest.raises(ConnectionError):
        connection.getresponse()

    connection.close()
    assert [request.status for request in simulator.requests] == [200, None]


def test_a_connection_is_kept(simulator: Simulator) -> None:
    """Whole answers, errors and streams leave the connection usable."""
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=5)
    body = json.dumps({"model": "gpt-6-sol", "input": "hi", "stream": True})

    for api_key in ("good", "revoked", "good"):
        connection.request(
            "POST",
            "/openai/v1/responses",
            body,
            {"authorization": f"Bearer {api_key}"},
        )
        answer = connection.getresponse()
        answer.read()
        assert not answer.will_close

    connection.close()


@pytest.mark.parametrize(
    ("provider", "name", "words"),
    [
        ("OPENAI", "thinking_cap", b'"reason":"max_output_tokens"'),
        ("CLAUDE", "thinking_cap", b'"stop_reason":"max_tokens"'),
        ("GEMINI", "thinking_cap", b'"finishReason": "MAX_TOKENS"'),
        ("OPENAI", "refusal", b'"type":"refusal"'),
        ("CLAUDE", "refusal", b'"stop_reason":"refusal"'),
        ("GEMINI", "refusal", b'"finishReason": "SAFETY"'),
        ("OPENAI", "length", b'"status":"incomplete"'),
        ("OPENAI", "failed", b'"status":"failed"'),
        ("GEMINI", "blocked_prompt", b'"blockReason"'),
        ("GEMINI", "pup_limited", b"PUP_LIMITED_DISABLED"),
    ],
)
def test_good_statuses_with_odd_answers(
    chat: Ask, provider: str, name: str, words: bytes
) -> None:
    """Thinking that eats the cap, refusals, and failures at status 200."""
    reply = chat(provider, model=f"fault-{name}")

    assert reply.status == 200
    assert words in reply.body

    if name == "thinking_cap":
        assert b"You wrote" not in reply.body


def test_cached_tokens_are_counted_each_in_its_way(chat: Ask) -> None:
    """Only CLAUDE keeps cached tokens outside of the input."""
    openai = chat("OPENAI", model="fault-cached").json["usage"]
    claude = chat("CLAUDE", model="fault-cached").json["usage"]
    gemini = chat("GEMINI", model="fault-cached").json["usageMetadata"]

    assert 0 < openai["input_tokens_details"]["cached_tokens"] < openai["input_tokens"]
    assert claude["cache_read_input_tokens"] > 0
    assert 0 < gemini["cachedContentTokenCount"] < gemini["promptTokenCount"]


def test_claude_may_send_retry_after_with_an_answer(chat: Ask) -> None:
    """A delay on a good answer means nothing; it was seen in the wild."""
    reply = chat("CLAUDE", model="fault-retry_after_on_200")

    assert (reply.status, reply.headers["retry-after"]) == (200, "30")
