"""A card per stored key."""

from __future__ import annotations

import datetime as dt
import typing as t

from flask import url_for
from markupsafe import Markup

from ..errors import is_passing
from ..service.reports import parse_report
from .models import end_line
from .models import name_options
from .page import Badge
from .page import DetailsForm
from .page import Fact
from .page import KeyCard
from .page import Option
from .page import TestResult
from .page import Tone
from .reasons import Reason
from .reasons import reason_in_words
from .results import as_past
from .results import build_result
from .standing import default_model
from .standing import ending_of
from .standing import key_service_line
from .standing import model_in_use
from .standing import state_line
from .texts import join
from .texts import masked
from .texts import N_
from .texts import Names
from .texts import say
from .texts import say_count
from .trouble import find_trouble
from .trouble import Trouble

if t.TYPE_CHECKING:
    from ..config import Settings
    from ..providers.registry import Registry
    from ..service.endings import Ending
    from ..vault.types import CredentialInfo
    from .outcome import Outcome


def build_card(
    info: CredentialInfo,
    settings: Settings,
    registry: Registry,
    *,
    now: dt.datetime,
    outcome: Outcome | None = None,
) -> KeyCard:
    """Describe one stored key. Nothing is decrypted for it.

    :param outcome: of the action that led here; it may concern this card.
    """
    provider = registry.get(info.provider)
    names = Names.of(settings, provider)
    default = default_model(settings, registry, info.provider)
    model = model_in_use(settings, registry, info)
    trouble = find_trouble(info, model, now)
    reason = reason_in_words(
        info.state_reason if trouble is None else trouble.reason,
        names,
        until=None if trouble is None else trouble.until,
        model=model,
    )
    result = _result(info, names, trouble)
    ending = ending_of(provider, info, model, now.date())
    return KeyCard(
        provider=info.provider,
        label=names.provider,
        masked=masked(info.masked),
        active=info.active,
        badge=_badge(info, trouble),
        line=_line(info, trouble, reason),
        facts=tuple(_facts(info, names, default, now.date(), ending)),
        details=_details(
            info, names, default, tuple(name_options(settings, provider)), outcome
        ),
        result=result,
        can_test=settings.is_vault_open and not _is_lost(info),
        replace_url=url_for("byok.page", provider=info.provider) + "#byok-key-form",
        remove_url=url_for("byok.remove", provider=info.provider),
    )


def _result(
    info: CredentialInfo, names: Names, trouble: Trouble | None
) -> TestResult | None:
    report = parse_report(info.report)

    if report is None:
        return None

    result = build_result(report, names, expires_on=info.expires_on)
    is_good = result.slug in ("test-ok", "test-remarks")
    return as_past(result) if is_good and _has_stopped(info, trouble) else result


def _has_stopped(info: CredentialInfo, trouble: Trouble | None) -> bool:
    """Tell whether a key no longer does what its last test found. A limit passes."""
    is_out = trouble is not None and trouble.reason != "rate_limit"
    return is_out or info.unreadable_at is not None


def _is_lost(info: CredentialInfo) -> bool:
    """Tell whether a stored key does not open and will not by itself."""
    is_out = info.unreadable_at is not None
    return is_out and not is_passing(info.unreadable_reason)


def _badge(info: CredentialInfo, trouble: Trouble | None) -> Badge:
    if info.unreadable_at is not None:
        tone: Tone = "error" if _is_lost(info) else "warn"
        return Badge(tone=tone, text=say("Cannot be read"))

    if trouble is not None:
        busy = trouble.reason == "rate_limit"
        return (
            Badge(tone="info", text=say("Busy"))
            if busy
            else Badge(tone="error", text=say("Not working"))
        )

    badges = {
        "unchecked": Badge(tone="info", text=say("Not checked yet")),
        "not_usable": Badge(tone="warn", text=say("Not usable yet")),
        "no_model": Badge(tone="warn", text=say("Model not available")),
    }
    return badges.get(info.state, Badge(tone="ok", text=say("Working")))


def _line(
    info: CredentialInfo, trouble: Trouble | None, reason: Reason
) -> Markup | None:
    names = reason.names

    if info.unreadable_at is not None and not _is_lost(info):
        return key_service_line(names)

    if info.unreadable_at is not None:
        return names.say(
            "{app_first} cannot read your saved {provider} key any more. Add it again."
        )

    if trouble is not None:
        return _line_of_trouble(trouble, reason)

    if info.state != "working":
        return state_line(info, reason)

    return None


def _line_of_trouble(trouble: Trouble, reason: Reason) -> Markup:
    if trouble.reason == "rate_limit":
        return say("Busy: {reason}.", reason=reason.words)

    why = say("Not working: {reason}.", reason=reason.words)

    if trouble.since is not None:
        why = say("Since {time}: {reason}.", time=trouble.since, reason=reason.words)

    again = None

    if trouble.until is not None and not reason.tells_when:
        again = say("It is tried again at {time}.", time=trouble.until)

    return join(why, reason.remedy, again)


def _facts(
    info: CredentialInfo,
    names: Names,
    default: str,
    today: dt.date,
    ending: Ending | None,
) -> t.Iterator[Fact]:
    yield Fact(label=say("Key"), text=masked(info.masked))

    if info.model:
        yield Fact(label=say("Model"), text=say("{model}", model=info.model))
    else:
        yield Fact(
            label=say("Model"),
            text=names.say("{model}, the choice of {app}", model=default),
        )

    if ending is not None:
        yield Fact(label=say("Model ends"), text=end_line(ending, names))

    if info.expires_on is not None:
        yield Fact(label=say("Expires"), text=_expiry(info.expires_on, today))

    yield Fact(label=say("Added"), text=_added(info))

    if info.last_ok_at is not None:
        yield Fact(label=say("Last call"), text=say("{time}", time=info.last_ok_at))


def _expiry(expires_on: dt.date, today: dt.date) -> Markup:
    if expires_on <= today:
        return say(
            "{date}: this date has passed. If the key still works, change the date.",
            date=expires_on,
        )

    days = (expires_on - today).days

    if days == 1:
        return say("{date}, tomorrow", date=expires_on)

    return say_count("{date}, in {n} day", "{date}, in {n} days", days, date=expires_on)


def _added(info: CredentialInfo) -> Markup:
    added, by = info.updated_at, info.updated_by
    message = N_("{date} by {actor}") if by else N_("{date}")
    return say(message, date=added.date(), actor=by or "")


def _details(
    info: CredentialInfo,
    names: Names,
    default: str,
    models: tuple[Option, ...],
    outcome: Outcome | None,
) -> DetailsForm:
    mine = outcome if outcome is not None and outcome.card == info.provider else None
    errors = {} if mine is None else mine.field_errors(names)
    return DetailsForm(
        model=info.model or "",
        model_hint=names.say(
            "Leave empty to use {model}, the choice of {app}.", model=default
        ),
        models=models,
        expires_on="" if info.expires_on is None else info.expires_on.isoformat(),
        generation=info.generation,
        is_open=bool(errors),
        model_error=errors.get("model"),
        expires_on_error=errors.get("expires_on"),
    )
