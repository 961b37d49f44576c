"""Why a key does not work, and what to do about it, in words."""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from markupsafe import Markup

from .texts import N_
from .texts import Names

_WAIT: t.Final = N_("Nothing to do: {app} tries your key again.")
_WAIT_UNTIL: t.Final = N_("Nothing to do: {app} tries your key again at {time}.")
_NEW_KEY: t.Final = N_("Create a new key at {vendor}, then replace this one.")

#: By reason word: why, and what to do. Each reads well after a colon.
_WORDS: t.Final[dict[str, tuple[str, str]]] = {
    "auth": (
        N_("{vendor} rejected it: it was revoked, or it is not complete"),
        _NEW_KEY,
    ),
    "expired": (N_("{vendor} says it has expired"), _NEW_KEY),
    "permission": (
        N_("it may not do what {app} asks, or not from this network"),
        N_("Check its permissions at {vendor}, then test it."),
    ),
    "quota": (
        N_("the account at {vendor} is out of credit or at its own limit"),
        N_("Add credit or raise the limit at {vendor}, then test the key."),
    ),
    "rate_limit": (
        N_("{vendor} limits your account until {time}"),
        N_("Nothing to do: it passes by itself."),
    ),
    "outage": (N_("{vendor} has a problem"), _WAIT),
    "timeout": (N_("{vendor} did not answer in time"), _WAIT),
    "model": (N_("it may not use the model {model}"), N_("Choose another model.")),
    "unreadable": (
        N_("{app} cannot read the saved key any more"),
        N_("Add the key again."),
    ),
    "key_service_unavailable": (
        N_("{app} cannot reach the service that protects saved keys right now"),
        N_("Nothing to do: your key is safe, and {app} tries it again."),
    ),
    "our_side": (
        N_(
            "{vendor} does not accept requests from the servers of {app}; "
            "your key is not the cause"
        ),
        N_("The people who run {app} have to solve this."),
    ),
}

_UNTIMED: t.Final = N_("{vendor} limits your account for a moment")
_UNNAMED_MODEL: t.Final = N_("it may not use the chosen model")
_UNKNOWN: t.Final = (
    N_("{vendor} did not answer as expected"),
    N_("Test the key again later."),
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """A reason word put into a sentence.

    :param message: what follows the colon.
    :param remedy: a whole sentence.
    """

    names: Names
    message: str
    remedy_message: str
    until: dt.datetime | None = None
    model: str | None = None

    @property
    def words(self) -> Markup:
        """Why, for HTML; no full stop at the end."""
        return self.names.say(self.message, time=self.until, model=self.model)

    @property
    def plain(self) -> str:
        """Why, as plain text; no full stop at the end."""
        return self.names.tell(self.message, time=self.until, model=self.model)

    @property
    def remedy(self) -> Markup:
        """What to do, for HTML."""
        return self.names.say(self.remedy_message, time=self.until)

    @property
    def tells_when(self) -> bool:
        """Whether the words say already when the key is tried again."""
        return self.until is not None and (
            self.remedy_message == _WAIT_UNTIL
            or self.message == _WORDS["rate_limit"][0]
        )


def reason_in_words(
    reason: str | None,
    names: Names,
    *,
    until: dt.datetime | None = None,
    model: str | None = None,
) -> Reason:
    """Put a reason word into a sentence.

    :param until: when the key is tried again, if that is known.
    :param model: the model a ``model`` reason is about.
    """
    message, remedy = _WORDS.get(reason or "", _UNKNOWN)

    if remedy == _WAIT and until is not None:
        remedy = _WAIT_UNTIL

    if reason == "rate_limit" and until is None:
        message = _UNTIMED

    if reason == "model" and not model:
        message = _UNNAMED_MODEL

    return Reason(
        names=names,
        message=message,
        remedy_message=remedy,
        until=until,
        model=model,
    )
