"""The form for what happens when the company's key stops working."""

from __future__ import annotations

import typing as t

from .page import Option
from .page import PolicyForm
from .texts import Names
from .texts import say

if t.TYPE_CHECKING:
    from ..config import Settings
    from ..providers.registry import Registry
    from ..service.types import PolicyInfo


def build_policy(
    policy: PolicyInfo, settings: Settings, registry: Registry
) -> PolicyForm:
    """Build the form, or say why there is nothing to choose."""
    app = Names.of(settings)
    other_keys = policy.use_other_keys if settings.fallback_scope == "any" else None

    if not settings.system_order:
        fixed = app.say("{app_first} provides no key of its own.")
        return PolicyForm(
            choices=(), hint=None, fixed=(fixed,), use_other_keys=other_keys
        )

    choices = tuple(_choices(policy.fallback, app))
    vendor = registry.get(settings.system_order[0]).vendor
    hint = app.say(
        "Prompts then go through the account of {app} at {account}.", account=vendor
    )

    if policy.locked:
        chosen = next(choice.text for choice in choices if choice.selected)
        fixed = app.say("{app_first} has set this for all companies.")
        return PolicyForm(
            choices=(),
            hint=hint,
            fixed=(chosen, fixed),
            use_other_keys=other_keys,
        )

    return PolicyForm(choices=choices, hint=hint, use_other_keys=other_keys)


def _choices(chosen: str, app: Names) -> t.Iterator[Option]:
    texts = {
        "auto": (
            app.say("Use the key provided by {app}"),
            say("Whatever the reason: AI features go on."),
        ),
        "outage_only": (
            say("Only in outages and rate limits"),
            say("Not when your key is rejected, out of credit or not permitted."),
        ),
        "never": (
            say("Do not use it"),
            say("AI features are off until your own key works again."),
        ),
    }

    for value, (text, hint) in texts.items():
        yield Option(value=value, text=text, hint=hint, selected=value == chosen)
