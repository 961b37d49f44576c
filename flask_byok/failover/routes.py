"""Which keys may answer a call, in which order.

1. the company's active key, 2. its other keys if it switched them on, 3. the system key
of the active provider, 4. the other system keys in ``BYOK_SYSTEM_ORDER``. A route to
another provider exists only where a model name of the app says which model it means
there.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from ..config import Policy
from ..config import Settings
from ..providers.base import Provider
from ..providers.foreign import Keeper
from ..providers.registry import Registry
from ..providers.types import Source
from ..secret import Secret
from ..vault.types import CompanyState
from ..vault.types import Credential

#: The model name of a call that asked for none.
DEFAULT: t.Final = "default"

#: Among what a route leaves out: the thoughts of another account or model.
THOUGHTS: t.Final = "thoughts"


class Route(t.NamedTuple):
    """One candidate: a provider, a model there, and the key that pays.

    :param credential: the company's stored key; ``None`` on a system route.
    :param system_key: the app's own key; ``None`` on a company route.
    :param dropped: names of what this route leaves out of the request.
    """

    provider: Provider
    model: str
    source: Source
    credential: Credential | None = None
    system_key: Secret | None = None
    dropped: tuple[str, ...] = ()


class Ask(t.NamedTuple):
    """What decides about routes: the model asked for, and how bound the call is.

    :param model: a name of ``BYOK_MODELS``, a model id, or ``None``.
    :param one_provider: the call cannot be put to another provider (``extra``,
        embeddings).
    :param fallback: ``False`` keeps the first route alone.
    :param embeds: the call wants vectors.
    :param provider: the call speaks this provider's wire and goes to no other, whatever
        key of the company is active; ``None`` where the company's choice decides.
    :param droppable: names of what is meant for the first route's provider alone.
    :param keeper: to whom the thoughts in the request belong, as the first route has
        them; ``None`` when there are none, or they are fitted to each route.
    """

    model: str | None = None
    one_provider: bool = False
    fallback: bool = True
    embeds: bool = False
    provider: str | None = None
    droppable: tuple[str, ...] = ()
    keeper: Keeper | None = None


class Planner:
    """Lists the routes of one app's calls. Holds settings, no state."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._settings = settings
        self._registry = registry

    def policy(self, state: CompanyState) -> Policy:
        """Tell the policy in force for this company."""
        if self._settings.fallback_locked or state.fallback is None:
            return self._settings.fallback

        return t.cast("Policy", state.fallback)

    def active(self, state: CompanyState) -> Credential | None:
        """Pick the key AI features use; ``None`` when none is stored."""
        return _pick_active(state, self.stored(state))

    def stored(self, state: CompanyState) -> list[Credential]:
        """List the company's keys in the registry's order; unknown providers go."""
        by_provider = {c.provider: c for c in state.credentials}
        return [by_provider[id] for id in self._registry.ids if id in by_provider]

    def is_orphaned(self, state: CompanyState) -> bool:
        """Tell whether all a company's keys are of providers nobody registered.

        Such a company has keys: its policy guards the system key as ever.
        """
        known = self._registry.ids
        return bool(state.credentials) and all(
            credential.provider not in known for credential in state.credentials
        )

    def routes(self, state: CompanyState, ask: Ask) -> list[Route]:
        """List every route of this call, whatever the policy says of them."""
        stored = self.stored(state)
        active = _pick_first(state, stored, ask)
        found = [
            *self._company_routes(state, ask, active, stored),
            *self._system_routes(ask, active),
        ]

        if ask.embeds:
            found = _same_model(found)

        if ask.droppable:
            found = _drop_abroad(found, ask.droppable)

        if ask.keeper is not None:
            found = _drop_thoughts(found, ask.keeper)

        return found if ask.fallback else found[:1]

    def is_mapped(self, provider: Provider, model: str | None) -> bool:
        """Tell whether the app itself names this model for this provider."""
        names = self.names(provider)
        return model is None or model in names or model in names.values()

    def _company_routes(
        self,
        state: CompanyState,
        ask: Ask,
        active: Credential | None,
        stored: list[Credential],
    ) -> cabc.Iterator[Route]:
        if active is None:
            return

        others = [c for c in stored if c is not active]

        if ask.provider is not None:
            others.clear()

        for credential in [active, *(others if state.use_other_keys else ())]:
            provider = self._registry.get(credential.provider)
            first = credential is active
            model = self._model(provider, ask, first=first, own=credential.model)

            if model is not None and (first or self._may_leave(ask)):
                yield Route(
                    provider=provider,
                    model=model,
                    source="company",
                    credential=credential,
                )

    def _system_routes(
        self, ask: Ask, active: Credential | None
    ) -> cabc.Iterator[Route]:
        home = active.provider if active is not None else ask.provider
        order = list(self._settings.system_order)

        if ask.provider is not None:
            order = [ask.provider] if ask.provider in order else []

        if home in order:
            order.remove(home)
            order.insert(0, home)

        for position, provider_id in enumerate(order):
            provider = self._registry.get(provider_id)
            first = provider_id == home or (home is None and position == 0)
            model = self._model(provider, ask, first=first)

            if model is not None and (first or self._may_leave(ask)):
                yield Route(
                    provider=provider,
                    model=model,
                    source="system",
                    system_key=self._settings.system_keys[provider_id],
                )

    def _may_leave(self, ask: Ask) -> bool:
        if ask.embeds:
            return True  # the first route that has embeddings; narrowed afterwards

        return self._settings.fallback_scope == "any" and not ask.one_provider

    def _model(
        self, provider: Provider, ask: Ask, *, first: bool, own: str | None = None
    ) -> str | None:
        """Name the model of this route; ``None`` when there is no such route."""
        if ask.embeds:
            return self._embedding_model(provider, ask)

        asked = ask.model or DEFAULT

        if asked == DEFAULT:
            # What a company chose may be one of the app's own names, as in its check.
            return self._named(provider, own or DEFAULT) or own

        return self._named(provider, asked) or (asked if first else None)

    def _embedding_model(self, provider: Provider, ask: Ask) -> str | None:
        if provider.embedding_model is None:
            return None

        name = ask.model or "embedding"
        return self._named(provider, name) or ask.model or provider.embedding_model

    def _named(self, provider: Provider, name: str) -> str | None:
        """Give the model the app means by a name there."""
        own = self._settings.models.get(provider.id, {})
        return own[name] if name in own else provider.default_models.get(name)

    def names(self, provider: Provider) -> dict[str, str]:
        """Map the app's model names to the models of this provider."""
        return {**provider.default_models, **self._settings.models.get(provider.id, {})}


