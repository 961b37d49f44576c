"""The simulator as a vendor on OPENAI's wire: addresses, headers, faults, its page."""

from __future__ import annotations

import collections.abc as cabc
import json
import typing as t
import urllib.error
import urllib.request

import pytest

from flask_byok.testing import Simulator

KEY = "not-a-real-vendor-key-0001-AbCd"
ASK = {"model": "any-model", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def simulator() -> cabc.Iterator[Simulator]:
    with Simulator(vendors=["GROQ"]) as simulator:
        yield simulator


def send(
    url: str, body: t.Any = None, method: str = "POST", **headers: str
) -> tuple[int, str]:
    """Send JSON; give the status and the text of the answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)

    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Authorization", f"Bearer {KEY}"),
        ("Authorization", f"Token {KEY}"),
        ("api-key", KEY),
        ("X-API-Key", KEY),
    ],
)
def test_the_key_is_found_where_vendors_want_it(
    simulator: Simulator, header: str, value: str
) -> None:
    """In whichever header; without one the request is refused."""
    url = f"{simulator.urls['GROQ']}/chat/completions"
    status, _ = send(url, ASK, **{header: value})

    assert (status, simulator.requests[-1].api_key) == (200, KEY)
    assert simulator.requests[-1].provider == "GROQ"
    assert send(url, ASK)[0] == 401


def test_deployments_and_unknown_models(simulator: Simulator) -> None:
    """A deployment's own address names the model; ``no-such…`` is not there."""
    base = simulator.urls["GROQ"].removesuffix("/v1")
    url = f"{base}/openai/deployments/ours/chat/completions?api-version=2024-10-21"
    status, _ = send(url, ASK, **{"api-key": KEY})
    assert (status, simulator.requests[-1].model) == (200, "ours")

    missing = {**ASK, "model": "no-such-model"}
    status, text = send(f"{base}/v1/chat/completions", missing, **{"api-key": KEY})
    assert (status, json.loads(text)["error"]["code"]) == (404, "model_not_found")


def test_the_page_and_its_switches(simulator: Simulator) -> None:
    """The vendor has its card, and faults of its own kind; nobody else is there."""
    page = send(simulator.address, method="GET")[1]
    assert 'data-provider="GROQ"' in page and "Only other vendors" in page
    status, text = send(
        f"{simulator.address}/faults",
        {"provider": "GROQ", "fault": "credits_403"},
        method="PUT",
    )
    assert status == 200 and "credits_403" in json.loads(text)["faults"]["GROQ"]
    url = f"{simulator.urls['GROQ']}/chat/completions"
    assert send(url, ASK, **{"api-key": KEY})[0] == 403
    simulator.clear_faults()
    wrong = {"provider": "MISTRAL", "fault": "revoked"}
    assert send(f"{simulator.address}/faults", wrong, method="PUT")[0] == 400
    assert send(f"{simulator.address}/mistral/v1/models", method="GET")[0] == 404


def test_vendors_come_and_go() -> None:
    """Added while it runs, once; names that cannot be one are refused."""
    with Simulator() as simulator:
        simulator.add_vendor("XAI")
        simulator.add_vendor("XAI")
        assert list(simulator.urls) == ["OPENAI", "CLAUDE", "GEMINI", "XAI"]
        simulator.clear_vendors()
        assert "XAI" not in simulator.urls

        for wrong in ("xai", "", "OPENAI", "ELSEWHERE", "A" * 33):
            with pytest.raises(ValueError, match="A-Z"):
                simulator.add_vendor(wrong)
