"""Limits on key checks: a stolen key can be tried by saving it, so trying is slow."""

from __future__ import annotations

import collections.abc as cabc
import time
import typing as t

import limits
from limits.storage import storage_from_string

from ..errors import CheckLimited
from ..errors import ConfigError

#: Seconds to wait for Redis. A URL may name others: ``?socket_timeout=5``.
PATIENCE: t.Final = 2.0
_REDIS: t.Final = ("redis", "rediss", "valkey", "valkeys")

_TOO_MANY: t.Final = "Too many keys were checked in a minute. Try again later."
_NO_COUNTER: t.Final = "Keys cannot be checked now: the counter of checks is down."


class CheckLimiter:
    """Counts key checks per minute for a user, a company, an address and all together.

    :param rates: checks per minute by scope; a scope left out has no limit.
    :param storage: ``memory://``, or a URL the ``limits`` library knows.
    :param namespace: of the app: two apps on one storage count apart.
    :raises ConfigError: when the storage cannot be made.
    """

    def __init__(
        self,
        rates: cabc.Mapping[str, int],
        storage: str,
        *,
        namespace: str = "default",
    ) -> None:
        self._prefix = ("byok", namespace)
        self._rates = {
            scope: limits.RateLimitItemPerMinute(rate) for scope, rate in rates.items()
        }
        #: Where the counters are.
        self.storage: limits.storage.Storage = _storage(storage)
        self._window = limits.strategies.MovingWindowRateLimiter(self.storage)

    def hit(self, **subjects: str | None) -> None:
        """Count one check for each scope given.

        :param subjects: by scope: the user, the company, the address, ``all``.
        :raises CheckLimited: when a scope is used up, or the counter is down.
        """
        wait: float | None = 0.0

        try:
            wait = self._count(subjects)
        except Exception:
            wait = None

        # After the except block: a driver's error may hold the storage's password.
        if wait is None:
            raise CheckLimited(_NO_COUNTER, None)

        if wait > 0:
            raise CheckLimited(_TOO_MANY, wait)

    def _count(self, subjects: cabc.Mapping[str, str | None]) -> float:
        for scope, item in self._rates.items():
            subject = subjects.get(scope)

            if subject is None:
                continue

            counter = (*self._prefix, scope, subject)

            if not self._window.hit(item, *counter):
                stats = self._window.get_window_stats(item, *counter)
                return max(1.0, stats.reset_time - time.time())

        return 0.0


def _storage(url: str) -> limits.storage.Storage:
    storage = None

    try:
        storage = storage_from_string(url, **_options(url))
    except Exception:
        storage = None

    if storage is None:
        raise ConfigError(
            "'BYOK_RATE_LIMIT_STORAGE' cannot be used. It takes 'memory://', or a URL "
            "of the 'limits' library whose driver is installed "
            "('pip install \"flask-byok[redis]\"' for redis://)."
        )

    return t.cast("limits.storage.Storage", storage)


def _options(url: str) -> dict[str, float]:
    """Give a silent server no more time than a refusal may take."""
    if url.partition("://")[0] not in _REDIS:
        return {}

    return {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
