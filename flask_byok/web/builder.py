"""Builds the page out of what the service methods tell."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import typing as t

from markupsafe import Markup

from .cards import build_card
from .forms import make_form_id
from .forms import write_generations
from .history import build_lines
from .notices import NoticeMaker
from .outcome import Outcome
from .outcome import Typed
from .page import Fact
from .page import KeyCard
from .page import KeyForm
from .page import Link
from .page import Notice
from .page import Option
from .page import PolicyForm
from .page import ProviderHelp
from .page import Serving
from .page import SettingsPage
from .standing import build_standing
from .standing import default_model
from .standing import Standing
from .texts import Names
from .texts import say
from .usage import build_table
from .usage import DayRange

if t.TYPE_CHECKING:
    from ..config import Settings
    from ..ledger.audit import HistoryEntry
    from ..ledger.usage import UsageRow
    from ..providers.base import Provider
    from ..providers.registry import Registry
    from ..service.types import Allowance
    from ..service.types import CompanyStatus

#: Models offered below the model field, of all providers together.
_MOST_OFFERED: t.Final = 200

#: By code of an outcome: the slug of the page that tells it.
_SLUGS: t.Final[cabc.Mapping[str, str]] = {
    "fields": "field-error",
    "saved": "saved",
    "refused": "not-saved",
    "changed": "changed",
    "check_limit": "check-limit",
    "counter_down": "check-limit",
    "details_saved": "setting-saved",
    "setting_saved": "setting-saved",
    "active_changed": "setting-saved",
    "removed": "removed",
    "locked": "locked",
    "not_set_up": "not-set-up",
    "gone": "changed",
}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """All that a page is made of.

    :param chosen: the provider the address asks for (``?provider=``).
    """

    status: CompanyStatus
    allowances: cabc.Sequence[Allowance]
    rows: cabc.Sequence[UsageRow]
    days: DayRange
    entries: cabc.Sequence[HistoryEntry]
    outcome: Outcome | None = None
    chosen: str = ""

    @property
    def today(self) -> dt.date:
        """The day in UTC, by the database's clock."""
        return self.status.now.astimezone(dt.timezone.utc).date()


