"""The date a company declared for a key: how near it is, in words."""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from markupsafe import Markup

from .page import Tone
from .texts import join
from .texts import Names

if t.TYPE_CHECKING:
    import collections.abc as cabc

    from ..config import Settings
    from ..providers.registry import Registry
    from ..service.types import CompanyStatus
    from ..vault.types import CredentialInfo
    from .standing import Standing

#: Days before the date from which on the page and the banner tell of it.
FIRST_DAYS: t.Final = 14

#: Days left from which on it is told as a warning, and as strongly as can be.
_WARNING_DAYS: t.Final = 7
_LAST_DAYS: t.Final = 1


def add_expiry(
    standing: Standing, status: CompanyStatus, settings: Settings, registry: Registry
) -> Standing:
    """Tell of the key whose date is next, where nothing more pressing is told.

    A date that has passed stops no key: only the provider's answer does.
    """
    today = status.now.astimezone(dt.timezone.utc).date()
    nearest = _find_nearest(status.credentials, registry.ids, today)

    if standing.title is not None or nearest is None or nearest.expires_on is None:
        return standing

    date, days = nearest.expires_on, (nearest.expires_on - today).days
    names = Names.of(settings, registry.get(nearest.provider))
    title, told = _words(names, date, days)
    slug = "past-expiry" if days <= 0 else "expiring"
    return dataclasses.replace(
        standing,
        slug=slug if standing.slug == "working" else standing.slug,
        tone=_tone(days),
        title=title,
        notice=(told,),
        banner=join(standing.banner, told),
        mend=("replace",) if nearest.active else (),
    )


def _words(names: Names, date: dt.date, days: int) -> tuple[Markup, Markup]:
    """Give the title of the notice, and its sentence."""
    if days <= 0:
        title = names.say("The date of your {provider} key has passed")
        return title, names.say(
            "The date you entered for your {provider} key, {date}, has passed. If the "
            "key still works, change the date.",
            date=date,
        )

    if days == _LAST_DAYS:
        title = names.say("Your {provider} key expires tomorrow")
        return title, names.say(
            "Your {provider} key expires on {date}, tomorrow. Create a new one at "
            "{vendor} and replace it before then.",
            date=date,
        )

    return names.say("Your {provider} key expires soon"), names.say_count(
        "Your {provider} key expires on {date}, in {n} day. Create a new one at "
        "{vendor} and replace it before then.",
        "Your {provider} key expires on {date}, in {n} days. Create a new one at "
        "{vendor} and replace it before then.",
        days,
        date=date,
    )


def _tone(days: int) -> Tone:
    if days > _WARNING_DAYS:
        return "info"

    return "error" if days == _LAST_DAYS else "warn"


def _find_nearest(
    credentials: cabc.Iterable[CredentialInfo],
    known: cabc.Container[str],
    today: dt.date,
) -> CredentialInfo | None:
    """Find the key with the earliest date of those near enough to be told."""
    last = today + dt.timedelta(days=FIRST_DAYS)
    near = [
        info
        for info in credentials
        if info.provider in known
        and info.expires_on is not None
        and info.expires_on <= last
    ]
    return min(near, key=lambda info: info.expires_on or last, default=None)
