"""Readers of single settings: a raw value in, a checked one out.

Each takes the setting's name and its value and raises :class:`ConfigError` with a
sentence that names the setting, what it should hold and never what it holds.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import decimal
import ipaddress
import json
import math
import re
import typing as t

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from .errors import ConfigError
from .secret import Secret

_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_PROVIDER_ID = re.compile(r"[A-Z0-9_]{1,32}")
_API_KEY = re.compile(r"[\x21-\x7e]{8,2048}")
_MODEL = re.compile(r"[\x21-\x7e]{1,200}")
_MOST_DOLLARS = 1_000_000_000
_NEAR_NAME = re.compile(
    r"[a-z][a-z0-9_-]*|([a-z0-9_-]+\.)*[a-z][a-z0-9_-]*\.(internal|local|lan)"
)
_URL_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")


def text(name: str, value: t.Any) -> str:
    """Read a string that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"'{name}' must be a text that is not empty.")

    return value.strip()


def flag(name: str, value: t.Any) -> bool:
    """Read ``True`` or ``False``, or the words people write for them."""
    if isinstance(value, bool):
        return value

    word = value.strip().lower() if isinstance(value, str) else None

    if word in ("1", "true", "yes", "on"):
        return True

    if word in ("0", "false", "no", "off"):
        return False

    raise ConfigError(f"'{name}' must be True or False.")


def seconds(name: str, value: t.Any) -> float:
    """Read a positive number of seconds, at most one hour."""
    number = _number(value)

    if number is None or not 0 < number <= 3600:
        raise ConfigError(
            f"'{name}' must be a number of seconds above 0, at most 3600."
        )

    return number


