"""Headers of every answer, and the pages for what goes wrong."""

from __future__ import annotations

import typing as t

from flask import current_app
from flask import Flask
from flask import render_template
from flask import request
from flask import Response
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

#: Nothing inline, nothing from elsewhere.
POLICY: t.Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

#: The pictures in Bootstrap's own style sheet stand in it as data.
POLICY_WITH_BOOTSTRAP: t.Final = POLICY.replace(
    "img-src 'self'", "img-src 'self' data:"
)

#: By status: a title and a sentence.
_PAGES: t.Final = {
    403: ("This is not open to you", "Ask an administrator of your company."),
    404: ("There is nothing here", "The address is wrong, or it was deleted."),
    413: ("This is too long", "Shorten the text, then try again."),
    500: ("Something went wrong", "Nothing was changed. Try again in a minute."),
}


def protect(app: Flask) -> None:
    """Add the headers and the error pages to an app."""
    app.after_request(add_headers)
    app.register_error_handler(CSRFError, answer_stale_form)

    for status in _PAGES:
        app.register_error_handler(status, answer_error)


def add_headers(response: Response) -> Response:
    """Keep pages out of frames and caches, and everything foreign out of pages."""
    headers = response.headers
    has_bootstrap = current_app.config["STUDIO_LAYOUT"] == "bootstrap"
    headers["Content-Security-Policy"] = (
        POLICY_WITH_BOOTSTRAP if has_bootstrap else POLICY
    )
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")

    if not (request.endpoint or "").endswith("static"):
        headers.setdefault("Cache-Control", "no-store")

    return response


def answer_error(error: HTTPException) -> tuple[str, int]:
    """Show an error as a page of the studio."""
    status = error.code if error.code in _PAGES else 500
    title, line = _PAGES[status]
    return _message(title, line), status


def answer_stale_form(error: CSRFError) -> tuple[str, int]:
    """Refuse a form whose token is old or of another session."""
    line = "Nothing was changed. Go back, reload the page and try again."
    return _message("This page was open too long", line), 400


def _message(title: str, line: str) -> str:
    # After a failure nobody may be known; the page must come all the same.
    signed_in = bool(getattr(current_user, "is_authenticated", False))
    return render_template(
        "studio/message.html", title=title, line=line, signed_in=signed_in
    )
