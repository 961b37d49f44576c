"""``litellm.completion`` in an environment of its own, for ``bench_clients.py``.

It reads lines of ``<provider> <how often>`` and answers each with the CPU microseconds
of one call.
"""

from __future__ import annotations

import os
import sys
import time

# Else the import fetches a list of prices over the network.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import litellm  # noqa: E402 - behind the line it must not run before

MODELS = {
    "OPENAI": ("openai/gpt-4o", "/v1"),
    "CLAUDE": ("anthropic/claude-sonnet-4-5", ""),
    "GEMINI": ("gemini/gemini-2.5-flash", "/v1beta"),
}


def main() -> int:
    url, api_key, question = sys.argv[1:4]
    turns = [{"role": "user", "content": question}]

    for line in sys.stdin:
        provider, times = line.split()
        model, path = MODELS[provider]
        started = time.process_time()

        for _ in range(int(times)):
            litellm.completion(
                model=model,
                messages=turns,
                max_tokens=64,
                api_key=api_key,
                api_base=url + path,
                num_retries=0,
            )

        print((time.process_time() - started) / int(times) * 1e6, flush=True)

    return 0


if __name__ == "__main__":
    sys.exit(main())
