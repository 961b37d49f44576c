"""The history of a company in words."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

from markupsafe import Markup

from .episodes import Episode
from .episodes import find_episodes
from .reasons import reason_in_words
from .texts import join
from .texts import N_
from .texts import Names
from .texts import say
from .usageparts import HistoryLine

if t.TYPE_CHECKING:
    from ..config import Settings
    from ..ledger.audit import HistoryEntry
    from ..providers.registry import Registry

#: So many events stand on the page.
LISTED: t.Final = 20

#: So many are read: they tell since when a key was out, and on which days.
READ_BACK: t.Final = 200

#: Who acts on the command line, as it stands in the history.
COMMAND_LINE: t.Final = "cli"

_SENTENCES: t.Final[cabc.Mapping[str, str]] = {
    "key_saved": N_("{provider} key saved."),
    "key_replaced": N_("{provider} key replaced."),
    "key_rejected": N_("{provider} key not saved: {vendor} did not accept it."),
    "key_not_saved": N_(
        "{provider} key not saved: {vendor} accepted it, but it could not be used."
    ),
    "keys_refused": N_("Many keys were tried within an hour and not accepted."),
    "key_removed": N_("{provider} key removed."),
    "key_tested": N_("{provider} key tested."),
    "key_unreadable": N_("{app_first} could not read the saved {provider} key."),
    "details_changed": N_("Model or expiry date of the {provider} key changed."),
    "active_changed": N_("AI features were set to use the {provider} key."),
    "fallback_started": N_(
        "Started using the key provided by {app}: the {provider} key did not work."
    ),
    "own_key_started": N_(
        "Started using your saved {other} key: the {provider} key did not work."
    ),
    "fallback_ended": N_("The {provider} key works again and is used again."),
    "key_expiring": N_("Reminder: the {provider} key expires soon."),
    "budget_threshold": N_(
        "80% of the allowance on the key provided by {app} was used."
    ),
    "budget_used_up": N_("The allowance on the key provided by {app} was used up."),
}

_AUTOMATIC: t.Final = frozenset(
    {
        "key_unreadable",
        "key_expiring",
        "keys_refused",
        "fallback_started",
        "fallback_ended",
        "budget_threshold",
    }
)

# Why a key was out is no reason why it works again.
_WITH_REASON: t.Final = (_AUTOMATIC - {"fallback_ended"}) | {
    "key_tested",
    "key_not_saved",
}

_POLICIES: t.Final[cabc.Mapping[str, str]] = {
    "auto": N_("use the key provided by {app}"),
    "outage_only": N_("only in outages and rate limits"),
    "never": N_("do not use it"),
}


def build_lines(
    entries: cabc.Sequence[HistoryEntry], settings: Settings, registry: Registry
) -> tuple[HistoryLine, ...]:
    """Put the latest events into words, newest first.

    :param entries: newest first; what lies further back tells since when a key was out.
    """
    ended = {
        (episode.provider, episode.end): episode for episode in find_episodes(entries)
    }
    return tuple(
        _line(entry, settings, registry, ended.get((entry.provider or "", entry.at)))
        for entry in entries[:LISTED]
    )


def _line(
    entry: HistoryEntry,
    settings: Settings,
    registry: Registry,
    episode: Episode | None,
) -> HistoryLine:
    known = entry.provider is not None and entry.provider in registry.ids
    provider = registry.get(entry.provider) if known and entry.provider else None
    names = Names.of(settings, provider)

    if provider is None and entry.provider:
        # A provider that was registered once still has its name.
        names = dataclasses.replace(names, provider=entry.provider)

    return HistoryLine(
        at=say("{time}", time=entry.at),
        what=join(
            _what(entry, names, registry),
            *_details(entry, names, registry),
            _span(episode),
        ),
        who=_who(entry, names),
    )


def _what(entry: HistoryEntry, names: Names, registry: Registry) -> Markup:
    if entry.action == "policy_changed":
        return _policy_change(entry.details, names)

    message = _SENTENCES.get(_sentence_of(entry))

    if message is None:
        return say("{action}", action=entry.action.replace("_", " "))

    return names.say(message, other=_label(entry.details.get("to"), registry))


def _label(provider: object, registry: Registry) -> str:
    """Name a provider; one that was registered once by its identifier."""
    text = str(provider or "")
    return registry.get(text).label if text in registry.ids else text


def _sentence_of(entry: HistoryEntry) -> str:
    """Tell apart what is one action: whose key took over, how much is used up."""
    if entry.action == "fallback_started" and entry.details.get("source") == "company":
        return "own_key_started"

    is_end = entry.details.get("percent") == 100
    ends = entry.action == "budget_threshold" and is_end
    return "budget_used_up" if ends else entry.action


def _span(episode: Episode | None) -> Markup | None:
    """Say from when to when a key was out, at the event that ended it."""
    if episode is None or episode.end is None:
        return None

    return say(
        "It was out from {start} to {end}.", start=episode.start, end=episode.end
    )


def _details(
    entry: HistoryEntry, names: Names, registry: Registry
) -> t.Iterator[Markup | None]:
    details = entry.details
    reason, before = details.get("reason"), details.get("from")

    if entry.action == "active_changed" and before in registry.ids:
        label = registry.get(str(before)).label
        yield say("Before that: the {provider} key.", provider=label)

    if entry.action == "details_changed":
        yield from _model_and_date(details)

    if entry.action == "key_expiring" and details.get("days") is not None:
        yield say("Days left: {days}.", days=details.get("days"))

    if entry.action == "key_tested" and details.get("verdict") == "working":
        yield say("It works.")
    elif isinstance(reason, str) and entry.action in _WITH_REASON:
        yield say("Reason: {reason}.", reason=reason_in_words(reason, names).words)


def _model_and_date(details: cabc.Mapping[str, object]) -> t.Iterator[Markup]:
    model, expires_on = details.get("model"), details.get("expires_on")

    if model:
        yield say("Model: {model}.", model=model)

    if expires_on:
        yield say("Expires on {date}.", date=expires_on)


def _policy_change(details: cabc.Mapping[str, object], names: Names) -> Markup:
    before, now = details.get("from"), details.get("to")

    if details.get("what") == "use_other_keys":
        return say("Other saved keys: {now}.", now=say("on" if now else "off"))

    if now not in _POLICIES:
        return say("The setting for failing keys was changed.")

    change = say("If your key fails: {policy}.", policy=names.say(_POLICIES[str(now)]))

    if before not in _POLICIES:
        return change

    return join(
        change, say("Before: {before}.", before=names.say(_POLICIES[str(before)]))
    )


def _who(entry: HistoryEntry, names: Names) -> str:
    if entry.actor == COMMAND_LINE:
        return names.tell("The people who run {app}")

    if entry.actor:
        return entry.actor

    if entry.action in _AUTOMATIC:
        return names.tell("Automatic")

    return names.tell("Someone in your company")
