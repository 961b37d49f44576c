"""Every state of the settings page, ready-made: for tests of pages and pictures.

A state is data: the settings an app needs for it, and steps that lead there. A step
works on rows and faults, or on a page; pages are opened and forms posted by a
:class:`Visits`, which a test client or a real browser can be.

.. code-block:: python

    state = STATES["fallback"]
    app = create_app({**state.settings, "BYOK_PROVIDER_URLS": simulator.urls})
    state.enter(Stage(app=app, simulator=simulator), visits)
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

from .stage import Stage as Stage
from .state_steps import ACTING
from .state_steps import Post
from .state_steps import REFUSED
from .state_steps import STANDING
from .state_steps import Step
from .state_steps import Visit

#: Who looks at the page: somebody who may manage keys, a member of the same company,
#: or somebody without a company.
Visitor = t.Literal["manager", "member", "stranger"]


class Visits(t.Protocol):
    """A browser session that is signed in as the state's visitor."""

    def visit(self, path: str) -> object:
        """Open a page, by its path below ``BYOK_URL_PREFIX``."""

    def post(self, path: str, **form: t.Any) -> object:
        """Send a form with this session's CSRF token, and follow where it leads.

        A form with a ``csrf_token`` of its own keeps that one.
        """


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class PageState:
    """One state of the page.

    :param slug: its name.
    :param shows: what ``data-byok-state`` says then.
    :param settings: ``BYOK_*`` settings of the app, beside the usual ones.
    :param steps: what leads there, in order; the last one shows the page.
    :param status: the HTTP status of that page.
    :param visitor: who looks.
    :param has_access_check: ``False``: the app must have registered none.
    :param press: a selector to click at the end, which takes a script.
    """

    slug: str
    shows: str
    steps: tuple[Step, ...]
    settings: cabc.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    status: int = 200
    visitor: Visitor = "manager"
    has_access_check: bool = True
    press: str | None = None

    def enter(self, stage: Stage, visits: Visits) -> object:
        """Lead an app without rows into this state.

        :return: what the last step gave: the answer that shows the page.
        """
        shown: object = None

        for step in self.steps:
            if isinstance(step, Visit):
                shown = visits.visit(step.path)
            elif isinstance(step, Post):
                shown = visits.post(step.path, **step.form)
            else:
                step(stage)

        return shown


def _build() -> dict[str, PageState]:
    states: dict[str, PageState] = {}

    for slug, steps in {**STANDING, **ACTING, **REFUSED}.items():
        states[slug] = PageState(
            slug=slug,
            shows=_SHOWS.get(slug, slug),
            steps=steps,
            settings=_SETTINGS.get(slug, {}),
            status=_STATUSES.get(slug, 200),
            visitor=_VISITORS.get(slug, "manager"),
            has_access_check=slug != "no-access-check",
            press=_PRESSED.get(slug),
        )

    return states


_SETTINGS: t.Final[cabc.Mapping[str, cabc.Mapping[str, t.Any]]] = {
    "no-key-off": {"BYOK_SYSTEM_KEYS": {}},
    "never-worked": {"BYOK_FALLBACK": "never"},
    "rate-limited-off": {"BYOK_FALLBACK": "never"},
    "allowance-low": {"BYOK_SYSTEM_BUDGET": {"requests": 5}},
    "allowance-used": {"BYOK_SYSTEM_BUDGET": {"requests": 5}},
    "locked": {"BYOK_FALLBACK_LOCKED": True},
    "not-set-up": {"BYOK_MASTER_KEYS": False},
    "check-limit": {"BYOK_RATE_LIMIT": {"company": 1}},
}

#: Where the page names another state than the slug: a variant, or a part of it.
_SHOWS: t.Final[cabc.Mapping[str, str]] = {
    "rate-limited-off": "rate-limited",
    "three-keys": "working",
    "locked": "no-key",
    "testing": "working",
    "saved-aside": "saved",
    "saved-with-doubt": "saved",
    "field-error-card": "field-error",
    "draft-other-model": "draft",
    "draft-could-not-ask": "draft",
    "draft-other-provider": "draft",
    "draft-changed": "draft",
    "no-access-check": "no-access-check",
}

_STATUSES: t.Final[cabc.Mapping[str, int]] = {
    "stale-form": 400,
    "denied": 403,
    "no-company": 403,
    "no-access-check": 403,
    "not-found": 404,
    "unavailable": 503,
}

_VISITORS: t.Final[cabc.Mapping[str, Visitor]] = {
    "denied": "member",
    "no-company": "stranger",
}

_PRESSED: t.Final[cabc.Mapping[str, str]] = {
    "testing": "[data-byok-test]",
}

#: By slug, every state there is.
STATES: t.Final[cabc.Mapping[str, PageState]] = _build()
