"""What tokens cost by list prices: an estimate, or nothing where no price is known.

The prices come with the library ``genai-prices``, the extra ``flask-byok[prices]``: as
data in its package, never fetched from here. Without it nothing is priced.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import decimal
import logging
import math
import typing as t

from ..events import log_event
from ..providers.types import Usage

if t.TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

#: What the library calls providers; others by their id in lower case.
_VENDORS: t.Final[cabc.Mapping[str, str]] = {
    "OPENAI": "openai",
    "GEMINI": "google",
    "CLAUDE": "anthropic",
    # A vendor of the documentation, by the id it has there.
    "XAI": "x-ai",
}

#: So many prices are remembered; then all are looked up anew.
MOST_KEPT: t.Final = 512

#: Millionths in one US dollar.
MICROS: t.Final = 1_000_000

_log = logging.getLogger(__name__)


class Prices:
    """Looks prices up once a day per model, and keeps them in this process."""

    def __init__(self) -> None:
        self._tariffs: dict[tuple[str, str, dt.date], _Tariff | None] = {}

    def micros(
        self, provider: str, model: str | None, usage: Usage, at: dt.datetime
    ) -> int | None:
        """Tell what a use costs, in millionths of a US dollar, rounded up.

        Never raises.

        :param provider: ``OPENAI``, ``GEMINI``, ``CLAUDE`` or a registered id.
        :param at: when it was used: prices change, with the hour even.
        :return: ``None`` for "not priced": never 0 for what is not known.
        """
        if model is None or (
            usage.input_tokens is None and usage.output_tokens is None
        ):
            return None

        key = (provider, model, at.date())

        try:
            if key not in self._tariffs:
                self._keep(key, _find(provider, model, at))

            tariff = self._tariffs.get(key)
            return None if tariff is None else tariff.micros(usage, at)
        except Exception as error:
            # Bookkeeping never raises, whatever a library of others does.
            failure = type(error).__name__

        self._keep(key, None)
        log_event(
            _log,
            logging.ERROR,
            "price_failed",
            "A price of %(provider)s cannot be told (%(error)s).",
            provider=provider,
            error=failure,
        )
        return None

    def knows(self, provider: str, model: str, at: dt.datetime) -> bool:
        """Tell whether a model is priced."""
        return self.micros(provider, model, Usage(input_tokens=1), at) is not None

    def _keep(self, key: tuple[str, str, dt.date], tariff: _Tariff | None) -> None:
        if len(self._tariffs) >= MOST_KEPT:
            self._tariffs.clear()

        self._tariffs[key] = tariff


def is_installed() -> bool:
    """Tell whether there are prices at all."""
    try:
        import genai_prices as genai_prices
    except ImportError:
        return False

    return True


def to_dollars(micros: int) -> decimal.Decimal:
    """Give millionths as US dollars, exactly."""
    return decimal.Decimal(micros).scaleb(-6)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Tariff:
    """What a model costs on one day; plain for most uses, asked for anew for others.

    A dollar per million tokens is a millionth of a dollar per token.

    :param plain_up_to: input tokens; beyond them another price holds for all tokens.
    """

    vendor: str
    model: str
    input: decimal.Decimal
    cached: decimal.Decimal
    output: decimal.Decimal
    plain_up_to: float

    def micros(self, usage: Usage, at: dt.datetime) -> int | None:
        """Tell what a use costs, rounded up so that no priced use is free."""
        tokens = usage.input_tokens or 0

        if tokens > self.plain_up_to:
            found = _ask(self.vendor, self.model, usage, at)
            return None if found is None else _round_up(found.total_price * MICROS)

        cached = _cached(usage)
        return _round_up(
            (tokens - cached) * self.input
            + cached * self.cached
            + (usage.output_tokens or 0) * self.output
        )


def _find(provider: str, model: str, at: dt.datetime) -> _Tariff | None:
    vendor = _VENDORS.get(provider, provider.lower())
    found = _ask(vendor, model, Usage(input_tokens=1, output_tokens=0), at)

    # The library guesses a vendor from parts of its name; ours are ids.
    if found is None or found.provider.id != vendor:
        return None

    price = found.model_price
    kinds = (price.input_mtok, price.cache_read_mtok, price.output_mtok)
    bases: list[t.Any] = [getattr(kind, "base", kind) for kind in kinds]
    fresh, cached, output = bases

    if fresh is None:
        return None

    tiers = [tier.start for kind in kinds for tier in getattr(kind, "tiers", ())]
    return _Tariff(
        vendor=vendor,
        model=model,
        input=fresh,
        cached=fresh if cached is None else cached,
        # Models of vectors have no output to be paid.
        output=decimal.Decimal(0) if output is None else output,
        plain_up_to=-1 if _changes_by_hour(found) else min(tiers, default=math.inf),
    )


def _changes_by_hour(found: PriceCalculation) -> bool:
    """Tell whether a price is another one at night, say."""
    prices = found.model.prices

    if not isinstance(prices, list):
        return False

    return any(hasattr(one.constraint, "start_time") for one in prices)


def _ask(
    vendor: str, model: str, usage: Usage, at: dt.datetime
) -> PriceCalculation | None:
    """Ask the library; ``None`` when it is not installed, or knows no price."""
    try:
        from genai_prices import calc_price
        from genai_prices import Usage as Counts

        return calc_price(
            Counts(
                input_tokens=usage.input_tokens or 0,
                cache_read_tokens=_cached(usage),
                output_tokens=usage.output_tokens or 0,
            ),
            model_ref=model,
            provider_id=vendor,
            genai_request_timestamp=at,
        )
    except (ImportError, LookupError):
        return None


def _cached(usage: Usage) -> int:
    return max(0, min(usage.cached_tokens, usage.input_tokens or 0))


def _round_up(micros: decimal.Decimal) -> int:
    return int(micros.to_integral_value(rounding=decimal.ROUND_CEILING))
