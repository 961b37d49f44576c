"""The routes under ``BYOK_URL_PREFIX``."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

from flask import request
from flask import request_finished
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError

from ..errors import NoCompany
from ..errors import SetupError
from ..errors import StateUnavailable
from .api import delete_credential
from .api import get_document
from .api import get_policy
from .api import get_usage
from .api import list_credentials
from .api import patch_policy
from .api import put_credential
from .api import test_credential
from .banner import BannerSource
from .files import Shelf
from .guard import add_headers
from .guard import forbid_frames
from .guard import guarded
from .guard import refuse_large
from .guard import Refused
from .keyviews import change_key
from .keyviews import test_key
from .refusals import answer_no_company
from .refusals import answer_refused
from .refusals import answer_set_up_wrongly
from .refusals import answer_stale_form
from .refusals import answer_too_large
from .refusals import answer_unavailable
from .views import ask_to_remove
from .views import change_policy
from .views import remove_key
from .views import send_csv
from .views import show_page

if t.TYPE_CHECKING:
    from flask import Blueprint
    from flask.blueprints import BlueprintSetupState

    from ..config import Settings

#: Every method a request may name: what is not ours is refused by us, too.
_METHODS: t.Final = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "QUERY",
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One address and the views behind its methods."""

    rule: str
    endpoint: str
    views: cabc.Mapping[str, cabc.Callable[..., ResponseReturnValue]]


#: Every address there is.
ROUTES: t.Final[tuple[Route, ...]] = (
    Route(rule="/", endpoint="page", views={"GET": show_page}),
    Route(rule="/key", endpoint="key", views={"POST": change_key}),
    Route(rule="/test", endpoint="test", views={"POST": test_key}),
    Route(rule="/policy", endpoint="policy", views={"POST": change_policy}),
    Route(
        rule="/remove/<provider>",
        endpoint="remove",
        views={"GET": ask_to_remove, "POST": remove_key},
    ),
    Route(rule="/usage.csv", endpoint="usage_csv", views={"GET": send_csv}),
    Route(
        rule="/api/credentials",
        endpoint="api_credentials",
        views={"GET": list_credentials},
    ),
    Route(
        rule="/api/credentials/<provider>",
        endpoint="api_credential",
        views={"PUT": put_credential, "DELETE": delete_credential},
    ),
    Route(
        rule="/api/credentials/<provider>/test",
        endpoint="api_test",
        views={"POST": test_credential},
    ),
    Route(
        rule="/api/policy",
        endpoint="api_policy",
        views={"GET": get_policy, "PATCH": patch_policy},
    ),
    Route(rule="/api/usage", endpoint="api_usage", views={"GET": get_usage}),
    Route(
        rule="/api/openapi.json",
        endpoint="api_document",
        views={"GET": get_document},
    ),
)


def build_blueprint(settings: Settings) -> Blueprint:
    """Make the blueprint of one app: pages, JSON API, templates, static files."""
    blueprint = Shelf(
        "byok",
        "flask_byok",
        template_folder="templates",
        static_folder="static/byok",
        static_url_path="/static",
        url_prefix=settings.url_prefix,
    )
    blueprint.url_value_preprocessor(refuse_large)
    blueprint.after_request(add_headers)
    blueprint.record(_close_frames)
    blueprint.app_context_processor(_offer_banner)
    blueprint.register_error_handler(Refused, answer_refused)
    blueprint.register_error_handler(CSRFError, answer_stale_form)
    blueprint.register_error_handler(NoCompany, answer_no_company)
    blueprint.register_error_handler(StateUnavailable, answer_unavailable)
    blueprint.register_error_handler(SetupError, answer_set_up_wrongly)
    blueprint.register_error_handler(413, answer_too_large)

    for route in ROUTES:
        _add(blueprint, route)

    return blueprint


def _add(blueprint: Blueprint, route: Route) -> None:
    """Answer every method: ours, or that it is not allowed, with our headers."""
    allowed = [*route.views, *(["HEAD"] if "GET" in route.views else [])]

    def dispatch(**values: t.Any) -> ResponseReturnValue:
        method = "GET" if request.method == "HEAD" else request.method
        view = route.views.get(method)

        if view is None:
            raise Refused("not-allowed", detail=", ".join(allowed))

        return t.cast("ResponseReturnValue", guarded(view)(**values))

    blueprint.add_url_rule(
        route.rule,
        endpoint=route.endpoint,
        view_func=dispatch,
        methods=_METHODS,
        provide_automatic_options=False,
        # Else a slash too few or too many is a redirect to whatever host the request
        # names.
        strict_slashes=False,
        merge_slashes=False,
    )


def _close_frames(setup: BlueprintSetupState) -> None:
    request_finished.connect(forbid_frames, setup.app)


def _offer_banner() -> dict[str, object]:
    return {"byok_banner_source": BannerSource()}
