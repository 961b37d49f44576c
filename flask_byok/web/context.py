"""What every template of ours is rendered with."""

from __future__ import annotations

from ..proxies import current_byok
from .guard import csrf_field
from .guard import csrf_token
from .texts import say


def page_context(page: object) -> dict[str, object]:
    """Give the names a template finds: each begins with ``byok_``.

    :param page: one of the dataclasses of :mod:`flask_byok.web.page`.
    """
    settings = current_byok.settings
    nonce = None if settings.csp_nonce is None else settings.csp_nonce()
    return {
        "byok_page": page,
        "byok_base_template": settings.base_template,
        "byok_app_name": settings.app_name,
        "byok_nonce": nonce,
        "byok_csrf_field": csrf_field(),
        "byok_csrf_token": csrf_token,
        "byok_say": say,
    }
