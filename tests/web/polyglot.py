"""One visit to a state, seen in several languages: for looks at pages."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import flask
import flask_babel

from flask_byok.testing.state_steps import Post
from flask_byok.testing.state_steps import Visit
from flask_byok.testing.states import Stage
from flask_byok.testing.states import STATES
from tests.web.conftest import Host
from tests.web.conftest import Visitor


def speak(app: flask.Flask, folder: str | None = None) -> None:
    """Let an app speak the language that its configuration names as ``LANG``.

    :param folder: with translations of the host's own.
    """
    flask_babel.Babel(
        app,
        default_translation_directories=folder or "translations",
        locale_selector=lambda: app.config.get("LANG", "en"),
    )


def show(
    slug: str, host: Host, languages: cabc.Sequence[str] = ("en",)
) -> dict[str, bytes]:
    """Lead a host into a state; give the page that shows it, by language."""
    state = STATES[slug]

    if not state.has_access_check:
        host.byok._access_check = None

    user = {"manager": "ada", "member": "max", "stranger": "ada"}[state.visitor]
    visitor = host.client(user, None if state.visitor == "stranger" else 1)
    pages = sum(isinstance(step, Visit | Post) for step in state.steps)
    polyglot = Polyglot(host, visitor, pages, languages)
    state.enter(Stage(app=host.app, simulator=host.simulator), polyglot)
    return polyglot.pages


class Polyglot:
    """A visitor who sees the page that a state leads to in every language.

    What an action led to is told once, to one session: so the session is put back.

    :param last: how many pages are opened on the way, the last one included.
    """

    def __init__(
        self, host: Host, visitor: Visitor, last: int, languages: cabc.Sequence[str]
    ) -> None:
        self._host = host
        self._visitor = visitor
        self._left = last
        self._languages = languages
        self.pages: dict[str, bytes] = {}

    def visit(self, path: str) -> None:
        """Open a page."""
        self._show(lambda: self._visitor.get(path))

    def post(self, path: str, **form: t.Any) -> None:
        """Send a form, and follow where it leads."""
        answer = self._visitor.post(path, follow=False, **form)
        place = answer.headers.get("Location")

        if place is None:
            # Refused before anything was done: it may be sent once more.
            self._show(lambda: self._visitor.post(path, **form))
        else:
            self._show(lambda: self._visitor.client.get(place))

    def _show(self, get: cabc.Callable[[], t.Any]) -> None:
        self._left -= 1
        cookie = self._visitor.client.get_cookie("session")
        assert cookie is not None

        for language in self._languages[:1] if self._left else self._languages:
            self._visitor.client.set_cookie("session", cookie.value)
            self._host.app.config["LANG"] = language
            self.pages[language] = get().data
