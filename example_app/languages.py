"""The language of the settings page: the browser's, until a visitor chooses one.

The studio itself speaks English; what flask-byok shows in it speaks all of these.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from flask import Blueprint
from flask import Flask
from flask import has_request_context
from flask import redirect
from flask import request
from flask import session
from flask import url_for
from flask.typing import ResponseReturnValue
from flask_babel import Babel

from .accounts import OWN_PATH

#: By locale: the name its own readers call it by, and its tag in HTML.
LANGUAGES: t.Final[cabc.Mapping[str, tuple[str, str]]] = {
    "en": ("English", "en"),
    "de": ("Deutsch", "de"),
    "fr": ("Français", "fr"),
    "es": ("Español", "es"),
    "pt_BR": ("Português (Brasil)", "pt-BR"),
    "ja": ("日本語", "ja"),
    "ar": ("العربية", "ar"),
}

_SLOT: t.Final = "language"

blueprint = Blueprint("languages", __name__)


def set_up_languages(app: Flask) -> None:
    """Let Flask-Babel ask :func:`choose_language`; flask-byok follows it."""
    Babel(app, locale_selector=choose_language)
    app.context_processor(
        lambda: {"languages": LANGUAGES, "language": choose_language()}
    )


def choose_language() -> str:
    """Give what the visitor chose, else the best of what the browser asks for."""
    if not has_request_context():
        return "en"

    chosen = session.get(_SLOT)

    if chosen in LANGUAGES:
        return str(chosen)

    tags = {tag: locale for locale, (_, tag) in LANGUAGES.items()}
    return tags[request.accept_languages.best_match(list(tags), "en")]


@blueprint.post("/language")
def change() -> ResponseReturnValue:
    """Keep a choice in the session, and go back to where it was made."""
    if request.form.get("language") in LANGUAGES:
        session[_SLOT] = request.form["language"]

    goal = request.form.get("next", "")
    home = url_for("pages.dashboard")
    return redirect(goal if OWN_PATH.fullmatch(goal) else home, 303)
