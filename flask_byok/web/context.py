"""What every template of ours is rendered with."""

from __future__ import annotations

import collections.abc as cabc
import logging
import re
import typing as t

from flask import render_template
from jinja2 import TemplateNotFound
from markupsafe import Markup

from ..events import log_event
from ..proxies import current_byok
from .guard import csrf_field
from .guard import csrf_token
from .languages import current_language
from .texts import say
from .texts import say_count

if t.TYPE_CHECKING:
    from jinja2 import Template

#: By ``BYOK_UI``: where the small templates stand that draw fields and buttons.
ELEMENTS: t.Final[cabc.Mapping[str, str]] = {
    "plain": "byok/elements",
    "bootstrap5": "byok/elements_bootstrap5",
}

# Every page has it, unless a host writes its own.
_MARKER: t.Final = "data-byok-state="

_log = logging.getLogger(__name__)

_INDENTED: t.Final = re.compile(r"\s*\n\s*")
_SPACED: t.Final = re.compile("<(?:pre|textarea|script|style)", re.IGNORECASE)

# Elements that begin and end a line by themselves: white space beside them is nothing.
_BLOCK: t.Final = (
    "(?:article|aside|datalist|dd|desc|details|div|dl|dt|fieldset|figure|form|h[1-6]|"
    "header|legend|li|nav|ol|option|p|section|select|summary|table|tbody|td|tfoot|th|"
    "thead|tr|ul)"
)
_BEFORE: t.Final = re.compile(rf"\n(?=</?{_BLOCK}[\s>])")
_AFTER: t.Final = re.compile(rf"(</?{_BLOCK}(?:\s[^<>]*)?>)\n")
_TAG_END: t.Final = re.compile(r"\n(/?>)|(?<=\")\s(/>)")
_VOID_END: t.Final = re.compile(r"(<input[^<>]*?)\s?/>")

# What HTML lets a document leave out: end tags that what follows implies.
_IMPLIED: t.Final = re.compile(
    "</li>(?=<li|</[ou]l)|</d[dt]>(?=<d[dt]|</d)|</option>(?=<option|</)|"
    "</t[dh]>(?=<t[dh]|</t)|</tr>(?=<tr|</t)|</(?:thead|tbody)>(?=<t|</table)|"
    "</p>(?=<(?:p|[ou]l|dl|div|form|h[2-4]|fieldset|table)[ >]|"
    "</(?:article|aside|dd|details|div|fieldset|form|header|li|section)>)"
)


def render_page(template: str, page: object) -> str:
    """Render a page: by the host's own template, which extends ours, or by ours.

    :param template: below ``byok/``: ``settings.html``.
    :param page: one of the dataclasses of :mod:`flask_byok.web.page`.
    """
    names: list[str | Template] = [f"byok/own/{template}", f"byok/{template}"]
    context = page_context(page)
    layout, missing, html = context["byok_base_template"], None, ""

    try:
        html = render_template(names, **context)
    except TemplateNotFound as error:
        if layout is None:
            raise

        missing = str(error.name)

    if missing is not None:
        return _without_missing(missing, names, context)

    if layout is None or _MARKER in html:
        return html

    return _without_layout(html, names, context)


def _without_missing(
    missing: str, names: list[str | Template], context: dict[str, object]
) -> str:
    """Render in our own document, where the host's layout is not there.

    What is missing elsewhere is missed again.
    """
    html = render_template(names, **{**context, "byok_base_template": None})
    log_event(
        _log,
        logging.ERROR,
        "layout_missing",
        "This app has no template '%(template)s' (BYOK_BASE_TEMPLATE), so the page "
        "was served without it. Correct the name: a path below a folder of templates.",
        template=missing,
    )
    return html


def _without_layout(
    html: str, names: list[str | Template], context: dict[str, object]
) -> str:
    """Render again in our own document, where the host's layout left the page out.

    A host's templates may be without our marker on purpose; then this changes nothing.
    """
    alone = render_template(names, **{**context, "byok_base_template": None})

    if _MARKER not in alone:
        return html

    log_event(
        _log,
        logging.ERROR,
        "page_left_out",
        "%(template)s (BYOK_BASE_TEMPLATE) has no block 'content', so the page was "
        "served without it. Give it one, or name yours in a 'byok/layout.html'.",
        template=context["byok_base_template"],
    )
    return alone


def page_context(page: object) -> dict[str, object]:
    """Give the names a template finds: each begins with ``byok_``.

    :param page: one of the dataclasses of :mod:`flask_byok.web.page`.
    """
    settings = current_byok.settings
    language = current_language()
    nonce = None if settings.csp_nonce is None else settings.csp_nonce()
    return {
        "byok_page": page,
        "byok_base_template": settings.base_template,
        "byok_ui": settings.ui,
        "byok_elements": ELEMENTS[settings.ui],
        "byok_app_name": settings.app_name,
        "byok_nonce": nonce,
        "byok_csrf_field": csrf_field(),
        "byok_csrf_token": csrf_token,
        "byok_say": say,
        "byok_say_count": say_count,
        "byok_lang": language.tag,
        "byok_dir": language.direction,
        "byok_compact": compact,
    }


def compact(html: Markup) -> Markup:
    """Take out indentation, empty lines and implied end tags: a third of a page.

    Where white space is text or code, in a host's own part, all of it stays.
    """
    if _SPACED.search(html):
        return html

    lines = _INDENTED.sub("\n", html)
    lines = _TAG_END.sub(lambda end: end[1] or end[2], lines)
    lines = _VOID_END.sub(r"\1>", lines)
    lines = _AFTER.sub(r"\1", _BEFORE.sub("", lines))
    return Markup(_IMPLIED.sub("", lines))