class PageBuilder:
    """Builds one :class:`SettingsPage`."""

    def __init__(
        self, settings: Settings, registry: Registry, material: Material
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._material = material
        self._status = material.status
        self._app = Names.of(settings)

    def build(self) -> SettingsPage:
        """Build the page."""
        material = self._material
        standing = build_standing(
            self._status, material.allowances, self._settings, self._registry
        )
        cards = tuple(self._cards())
        notices = NoticeMaker(self._status, self._settings, self._registry)
        return SettingsPage(
            state=self._slug(standing, cards),
            app=self._app.app,
            notice=self._notice(notices, standing),
            serving=self._serving(standing),
            keys=cards,
            form=self._key_form(cards) if self._status.vault_open else None,
            policy=self._policy(),
            usage=build_table(
                material.rows,
                material.days,
                material.allowances,
                self._app,
                material.today,
            ),
            history=build_lines(material.entries, self._settings, self._registry),
        )

    def _slug(self, standing: Standing, cards: tuple[KeyCard, ...]) -> str:
        outcome = self._material.outcome

        if outcome is not None and outcome.code == "tested":
            for card in cards:
                if card.provider == outcome.provider and card.result is not None:
                    return card.result.slug

        if outcome is not None and outcome.code in _SLUGS:
            return _SLUGS[outcome.code]

        return standing.slug if self._status.vault_open else "not-set-up"

    def _notice(self, notices: NoticeMaker, standing: Standing) -> Notice | None:
        outcome = self._material.outcome
        told = None if outcome is None else notices.after(outcome)
        return told or notices.standing(standing)

    def _cards(self) -> t.Iterator[KeyCard]:
        for info in self._status.credentials:
            if info.provider in self._registry.ids:
                yield build_card(
                    info,
                    self._settings,
                    self._registry,
                    today=self._material.today,
                    outcome=self._material.outcome,
                )

    def _serving(self, standing: Standing) -> Serving:
        status = self._status
        provider = None if status.provider is None else self._provider(status.provider)
        headline = say("No key in use")

        if provider is not None and status.serving is not None:
            headline = say("{provider}", provider=provider.label)

        return Serving(
            badge=standing.badge,
            headline=headline,
            line=standing.line,
            facts=tuple(self._serving_facts()),
        )

    def _serving_facts(self) -> t.Iterator[Fact]:
        status = self._status

        if status.serving is not None and status.model:
            yield Fact(label=say("Model"), text=say("{model}", model=status.model))

        for info in status.credentials:
            if info.active and info.last_ok_at is not None:
                yield Fact(
                    label=say("Last call on your key"),
                    text=say("{time}", time=info.last_ok_at),
                )

        if status.until is not None:
            yield Fact(
                label=say("Next try of your key"),
                text=say("{time}", time=status.until),
            )

    def _provider(self, provider: str) -> Provider:
        return self._registry.get(provider)

    def _key_form(self, cards: tuple[KeyCard, ...]) -> KeyForm:
        outcome = self._material.outcome
        mine = outcome if outcome is not None and outcome.card is None else None
        typed = (None if mine is None else mine.typed) or Typed()
        errors = {} if mine is None else mine.field_errors(self._named(mine.provider))
        chosen = typed.provider or self._material.chosen

        if len(self._registry.ids) == 1:
            chosen = self._registry.ids[0]

        return KeyForm(
            options=tuple(self._provider_options(chosen)),
            model=typed.model,
            model_hint=self._model_hint(),
            models=tuple(self._offered_models(cards)),
            expires_on=typed.expires_on,
            activate=typed.activate,
            generations=write_generations(
                (info.provider, info.generation) for info in self._status.credentials
            ),
            form_id=make_form_id(),
            help=tuple(self._help()),
            confirm=_confirm(mine),
            provider_error=errors.get("provider"),
            api_key_error=errors.get("api_key"),
            model_error=errors.get("model"),
            expires_on_error=errors.get("expires_on"),
        )

    def _named(self, provider: str | None) -> Names:
        found = None if provider is None else self._provider(provider)
        return Names.of(self._settings, found)

    def _provider_options(self, chosen: str) -> t.Iterator[Option]:
        stored = {info.provider: info.masked for info in self._status.credentials}

        for provider_id in self._registry.ids:
            label = self._provider(provider_id).label
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
                provider=self._provider(provider_id).label,
            )
            for provider_id in self._registry.ids
        ]
        return self._app.say(
            "Leave empty to use the choice of {app}: {models}.",
            models=Markup(", ").join(pairs),
        )

    def _offered_models(self, cards: tuple[KeyCard, ...]) -> t.Iterator[Option]:
        offered: dict[str, str] = {}

        for provider_id in self._registry.ids:
            provider = self._provider(provider_id)

            for model in provider.default_models.values():
                offered.setdefault(model, provider.label)

        for card in cards:
            for model in () if card.result is None else card.result.models:
                offered.setdefault(model, card.label)

        for model, label in list(offered.items())[:_MOST_OFFERED]:
            yield Option(value=model, text=say("{provider}", provider=label))

    def _help(self) -> t.Iterator[ProviderHelp]:
        for provider_id in self._registry.ids:
            provider = self._provider(provider_id)
            yield ProviderHelp(
                label=provider.label,
                create=Link(
                    href=provider.key_page_url,
                    text=say("Create a key at {vendor}", vendor=provider.vendor),
                    external=True,
                ),
                needs=say("{help}", help=provider.permission_help),
            )

    def _policy(self) -> PolicyForm:
        settings, policy = self._settings, self._status.policy
        other_keys = policy.use_other_keys if settings.fallback_scope == "any" else None

        if not settings.system_order:
            fixed = self._app.say("{app_first} provides no key of its own.")
            return PolicyForm(
                choices=(), hint=None, fixed=(fixed,), use_other_keys=other_keys
            )

        choices = tuple(self._choices())
        vendor = self._provider(settings.system_order[0]).vendor
        hint = self._app.say(
            "Prompts then go through the account of {app} at {account}.", account=vendor
        )

        if policy.locked:
            chosen = next(choice.text for choice in choices if choice.selected)
            fixed = self._app.say("{app_first} has set this for all companies.")
            return PolicyForm(
                choices=(),
                hint=hint,
                fixed=(chosen, fixed),
                use_other_keys=other_keys,
            )

        return PolicyForm(choices=choices, hint=hint, use_other_keys=other_keys)

    def _choices(self) -> t.Iterator[Option]:
        chosen = self._status.policy.fallback
        texts = {
            "auto": (
                self._app.say("Use the key provided by {app}"),
                say("Whatever the reason: AI features go on."),
            ),
            "outage_only": (
                say("Only in outages and rate limits"),
                say("Not when your key is rejected, out of credit or not permitted."),
            ),
            "never": (
                say("Do not use it"),
                say("AI features are off until your own key works again."),
            ),
        }

        for value, (text, hint) in texts.items():
            yield Option(value=value, text=text, hint=hint, selected=value == chosen)


def _confirm(outcome: Outcome | None) -> Option | None:
    if outcome is None or outcome.confirm is None:
        return None

    return Option(value=outcome.confirm, text=say("Save it all the same"))
