"""Where a change leads: to the page with its outcome, or to 404."""

from __future__ import annotations

import logging
import math
import typing as t

from flask import redirect
from flask import request
from flask import Response
from flask import url_for

from ..errors import CheckLimited
from ..events import log_event
from ..proxies import current_byok
from ..vault.company import company_text
from .guard import Refused
from .outcome import keep
from .outcome import Outcome
from .outcome import Typed

if t.TYPE_CHECKING:
    from ..service.types import CompanyStatus
    from ..vault.company import CompanyId
    from ..vault.types import CredentialInfo

_log = logging.getLogger(__name__)


def require_stored(company_id: CompanyId, status: CompanyStatus, provider: str) -> None:
    """Treat another company's provider as none at all: 404 for both.

    The log tells of it: a page that was open too long, or somebody who tries ids.
    """
    if is_stored(status, provider):
        return

    known = provider in current_byok.registry.ids
    log_event(
        _log,
        logging.WARNING,
        "key_not_found",
        "%(method)s %(endpoint)s was refused: company %(company)s has no key of "
        "%(provider)s.",
        method=request.method,
        endpoint=request.endpoint,
        company=company_text(company_id),
        # Never what was sent: it may be a key in the wrong place.
        provider=provider if known else "such a provider",
    )
    raise Refused("not-found")


def find_stored(status: CompanyStatus, provider: str) -> CredentialInfo | None:
    """Find the company's key of this provider."""
    return next(
        (info for info in status.credentials if info.provider == provider), None
    )


def is_stored(status: CompanyStatus, provider: str) -> bool:
    """Tell whether the company has a key of this provider."""
    return find_stored(status, provider) is not None


def limited(error: CheckLimited, typed: Typed | None = None) -> Outcome:
    """Tell of a limit on checks: of waiting, not of the key."""
    if error.retry_after is None:
        return Outcome(code="counter_down", typed=typed)

    wait = max(1, math.ceil(error.retry_after))
    return Outcome(code="check_limit", number=wait, typed=typed)


def to_page(outcome: Outcome) -> Response:
    """Go to the page, which then tells the outcome."""
    keep(outcome)

    if outcome.errors:
        return see("#byok-errors")

    return see("#byok-draft" if outcome.code == "drafted" else "#byok-notice")


def see(fragment: str) -> Response:
    """Go to a part of the page: 303, so that a reload sends nothing again."""
    return t.cast("Response", redirect(url_for("byok.page") + fragment, 303))
