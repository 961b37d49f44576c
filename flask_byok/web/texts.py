"""Sentences for people: formatted, escaped, with times and masked keys marked up."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import typing as t

from markupsafe import escape
from markupsafe import Markup

if t.TYPE_CHECKING:
    from ..config import Settings
    from ..providers.base import Provider

_TIME: t.Final = Markup('<time datetime="{}">{}</time>')
_MASKED: t.Final = Markup('<code dir="ltr">{}</code>')


def gettext(message: str) -> str:
    """Give the sentence in the reader's language: English, as long as that is all."""
    return message


def say(message: str, /, **values: object) -> Markup:
    """Format a sentence for HTML. Values are escaped; times become ``<time>``."""
    marked = {name: _mark(value) for name, value in values.items()}
    return escape(gettext(message)).format(**marked)


def tell(message: str, /, **values: object) -> str:
    """Format a sentence as plain text: for a flash message, say."""
    plain = {name: _plain(value) for name, value in values.items()}
    return gettext(message).format(**plain)


def join(*sentences: Markup | None) -> Markup:
    """Put whole sentences behind one another, leaving out what is ``None``."""
    return Markup(" ").join([text for text in sentences if text])


def dollars(value: decimal.Decimal) -> str:
    """Write US dollars: to the cent, or to what is left of it below one dollar."""
    if 0 < value < decimal.Decimal("0.0001"):
        return "<$0.0001"

    return f"${value:,.4f}" if 0 < value < 1 else f"${value:,.2f}"


def amount(value: int | decimal.Decimal, unit: str | None) -> str:
    """Write how much of an allowance: money with its sign, the rest with its unit."""
    if isinstance(value, decimal.Decimal):
        return f"${value:,.2f}"

    return f"{value:,}" if unit is None else f"{value:,} {gettext(unit)}"


def masked(text: str) -> Markup:
    """Mark up a masked key, so that it reads left to right in every language."""
    return _MASKED.format(text)


def _mark(value: object) -> object:
    if isinstance(value, dt.datetime):
        stamp = value.astimezone(dt.timezone.utc)
        return _TIME.format(f"{stamp:%Y-%m-%dT%H:%M:%SZ}", _plain(value))

    if isinstance(value, dt.date):
        return _TIME.format(value.isoformat(), value.isoformat())

    return value if isinstance(value, Markup) else _plain(value)


def _plain(value: object) -> str:
    if isinstance(value, dt.datetime):
        return f"{value.astimezone(dt.timezone.utc):%Y-%m-%d %H:%M} UTC"

    if type(value) is int:
        return f"{value:,}"

    return str(value)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """The names a sentence may hold.

    :param app: ``BYOK_APP_NAME``, or "this app".
    :param app_first: the same at the start of a sentence.
    :param provider: its label, "OpenAI".
    :param vendor: who speaks, "Google" for Gemini.
    """

    app: str
    app_first: str
    provider: str = ""
    vendor: str = ""

    @classmethod
    def of(cls, settings: Settings, provider: Provider | None = None) -> Names:
        """Collect the names for sentences about ``provider``."""
        return cls(
            app=settings.app_name or gettext("this app"),
            app_first=settings.app_name or gettext("This app"),
            provider="" if provider is None else provider.label,
            vendor="" if provider is None else provider.vendor,
        )

    def say(self, message: str, /, **values: object) -> Markup:
        """Format a sentence for HTML with these names in it."""
        return say(message, **self._named(), **values)

    def tell(self, message: str, /, **values: object) -> str:
        """Format a sentence as plain text with these names in it."""
        return tell(message, **self._named(), **values)

    def _named(self) -> dict[str, object]:
        return {
            "app": self.app,
            "app_first": self.app_first,
            "provider": self.provider,
            "vendor": self.vendor,
        }
