"""How a company stands: whose key serves, and what people have to know about it.

One reading of :class:`CompanyStatus` for the page, the banner and the members' page.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import decimal
import typing as t

from markupsafe import Markup

from ..errors import is_passing
from ..service.endings import Ending
from ..service.endings import find_end_in_report
from ..service.endings import near_ending
from ..service.reports import parse_report
from .page import Badge
from .page import Tone
from .reasons import Reason
from .texts import join
from .texts import Names

if t.TYPE_CHECKING:
    from ..config import Settings
    from ..providers.base import Provider
    from ..providers.registry import Registry
    from ..service.types import Allowance
    from ..service.types import CompanyStatus
    from ..vault.types import CredentialInfo

#: The share of an allowance from which on people are told.
LOW: t.Final = decimal.Decimal("0.8")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What one state means.

    :param slug: names the state in ``data-byok-state``.
    :param line: a sentence for "In use now".
    :param title: of the notice; ``None`` when the state needs none.
    :param notice: the sentences of the notice.
    :param banner: the one line of the banner; ``None`` when it shows none.
    :param until: when the company's key is tried again.
    :param mend: which links the notice offers: ``replace``, ``test``, ``policy``.
    """

    slug: str
    tone: Tone
    badge: Badge
    line: Markup | None = None
    title: Markup | None = None
    notice: tuple[Markup, ...] = ()
    banner: Markup | None = None
    mend: tuple[str, ...] = ()
    until: dt.datetime | None = None


def active_credential(status: CompanyStatus) -> CredentialInfo | None:
    """Find the stored key that AI features start on."""
    for info in status.credentials:
        if info.active:
            return info

    return None


def is_used_up(allowances: cabc.Sequence[Allowance]) -> bool:
    """Tell whether nothing is left of one of the allowances."""
    return any(allowance.used >= allowance.limit for allowance in allowances)


def is_low(allowances: cabc.Sequence[Allowance]) -> bool:
    """Tell whether one of the allowances comes to its end."""
    return any(a.used >= a.limit * LOW for a in allowances)


def find_slug(status: CompanyStatus, allowances: cabc.Sequence[Allowance]) -> str:
    """Name the state a company is in."""
    active = active_credential(status)

    if active is None:
        return _slug_without_key(status, allowances)

    if active.unreadable_at is not None:
        passes = is_passing(active.unreadable_reason)
        return "key-service-down" if passes else "unreadable"

    if status.serving is None:
        return _slug_of_silence(status, active)

    if status.serving == "system" and is_used_up(allowances):
        return "allowance-used"

    if status.fallback_active:
        return _slug_of_fallback(status)

    states = {
        "unchecked": "unchecked",
        "not_usable": "not-usable",
        "no_model": "no-model",
    }
    return states.get(active.state, "working")


def _slug_of_silence(status: CompanyStatus, active: CredentialInfo) -> str:
    """Name the state in which nothing may answer for the company's key."""
    if status.reason == "rate_limit":
        return "rate-limited"

    # The check made at its save counts: then it has worked once.
    has_worked = active.last_ok_at is not None or active.state == "working"
    return "off-by-choice" if has_worked else "never-worked"


def _slug_without_key(
    status: CompanyStatus, allowances: cabc.Sequence[Allowance]
) -> str:
    if status.serving is None:
        return "no-key-off"

    if is_used_up(allowances):
        return "allowance-used"

    return "allowance-low" if is_low(allowances) else "no-key"


def _slug_of_fallback(status: CompanyStatus) -> str:
    if status.serving == "company":
        return "other-key"

    return "rate-limited" if status.reason == "rate_limit" else "fallback"


def state_line(info: CredentialInfo, reason: Reason) -> Markup:
    """Say how a stored key fares that has not been found working."""
    names = reason.names

    if info.state == "unchecked":
        return names.say(
            "Saved, not checked yet. {vendor} could not be reached at {time}. The next "
            "AI request checks it.",
            time=info.updated_at,
        )

    if info.state == "no_model":
        return names.say(
            "{vendor} accepts this key, but {model} is not available to it. Choose "
            "another model.",
            model=reason.model,
        )

    why = names.say(
        "Accepted by {vendor}, not usable yet: {reason}.", reason=reason.words
    )
    return join(why, reason.remedy)


def key_service_line(names: Names) -> Markup:
    """Say that a stored key is safe and cannot be opened for now."""
    return names.say(
        "{app_first} cannot reach the service that protects saved keys right now. Your "
        "{provider} key is safe. Nothing to do: {app} tries it again."
    )


def default_model(settings: Settings, registry: Registry, provider: str) -> str:
    """Name the model ``default`` means at a provider when the company chose none."""
    chosen = settings.models.get(provider, {}).get("default")
    return chosen or registry.get(provider).default_models.get("default", "")


def model_in_use(settings: Settings, registry: Registry, info: CredentialInfo) -> str:
    """Tell which model calls on a stored key use when they ask for none."""
    if info.model is None:
        return default_model(settings, registry, info.provider)

    # What a company enters may be one of the app's own names for a model.
    named = settings.models.get(info.provider, {}).get(info.model)
    own = registry.get(info.provider).default_models.get(info.model)
    return named or own or info.model


def ending_of(
    provider: Provider, info: CredentialInfo, model: str, today: dt.date
) -> Ending | None:
    """Tell of the end of the model a key uses; ``None`` while it is far or unknown.

    :param today: UTC.
    """
    end = find_end_in_report(provider, model, parse_report(info.report))
    return near_ending(model, end, today)