def _pick_active(state: CompanyState, stored: list[Credential]) -> Credential | None:
    chosen = [c for c in stored if c.provider == state.active_provider]
    return next(iter(chosen or stored), None)


def _pick_first(
    state: CompanyState, stored: list[Credential], ask: Ask
) -> Credential | None:
    """Pick the key a call starts on: the active one, or the asked provider's."""
    if ask.provider is None:
        return _pick_active(state, stored)

    return state.credential(ask.provider)


def _same_model(routes: list[Route]) -> list[Route]:
    """Keep the routes that make the same vectors as the first one."""
    if not routes:
        return []

    first = routes[0]
    return [
        route
        for route in routes
        if (route.provider.id, route.model) == (first.provider.id, first.model)
    ]


def _drop_abroad(routes: list[Route], names: tuple[str, ...]) -> list[Route]:
    """Leave out what was meant for the first provider where another one answers."""
    homes = {route.provider.id for route in routes[:1]}
    return [
        route if route.provider.id in homes else route._replace(dropped=names)
        for route in routes
    ]


def _drop_thoughts(routes: list[Route], keeper: Keeper) -> list[Route]:
    """Leave thoughts out where another account, or another model, answers."""
    models = {route.model for route in routes[:1]}
    return [
        route
        if position == 0 or (keeper == "model" and route.model in models)
        else route._replace(dropped=(*route.dropped, THOUGHTS))
        for position, route in enumerate(routes)
    ]
