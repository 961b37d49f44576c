"""Apps under test: settings that lead to a simulator, and apps that are led there."""

from __future__ import annotations

import typing as t

from ..masterkeys import generate
from .exchange import PROVIDERS

if t.TYPE_CHECKING:
    from flask import Flask

    from ..extension import BYOK
    from .server import Simulator

_SYSTEM_KEY: t.Final = "not-a-real-system-key-{provider}"


def settings_for(simulator: Simulator) -> dict[str, t.Any]:
    """Make the settings of an app under test, to stand above its own.

    Every provider is the simulator, each has a system key, the master key is new, and
    the limit of checks is out of reach.
    """
    return {
        "BYOK_MASTER_KEYS": {"k001": generate()},
        "BYOK_PROVIDER_URLS": simulator.urls,
        "BYOK_RATE_LIMIT": {"all": 100_000},
        "BYOK_SYSTEM_KEYS": {
            provider: _SYSTEM_KEY.format(provider=provider) for provider in PROVIDERS
        },
    }


def connect_app(app: Flask, simulator: Simulator) -> list[str]:
    """Let a finished app ask the simulator from now on, whatever its settings say.

    Its system keys stay what they are. Registered vendors are served, too, on OPENAI's
    wire.

    :return: the ids of those vendors.
    :raises KeyError: when it has no BYOK extension.
    """
    byok = t.cast("BYOK", app.extensions["byok"])

    with app.app_context():
        registry = byok.registry

    vendors = [provider.id for provider in registry if provider.id not in PROVIDERS]

    for vendor in vendors:
        simulator.add_vendor(vendor)

    for provider in registry:
        registry.register(provider.with_base_url(simulator.urls[provider.id]))

    return vendors
