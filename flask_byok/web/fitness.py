"""Whether the app lets the settings page be what it is; for ``flask byok doctor``."""

from __future__ import annotations

import collections.abc as cabc
import pathlib
import typing as t

from jinja2 import nodes
from jinja2 import TemplateNotFound
from jinja2 import TemplateSyntaxError
from werkzeug.exceptions import HTTPException

from ..service.findings import error
from ..service.findings import Finding
from ..service.findings import ok
from ..service.findings import warning

if t.TYPE_CHECKING:
    from flask import Flask

    from ..config import Settings

_OURS: t.Final = pathlib.Path(__file__).parents[1]


def look_at_page(app: Flask, settings: Settings) -> cabc.Iterator[Finding]:
    """Look at the page's address, its layout and where its cookie is sent."""
    address = f"{settings.url_prefix}/"
    taken_by = _endpoint(app, address)
    root = app.config["APPLICATION_ROOT"]

    if taken_by != "byok.page":
        yield error(
            "page",
            f"The address {address} is taken by the endpoint '{taken_by}' of this app. "
            "Set BYOK_URL_PREFIX to a free path.",
        )
    else:
        yield ok("page", f"The settings page stands at {address}.")

    if root != "/" and app.config["SESSION_COOKIE_PATH"] is None:
        yield warning(
            "mount",
            f"APPLICATION_ROOT is {root}: browsers send the session's cookie below it "
            "alone. Where the app is not mounted there, no form of the page is taken; "
            "leave the setting out then.",
        )

    if settings.base_template is not None:
        yield _look_at_layout(app, settings.base_template)


def _endpoint(app: Flask, address: str) -> str:
    """Tell who answers an address; what cannot be told counts as ours."""
    try:
        return str(app.url_map.bind("localhost").match(address, method="GET")[0])
    except HTTPException:
        # A map by hosts or subdomains, which this server does not know of.
        return "byok.page"


def _look_at_layout(app: Flask, name: str) -> Finding:
    blocks: set[str] = set()
    missing: str | None = None

    try:
        blocks = set(_blocks(app, name))
    except TemplateNotFound as lacking:
        missing = str(lacking.name)
    except TemplateSyntaxError as broken:
        return error(
            "layout",
            f"Jinja cannot read line {broken.lineno} of the template '{broken.name}' "
            "(BYOK_BASE_TEMPLATE), so the page is an error. Mend it.",
        )

    if missing is not None:
        return error(
            "layout",
            f"This app has no template '{missing}' (BYOK_BASE_TEMPLATE), so the page "
            "is served without it. Correct the name: a path below a folder of "
            "templates.",
        )

    if "content" not in blocks and not _has_own_layout(app):
        return error(
            "layout",
            f"{name} (BYOK_BASE_TEMPLATE) has no block 'content', so the page is "
            "served without it. Give it one, or name yours in a 'byok/layout.html'.",
        )

    return ok("layout", f"The page stands in {name}.")


def _blocks(app: Flask, name: str) -> cabc.Iterator[str]:
    """Name the blocks of a template and of those it extends, as far as can be read."""
    loader, parent = app.jinja_env.loader, str(name)
    seen: set[str] = set()

    while loader is not None and parent not in seen:
        seen.add(parent)
        source, _, _ = loader.get_source(app.jinja_env, parent)
        tree = app.jinja_env.parse(source, parent)
        yield from (block.name for block in tree.find_all(nodes.Block))

        for extends in tree.find_all(nodes.Extends):
            if isinstance(extends.template, nodes.Const):
                parent = str(extends.template.value)
            else:
                # Chosen when it is rendered: nobody can tell now.
                yield "content"


def _has_own_layout(app: Flask) -> bool:
    """Tell whether the host names its own blocks, in a layout of its own."""
    file = app.jinja_env.get_template("byok/layout.html").filename
    return file is None or _OURS not in pathlib.Path(file).parents
