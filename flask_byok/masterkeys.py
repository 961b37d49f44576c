"""The master keys of the settings: read, checked and made.

``BYOK_MASTER_KEYS`` holds 32 random bytes per id, as base64url text, or names a key
service. A weak, short, doubled or published key stops the start with a sentence that
names the setting and never a value. Key services are checked where they are built.
"""

from __future__ import annotations

import base64
import binascii
import collections.abc as cabc
import dataclasses
import hashlib
import hmac
import itertools
import json
import re
import secrets
import string
import types
import typing as t

from .errors import ConfigError
from .secret import Secret

if t.TYPE_CHECKING:
    from .vault.keyprovider import KeyProvider

#: The shape of a master key's id.
KEY_ID: t.Final = re.compile(r"[a-z0-9]{4}")

#: How many bytes a master key has.
LENGTH: t.Final = 32

_SETTING: t.Final = "BYOK_MASTER_KEYS"
_PRIMARY: t.Final = "BYOK_PRIMARY_KEY_ID"
_MAKE_ONE: t.Final = "Make one with 'flask byok generate-key'."
_ASCII_SPACE: t.Final = " \t\n\r\x0b\x0c"
# Base64url has no colon, so that a text with one cannot be a master key.
_SERVICE: t.Final = re.compile(r"(?:aws-kms|vault-transit):[\x21-\x2b\x2d-\x7e]+")
_BASE64URL: t.Final = re.compile(r"[A-Za-z0-9_-]+={0,2}")
_PRINTABLE: t.Final = frozenset(string.printable.encode("ascii"))
_FEWEST_DISTINCT: t.Final = 20

