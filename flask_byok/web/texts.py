"""Sentences for people: formatted, escaped, with times and masked keys marked up."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import decimal
import logging
import typing as t

from markupsafe import escape
from markupsafe import Markup

from ..events import log_event
from . import formats
from .languages import current_language

if t.TYPE_CHECKING:
    from ..config import Settings
    from ..providers.base import Provider

_TIME: t.Final = Markup('<time datetime="{}">{}</time>')
_MASKED: t.Final = Markup('<code dir="ltr">{}</code>')

# Unicode's marks around a text that may run the other way.
_ISOLATED: t.Final = "\u2068{}\u2069"

_log = logging.getLogger(__name__)


def N_(message: str) -> str:
    """Mark a sentence for the catalogues that is said elsewhere."""
    return message


def gettext(message: str) -> str:
    """Give a sentence in the reader's language, its placeholders still in it."""
    return current_language().sentences.gettext(message) if message else ""


def ngettext(singular: str, plural: str, n: int) -> str:
    """Give the form of a sentence that a number asks for in the reader's language."""
    return current_language().sentences.ngettext(singular, plural, n)


def say(message: str, /, **values: object) -> Markup:
    """Format a sentence for HTML. Values are escaped; times become ``<time>``."""
    return _say(gettext(message), message, values)


def say_count(singular: str, plural: str, count: int, /, **values: object) -> Markup:
    """Format a sentence for HTML whose words depend on a number: its ``{n}``."""
    source = singular if count == 1 else plural
    return _say(ngettext(singular, plural, count), source, {"n": count, **values})


def tell(message: str, /, **values: object) -> str:
    """Format a sentence as plain text: for a flash message, say."""
    return _tell(gettext(message), message, values)


def tell_count(singular: str, plural: str, count: int, /, **values: object) -> str:
    """Format a sentence as plain text whose words depend on a number: its ``{n}``."""
    source = singular if count == 1 else plural
    return _tell(ngettext(singular, plural, count), source, {"n": count, **values})


def _say(sentence: str, source: str, values: cabc.Mapping[str, object]) -> Markup:
    marked = {name: _mark(value) for name, value in values.items()}
    return t.cast("Markup", _fill(escape(sentence), escape(source), marked))


def _tell(sentence: str, source: str, values: cabc.Mapping[str, object]) -> str:
    plain = {name: _plain(value) for name, value in values.items()}
    return _fill(sentence, source, plain)


def _fill(sentence: str, source: str, values: cabc.Mapping[str, object]) -> str:
    """Put values into a sentence; into the English one where a catalogue is wrong."""
    try:
        return sentence.format(**values)
    except (LookupError, ValueError, AttributeError):
        if sentence == source:
            raise

    log_event(
        _log,
        logging.WARNING,
        "translation_broken",
        "A translation of %(source)r cannot be filled in; it stays English.",
        source=source,
    )
    return source.format(**values)


def join(*sentences: Markup | None) -> Markup:
    """Put whole sentences behind one another, leaving out what is ``None``."""
    space = Markup(current_language().space)
    return space.join([text for text in sentences if text])


def enumerate_parts(parts: cabc.Iterable[Markup]) -> Markup:
    """Put the parts of a list behind one another, with the language's comma."""
    return Markup(current_language().comma).join(parts)


def dollars(value: decimal.Decimal) -> str:
    """Write US dollars: to the cent, or to what is left of it below one dollar."""
    return formats.dollars(current_language().formats, value)


def percent(share: float, digits: int = 0) -> Markup:
    """Write a share of 0 to 100 with so many digits after the point."""
    return escape(current_language().formats.percent(share, digits))


def amount(value: int | decimal.Decimal, unit: str | None) -> str:
    """Write how much of an allowance: money with its sign, the rest with its unit."""
    if isinstance(value, decimal.Decimal):
        return current_language().formats.money(value, 2)

    if unit == "requests":
        return tell_count("{n} request", "{n} requests", value)

    if unit == "tokens":
        return tell_count("{n} token", "{n} tokens", value)

    return _plain(value) if unit is None else f"{_plain(value)} {unit}"


def masked(text: str) -> Markup:
    """Mark up a masked key, so that it reads left to right in every language."""
    return _MASKED.format(text)


def _mark(value: object) -> object:
    if isinstance(value, dt.datetime):
        stamp = value.astimezone(dt.timezone.utc)
        return _TIME.format(f"{stamp:%Y-%m-%dT%H:%MZ}", _plain(value))

    if isinstance(value, dt.date):
        return _TIME.format(value.isoformat(), _plain(value))

    return value if isinstance(value, Markup) else _plain(value)


def _plain(value: object) -> str:
    language = current_language()

    if isinstance(value, dt.datetime):
        return language.formats.moment(value)

    if isinstance(value, dt.date):
        return language.formats.date(value)

    if type(value) is int:
        return language.formats.number(value)

    # A name keeps its own direction, whatever stands beside it.
    is_name = language.direction == "rtl" and type(value) is str and value
    return _ISOLATED.format(value) if is_name else str(value)


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

    def say_count(
        self, singular: str, plural: str, count: int, /, **values: object
    ) -> Markup:
        """Format a sentence for HTML with these names and a number in it."""
        return say_count(singular, plural, count, **self._named(), **values)

    def _named(self) -> dict[str, object]:
        return {
            "app": self.app,
            "app_first": self.app_first,
            "provider": self.provider,
            "vendor": self.vendor,
        }
