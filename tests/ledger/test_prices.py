"""What tokens cost: list prices of a library, or no price at all."""

from __future__ import annotations

import datetime as dt
import decimal
import subprocess
import sys

import genai_prices
import pytest
from genai_prices.data import providers

from flask_byok.ledger.prices import Prices
from flask_byok.ledger.prices import to_dollars
from flask_byok.providers.types import Usage

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.timezone.utc)
BUILT_IN = {"openai": "OPENAI", "google": "GEMINI", "anthropic": "CLAUDE"}


def micros(provider: str, model: str | None, **usage: int | None) -> int | None:
    return Prices().micros(provider, model, Usage(**usage), NOW)


def test_a_known_model_is_priced_by_its_list() -> None:
    """Fresh input, cached input and output each at its price, rounded up."""
    found = micros(
        "OPENAI",
        "gpt-4o-mini",
        input_tokens=1000,
        cached_tokens=500,
        output_tokens=100,
    )
    assert found == 173  # 75 + 37.5 + 60

    written = micros("CLAUDE", "claude-sonnet-4-5", input_tokens=9, output_tokens=0)
    assert written == 27
    more = {"cached_tokens": 2, "cache_write_tokens": 4, "output_tokens": 0}
    # Three fresh ones, two read, four written: 9 + 0.6 + 15.
    assert micros("CLAUDE", "claude-sonnet-4-5", input_tokens=9, **more) == 25


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("OPENAI", "model-one"),
        ("OPENAI", None),
        ("NOBODY", "gpt-4o-mini"),
        ("LOCAL_OPENAI", "gpt-4o-mini"),
    ],
)
def test_what_is_not_known_has_no_price(provider: str, model: str | None) -> None:
    """Never 0, and never the price of somebody whose name is alike."""
    assert micros(provider, model, input_tokens=10, output_tokens=5) is None


def test_a_use_that_nobody_counted_has_no_price() -> None:
    """Where the provider said nothing there is nothing to multiply."""
    assert micros("OPENAI", "gpt-4o-mini") is None


def test_a_registered_vendor_is_found_by_its_id() -> None:
    """``GROQ`` is the library's ``groq``."""
    assert micros("GROQ", "llama-3.3-70b-versatile", input_tokens=100) is not None


def test_a_long_prompt_costs_its_own_price() -> None:
    """Beyond 200,000 tokens all of them cost more."""
    assert micros("GEMINI", "gemini-2.5-pro", input_tokens=200_000) == 250_000
    assert micros("GEMINI", "gemini-2.5-pro", input_tokens=200_001) == 500_003


def test_every_price_is_that_of_the_library() -> None:
    """Our short way and the library's own sum agree, for every model, day and hour."""
    prices = Prices()
    checked = 0

    for provider in providers:
        if provider.id not in BUILT_IN:
            continue

        for model in provider.models:
            for tokens, hour in ((1, 3), (54_321, 12), (300_000, 20)):
                at = NOW.replace(hour=hour)
                ours = prices.micros(
                    BUILT_IN[provider.id],
                    model.id,
                    Usage(
                        input_tokens=tokens,
                        cached_tokens=tokens // 2,
                        cache_write_tokens=tokens // 4,
                    ),
                    at,
                )
                checked += ours is not None
                theirs = _by_the_library(provider.id, model.id, tokens, at)
                assert ours in (None, theirs), model.id

    assert checked > 300


def _by_the_library(
    provider: str, model: str, tokens: int, at: dt.datetime
) -> int | None:
    counts = genai_prices.Usage(
        input_tokens=tokens,
        cache_read_tokens=tokens // 2,
        cache_write_tokens=tokens // 4,
        output_tokens=0,
    )

    try:
        found = genai_prices.calc_price(
            counts, model, provider_id=provider, genai_request_timestamp=at
        )
    except LookupError:  # some ids of its own are not found by themselves
        return None

    rounding = decimal.ROUND_CEILING
    return int((found.total_price * 1_000_000).to_integral_value(rounding=rounding))


def test_dollars_are_exact() -> None:
    """Millionths become dollars without a rounding."""
    assert str(to_dollars(1_234_567)) == "1.234567"


def test_import_leaves_the_library_alone() -> None:
    """Who uses no prices does not pay for them."""
    code = "import sys, flask_byok.wiring; print('genai_prices' in sys.modules)"
    assert _run(code) == "False"


def test_without_the_extra_nothing_is_priced() -> None:
    """Where the library is not installed the answer is None, not an error."""
    code = (
        "import sys, datetime as dt; sys.modules['genai_prices'] = None\n"
        "from flask_byok.ledger.prices import Prices, is_installed\n"
        "from flask_byok.providers.types import Usage\n"
        "now = dt.datetime.now(dt.timezone.utc)\n"
        "usage = Usage(input_tokens=9)\n"
        "print(Prices().micros('OPENAI', 'gpt-4o-mini', usage, now), is_installed())"
    )
    assert _run(code) == "None False"


def _run(code: str) -> str:
    made = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()