# SHA-256 of the bytes of keys that stand in our documentation: whoever copies one
# protects nothing. Digests, so that this file hands out no key.
_PUBLISHED: t.Final = (
    "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd",
    "1865c00831e73f7ee23fc13cb2d0f588b9c341835ca7472f8ec035aba4b789d6",
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Ring:
    """The master keys of one app."""

    #: By id: a master key as base64url text of 43 characters, or a key service, either
    #: an object of the host's or a text such as ``aws-kms:arn:…``.
    keys: cabc.Mapping[str, Secret | KeyProvider | str]
    #: The id of the one that seals; the others only open.
    primary: str


def generate() -> str:
    """Make a new master key: 32 bytes of the operating system, as base64url text."""
    return _encode(secrets.token_bytes(LENGTH))


def decode(master_key: Secret) -> bytes:
    """Give the 32 bytes of a master key.

    :raises ValueError: when its text is not base64url of 32 bytes. The text of the
        error does not hold the key.
    """
    decoded = _decode(master_key.reveal())

    if decoded is None or len(decoded) != LENGTH:
        raise ValueError("A master key is 32 bytes as base64url text.")

    return decoded


def parse_ring(
    value: object, primary: object, app_secrets: cabc.Sequence[str | bytes]
) -> Ring | None:
    """Read ``BYOK_MASTER_KEYS`` and ``BYOK_PRIMARY_KEY_ID``.

    :param value: a mapping from id to text, :class:`Secret` or key provider, one text
        ``k001:…,k002:…``, a JSON text of a mapping; ``False``, ``"off"`` or
        ``"false"`` close the vault on purpose.
    :param primary: the id that seals; ``None`` is enough when there is one key.
    :param app_secrets: ``SECRET_KEY`` and its fallbacks, which no master key may equal.
    :return: ``None`` when the vault is closed on purpose.
    :raises ConfigError: for the first thing that is wrong.
    """
    if _is_closed(value):
        return None

    keys = _read_keys(value)

    for key_id, master_key in keys.items():
        if not isinstance(master_key, Secret):
            continue

        trouble = _find_weakness(master_key, app_secrets)

        if trouble is not None:
            raise ConfigError(f"{setting_of(key_id)} {trouble} {_MAKE_ONE}")

    _refuse_twins(keys)
    return Ring(keys=types.MappingProxyType(keys), primary=_read_primary(primary, keys))


def _is_closed(value: object) -> bool:
    if isinstance(value, str):
        return value.strip(_ASCII_SPACE).lower() in ("off", "false")

    return value is False


def _read_keys(value: object) -> dict[str, Secret | KeyProvider | str]:
    entries = _split(value)
    keys: dict[str, Secret | KeyProvider | str] = {}

    if not entries:
        raise ConfigError(
            f"'{_SETTING}' is missing or empty. {_MAKE_ONE} To run without stored keys "
            f"on purpose, set '{_SETTING} = False' (environment: off)."
        )

    for key_id, master_key in entries:
        if not isinstance(key_id, str) or not KEY_ID.fullmatch(key_id):
            raise ConfigError(
                f"'{_SETTING}' must name each key by four characters of a-z and 0-9, "
                "such as 'k001'; as one text it reads 'k001:<key>,k002:<key>'."
            )

        if key_id in keys:
            raise ConfigError(f"'{_SETTING}' gives the id '{key_id}' twice.")

        keys[key_id] = _read_key(key_id, master_key)

    return keys


def _split(value: object) -> list[tuple[object, object]]:
    """Take the setting apart into ids and keys, whatever form it has."""
    if value is None:
        return []

    if isinstance(value, str):
        return _split_text(value.strip(_ASCII_SPACE))

    if not isinstance(value, cabc.Mapping):
        raise ConfigError(
            f"'{_SETTING}' must be a mapping from ids to keys, or one text "
            "'k001:<key>,k002:<key>'."
        )

    return list(value.items())


def _split_text(text: str) -> list[tuple[object, object]]:
    if text.startswith("{"):
        return _split_json(text)

    if not text:
        return []

    entries = [entry.strip(_ASCII_SPACE).partition(":") for entry in text.split(",")]
    return [(key_id, master_key) for key_id, _, master_key in entries]


def _split_json(text: str) -> list[tuple[object, object]]:
    entries: list[tuple[object, object]] | None = None

    # As pairs: a plain dict would swallow an id given twice.
    try:
        entries = json.loads(text, object_pairs_hook=list)
    except ValueError:
        pass

    # After the except block: the decoder's error holds the whole text.
    if entries is None:
        raise ConfigError(f"'{_SETTING}' begins like JSON but does not read as JSON.")

    return entries


def _read_key(key_id: str, master_key: object) -> Secret | KeyProvider | str:
    """Check the text of one key; a key service is handed on as it is."""
    if isinstance(master_key, str):
        text = str(master_key).strip(_ASCII_SPACE)

        if _SERVICE.fullmatch(text):
            return text

        master_key = Secret(text)

    if isinstance(master_key, Secret):
        return _read_master_key(key_id, master_key)

    if _is_provider(master_key):
        return t.cast("KeyProvider", master_key)

    raise ConfigError(
        f"{setting_of(key_id)} must be a text, or a key service such as 'AwsKms(…)'. "
        f"{_MAKE_ONE}"
    )


def _is_provider(value: object) -> bool:
    """Tell a key provider by its methods: its class lives above this file."""
    names = ("new", "open", "check_value")
    # A class passed in place of an object has them, too, and cannot be used.
    return not isinstance(value, type) and all(
        callable(getattr(value, name, None)) for name in names
    )


def _read_master_key(key_id: str, master_key: Secret) -> Secret:
    """Check the text of a master key: canonical base64url of exactly 32 bytes."""
    length = _length(master_key)

    if length is None:
        raise ConfigError(
            f"{setting_of(key_id)} must hold 32 bytes as base64url: 43 characters of "
            "A-Z, a-z, 0-9, '-' and '_', without quotes or spaces inside; or name a "
            f"key service, 'aws-kms:…' or 'vault-transit:…'. {_MAKE_ONE}"
        )

    if length != LENGTH:
        raise ConfigError(
            f"{setting_of(key_id)} must hold 32 bytes as base64url; it holds {length}. "
            f"{_MAKE_ONE}"
        )

    return Secret(_encode(decode(master_key)))


def _length(master_key: Secret) -> int | None:
    decoded = _decode(master_key.reveal())
    return None if decoded is None else len(decoded)


def _find_weakness(
    master_key: Secret, app_secrets: cabc.Sequence[str | bytes]
) -> str | None:
    """Tell what is wrong with 32 bytes that read well, or ``None``."""
    master_bytes = decode(master_key)

    if len(set(master_bytes)) < _FEWEST_DISTINCT:
        return "repeats too few byte values to be random."

    if _PRINTABLE.issuperset(master_bytes):
        return "spells readable text; a master key is made of random bytes."

    if hashlib.sha256(master_bytes).hexdigest() in _PUBLISHED:
        return "is an example that stands in public documentation."

    if any(_is_same(master_key, app_secret) for app_secret in app_secrets):
        return "equals SECRET_KEY or one of SECRET_KEY_FALLBACKS."

    return None


def _is_same(master_key: Secret, app_secret: str | bytes) -> bool:
    """Compare bytes with bytes and text with text, however each side is written."""
    # A prefixed environment variable of digits arrives as a number.
    if not isinstance(app_secret, bytes):
        app_secret = str(app_secret).encode("utf-8", "surrogatepass")

    text = master_key.reveal().encode("ascii")
    spellings = (decode(master_key), text, text + b"=")
    return any(hmac.compare_digest(app_secret, spelling) for spelling in spellings)


def _refuse_twins(keys: cabc.Mapping[str, Secret | KeyProvider | str]) -> None:
    for first, second in itertools.combinations(keys, 2):
        one, two = keys[first], keys[second]

        if one is two or (type(one) is type(two) and one == two):
            raise ConfigError(
                f"'{_SETTING}' holds the same key under '{first}' and '{second}'."
            )


def _read_primary(primary: object, keys: cabc.Mapping[str, object]) -> str:
    if primary is None and len(keys) == 1:
        return next(iter(keys))

    if primary is None:
        raise ConfigError(
            f"'{_PRIMARY}' is missing: '{_SETTING}' holds several keys, say which of "
            "them seals."
        )

    if isinstance(primary, str) and primary.strip(_ASCII_SPACE) in keys:
        return str(primary).strip(_ASCII_SPACE)

    raise ConfigError(f"'{_PRIMARY}' must be the id of a key in '{_SETTING}'.")


def setting_of(key_id: str) -> str:
    """Name one entry of the setting, for a sentence that refuses it."""
    return f"'{_SETTING}[\"{key_id}\"]'"


def _encode(decoded: bytes) -> str:
    return base64.urlsafe_b64encode(decoded).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes | None:
    """Decode canonical base64url, or give ``None``.

    The standard decoder also takes ``+``, ``/``, junk and spare bits, so the result is
    encoded again and compared.
    """
    if not _BASE64URL.fullmatch(text):
        return None

    bare = text.rstrip("=")

    try:
        decoded = base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        return None

    padded = base64.urlsafe_b64encode(decoded).decode("ascii")
    return decoded if text in (padded, _encode(decoded)) else None
