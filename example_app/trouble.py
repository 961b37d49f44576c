"""One clear sentence for an AI call that brought no answer."""

from __future__ import annotations

import dataclasses
import typing as t

from flask import current_app

import flask_byok
from flask_byok import BYOKError
from flask_byok import CallError
from flask_byok import ProviderError
from flask_byok import StateUnavailable

from .receipts import build_steps
from .receipts import name_provider
from .receipts import Step

#: What a view catches around an AI call.
CALL_ERRORS: t.Final = (CallError, StateUnavailable)

#: The first class that fits gives the sentence.
_SENTENCES: t.Final[tuple[tuple[type[BYOKError], str], ...]] = (
    (
        flask_byok.NoRoute,
        "AI is off: your company has no key, and {app} provides none.",
    ),
    (
        flask_byok.CompanyKeyUnavailable,
        "Your company's key is out, and your settings leave no other key to use.",
    ),
    (
        flask_byok.StoredKeyUnreadable,
        "{app} cannot read your company's saved key any more; it must be added again.",
    ),
    (
        flask_byok.SystemBudgetExceeded,
        "The key provided by {app} is used up for this month.",
    ),
    (
        flask_byok.SystemKeyRefused,
        "The key provided by {app} cannot be used right now. Try again in a minute.",
    ),
    (
        flask_byok.StreamInterrupted,
        "The answer from {provider} broke off. Run it again for a whole one.",
    ),
    (flask_byok.KeyRejected, "{provider} did not accept {key}."),
    (flask_byok.KeyForbidden, "{provider} does not permit this with {key}."),
    (flask_byok.ModelNotFound, "{provider} does not offer this model to {key}."),
    (flask_byok.QuotaExceeded, "{provider} says that {key} is out of credit."),
    (
        flask_byok.RateLimited,
        "{provider} limits {key} for a moment. Try again in a minute.",
    ),
    (
        flask_byok.ProviderOutage,
        "{provider} has a problem. Your text is still here: try again in a minute.",
    ),
    (
        flask_byok.ProviderTimeout,
        "{provider} did not answer in time. Your text is still here: try again.",
    ),
    (
        flask_byok.RequestRefused,
        "{provider} refused this request. Change the text, then try again.",
    ),
    (
        flask_byok.OurSideError,
        "{provider} cannot be reached from here. The people who run {app} must look.",
    ),
    (
        StateUnavailable,
        "AI cannot be used right now, because its settings cannot be read. "
        "Try again in a minute.",
    ),
)
_OTHERWISE: t.Final = "There was no answer. Your text is still here: try again."


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """Why there is no answer.

    :param sentence: for people.
    :param steps: every attempt, when there were several.
    :param status: the HTTP status of the page that tells it.
    """

    sentence: str
    steps: tuple[Step, ...] = ()
    status: int = 422


def explain(error: BYOKError) -> Trouble:
    """Put an error of an AI call into words; the provider's own are never shown."""
    sentence = next(
        (text for kind, text in _SENTENCES if isinstance(error, kind)), _OTHERWISE
    )
    app = current_app.config["APP_NAME"]
    provider, key = "The provider", "the key"

    if isinstance(error, ProviderError):
        provider = name_provider(error.provider)
        key = (
            "your company's key"
            if error.source == "company"
            else f"the key provided by {app}"
        )

    steps = build_steps(error.attempts) if isinstance(error, CallError) else ()
    return Trouble(
        sentence=sentence.format(app=app, provider=provider, key=key),
        steps=steps if len(steps) > 1 else (),
        status=502 if isinstance(error, ProviderError) else 503,
    )
