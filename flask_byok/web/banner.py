"""The banner and the menu link for the host's own layout."""

from __future__ import annotations

import dataclasses
import logging
import typing as t

from flask import g
from flask import request
from flask import url_for
from markupsafe import Markup

from ..events import log_event
from ..proxies import current_byok
from .languages import current_language
from .texts import say
from .wording import build_standing

_log = logging.getLogger(__name__)
_SLOT: t.Final = "_byok_banners"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Banner:
    """One line for managers."""

    tone: str
    text: Markup
    href: str
    link_text: Markup
    nonce: str | None
    ui: str
    label: Markup
    lang: str
    direction: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class NavLink:
    """The link to the page, for a menu of the host."""

    href: str
    text: Markup
    lang: str


class BannerSource:
    """What ``byok/banner.html`` asks, and only when a layout really uses it.

    Managers alone: the access check comes first, so that others cost no query.
    Nothing here raises into the host's page.
    """

    def banner(self) -> Banner | None:
        """Give the banner; ``None`` when there is nothing to tell or nobody to tell."""
        try:
            return None if _is_own_page() else _find_banner()
        except Exception as error:
            _tell_failure("banner", error)
            return None

    def link(self) -> NavLink | None:
        """Give the link to the page; ``None`` for those who may not open it."""
        try:
            return _make_link() if current_byok.may_manage() else None
        except Exception as error:
            _tell_failure("link", error)
            return None


def _tell_failure(part: str, error: Exception) -> None:
    log_event(
        _log,
        logging.ERROR,
        "banner_failed",
        "The %(part)s of flask-byok failed: %(error)s.",
        part=part,
        error=type(error).__name__,
    )


def _make_link() -> NavLink:
    return NavLink(
        href=url_for("byok.page"),
        text=say("AI Configuration"),
        lang=current_language().tag,
    )


def _is_own_page() -> bool:
    """Our own page tells the same in its notice."""
    return request.blueprint == "byok"


def _find_banner() -> Banner | None:
    byok = current_byok

    if not byok.may_manage():
        return None

    company_id = byok.load_company()
    # By company: under a pushed app context ``g`` outlives the request.
    kept: dict[object, Banner | None] = g.setdefault(_SLOT, {})
    slot = (type(company_id), company_id, current_language().tag)

    if slot not in kept:
        kept[slot] = _read_banner(company_id)

    return kept[slot]


def _read_banner(company_id: t.Any) -> Banner | None:
    byok = current_byok
    status = byok.status(company_id)
    limited = status.serving == "system" and byok.settings.system_budget
    allowances = byok.allowance(company_id) if limited else []
    standing = build_standing(status, allowances, byok.settings, byok.registry)

    if standing.banner is None:
        return None

    nonce, language = byok.settings.csp_nonce, current_language()
    return Banner(
        tone=standing.tone,
        text=standing.banner,
        href=url_for("byok.page"),
        link_text=say("Open AI Configuration"),
        nonce=None if nonce is None else nonce(),
        ui=byok.settings.ui,
        label=say("AI Configuration"),
        lang=language.tag,
        direction=language.direction,
    )
