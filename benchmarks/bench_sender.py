"""What an AI call costs this process: our providers, bare requests, the official SDKs.

Run it from the repository: ``python benchmarks/bench_sender.py``. CPU time of this
process is measured, with the server in another one; the rounds of all clients are
interleaved, and of each client a quiet round counts, the tenth percentile. Below a
minute by default.
"""

from __future__ import annotations

import argparse
import collections.abc as cabc
import json
import sys
import typing as t

import requests
from shared.provider import answering
from shared.replies import API_KEY
from shared.replies import PIECES
from shared.replies import QUESTION
from shared.timing import interleave
from shared.timing import spending

from flask_byok.providers.claude import ClaudeProvider
from flask_byok.providers.deadline import Deadline
from flask_byok.providers.gemini import GeminiProvider
from flask_byok.providers.http import Sender
from flask_byok.providers.openai import OpenAIProvider
from flask_byok.providers.types import ChatRequest
from flask_byok.providers.types import Message
from flask_byok.secret import Secret

# Loaded where they are used: other benchmarks import this one and measure memory.
if t.TYPE_CHECKING:
    import anthropic
    import openai
    from google import genai

HELLO = ChatRequest(messages=(Message(role="user", content=QUESTION),), max_tokens=64)

Call = cabc.Callable[[], object]
Stream = cabc.Callable[[], int]


def build_ours(url: str) -> tuple[dict[str, Call], dict[str, Stream]]:
    """Give one chat and one stream per provider, through one warm sender."""
    sender = Sender(5.0)
    api_key = Secret(API_KEY)
    providers = (
        OpenAIProvider(base_url=f"{url}/v1"),
        ClaudeProvider(base_url=f"{url}/v1"),
        GeminiProvider(base_url=f"{url}/v1beta"),
    )
    calls: dict[str, Call] = {}
    streams: dict[str, Stream] = {}

    for provider in providers:

        def call(provider: t.Any = provider) -> object:
            return provider.chat(
                sender, HELLO, model="m", api_key=api_key, deadline=Deadline(60)
            ).text

        def stream(provider: t.Any = provider) -> int:
            opened = provider.open_stream(
                sender, HELLO, model="m", api_key=api_key, deadline=Deadline(60)
            )
            return sum(1 for chunk in opened if chunk.text)

        calls[provider.id] = call
        streams[provider.id] = stream

    return calls, streams


_PATHS = {
    "OPENAI": ("/v1/responses", "/v1/responses"),
    "CLAUDE": ("/v1/messages", "/v1/messages"),
    "GEMINI": (
        "/v1beta/models/m:generateContent",
        "/v1beta/models/m:streamGenerateContent?alt=sse",
    ),
}


def build_bare(url: str) -> tuple[dict[str, Call], dict[str, Stream]]:
    """Give ``requests`` by hand: a warm session, ``json()``, ``iter_lines``."""
    session = requests.Session()
    headers = {"Authorization": f"Bearer {API_KEY}"}
    body = {"model": "m", "input": QUESTION, "max_output_tokens": 64}
    calls: dict[str, Call] = {}
    streams: dict[str, Stream] = {}

    for name, (path, stream_path) in _PATHS.items():

        def call(path: str = path) -> object:
            return session.post(
                url + path, json=body, headers=headers, timeout=60
            ).json()

        def stream(path: str = stream_path) -> int:
            count = 0

            with session.post(
                url + path,
                json=body | {"stream": True},
                headers=headers,
                timeout=60,
                stream=True,
            ) as answer:
                for line in answer.iter_lines():
                    if line.startswith(b"data: "):
                        count += bool(json.loads(line[6:]))

            return count

        calls[name] = call
        streams[name] = stream

    return calls, streams


def build_official(url: str) -> tuple[dict[str, Call], dict[str, Stream]]:
    """Give the official SDKs, one warm client each."""
    import anthropic
    import openai
    from google import genai
    from google.genai import types as genai_types

    first = openai.OpenAI(base_url=f"{url}/v1", api_key=API_KEY, max_retries=0)
    second = anthropic.Anthropic(base_url=url, api_key=API_KEY, max_retries=0)
    third = genai.Client(
        api_key=API_KEY,
        http_options=genai_types.HttpOptions(base_url=url, api_version="v1beta"),
    )
    return build_asking(first, second, third)


def build_asking(
    first: openai.OpenAI, second: anthropic.Anthropic, third: genai.Client
) -> tuple[dict[str, Call], dict[str, Stream]]:
    """Give one whole call and one whole stream of each of three clients."""
    turns: t.Any = [{"role": "user", "content": QUESTION}]

    def count(events: cabc.Iterable[object]) -> int:
        return sum(1 for _ in events)

    return {
        "OPENAI": lambda: first.responses.create(model="m", input=QUESTION),
        "CLAUDE": lambda: second.messages.create(
            model="m", max_tokens=64, messages=turns
        ),
        "GEMINI": lambda: third.models.generate_content(model="m", contents=QUESTION),
    }, {
        "OPENAI": lambda: count(
            first.responses.create(model="m", input=QUESTION, stream=True)
        ),
        "CLAUDE": lambda: count(
            second.messages.create(
                model="m", max_tokens=64, messages=turns, stream=True
            )
        ),
        "GEMINI": lambda: count(
            third.models.generate_content_stream(model="m", contents=QUESTION)
        ),
    }


def measure(
    clients: cabc.Mapping[str, Call], rounds: int, times: int
) -> dict[str, float]:
    """Give the CPU microseconds of one call of each client, in a quiet round."""
    spends = {name: spending(call, times) for name, call in clients.items()}
    return interleave(spends, rounds)


def take_pieces(
    streams: cabc.Mapping[str, float], calls: cabc.Mapping[str, float]
) -> dict[str, float]:
    """Give what the pieces of a stream cost: a stream, less a call."""
    return {name: streams[name] - calls[name] for name in streams}


def report(title: str, results: cabc.Mapping[str, float], per: int = 1) -> None:
    """Print one table row: microseconds, and ratios to bare requests."""
    bare = results["requests"]
    cells = [
        f"{name} {value / per:8.1f} us ({value / bare:.2f})"
        for name, value in results.items()
    ]
    print(f"{title:<16}", " | ".join(cells), flush=True)


def compare(url: str, options: t.Any) -> None:
    """Measure and print calls and pieces of streams."""
    built = {
        "flask-byok": build_ours(url),
        "requests": build_bare(url),
        "official SDK": build_official(url),
    }
    print("CPU time of the client, and its ratio to bare requests")

    for provider in _PATHS:
        calls = {name: made[0][provider] for name, made in built.items()}
        whole = measure(calls, options.rounds, options.calls)
        report(f"{provider} call", whole)
        streams = {name: made[1][provider] for name, made in built.items()}
        results = measure(streams, options.rounds, options.streams)
        report(f"{provider} chunk", take_pieces(results, whole), PIECES)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=60, help="per round")
    parser.add_argument("--streams", type=int, default=4, help="per round")
    options = parser.parse_args()

    with answering() as url:
        compare(url, options)

    return 0


if __name__ == "__main__":
    sys.exit(main())
