"""A key service as text: ``aws-kms:…`` and ``vault-transit:…`` of the settings."""

from __future__ import annotations

import collections.abc as cabc
import itertools
import typing as t

from ..errors import ConfigError
from ..masterkeys import setting_of
from ..secret import Secret
from ..vault.keyprovider import KeyProvider
from ..vault.keyservice import KeyService
from .aws import AwsKms
from .transit import VaultTransit

_KINDS: t.Final[cabc.Mapping[str, cabc.Callable[[str], KeyService]]] = {
    "aws-kms": AwsKms,
    "vault-transit": VaultTransit,
}


def build_services(
    keys: cabc.Mapping[str, Secret | KeyProvider | str],
) -> dict[str, Secret | KeyProvider]:
    """Build the key services that are named by a text.

    :raises ConfigError: for the first one that cannot be what it says, and when two
        ids mean the same key of a service.
    """
    built = {
        key_id: _build(key_id, each) if isinstance(each, str) else each
        for key_id, each in keys.items()
    }
    services = {key_id: s for key_id, s in built.items() if isinstance(s, KeyService)}

    for first, second in itertools.combinations(services, 2):
        if services[first].name == services[second].name:
            raise ConfigError(
                "'BYOK_MASTER_KEYS' names the same key of a key service under "
                f"'{first}' and '{second}'."
            )

    return built


def _build(key_id: str, text: str) -> KeyService:
    kind, _, rest = text.partition(":")
    sentence = None

    try:
        return _KINDS[kind](rest)
    except ConfigError as error:
        sentence = str(error)

    raise ConfigError(f"{setting_of(key_id)}: {sentence}")
