"""How dates, times and figures are written: plainly, or as a language does."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import typing as t

if t.TYPE_CHECKING:
    from babel import Locale

_SMALLEST: t.Final = decimal.Decimal("0.0001")


class Formats(t.Protocol):
    """Writes values for people. No method gives markup."""

    def moment(self, value: dt.datetime) -> str:
        """Write an aware time to the minute, with the name of its zone."""
        ...

    def date(self, value: dt.date) -> str:
        """Write a date."""
        ...

    def number(self, value: int) -> str:
        """Write a whole number."""
        ...

    def money(self, value: decimal.Decimal, digits: int) -> str:
        """Write US dollars with so many digits after the point."""
        ...

    def percent(self, share: float, digits: int) -> str:
        """Write a share of 0 to 100 with so many digits after the point."""
        ...


class IsoFormats:
    """The same for everybody: ISO dates, UTC, English figures."""

    def moment(self, value: dt.datetime) -> str:
        """Write an aware time to the minute, in UTC."""
        return f"{value.astimezone(dt.timezone.utc):%Y-%m-%d %H:%M} UTC"

    def date(self, value: dt.date) -> str:
        """Write an ISO date."""
        return value.isoformat()

    def number(self, value: int) -> str:
        """Write a number with commas between the thousands."""
        return f"{value:,}"

    def money(self, value: decimal.Decimal, digits: int) -> str:
        """Write US dollars."""
        return f"${value:,.{digits}f}"

    def percent(self, share: float, digits: int) -> str:
        """Write a share."""
        return f"{share:.{digits}f}%"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class BabelFormats:
    """As a language does, in the reader's time zone.

    :param locale: of Babel, or its name.
    :param zone: ``None``: UTC.
    """

    locale: Locale | str
    zone: dt.tzinfo | None = None

    def moment(self, value: dt.datetime) -> str:
        """Write an aware time to the minute, in the reader's zone and with its name."""
        from babel import dates

        local = value.astimezone(self.zone or dt.timezone.utc)
        text = dates.format_time(local, "short", tzinfo=self.zone, locale=self.locale)
        zone = dates.get_timezone_name(local, width="short", locale=self.locale)

        # By this name it is known in every language, and the page says it elsewhere.
        if local.tzname() == "UTC":
            zone = "UTC"

        # A zone without a short name in this language.
        if zone[:1] in "+-":
            zone = dates.get_timezone_gmt(local, width="long", locale=self.locale)

        pattern = str(dates.get_datetime_format("medium", locale=self.locale))
        whole = pattern.replace("{0}", f"{text} {zone}").replace("'", "")
        return whole.replace("{1}", self.date(local.date()))

    def date(self, value: dt.date) -> str:
        """Write a date, with the month's name where that is usual."""
        from babel import dates

        return dates.format_date(value, "medium", locale=self.locale)

    def number(self, value: int) -> str:
        """Write a whole number."""
        from babel import numbers

        return numbers.format_decimal(value, locale=self.locale)

    def money(self, value: decimal.Decimal, digits: int) -> str:
        """Write US dollars, with the sign where the language puts it."""
        from babel import numbers

        rounded = value.quantize(decimal.Decimal(1).scaleb(-digits))
        return numbers.format_currency(
            rounded,
            "USD",
            locale=self.locale,
            currency_digits=False,
            decimal_quantization=False,
        )

    def percent(self, share: float, digits: int) -> str:
        """Write a share, with the sign where the language puts it."""
        from babel import numbers

        return numbers.format_percent(
            round(decimal.Decimal(share) / 100, digits + 2),
            locale=self.locale,
            decimal_quantization=False,
        )


def dollars(formats: Formats, value: decimal.Decimal) -> str:
    """Write US dollars: to the cent, or to what is left of it below one dollar."""
    if 0 < value < _SMALLEST:
        return f"<{formats.money(_SMALLEST, 4)}"

    return formats.money(value, 4 if 0 < value < 1 else 2)
