"""``requests`` by hand: what everything else is compared with."""

from __future__ import annotations

import collections.abc as cabc
import functools
import json
import os
import sys

import requests
import work

#: A proxy may want the older wire of OPENAI.
IS_CHAT = os.environ.get("BENCH_WIRE") == "chat"
OPENAI_PATH = "/v1/chat/completions" if IS_CHAT else "/v1/responses"
PATHS = {
    "OPENAI": (OPENAI_PATH, OPENAI_PATH),
    "CLAUDE": ("/v1/messages", "/v1/messages"),
    "GEMINI": (
        "/v1beta/models/m:generateContent",
        "/v1beta/models/m:streamGenerateContent?alt=sse",
    ),
}
ASKED = (
    {"messages": [{"role": "user", "content": work.QUESTION}], "max_tokens": 64}
    if IS_CHAT
    else {"input": work.QUESTION, "max_output_tokens": 64}
)
BODY = {"model": "m", **ASKED}


class Plain:
    """One session for everything."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._headers = {"Authorization": f"Bearer {api_key}"}

    def call(self, provider: str) -> object:
        """Post, and read the answer."""
        return self._post(PATHS[provider][0], BODY).json()

    def events(self, provider: str) -> cabc.Iterator[dict[str, object]]:
        """Read a stream, event by event."""
        body = BODY | {"stream": True}

        with self._post(PATHS[provider][1], body, stream=True) as answer:
            for line in answer.iter_lines():
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])

    def first(self, provider: str) -> object:
        """Read a stream's first event, and leave."""
        return next(self.events(provider))

    def _post(
        self, path: str, body: dict[str, object], stream: bool = False
    ) -> requests.Response:
        return self._session.post(
            self._url + path,
            json=body,
            headers=self._headers,
            timeout=60,
            stream=stream,
        )


def build(url: str) -> work.Works:
    """Give what it can do."""
    client = Plain(url, os.environ.get("BENCH_KEY", work.API_KEY))

    def each(run: cabc.Callable[[str], object]) -> dict[str, work.Run]:
        return {provider: functools.partial(run, provider) for provider in PATHS}

    def pieces() -> cabc.Iterator[str]:
        for event in client.events("OPENAI"):
            if event["type"] == "response.output_text.delta":
                yield str(event["delta"])

    return work.Works(
        runs={
            "call": each(client.call),
            "stream": each(lambda provider: sum(1 for _ in client.events(provider))),
            "first": each(client.first),
        },
        pieces=pieces,
    )


if __name__ == "__main__":
    sys.exit(work.serve(build(sys.argv[1])))
