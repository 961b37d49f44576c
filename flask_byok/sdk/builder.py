"""Makes the clients of the official SDKs. They hold no key: what they hold says so."""

from __future__ import annotations

import ssl
import typing as t
import urllib.parse

from ..config import Settings
from ..errors import NoRoute
from ..errors import SetupError
from ..failover.engine import Engine
from ..providers.base import Provider
from ..providers.registry import Registry
from .kinds import Kind
from .kinds import kind_of
from .kinds import KINDS
from .kinds import need
from .relaying import Relay

#: What stands where an SDK wants a key.
PLACEHOLDER: t.Final = "held-by-flask-byok"


class Sdks:
    """Makes clients for the companies of one app."""

    def __init__(self, engine: Engine, registry: Registry, settings: Settings) -> None:
        self._engine = engine
        self._registry = registry
        self._settings = settings

    def build(
        self,
        company: str,
        kind: str | None,
        *,
        asynchronous: bool,
        timeout: float | None,
        label: str | None,
        fallback: bool,
    ) -> t.Any:
        """Make the client of one company.

        :param kind: ``openai``, ``anthropic``, ``google``, the id of a provider, or
            ``None`` for the provider the next call would start on.
        :raises SetupError: for another kind, or when its package is missing or old.
        :raises NoRoute: for ``None`` when AI is off for this company.
        """
        provider, sdk = self._choose(company, kind)
        need(sdk)
        relay = Relay(
            engine=self._engine,
            company=company,
            provider=provider,
            timeout=timeout,
            label=label,
            fallback=fallback,
        )
        seconds = timeout or self._settings.timeout

        if sdk.name == "openai":
            return _build_openai(relay, seconds, asynchronous)

        if sdk.name == "anthropic":
            return _build_anthropic(relay, seconds, asynchronous)

        return _build_google(relay, seconds)

    def _choose(self, company: str, kind: str | None) -> tuple[Provider, Kind]:
        """Choose the provider to speak to, and the SDK that speaks its wire."""
        if kind is not None and kind not in KINDS:
            return self._choose_provider(kind)

        sdk = None if kind is None else KINDS[kind]
        rivals = list(map(self._registry.get, self._registry.ids))

        if sdk is not None:
            rivals = [p for p in rivals if p.sdk_kind == sdk.name]

            if [p.id for p in rivals] == [sdk.home]:
                return rivals[0], sdk

        active = self._engine.outlook(company).provider

        for provider in rivals:
            if provider.id == active:
                return provider, kind_of(provider)

        if sdk is not None:
            return self._registry.get(sdk.home), sdk

        raise NoRoute(
            "AI is off for this company: no key of it can serve now, so no SDK can be "
            "chosen. Name one: 'sdk(\"openai\")'."
        )

    def _choose_provider(self, kind: str) -> tuple[Provider, Kind]:
        if kind not in self._registry.ids:
            raise SetupError(
                f"'sdk()' takes {', '.join(KINDS)}, the id of a provider, or nothing."
            )

        provider = self._registry.get(kind)
        return provider, kind_of(provider)


def _build_openai(relay: Relay, seconds: float, asynchronous: bool) -> t.Any:
    import openai

    from .clients import build_async_client
    from .clients import build_client

    options: dict[str, t.Any] = {
        "api_key": PLACEHOLDER,
        # Given, so that none of them is taken from the environment.
        "admin_api_key": PLACEHOLDER,
        "webhook_secret": PLACEHOLDER,
        "base_url": relay.provider.base_url,
        "timeout": seconds,
        "max_retries": 0,
    }

    if asynchronous:
        return openai.AsyncOpenAI(http_client=build_async_client(relay), **options)

    return openai.OpenAI(http_client=build_client(relay), **options)


def _build_anthropic(relay: Relay, seconds: float, asynchronous: bool) -> t.Any:
    import anthropic

    from .clients import build_async_client
    from .clients import build_client

    options: dict[str, t.Any] = {
        "api_key": PLACEHOLDER,
        "webhook_key": PLACEHOLDER,
        "base_url": split_version(relay.provider.base_url)[0],
        "timeout": seconds,
        "max_retries": 0,
    }

    if asynchronous:
        made = anthropic.AsyncAnthropic
        return made(http_client=build_async_client(relay), **options)

    return anthropic.Anthropic(http_client=build_client(relay), **options)


def _build_google(relay: Relay, seconds: float) -> t.Any:
    from google import genai
    from google.genai import types

    from .clients import build_async_client
    from .clients import build_client

    base_url, version = split_version(relay.provider.base_url)
    return genai.Client(
        api_key=PLACEHOLDER,
        vertexai=False,
        http_options=types.HttpOptions(
            base_url=base_url,
            api_version=version,
            httpx_client=build_client(relay),
            httpx_async_client=build_async_client(relay),
            # For its sockets, which pass our way by: a context that trusts nobody. Its
            # own would also take twenty milliseconds to make.
            async_client_args={"ssl": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)},
        ),
    )


def split_version(base_url: str) -> tuple[str, str]:
    """Take the version off a base URL: two SDKs write it themselves."""
    parts = urllib.parse.urlsplit(base_url)
    path, _, version = parts.path.rpartition("/")
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, path, "", "")), version
