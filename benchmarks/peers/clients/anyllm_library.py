"""``any_llm.completion``; OPENAI alone, whose wire it can be pointed at."""

from __future__ import annotations

import sys

import any_llm
import work


def build(url: str) -> work.Works:
    """Give what it can do."""

    def ask() -> object:
        return any_llm.completion(
            model="gpt-4o",
            provider="openai",
            messages=[{"role": "user", "content": work.QUESTION}],
            api_key=work.API_KEY,
            api_base=f"{url}/v1",
            max_tokens=64,
        )

    return work.Works(runs={"call": {"OPENAI": ask}})


if __name__ == "__main__":
    sys.exit(work.serve(build(sys.argv[1])))
