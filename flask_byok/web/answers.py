"""Where a change leads: to the page with its outcome, or to 404."""

from __future__ import annotations

import typing as t

from flask import redirect
from flask import Response
from flask import url_for

from ..proxies import current_byok
from .guard import Refused
from .outcome import keep
from .outcome import Outcome

if t.TYPE_CHECKING:
    from ..service.types import CompanyStatus


def require_stored(status: CompanyStatus, provider: str) -> None:
    """Treat another company's provider as none at all: 404 for both."""
    known = provider in current_byok.registry.ids

    if not known or not is_stored(status, provider):
        raise Refused("not-found")


def is_stored(status: CompanyStatus, provider: str) -> bool:
    """Tell whether the company has a key of this provider."""
    return any(info.provider == provider for info in status.credentials)


def to_page(outcome: Outcome) -> Response:
    """Go to the page, which then tells the outcome."""
    keep(outcome)
    return see("#byok-errors" if outcome.errors else "#byok-notice")


def see(fragment: str) -> Response:
    """Go to a part of the page: 303, so that a reload sends nothing again."""
    return t.cast("Response", redirect(url_for("byok.page") + fragment, 303))
