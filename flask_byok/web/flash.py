"""The one-time warning that the key provided by the app answered."""

from __future__ import annotations

import logging
import time
import typing as t

from flask import flash
from flask import g
from flask import has_request_context
from flask import request
from flask import session
from flask.sessions import NullSession

from ..proxies import current_byok
from .reasons import reason_in_words
from .texts import Names

#: Seconds before a browser session is told again.
QUIET: t.Final = 600

_SLOT: t.Final = "byok_flashed_at"
_ONCE: t.Final = "_byok_flashed"

_log = logging.getLogger(__name__)


def flash_fallback(reason: str, provider: str) -> None:
    """Flash that the key provided by the app answered, where a page is being made.

    Does nothing outside a request, for JSON and scripts, without a writable session,
    twice in a request or within ten minutes of a session. Call it for whole answers
    alone: the session of a stream is gone by then. Never raises.

    :param reason: why the company key did not answer, a reason word.
    :param provider: of that key: its id, or its label.
    """
    try:
        if _may_flash():
            flash(_message(reason, provider), "warning")
            session[_SLOT] = int(time.time())
            setattr(g, _ONCE, True)
    except Exception as error:
        _log.error("The warning could not be flashed: %s.", type(error).__name__)


def _may_flash() -> bool:
    if not has_request_context():
        return False

    if isinstance(session, NullSession) or not _makes_a_page():
        return False

    told_at = session.get(_SLOT, 0)
    is_quiet = isinstance(told_at, int) and 0 <= time.time() - told_at < QUIET
    return not is_quiet and not g.get(_ONCE, False)


def _makes_a_page() -> bool:
    """Tell whether the answer to this request is a page that people look at."""
    goal = request.headers.get("Sec-Fetch-Dest")

    if goal is not None:
        return goal == "document"

    accepted = request.accept_mimetypes
    best = accepted.best_match(["application/json", "text/html"])
    return best == "text/html" and accepted["text/html"] > accepted["application/json"]


def _message(reason: str, provider: str) -> str:
    byok = current_byok
    names = Names.of(byok.settings, _find(provider))

    if not _may_manage():
        return names.tell("AI features use the key provided by {app} for now.")

    why = reason_in_words(reason, names).plain

    if reason == "rate_limit":
        return names.tell(
            "Your company's {provider} key is busy: {reason}. AI features use the key "
            "provided by {app} meanwhile.",
            reason=why,
        )

    return names.tell(
        "Your company's {provider} key is not working: {reason}. AI features use the "
        "key provided by {app} for now.",
        reason=why,
    )


def _find(provider: str) -> t.Any:
    registry = current_byok.registry

    for provider_id in registry.ids:
        found = registry.get(provider_id)

        if provider in (provider_id, found.label):
            return found

    return None


def _may_manage() -> bool:
    """Ask the access check; one that aborts means no, here."""
    try:
        return current_byok.may_manage()
    except Exception:
        return False
