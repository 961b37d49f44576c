"""``litellm.completion``, as a library."""

from __future__ import annotations

import collections.abc as cabc
import functools
import os
import sys
import typing as t

import work

# Else the import fetches a list of prices over the network.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
# It takes the provider's pieces, which are all alike, for a model that runs in circles.
os.environ.setdefault("REPEATED_STREAMING_CHUNK_LIMIT", "1000000")

import litellm  # noqa: E402 - behind the line it must not run before

MODELS = {
    "OPENAI": ("openai/gpt-4o", "/v1"),
    "CLAUDE": ("anthropic/claude-sonnet-4-5", ""),
    "GEMINI": ("gemini/gemini-2.5-flash", "/v1beta"),
}
API_KEY = os.environ.get("BENCH_KEY", work.API_KEY)
TURNS = [{"role": "user", "content": work.QUESTION}]


def build(url: str) -> work.Works:
    """Give what it can do."""

    def ask(provider: str, api_key: str = API_KEY, **more: t.Any) -> t.Any:
        model, path = MODELS[provider]
        return litellm.completion(
            model=model,
            messages=TURNS,
            max_tokens=64,
            api_key=api_key,
            api_base=url + path,
            num_retries=0,
            **more,
        )

    def ask_refused(provider: str) -> object:
        model, path = MODELS[provider]
        spare = {"model": model, "api_key": API_KEY, "api_base": url + path}
        return ask(provider, work.REFUSED, fallbacks=[spare])

    def pieces() -> cabc.Iterator[str]:
        for event in ask("OPENAI", stream=True):
            if event.choices and event.choices[0].delta.content:
                yield event.choices[0].delta.content

    def each(run: cabc.Callable[[str], object]) -> dict[str, work.Run]:
        return {provider: functools.partial(run, provider) for provider in MODELS}

    return work.Works(
        runs={
            "call": each(ask),
            "stream": each(lambda name: sum(1 for _ in ask(name, stream=True))),
            "fallback": each(ask_refused),
        },
        pieces=pieces,
    )


if __name__ == "__main__":
    sys.exit(work.serve(build(sys.argv[1])))
