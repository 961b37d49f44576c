"""The form that adds or replaces a key."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from markupsafe import Markup

from .forms import make_form_id
from .forms import write_generations
from .models import model_names
from .models import name_options
from .outcome import Outcome
from .outcome import Typed
from .page import KeyCard
from .page import KeyForm
from .page import Link
from .page import Option
from .page import ProviderHelp
from .standing import default_model
from .texts import enumerate_parts
from .texts import gettext
from .texts import Names
from .texts import say

if t.TYPE_CHECKING:
    from ..config import Settings
    from ..providers.registry import Registry
    from ..service.types import CompanyStatus

#: Models offered below the model field, of all providers together.
_MOST_OFFERED: t.Final = 200


class KeyFormBuilder:
    """Builds the form for one company at one moment."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        status: CompanyStatus,
        outcome: Outcome | None,
        cards: cabc.Sequence[KeyCard],
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._status = status
        self._mine = outcome if outcome is not None and outcome.card is None else None
        self._cards = cards
        self._app = Names.of(settings)

    def build(self, chosen: str) -> KeyForm:
        """Build the form.

        :param chosen: the provider the address asks for.
        """
        mine = self._mine
        typed = (None if mine is None else mine.typed) or Typed()
        errors = {} if mine is None else mine.field_errors(self._named(mine.provider))
        chosen = typed.provider or chosen

        if len(self._registry.ids) == 1:
            chosen = self._registry.ids[0]

        return KeyForm(
            options=tuple(self._provider_options(chosen)),
            model=typed.model,
            model_hint=self._model_hint(),
            models=tuple(self._offered_models(chosen)),
            expires_on=typed.expires_on,
            activate=typed.activate,
            generations=write_generations(
                (info.provider, info.generation) for info in self._status.credentials
            ),
            form_id=make_form_id(),
            help=tuple(self._help()),
            provider_error=errors.get("provider"),
            api_key_error=errors.get("api_key"),
            model_error=errors.get("model"),
            expires_on_error=errors.get("expires_on"),
        )

    def _named(self, provider: str | None) -> Names:
        found = None if provider is None else self._registry.get(provider)
        return Names.of(self._settings, found)

    def _provider_options(self, chosen: str) -> t.Iterator[Option]:
        stored = {info.provider: info.masked for info in self._status.credentials}

        for provider_id in self._registry.ids:
            label = self._registry.get(provider_id).label
            text = say("{provider}", provider=label)

            # An option of a select takes plain text alone.
            if provider_id in stored:
                text = say(
                    "{provider} (replaces {key})",
                    provider=label,
                    key=stored[provider_id],
                )

            yield Option(value=provider_id, text=text, selected=provider_id == chosen)

    def _model_hint(self) -> Markup:
        pairs = [
            say(
                "{model} ({provider})",
                model=default_model(self._settings, self._registry, provider_id),
                provider=self._registry.get(provider_id).label,
            )
            for provider_id in self._registry.ids
        ]
        return self._app.say(
            "Leave empty to use the choice of {app}: {models}.",
            models=enumerate_parts(pairs),
        )

    def _offered_models(self, chosen: str) -> t.Iterator[Option]:
        """Offer what the app knows, and the stored key's own list of one provider."""
        offered: dict[str, Markup] = {}

        for name, models in self._named_models().items():
            offered[name] = enumerate_parts(models)

        for provider in self._registry:
            for model in model_names(self._settings, provider).values():
                offered.setdefault(model, say("{provider}", provider=provider.label))

        for card in self._cards:
            if card.provider == chosen and card.result is not None:
                for option in card.result.models:
                    label = say("{provider}", provider=card.label)
                    known = enumerate_parts(filter(None, (label, option.text)))
                    offered[option.value] = known

        for model, text in list(offered.items())[:_MOST_OFFERED]:
            yield Option(value=model, text=text)

    def _named_models(self) -> dict[str, list[Markup]]:
        """Collect what the app's own names for models mean at each provider."""
        named: dict[str, list[Markup]] = {}

        for provider in self._registry:
            for option in name_options(self._settings, provider):
                named.setdefault(option.value, []).append(option.text)

        return named

    def _help(self) -> t.Iterator[ProviderHelp]:
        for provider_id in self._registry.ids:
            provider = self._registry.get(provider_id)
            yield ProviderHelp(
                label=provider.label,
                create=Link(
                    href=provider.key_page_url,
                    text=say("Create a key at {vendor}", vendor=provider.vendor),
                    external=True,
                )
                if provider.key_page_url
                else None,
                needs=say("{help}", help=gettext(provider.permission_help)),
            )
