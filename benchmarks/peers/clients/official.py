"""The official SDKs: one client kept, and one made for each call, as is common."""

from __future__ import annotations

import collections.abc as cabc
import os
import sys
import typing as t

import anthropic
import openai
import work
from google import genai
from google.genai import types as genai_types

API_KEY = os.environ.get("BENCH_KEY", work.API_KEY)
TURNS: t.Any = [{"role": "user", "content": work.QUESTION}]


def _openai(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=API_KEY, max_retries=0)


def _claude(url: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=url, api_key=API_KEY, max_retries=0)


def _gemini(url: str) -> genai.Client:
    return genai.Client(
        api_key=API_KEY,
        http_options=genai_types.HttpOptions(base_url=url, api_version="v1beta"),
    )


def _ask_openai(client: openai.OpenAI, **more: t.Any) -> t.Any:
    return client.responses.create(model="m", input=work.QUESTION, **more)


def _ask_claude(client: anthropic.Anthropic, **more: t.Any) -> t.Any:
    return client.messages.create(model="m", max_tokens=64, messages=TURNS, **more)


def _ask_gemini(client: genai.Client) -> object:
    return client.models.generate_content(model="m", contents=work.QUESTION)


def _count(events: cabc.Iterable[object]) -> int:
    return sum(1 for _ in events)


def build(url: str) -> work.Works:
    """Give what they can do."""
    first, second, third = _openai(url), _claude(url), _gemini(url)

    def pieces() -> cabc.Iterator[str]:
        for event in _ask_openai(first, stream=True):
            if event.type == "response.output_text.delta":
                yield event.delta

    def keep_one(company: int) -> object:
        client = _openai(url)
        _ask_openai(client)
        return client

    return work.Works(
        runs={
            "call": {
                "OPENAI": lambda: _ask_openai(first),
                "CLAUDE": lambda: _ask_claude(second),
                "GEMINI": lambda: _ask_gemini(third),
            },
            "call anew": {
                "OPENAI": lambda: _ask_openai(_openai(url)),
                "CLAUDE": lambda: _ask_claude(_claude(url)),
                "GEMINI": lambda: _ask_gemini(_gemini(url)),
            },
            "stream": {
                "OPENAI": lambda: _count(_ask_openai(first, stream=True)),
                "CLAUDE": lambda: _count(_ask_claude(second, stream=True)),
                "GEMINI": lambda: _count(
                    third.models.generate_content_stream(
                        model="m", contents=work.QUESTION
                    )
                ),
            },
        },
        pieces=pieces,
        companies=keep_one,
    )


if __name__ == "__main__":
    sys.exit(work.serve(build(sys.argv[1])))
