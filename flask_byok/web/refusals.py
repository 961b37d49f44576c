"""The answers to requests that go no further: a page, or problem details."""

from __future__ import annotations

import logging
import typing as t

from flask import make_response
from flask import request
from flask import Response
from flask import url_for

from ..errors import NoCompany
from ..errors import SetupError
from ..errors import StateUnavailable
from ..events import log_event
from ..proxies import current_byok
from .context import render_page
from .guard import is_api
from .guard import Refused
from .guard import SAFE_METHODS
from .page import DeniedPage
from .page import Link
from .page import MessagePage
from .problem import KINDS
from .problem import problem
from .texts import N_
from .texts import Names
from .texts import say
from .wording import build_standing

_log = logging.getLogger(__name__)

_TITLES: t.Final = {
    "no-company": N_("No company"),
    "stale-form": N_("Nothing was saved"),
    "bad-request": N_("Nothing was saved"),
    "not-found": N_("There is no such key"),
    "not-allowed": N_("This address does not take that"),
    "too-large": N_("This is too large"),
    "unavailable": N_("Not available now"),
}

_LINES: t.Final = {
    "no-company": N_("You are not in a company here, so there is nothing to set up."),
    "stale-form": N_(
        "This page was open too long. Nothing was saved. Paste the key again."
    ),
    "bad-request": N_(
        "The form was not understood. Nothing was saved. Open the page again."
    ),
    "not-found": N_("Your company has no key of this provider."),
    "not-allowed": N_("Nothing was changed."),
    "too-large": N_("The form is larger than any key. Nothing was saved."),
    "unavailable": N_("This page cannot be shown now. Nothing was changed."),
}


def answer_refused(error: Refused) -> Response:
    """Answer a request that a guard refused."""
    _log_refusal(error.slug)
    headers = {"Allow": error.detail or ""} if error.slug == "not-allowed" else {}
    return _answer(error.slug, detail=error.detail, headers=headers)


def answer_stale_form(error: Exception) -> Response:
    """Answer when the host's own CSRF check refused one of our forms."""
    _log_refusal("stale-form")
    return _answer("stale-form")


def answer_no_company(error: NoCompany) -> Response:
    """Answer somebody who belongs to no company.

    A loader that returns the company itself, not its id, is a mistake in the app: its
    log says so.
    """
    if error.type_name is not None:
        log_event(
            _log, logging.ERROR, "page_failed", "%(sentence)s", sentence=str(error)
        )

    return _answer("no-company")


def answer_unavailable(error: StateUnavailable) -> Response:
    """Answer when our rows cannot be read or written; the log says what to do."""
    log_event(_log, logging.ERROR, "page_failed", "%(sentence)s", sentence=str(error))
    return _answer("unavailable")


def answer_set_up_wrongly(error: SetupError) -> Response:
    """Answer when the app was put together wrongly; its log says what to call."""
    log_event(_log, logging.ERROR, "page_failed", "%(sentence)s", sentence=str(error))
    return _answer("unavailable")


def answer_too_large(error: Exception) -> Response:
    """Answer when the host's own limit found the body too large."""
    return _answer("too-large")


def _log_refusal(slug: str) -> None:
    """Tell the operator of whoever tried what he may not do: by words of ours alone.

    A member who opens the page is nothing unusual; one who sends a change is.
    """
    if slug not in ("denied", "stale-form"):
        return

    is_change = request.method not in SAFE_METHODS
    level = logging.WARNING if is_change else logging.INFO
    log_event(
        _log,
        level,
        "visit_refused",
        "%(method)s %(endpoint)s was refused: %(why)s.",
        method=request.method,
        endpoint=request.endpoint,
        why=slug,
    )


def _answer(
    slug: str, *, detail: str | None = None, headers: dict[str, str] | None = None
) -> Response:
    if is_api():
        name = "csrf" if slug == "stale-form" else slug
        told = None if slug == "not-allowed" else detail
        return problem(name, detail=told, headers=headers)

    page = _denied() if slug == "denied" else None
    slug = "no-company" if slug == "denied" and page is None else slug
    template = "message.html" if page is None else "denied.html"
    response = make_response(render_page(template, page or _message(slug)))
    response.status_code = 400 if slug == "stale-form" else KINDS[slug].status
    response.headers.extend(headers or {})
    return response


def _message(slug: str) -> MessagePage:
    link = None

    if slug in ("stale-form", "bad-request", "not-found", "not-allowed", "too-large"):
        link = Link(href=url_for("byok.page"), text=say("Open AI Configuration"))

    return MessagePage(
        state=slug, title=say(_TITLES[slug]), lines=(say(_LINES[slug]),), link=link
    )


def _denied() -> DeniedPage | None:
    """Tell a member whose key serves; ``None`` for somebody without a company."""
    lines = [say("Only administrators of your company can change the AI settings.")]
    state = "denied" if current_byok.has_access_check else "no-access-check"

    try:
        status = current_byok.status(current_byok.load_company())
    except NoCompany:
        return None
    except Exception as error:
        # The host's loader too may fail, or abort, for somebody who is not signed in.
        log_event(
            _log,
            logging.INFO,
            "status_unknown",
            "Nobody can tell a member more: %(error)s.",
            error=type(error).__name__,
        )
        return DeniedPage(state=state, lines=tuple(lines))

    settings, registry = current_byok.settings, current_byok.registry
    standing = build_standing(status, (), settings, registry)

    if status.provider is not None and status.serving is not None:
        names = Names.of(settings, registry.get(status.provider))
        lines.append(names.say("AI features use {provider}."))

    return DeniedPage(state=state, lines=tuple(lines), badge=standing.badge)
