"""What an action led to: a code in the host's session, shown once on the next page.

The session may be a cookie that people can read. So it holds words of ours, ids of
registered providers and numbers: no key, no digits of one, nothing that was typed
freely and nothing a provider said.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

from flask import session
from markupsafe import Markup

from .texts import N_
from .texts import Names
from .texts import say

if t.TYPE_CHECKING:
    from ..service.types import SaveResult

_SLOT: t.Final = "byok_outcome"

#: The ``card`` of mistakes in the panel of a draft.
DRAFT_CARD: t.Final = "draft"

#: By code of a field error: the field, and the sentence that stands at the field and
#: in the summary.
FIELD_ERRORS: t.Final[cabc.Mapping[str, tuple[str, str]]] = {
    "no_provider": ("provider", N_("Choose a provider.")),
    "empty": ("api_key", N_("Enter an API key.")),
    "masked": (
        "api_key",
        N_("This is the hidden form of a saved key. Paste the key itself."),
    ),
    "space": (
        "api_key",
        N_("The key has a space or a line break in it. Copy it again in one piece."),
    ),
    "character": (
        "api_key",
        N_(
            "The key has a character that API keys do not have, often a dash changed "
            "by a text editor. Copy it from {vendor} again."
        ),
    ),
    "short": ("api_key", N_("This is too short to be an API key.")),
    "long": ("api_key", N_("This is too long to be an API key.")),
    "rejected": (
        "api_key",
        N_(
            "{vendor} did not accept this key. Check that you copied all of it, or "
            "create a new one."
        ),
    ),
    "rejected_admin": (
        "api_key",
        N_(
            "{vendor} did not accept this key. This looks like an admin key, which "
            "cannot be used here."
        ),
    ),
    "expired": (
        "api_key",
        N_("{vendor} says this key has expired. Create a new one."),
    ),
    "bad_model": (
        "model",
        N_(
            "Enter the model's name in one piece, at most 200 characters, or leave it "
            "empty."
        ),
    ),
    "model_is_key": (
        "model",
        N_("This looks like an API key. Paste it into the field for the key."),
    ),
    "model_not_available": (
        "model",
        N_("{vendor} does not give this key that model. The old one stays."),
    ),
    "model_not_tried": (
        "model",
        N_(
            "{vendor} could not be asked whether this key has that model. The old one "
            "stays."
        ),
    ),
    "bad_date": ("expires_on", N_("Enter a date after today, or leave it empty.")),
}


def why_rejected(result: SaveResult, is_admin_key: bool) -> str:
    """Give the code of :data:`FIELD_ERRORS` for a key that a provider refused."""
    if is_admin_key:
        return "rejected_admin"

    expired = result.report is not None and result.report.reason == "expired"
    return "expired" if expired else "rejected"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Typed:
    """What a person need not enter twice: all but the key.

    A model is kept when it is a name this app knows, so that a key pasted into the
    wrong field never reaches the session.
    """

    provider: str = ""
    model: str = ""
    expires_on: str = ""
    activate: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What happened, in words of ours.

    :param errors: codes of :data:`FIELD_ERRORS`.
    :param card: the provider whose card has the errors; ``draft`` for the panel of a
        draft, ``None`` for the key form.
    :param number: seconds to wait.
    """

    code: str
    provider: str | None = None
    errors: tuple[str, ...] = ()
    card: str | None = None
    number: int | None = None
    typed: Typed | None = None

    def field_errors(self, names: Names) -> dict[str, Markup]:
        """Give the sentence for each field that has to be mended."""
        vendor = names.vendor or say("the provider")
        found = [FIELD_ERRORS[code] for code in self.errors if code in FIELD_ERRORS]
        return {field: say(message, vendor=vendor) for field, message in found}


def keep(outcome: Outcome) -> None:
    """Put an outcome where the next page finds it."""
    session[_SLOT] = {
        name: value
        for name, value in dataclasses.asdict(outcome).items()
        if value not in (None, (), [])
    }


def take(known_providers: cabc.Container[str]) -> Outcome | None:
    """Take the outcome of the last action: it is shown once."""
    stored = session.pop(_SLOT, None)

    if not isinstance(stored, dict):
        return None

    try:
        outcome = _read(stored)
    except TypeError:
        return None

    card = None if outcome.card == DRAFT_CARD else outcome.card
    named = (outcome.provider, card)
    known = all(name is None or name in known_providers for name in named)
    return outcome if known else None


def _read(stored: dict[str, t.Any]) -> Outcome:
    values = dict(stored)
    typed = values.pop("typed", None)
    values["errors"] = tuple(values.get("errors", ()))
    return Outcome(**values, typed=None if typed is None else Typed(**typed))
