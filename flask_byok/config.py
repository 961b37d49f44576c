"""The settings: read once per app into a frozen :class:`Settings`.

Every value may be the Python object or a string (a JSON text for mappings and lists),
so that ``app.config.from_prefixed_env()`` and ``.env`` files work without glue. A wrong
or unknown setting stops the start with a sentence that names the setting, never its
value.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import difflib
import typing as t

from . import _readers as read
from .errors import ConfigError
from .masterkeys import parse_ring
from .masterkeys import Ring
from .secret import Secret

#: When the system key may answer for a company key that fails.
Policy = t.Literal["auto", "outage_only", "never"]

#: To which providers a call may move.
FallbackScope = t.Literal["same_provider", "any"]

#: The sets of small templates there are for the page.
Ui = t.Literal["plain", "bootstrap5"]

#: Checks per minute when ``BYOK_RATE_LIMIT`` says nothing.
DEFAULT_RATE_LIMIT: t.Final[cabc.Mapping[str, int]] = {
    "user": 6,
    "company": 12,
    "address": 20,
    "all": 120,
}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The settings of one app; each field is the ``BYOK_*`` setting of its name."""

    #: Master keys by id and the primary id; ``None``: the vault is closed on purpose.
    ring: Ring | None
    #: Bound into every sealed key, so that two apps on one ring stay apart.
    namespace: str = "default"
    #: The app's own API keys by provider.
    system_keys: cabc.Mapping[str, Secret] = dataclasses.field(default_factory=dict)
    #: Providers whose system key may serve, in order; the first is the default.
    system_order: tuple[str, ...] = ()
    #: Model names of the app, per provider: ``{"OPENAI": {"default": "…"}}``.
    models: cabc.Mapping[str, cabc.Mapping[str, str]] = dataclasses.field(
        default_factory=dict
    )
    #: The policy of a company that chose none: ``auto``, ``outage_only`` or ``never``.
    fallback: Policy = "auto"
    #: Whether companies may not choose a policy.
    fallback_locked: bool = False
    #: To which providers a call may move: ``same_provider``, or ``any``.
    fallback_scope: FallbackScope = "any"
    #: Per company and month on the system key: ``requests``, ``tokens``, ``money`` in
    #: millionths of a US dollar.
    system_budget: cabc.Mapping[str, int] | None = None
    #: Seconds a whole call may take.
    timeout: float = 60.0
    #: Seconds to connect to a provider.
    connect_timeout: float = 5.0
    #: Seconds a test request may take and still be called fast enough.
    latency_limit: float = 5.0
    #: Base URLs by provider, set by the operator alone.
    provider_urls: cabc.Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: Where the page is mounted.
    url_prefix: str = "/settings/ai"
    #: The host's template the page extends; ``None`` for a minimal one of our own.
    base_template: str | None = None
    #: The app's name on the page; ``None`` reads "this app".
    app_name: str | None = None
    #: Which set of small templates draws the page: ``plain`` or ``bootstrap5``.
    ui: Ui = "plain"
    #: Gives the nonce of the request for the page's script and style tags.
    csp_nonce: cabc.Callable[[], str] | None = None
    #: Key checks per minute for ``user``, ``company``, ``address``, ``all``.
    rate_limit: cabc.Mapping[str, int] = dataclasses.field(
        default_factory=lambda: dict(DEFAULT_RATE_LIMIT)
    )
    #: Where checks are counted: ``memory://`` or a URL of the ``limits`` library.
    rate_limit_storage: str = dataclasses.field(default="memory://", repr=False)
    #: The Flask-SQLAlchemy bind that holds the tables; ``None`` for the default one.
    bind_key: str | None = None

    @classmethod
    def from_config(cls, config: cabc.Mapping[str, t.Any]) -> Settings:
        """Read and check every ``BYOK_*`` setting of ``config``.

        :raises ConfigError: for the first setting that is unknown or unusable.
        """
        found = _try_read(cls, config)
        # No frame of the error may hold the app's configuration: reporters send locals.
        del config

        if isinstance(found, ConfigError):
            raise found

        return found

    @classmethod
    def _read(cls, config: cabc.Mapping[str, t.Any]) -> Settings:
        refuse_unknown(config)
        given = {
            field: reader(_name_of(field), config[_name_of(field)])
            for field, reader in _READERS.items()
            if config.get(_name_of(field)) is not None
        }
        settings = cls(ring=_read_ring(config), **given)
        return with_system_order(settings)

    @property
    def is_vault_open(self) -> bool:
        """Whether keys can be sealed and opened at all."""
        return self.ring is not None


