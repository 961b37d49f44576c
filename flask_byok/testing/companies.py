"""API keys of companies for tests: those that work, and those that fail."""

from __future__ import annotations

import itertools
import typing as t

from .faults import find_fault
from .faults import UnknownFault

if t.TYPE_CHECKING:
    from flask import Flask

    from ..extension import BYOK
    from ..vault.company import CompanyId
    from .server import Simulator

#: Contains none of the words that make a key fail; looks like nothing real.
_API_KEY: t.Final = "not-a-real-company-key-{number:04}-K{number:03}"


class StoredKey(t.Protocol):
    """What the fixture ``company_key`` is: see :meth:`CompanyKeys.store`."""

    def __call__(
        self, company_id: CompanyId | None = None, provider: str = "OPENAI"
    ) -> str:
        """Store a key that works."""
        ...


class FailingKey(t.Protocol):
    """What the fixture ``failing_key`` is: see :meth:`CompanyKeys.store_failing`."""

    def __call__(
        self, kind: str, company_id: CompanyId | None = None, provider: str = "OPENAI"
    ) -> str:
        """Store a key that fails from now on."""
        ...


class CompanyKeys:
    """Stores API keys of companies in an app under test, each key another one.

    :param company_id: whose they are when a call names no company.
    """

    def __init__(
        self, app: Flask, simulator: Simulator, company_id: CompanyId = 1
    ) -> None:
        self._app = app
        self._simulator = simulator
        self._company_id = company_id
        self._numbers = itertools.count(1)

    def store(
        self, company_id: CompanyId | None = None, provider: str = "OPENAI"
    ) -> str:
        """Store a key that works, and put it to use.

        The test request that comes with it is not among the simulator's requests.

        :return: the key, as :meth:`Simulator.api_keys_seen` will show it.
        :raises AssertionError: when the app does not speak to the simulator, or does
            not store the key.
        """
        byok = t.cast("BYOK", self._app.extensions["byok"])
        api_key = _API_KEY.format(number=next(self._numbers))
        company_id = self._company_id if company_id is None else company_id

        with self._app.app_context():
            self._refuse_other_addresses(byok.registry.get(provider).base_url)
            result = byok.save_key(company_id, provider, api_key)

        self._simulator.log.forget(api_key)

        if not result.saved:
            raise AssertionError(f"The key was not stored: {result.verdict}.")

        return api_key

    def store_failing(
        self, kind: str, company_id: CompanyId | None = None, provider: str = "OPENAI"
    ) -> str:
        """Store a key that worked when it was stored and fails from now on.

        :param kind: a word of ours, such as ``expired``, or any other name of
            :mod:`flask_byok.testing.faults`.
        :raises ValueError: when the provider has no such fault.
        """
        if find_fault(provider, kind) is None:
            raise UnknownFault(kind)

        api_key = self.store(company_id, provider)
        self._simulator.set_fault(provider, kind, keys=api_key)
        return api_key

    def _refuse_other_addresses(self, base_url: str) -> None:
        if base_url not in self._simulator.urls.values():
            raise AssertionError(
                "This app would ask the real provider. Make it with the fixture "
                "'byok_settings', or hand it to 'byok_connect'."
            )
