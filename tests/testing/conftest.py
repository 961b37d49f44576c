"""A simulator, and a client of plain sockets to ask it."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import http.client
import json
import typing as t

import pytest

from flask_byok.testing import Simulator

#: Good keys; they contain no word that makes them fail.
KEYS = {
    "OPENAI": "not-a-real-openai-key-0001-AbCd",
    "CLAUDE": "not-a-real-claude-key-0001-AbCd",
    "GEMINI": "not-a-real-gemini-key-0001-AbCd",
}
MODELS = {
    "OPENAI": "gpt-6-sol",
    "CLAUDE": "claude-sonnet-5-5",
    "GEMINI": "gemini-3.8-flash",
}


@dataclasses.dataclass(frozen=True)
class Reply:
    """What came back; ``broken`` when the body broke off."""

    status: int
    headers: dict[str, str]
    body: bytes
    broken: bool

    @property
    def json(self) -> t.Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, t.Any]:
        """The error object in the body."""
        found: dict[str, t.Any] = self.json["error"]
        return found


Ask = cabc.Callable[..., Reply]


@pytest.fixture(scope="module")
def _server() -> cabc.Iterator[Simulator]:
    with Simulator(slow_seconds=0.3) as simulator:
        yield simulator


@pytest.fixture
def simulator(_server: Simulator) -> Simulator:
    """Give a simulator without faults and without requests."""
    _server.clear()
    _server.clear_faults()
    return _server


@pytest.fixture
def ask(simulator: Simulator) -> Ask:
    """Send one request over a fresh connection and read all of the answer."""

    def send(
        method: str,
        path: str,
        body: t.Any = None,
        headers: dict[str, str] | None = None,
        timeout: float = 10.0,
    ) -> Reply:
        connection = http.client.HTTPConnection(
            "127.0.0.1", simulator.port, timeout=timeout
        )
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(
            method, path, raw if body is not None else None, headers or {}
        )

        try:
            with connection.getresponse() as answer:
                found = {name.lower(): value for name, value in answer.getheaders()}
                broken = False

                try:
                    data = answer.read()
                except http.client.IncompleteRead as error:
                    data, broken = error.partial, True

                return Reply(answer.status, found, data, broken)
        finally:
            connection.close()

    return send


@pytest.fixture
def chat(ask: Ask) -> Ask:
    """Send the smallest chat a provider takes."""

    def send(
        provider: str,
        *,
        api_key: str | None = None,
        model: str | None = None,
        stream: bool = False,
        prompt: str = "How are you today, my good friend over there?",
        **more: t.Any,
    ) -> Reply:
        api_key = KEYS[provider] if api_key is None else api_key
        model = model or MODELS[provider]
        timeout = more.pop("timeout", 10.0)

        if provider == "GEMINI":
            action = "streamGenerateContent?alt=sse" if stream else "generateContent"
            return ask(
                "POST",
                f"/gemini/v1beta/models/{model}:{action}",
                {"contents": [{"role": "user", "parts": [{"text": prompt}]}], **more},
                {"x-goog-api-key": api_key},
                timeout,
            )

        flag = {"stream": True} if stream else {}

        if provider == "CLAUDE":
            messages = [{"role": "user", "content": prompt}]
            return ask(
                "POST",
                "/claude/v1/messages",
                {
                    "model": model,
                    "max_tokens": 99,
                    "messages": messages,
                    **flag,
                    **more,
                },
                {"x-api-key": api_key, "anthropic-version": "2023-06-01"},
                timeout,
            )

        return ask(
            "POST",
            "/openai/v1/responses",
            {"model": model, "input": prompt, **flag, **more},
            {"authorization": f"Bearer {api_key}"},
            timeout,
        )

    return send
