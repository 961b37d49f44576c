"""``current_ai_client``: the AI client of the company that is calling."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import contextvars
import types
import typing as t

from flask import current_app
from flask import Flask
from flask import has_app_context
from werkzeug.local import LocalProxy

from .errors import SetupError
from .vault.company import CompanyId

if t.TYPE_CHECKING:
    from .client import AIClient
    from .extension import BYOK

_OUTSIDE: t.Final = (
    "There is no app here. Push one with 'with app.app_context():', or use "
    "'byok.client_for(company_id)' inside one."
)
_NO_BYOK: t.Final = (
    "This app has no BYOK extension. Call 'byok.init_app(app)' in your factory, "
    "on the 'byok' you import here."
)

# By app: a company named for one app says nothing about another app's companies.
_as_company: contextvars.ContextVar[cabc.Mapping[Flask, CompanyId]] = (
    contextvars.ContextVar("byok_as_company", default=types.MappingProxyType({}))
)


def find_byok() -> BYOK:
    """Give the extension of the current app.

    :raises SetupError: without an app context, or without the extension.
    """
    if not has_app_context():
        raise SetupError(_OUTSIDE)

    byok = current_app.extensions.get("byok")

    if byok is None:
        raise SetupError(_NO_BYOK)

    return t.cast("BYOK", byok)


def stated_company(app: Flask) -> CompanyId | None:
    """Tell which company ``as_company`` named for ``app``; ``None`` when none did."""
    return _as_company.get().get(app)


@contextlib.contextmanager
def stating_company(app: Flask, company_id: CompanyId) -> cabc.Iterator[None]:
    """Name the company for the code inside, in this thread or task alone."""
    token = _as_company.set({**_as_company.get(), app: company_id})

    try:
        yield
    finally:
        _as_company.reset(token)


def _client_class() -> type[AIClient]:
    from .client import AIClient

    return AIClient


class _ClientProxy(LocalProxy["AIClient"]):
    """A proxy that says what it is without asking who is calling.

    ``flask run`` looks through a module for its app with ``isinstance``, outside every
    context, where finding the client must fail.
    """

    __slots__ = ()
    __class__ = property(lambda self: _client_class())


def _find_client() -> AIClient:
    # Nothing is kept on ``g``: under a pushed app context a kept client would serve
    # the next company that comes along.
    byok = find_byok()
    return byok.client_for(byok.load_company())


#: The AI client of the company that is calling. Asks ``company_loader`` each time it is
#: used; :exc:`NoCompany` when nobody is, :exc:`SetupError` outside an app context.
current_ai_client: AIClient = _ClientProxy(_find_client)  # type: ignore[assignment]

#: The extension of the current app, for the package's own views.
current_byok: BYOK = LocalProxy(find_byok)  # type: ignore[assignment]
