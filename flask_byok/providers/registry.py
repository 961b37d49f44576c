"""The providers one app knows."""

from __future__ import annotations

import collections.abc as cabc

from ..errors import UnknownProvider
from .base import Provider
from .base import PROVIDER_ID
from .claude import ClaudeProvider
from .gemini import GeminiProvider
from .openai import OpenAIProvider


class Registry:
    """The providers of one app, by id and in order.

    :param providers: in the order people see them.
    """

    def __init__(self, providers: cabc.Iterable[Provider] = ()) -> None:
        self._providers: dict[str, Provider] = {}

        for provider in providers:
            self.register(provider)

    def register(self, provider: Provider) -> None:
        """Add a provider; one of the same id is replaced in its place.

        :raises ValueError: when its id is not one to 32 of ``A-Z``, ``0-9`` and ``_``.
        """
        if not PROVIDER_ID.fullmatch(provider.id):
            raise ValueError(
                "A provider's id has one to 32 characters of A-Z, 0-9 and '_'."
            )

        self._providers[provider.id] = provider

    def get(self, provider_id: str) -> Provider:
        """Give a provider.

        :raises UnknownProvider: when none of that id is registered.
        """
        provider = self._providers.get(provider_id)

        if provider is None:
            raise UnknownProvider(
                "No provider of that name is registered. Names are in capitals; "
                f"registered are: {', '.join(self.ids)}."
            )

        return provider

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, in order."""
        return tuple(self._providers)

    def __iter__(self) -> cabc.Iterator[Provider]:
        return iter(tuple(self._providers.values()))

    def __contains__(self, provider_id: object) -> bool:
        return provider_id in self._providers


def built_in_providers() -> tuple[Provider, ...]:
    """Make the three providers every app starts with."""
    return OpenAIProvider(), GeminiProvider(), ClaudeProvider()
