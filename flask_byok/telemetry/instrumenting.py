"""Puts an app's calls under the eyes of OpenTelemetry."""

from __future__ import annotations

import collections.abc as cabc
import hashlib
import hmac
import typing as t

from flask import Flask

from ..errors import SetupError

if t.TYPE_CHECKING:
    from ..extension import BYOK

#: How a company's id stands in spans.
CompanyIds = t.Literal["plain", "hashed", "off"]

#: Under which name a host's app keeps what was made here.
_EXTENSION: t.Final = "byok_telemetry"

#: Hexadecimal digits of a hashed id.
_HASH_LENGTH: t.Final = 32


def instrument(
    app: Flask,
    *,
    tracer_provider: t.Any = None,
    meter_provider: t.Any = None,
    company_ids: CompanyIds = "plain",
) -> None:
    """Record spans and metrics of every AI call of an app.

    Call it after ``byok.init_app(app)``, once for each app. Prompts, answers and keys
    are never recorded. Trouble in OpenTelemetry never reaches a call.

    :param tracer_provider: ``None`` for OpenTelemetry's global one.
    :param meter_provider: ``None`` for OpenTelemetry's global one.
    :param company_ids: how ``byok.company_id`` stands in spans: ``"plain"`` as in the
        ledger (``i:42``); ``"hashed"`` by HMAC-SHA-256 under the app's ``SECRET_KEY``,
        so that nobody without it can tell the company; ``"off"`` not at all. Metrics
        never have it.
    :raises SetupError: when the app has no BYOK or was instrumented before, when
        ``"hashed"`` finds no ``SECRET_KEY``, or without the extra.
    """
    byok: BYOK | None = app.extensions.get("byok")

    if byok is None:
        raise SetupError(
            "This app has no BYOK extension. Call 'byok.init_app(app)' before "
            "'instrument(app)'."
        )

    if _EXTENSION in app.extensions:
        raise SetupError("This app is instrumented already. Call 'instrument' once.")

    name_company = _company_namer(app, company_ids)
    make_telemetry = _load()
    telemetry = make_telemetry(tracer_provider, meter_provider, name_company)

    with app.app_context():
        byok.state.engine.observer = telemetry

    telemetry.count_openings(app)
    # Kept alive by the app: blinker holds receivers weakly.
    app.extensions[_EXTENSION] = telemetry


def _load() -> t.Any:
    try:
        from .spans import Telemetry

        return Telemetry
    except ImportError:
        pass

    raise SetupError(
        "'instrument' needs OpenTelemetry: 'pip install \"flask-byok[otel]\"'. It is "
        "not installed."
    )


def _company_namer(
    app: Flask, company_ids: CompanyIds
) -> cabc.Callable[[str], str | None]:
    if company_ids == "plain":
        return lambda company: company

    if company_ids == "off":
        return lambda company: None

    if company_ids != "hashed":
        raise SetupError("'company_ids' must be 'plain', 'hashed' or 'off'.")

    return _hasher(app.secret_key)


def _hasher(app_secret: str | bytes | None) -> cabc.Callable[[str], str]:
    if not app_secret:
        raise SetupError("'company_ids=\"hashed\"' needs the app's SECRET_KEY.")

    secret = app_secret.encode() if isinstance(app_secret, str) else app_secret
    # A key of its own, so that nothing else signed with SECRET_KEY tells the same.
    own = hmac.new(secret, b"flask-byok/telemetry", hashlib.sha256).digest()

    def hash_company(company: str) -> str:
        digest = hmac.new(own, company.encode(), hashlib.sha256)
        return digest.hexdigest()[:_HASH_LENGTH]

    return hash_company
