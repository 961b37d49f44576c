"""The keyring of an app, and what is told of keys without them."""

from __future__ import annotations

from flask import Flask

from ..config import Settings
from ..keyservices.texts import build_services
from ..secret import Secret
from ..vault.keyring import Keyring


def build_keyring(settings: Settings, app_secret: str | bytes | None) -> Keyring | None:
    """Build the keyring; ``None`` when the vault is closed on purpose.

    :param app_secret: ``SECRET_KEY``; marks system keys where the ring has key
        services alone, as the same in all workers and after a restart.
    :raises ConfigError: for a key service that cannot be what it says.
    """
    if settings.ring is None:
        return None

    return Keyring(
        build_services(settings.ring.keys),
        settings.ring.primary,
        settings.namespace,
        app_secret=_wrap_secret(app_secret),
    )


def _wrap_secret(app_secret: object) -> Secret | None:
    if isinstance(app_secret, bytes):
        app_secret = app_secret.decode("latin-1")

    # A prefixed environment variable of digits arrives as a number.
    return Secret(str(app_secret)) if app_secret else None


def fingerprints(settings: Settings, keyring: Keyring | None) -> dict[str, str]:
    """Give each system key a mark by which its row knows that the key was changed."""
    return {
        provider: "closed" if keyring is None else keyring.fingerprint(system_key)
        for provider, system_key in settings.system_keys.items()
    }


def hide_secrets(app: Flask, settings: Settings) -> None:
    """Put secrets that print a mask into ``app.config`` in place of the texts."""
    if settings.ring is not None:
        app.config["BYOK_MASTER_KEYS"] = dict(settings.ring.keys)

    if settings.system_keys:
        app.config["BYOK_SYSTEM_KEYS"] = dict(settings.system_keys)
