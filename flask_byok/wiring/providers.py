"""The providers an app knows, at the addresses its operator set."""

from __future__ import annotations

import collections.abc as cabc

from ..config import Settings
from ..errors import ConfigError
from ..failover.routes import DEFAULT
from ..providers.base import Provider
from ..providers.registry import built_in_providers
from ..providers.registry import Registry


def build_registry(settings: Settings, providers: cabc.Sequence[Provider]) -> Registry:
    """Give this app its own providers, at the addresses its operator set.

    :raises ConfigError: when a setting names a provider nobody registered.
    """
    known = {p.id: p for p in (*built_in_providers(), *providers)}

    for setting in ("system_keys", "models", "provider_urls"):
        for provider_id in getattr(settings, setting):
            if provider_id not in known:
                raise ConfigError(
                    f"'BYOK_{setting.upper()}' names {provider_id}, which is not "
                    "registered. Call 'byok.register_provider(…)' before 'init_app', "
                    f"or correct the name. Known are: {', '.join(known)}."
                )

    registry = Registry()

    for provider in known.values():
        register_provider(registry, settings, provider)

    return registry


def register_provider(
    registry: Registry, settings: Settings, provider: Provider
) -> None:
    """Let an app know a provider, at the address its operator set.

    :raises ConfigError: when nothing says which model a call without one means there.
    """
    names = {**provider.default_models, **settings.models.get(provider.id, {})}

    if not names.get(DEFAULT):
        raise ConfigError(
            f"The provider {provider.id} has no model for '{DEFAULT}'. Give it "
            f'\'default_models={{"{DEFAULT}": "…"}}\', or name one in '
            f"'BYOK_MODELS[\"{provider.id}\"]'."
        )

    url = settings.provider_urls.get(provider.id)
    registry.register(provider if url is None else provider.with_base_url(url))