def _try_read(
    settings: type[Settings], config: cabc.Mapping[str, t.Any]
) -> Settings | ConfigError:
    try:
        return settings._read(config)
    except ConfigError as error:
        error.__context__ = None
        return error.with_traceback(None)


_READERS: t.Final[cabc.Mapping[str, cabc.Callable[[str, t.Any], t.Any]]] = {
    "namespace": read.namespace,
    "system_keys": read.secrets,
    "system_order": read.provider_ids,
    "models": read.models,
    "fallback": read.choice(*t.get_args(Policy)),
    "fallback_locked": read.flag,
    "fallback_scope": read.choice(*t.get_args(FallbackScope)),
    "system_budget": read.budget,
    "timeout": read.seconds,
    "connect_timeout": read.seconds,
    "latency_limit": read.seconds,
    "provider_urls": read.base_urls,
    "url_prefix": read.url_prefix,
    "base_template": read.text,
    "app_name": read.text,
    "ui": read.choice(*t.get_args(Ui)),
    "csp_nonce": read.function,
    "rate_limit": read.rate_limit,
    "rate_limit_storage": read.text,
    "bind_key": read.text,
}

_RING_SETTINGS: t.Final = ("BYOK_MASTER_KEYS", "BYOK_PRIMARY_KEY_ID")


def setting_names() -> tuple[str, ...]:
    """Name every setting there is."""
    return (*_RING_SETTINGS, *map(_name_of, _READERS))


def _name_of(field: str) -> str:
    return f"BYOK_{field.upper()}"


def refuse_unknown(config: cabc.Mapping[str, t.Any]) -> None:
    """Stop at a ``BYOK_*`` name nobody reads: a misspelt setting is an unset one."""
    known = setting_names()

    for name in config:
        if not name.startswith("BYOK_") or name in known:
            continue

        # Without the beginning they share, which makes any two of them alike.
        bare = [setting.removeprefix("BYOK_") for setting in known]
        close = difflib.get_close_matches(name.removeprefix("BYOK_"), bare, n=1)
        hint = f" Did you mean 'BYOK_{close[0]}'?" if close else ""
        raise ConfigError(f"'{name}' is not a setting of flask-byok.{hint}")


def with_system_order(settings: Settings) -> Settings:
    """Fill in the order of the system keys, or check the one that was given."""
    if not settings.system_order:
        return dataclasses.replace(
            settings, system_order=tuple(sorted(settings.system_keys, key=_usual_place))
        )

    for provider in settings.system_order:
        if provider not in settings.system_keys:
            raise ConfigError(
                f"'BYOK_SYSTEM_ORDER' names {provider}, "
                "but 'BYOK_SYSTEM_KEYS' has no key for it."
            )

    return settings


def _usual_place(provider: str) -> tuple[int, str]:
    """Put the built-in providers first, in the order people know them by."""
    order = ("OPENAI", "GEMINI", "CLAUDE")
    return (order.index(provider) if provider in order else len(order), provider)


def _read_ring(config: cabc.Mapping[str, t.Any]) -> Ring | None:
    app_secrets = [
        config.get("SECRET_KEY"),
        *(config.get("SECRET_KEY_FALLBACKS") or ()),
    ]
    return parse_ring(
        config.get("BYOK_MASTER_KEYS"),
        config.get("BYOK_PRIMARY_KEY_ID"),
        [value for value in app_secrets if value],
    )