def _number(value: t.Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None

    try:
        number = float(value)
    except ValueError:
        return None

    return number if math.isfinite(number) else None


def choice(*words: str) -> cabc.Callable[[str, t.Any], str]:
    """Make a reader that takes one of ``words``."""

    def read_choice(name: str, value: t.Any) -> str:
        if value not in words:
            allowed = ", ".join(repr(word) for word in words)
            raise ConfigError(f"'{name}' must be one of: {allowed}.")

        return t.cast(str, value)

    return read_choice


def function(name: str, value: t.Any) -> cabc.Callable[[], str]:
    """Read a callable without arguments."""
    if not callable(value):
        raise ConfigError(f"'{name}' must be a function that returns a text.")

    return t.cast("cabc.Callable[[], str]", value)


def namespace(name: str, value: t.Any) -> str:
    """Read a namespace: lower-case letters, digits, dot, dash, underscore."""
    if not isinstance(value, str) or not _NAMESPACE.fullmatch(value):
        raise ConfigError(
            f"'{name}' must be 1 to 64 characters of a-z, 0-9, '.', '_' and '-', "
            "and begin with a letter or digit."
        )

    return value


def mapping(name: str, value: t.Any) -> dict[str, t.Any]:
    """Read a mapping with text names, or a JSON text of one."""
    if isinstance(value, str):
        value = _json(value)

    if not isinstance(value, cabc.Mapping) or not all(type(k) is str for k in value):
        raise ConfigError(f"'{name}' must be a mapping, or a JSON text of one.")

    return dict(value)


def _json(value: str) -> t.Any:
    try:
        return json.loads(value)
    except ValueError:
        return None


def provider_id(name: str, value: t.Any) -> str:
    """Read the identifier of a provider, as it stands everywhere."""
    if not isinstance(value, str) or not _PROVIDER_ID.fullmatch(value):
        raise ConfigError(
            f"'{name}' must name providers by their identifiers, "
            "such as OPENAI, GEMINI or CLAUDE."
        )

    return value


def provider_ids(name: str, value: t.Any) -> tuple[str, ...]:
    """Read providers in order: a list, or a text with commas."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]

    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"'{name}' must be a list of providers.")

    found = tuple(provider_id(name, item) for item in value)

    if len(set(found)) != len(found):
        raise ConfigError(f"'{name}' names a provider twice.")

    return found


def secrets(name: str, value: t.Any) -> dict[str, Secret]:
    """Read API keys by provider; an entry of ``None`` or ``""`` is left out."""
    found = {}

    for provider, api_key in mapping(name, value).items():
        provider_id(name, provider)

        if api_key is None or api_key == "":
            continue

        found[provider] = _api_key(name, provider, api_key)

    return found


def _api_key(name: str, provider: str, api_key: t.Any) -> Secret:
    if isinstance(api_key, Secret):
        return api_key

    if isinstance(api_key, str) and _API_KEY.fullmatch(api_key.strip()):
        return Secret(api_key.strip())

    raise ConfigError(
        f"'{name}[\"{provider}\"]' must be an API key: "
        "8 to 2048 printable characters without spaces."
    )


def models(name: str, value: t.Any) -> dict[str, dict[str, str]]:
    """Read model names of the app, per provider."""
    found = {}

    for provider, names in mapping(name, value).items():
        provider_id(name, provider)
        found[provider] = mapping(f'{name}["{provider}"]', names)

        for model in found[provider].values():
            if not isinstance(model, str) or not _MODEL.fullmatch(model):
                raise ConfigError(
                    f"'{name}[\"{provider}\"]' must map names to model ids "
                    "without spaces, such as 'default'."
                )

    return found


def budget(name: str, value: t.Any) -> dict[str, int] | None:
    """Read the monthly limits on the system key; an empty mapping means none.

    :return: ``money`` in millionths of a US dollar.
    """
    found = mapping(name, value)
    money = found.pop("money", None)
    units = ("requests", "tokens", "money")
    limits = _limits(name, found, units, lowest=0)

    if money is not None:
        limits["money"] = _micros(f'{name}["money"]', money)

    return limits or None


def _micros(name: str, value: t.Any) -> int:
    """Read an amount of US dollars exactly, as millionths."""
    if isinstance(value, float):
        raise ConfigError(
            f"'{name}' must not be a float, which cannot hold cents exactly. Write "
            "the US dollars as a text, such as '25.00'."
        )

    amount = None

    if isinstance(value, (int, str, decimal.Decimal)) and not isinstance(value, bool):
        with contextlib.suppress(decimal.InvalidOperation):
            amount = decimal.Decimal(value)

    if amount is None or not amount.is_finite() or not 0 <= amount <= _MOST_DOLLARS:
        raise ConfigError(
            f"'{name}' must be an amount of US dollars of at least 0, such as '25.00'."
        )

    micros = amount.scaleb(6)

    if micros != micros.to_integral_value():
        raise ConfigError(f"'{name}' must have at most six digits after the point.")

    return int(micros)


def rate_limit(name: str, value: t.Any) -> dict[str, int]:
    """Read key checks per minute; a scope that is left out has no limit."""
    return _limits(name, value, ("user", "company", "address", "all"), lowest=1)


def _limits(
    name: str, value: t.Any, units: tuple[str, ...], *, lowest: int
) -> dict[str, int]:
    found = mapping(name, value)

    for unit, limit in found.items():
        if unit not in units:
            raise ConfigError(f"'{name}' knows only these units: {', '.join(units)}.")

        if isinstance(limit, bool) or not isinstance(limit, int) or limit < lowest:
            raise ConfigError(
                f"'{name}[\"{unit}\"]' must be a whole number of at least {lowest}."
            )

    return found


def url_prefix(name: str, value: t.Any) -> str:
    """Read a path such as ``/settings/ai``, without a slash at the end."""
    if not isinstance(value, str) or not _URL_PREFIX.fullmatch(value):
        raise ConfigError(
            f"'{name}' must be a path such as '/settings/ai', "
            "without a slash at the end."
        )

    return value


def base_urls(name: str, value: t.Any) -> dict[str, str]:
    """Read the operator's base URLs by provider."""
    return {
        provider_id(name, provider): base_url(f'{name}["{provider}"]', url)
        for provider, url in mapping(name, value).items()
    }


def base_url(name: str, value: t.Any, *, private: bool = False) -> str:
    """Read one URL of the operator's, without a slash at the end.

    It is judged as the connecting library reads it, not as it looks.

    :param private: also take http to an address or a name of a private network.
    """
    if not isinstance(value, str) or re.search(r"[\x00-\x20\x7f-\U0010ffff\\]", value):
        raise ConfigError(f"'{name}' must be a URL of plain ASCII without spaces.")

    try:
        url = parse_url(value)
    except LocationParseError:
        url = None

    if url is None or url.host is None or url.scheme not in ("http", "https"):
        raise ConfigError(f"'{name}' must be an https URL.")

    if url.auth or url.query is not None or url.fragment is not None:
        raise ConfigError(
            f"'{name}' must not hold a user name, a password, a query or a fragment."
        )

    if url.scheme == "http" and private and not _is_near(url.host):
        raise ConfigError(
            f"'{name}' must be https; http is for this machine and for private "
            "networks: a private address, a name without a dot, or one that ends in "
            ".internal, .local or .lan."
        )

    if url.scheme == "http" and not private and not _is_loopback(url.host):
        raise ConfigError(f"'{name}' must be https; http is for this machine alone.")

    return value.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True

    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_near(host: str) -> bool:
    """Tell whether a host can only be this machine or one of a private network."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        # Without a dot a number is an address, too: it must begin with a letter.
        return bool(_NEAR_NAME.fullmatch(host.lower()))

    address = getattr(address, "ipv4_mapped", None) or address
    # Clouds give out credentials at link-local addresses.
    is_open = address.is_link_local or address.is_unspecified or address.is_multicast
    return address.is_private and not is_open
