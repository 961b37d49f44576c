"""Faults that are switched on and off while the simulator runs."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import threading

from .exchange import PROVIDERS
from .faults import find_fault
from .faults import UnknownFault


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Switch:
    """A fault that is switched on.

    :param keys: it strikes only keys that contain this text; ``None``: all keys.
    :param left: how many more requests it strikes; ``None``: until switched off.
    """

    provider: str
    fault: str
    keys: str | None
    left: int | None


class Switchboard:
    """Holds the switches of one simulator; may be used from several threads."""

    def __init__(self) -> None:
        self._vendors: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._switches: list[Switch] = []

    def set(
        self, provider: str, fault: str | None, keys: str | None, times: int | None
    ) -> None:
        """Switch a fault on, or off with ``None``.

        A switch replaces the one with the same provider and keys. Switching off
        without ``keys`` takes all of that provider.

        :raises ValueError: no such provider, or none of them has such a fault.
        """
        known = (*PROVIDERS, *self._vendors)

        if provider != "*" and provider not in known:
            raise ValueError(f"No provider is called {provider!r}; use *, OPENAI, …")

        named = [one for one in known if provider in ("*", one)]
        keys = keys or None

        if fault is None:
            self._remove(named, keys)
            return

        able = [one for one in named if find_fault(one, fault) is not None]

        if not able:
            raise UnknownFault(fault)

        with self._lock:
            for one in able:
                self._switches = [
                    switch
                    for switch in self._switches
                    if (switch.provider, switch.keys) != (one, keys)
                ]
                self._switches.append(
                    Switch(provider=one, fault=fault, keys=keys, left=times)
                )

    def know(self, vendors: cabc.Iterable[str]) -> None:
        """Say which vendors there are beside the built-in providers."""
        self._vendors = tuple(vendors)

    def clear(self) -> None:
        """Switch everything off."""
        with self._lock:
            self._switches = []

    def all(self) -> list[Switch]:
        """Copy the switches."""
        with self._lock:
            return list(self._switches)

    def matching(self, provider: str, api_key: str) -> list[Switch]:
        """List the switches for a key, those that name keys first."""
        found = [
            switch
            for switch in self.all()
            if switch.provider == provider
            and (switch.keys is None or switch.keys in api_key)
        ]
        return sorted(found, key=lambda switch: switch.keys is None)

    def use(self, switch: Switch) -> bool:
        """Count one strike; ``False`` when the switch was used up in between."""
        with self._lock:
            for at, one in enumerate(self._switches):
                if (one.provider, one.keys) != (switch.provider, switch.keys):
                    continue

                if one.left is not None and one.left <= 1:
                    del self._switches[at]
                elif one.left is not None:
                    self._switches[at] = dataclasses.replace(one, left=one.left - 1)

                return True

        return False

    def _remove(self, providers: cabc.Sequence[str], keys: str | None) -> None:
        with self._lock:
            self._switches = [
                switch
                for switch in self._switches
                if switch.provider not in providers or keys not in (None, switch.keys)
            ]
