"""The history of a company in words."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from markupsafe import Markup

from .page import HistoryLine
from .reasons import reason_in_words
from .texts import join
from .texts import Names
from .texts import say

if t.TYPE_CHECKING:
    from ..config import Settings
    from ..ledger.audit import HistoryEntry
    from ..providers.registry import Registry

#: Who acts on the command line, as it stands in the history.
COMMAND_LINE: t.Final = "cli"

_SENTENCES: t.Final[cabc.Mapping[str, str]] = {
    "key_saved": "{provider} key saved.",
    "key_replaced": "{provider} key replaced.",
    "key_rejected": "{provider} key not saved: {vendor} did not accept it.",
    "key_not_saved": "{provider} key not saved: {vendor} accepted it, but it could not "
    "be used.",
    "keys_refused": "Many keys were tried within an hour and not accepted.",
    "key_removed": "{provider} key removed.",
    "key_tested": "{provider} key tested.",
    "key_unreadable": "{app_first} could not read the saved {provider} key.",
    "key_expiring": "Reminder: the {provider} key expires soon.",
    "details_changed": "Model or expiry date of the {provider} key changed.",
    "active_changed": "AI features were set to use the {provider} key.",
    "policy_changed": "The setting for failing keys was changed.",
    "fallback_started": "Started using another key: the {provider} key did not work.",
    "fallback_ended": "The {provider} key works again.",
    "budget_threshold": "Most of the allowance on the key provided by {app} was used.",
    "budget_used_up": "The allowance on the key provided by {app} was used up.",
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

_WITH_REASON: t.Final = _AUTOMATIC | {"key_tested", "key_not_saved"}

_POLICIES: t.Final[cabc.Mapping[str, str]] = {
    "auto": "use the key provided by {app}",
    "outage_only": "only in outages and rate limits",
    "never": "do not use it",
}


def build_lines(
    entries: cabc.Iterable[HistoryEntry], settings: Settings, registry: Registry
) -> tuple[HistoryLine, ...]:
    """Put events into words, in the order they come."""
    return tuple(_line(entry, settings, registry) for entry in entries)


def _line(entry: HistoryEntry, settings: Settings, registry: Registry) -> HistoryLine:
    known = entry.provider is not None and entry.provider in registry.ids
    provider = registry.get(entry.provider) if known and entry.provider else None
    names = Names.of(settings, provider)
    message = _SENTENCES.get(_sentence_of(entry))
    what = say("{action}", action=entry.action.replace("_", " "))

    if message is not None:
        what = names.say(message)

    return HistoryLine(
        at=say("{time}", time=entry.at),
        what=join(what, _details(entry, names)),
        who=_who(entry, names),
    )


def _sentence_of(entry: HistoryEntry) -> str:
    """Tell the end of an allowance from its last fifth: both are one action."""
    is_end = entry.details.get("percent") == 100
    ends = entry.action == "budget_threshold" and is_end
    return "budget_used_up" if ends else entry.action


def _details(entry: HistoryEntry, names: Names) -> Markup | None:
    reason, to = entry.details.get("reason"), entry.details.get("to")

    if entry.action == "policy_changed":
        return _policy_details(entry.details.get("what"), to, names)

    if isinstance(reason, str) and entry.action in _WITH_REASON:
        words = reason_in_words(reason, names).words

        if entry.action == "fallback_ended":
            return say("It was out for this reason: {reason}.", reason=words)

        return say("Reason: {reason}.", reason=words)

    return None


def _policy_details(what: object, to: object, names: Names) -> Markup | None:
    if what == "use_other_keys":
        return say("Other saved keys: {now}.", now=say("on" if to else "off"))

    if to in _POLICIES:
        return say("Now: {policy}.", policy=names.say(_POLICIES[str(to)]))

    return None


def _who(entry: HistoryEntry, names: Names) -> str:
    if entry.actor == COMMAND_LINE:
        return names.tell("The people who run {app}")

    if entry.actor:
        return entry.actor

    if entry.action in _AUTOMATIC:
        return names.tell("Automatic")

    return names.tell("Someone in your company")
