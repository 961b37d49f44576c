"""The panel of a pasted key that is not saved yet."""

from __future__ import annotations

import typing as t

from markupsafe import Markup

from ..service.reports import parse_report
from .forms import known_models
from .outcome import DRAFT_CARD
from .page import DraftButton
from .page import DraftPanel
from .reasons import reason_in_words
from .standing import default_model
from .texts import join
from .texts import masked
from .texts import N_
from .texts import Names
from .texts import say

if t.TYPE_CHECKING:
    from ..config import Settings
    from ..providers.registry import Registry
    from ..service.types import CompanyStatus
    from ..vault.types import CredentialInfo
    from ..vault.types import DraftInfo
    from .outcome import Outcome

#: By verdict: which decisions the panel offers, the careful one first.
_ACTIONS: t.Final[dict[str, tuple[str, ...]]] = {
    "other_model": ("draft_use", "draft_discard"),
    "not_usable": ("draft_check", "draft_use", "draft_discard"),
    "could_not_ask": ("draft_check", "draft_use", "draft_discard"),
    "other_provider": ("draft_switch", "draft_use", "draft_discard"),
    "changed": ("draft_use", "draft_discard"),
    "check_limit": ("draft_check", "draft_discard"),
}


#: By verdict: why the key is not saved. The others are made of what else is known.
_WHY: t.Final[dict[str, str]] = {
    "other_provider": N_("This looks like a key for {other}. Nothing was sent."),
    "other_model": N_(
        "{vendor} accepts this key, but {model} is not available to it. "
        "Choose another model."
    ),
    "could_not_ask": N_("{vendor} could not be asked whether this key works."),
    "check_limit": N_("It could not be checked yet. Check it again in a minute."),
}
_UNNAMED_MODEL: t.Final = N_(
    "{vendor} accepts this key, but the chosen model is not available to it. Choose "
    "another model."
)


def build_draft_panel(
    status: CompanyStatus,
    settings: Settings,
    registry: Registry,
    outcome: Outcome | None,
) -> DraftPanel | None:
    """Build the panel; ``None`` when there is no draft, or nothing to do with one."""
    if status.draft is None or not status.vault_open:
        return None

    return _Builder(status.draft, status, settings, registry).build(outcome)


class _Builder:
    """Puts one draft into words."""

    def __init__(
        self,
        draft: DraftInfo,
        status: CompanyStatus,
        settings: Settings,
        registry: Registry,
    ) -> None:
        self._draft = draft
        self._status = status
        self._names = Names.of(settings, registry.get(draft.provider))
        other = draft.other_provider
        known = other is not None and other in registry.ids
        self._other = registry.get(other).label if known and other else ""
        self._report = parse_report(draft.report)
        self._offered = () if self._report is None else self._report.models
        self._model = draft.model or default_model(settings, registry, draft.provider)
        # What was typed freely may be a key in the wrong field.
        names = known_models(settings, registry) | set(self._offered)
        self._is_known = self._model in names

    def build(self, outcome: Outcome | None) -> DraftPanel:
        draft, stored = self._draft, self._stored()
        asks_model = draft.verdict == "other_model"
        is_mine = outcome is not None and outcome.card == DRAFT_CARD
        errors = outcome.field_errors(self._names) if is_mine and outcome else {}
        return DraftPanel(
            provider=draft.provider,
            title=say("The new key is not saved yet"),
            lines=tuple(self._lines(stored)),
            buttons=tuple(self._buttons(stored)),
            generation=0 if stored is None else stored.generation,
            form_id=draft.id,
            model=self._shown_model() if asks_model else None,
            models=self._offered if asks_model else (),
            model_error=errors.get("model"),
        )

    def _shown_model(self) -> str:
        return self._draft.model or "" if self._is_known else ""

    def _stored(self) -> CredentialInfo | None:
        for info in self._status.credentials:
            if info.provider == self._draft.provider:
                return info

        return None

    def _lines(self, stored: CredentialInfo | None) -> t.Iterator[Markup]:
        yield self._why(stored)

        if stored is not None:
            serves = stored.active and not self._status.fallback_active
            yield say(
                "Your saved key {key} stays in use."
                if serves
                else "Your saved key {key} has not changed.",
                key=masked(stored.masked),
            )

        yield say(
            "The new key is kept, encrypted, until {time}.", time=self._draft.ends_at
        )

    def _why(self, stored: CredentialInfo | None) -> Markup:
        verdict = self._draft.verdict

        if verdict == "changed":
            return _why_changed(stored, self._names)

        if verdict == "not_usable":
            return self._why_not_usable()

        message = _WHY[verdict]

        if verdict == "other_model" and not self._is_known:
            message = _UNNAMED_MODEL

        return self._names.say(message, other=self._other, model=self._model)

    def _why_not_usable(self) -> Markup:
        report = self._report
        reason = reason_in_words(
            None if report is None else report.reason,
            self._names,
            until=None if report is None else report.until,
            model=self._model if self._is_known else None,
        )
        why = self._names.say(
            "Accepted by {vendor}, not usable yet: {reason}.", reason=reason.words
        )
        return join(why, reason.remedy)

    def _buttons(self, stored: CredentialInfo | None) -> t.Iterator[DraftButton]:
        ending = self._names.say("the {provider} key that was pasted")
        use = {
            "other_model": say("Use this key"),
            "not_usable": say("Use it anyway"),
            "could_not_ask": say("Use without checking"),
            "other_provider": self._names.say("It is a key for {provider}"),
            "changed": say("Save it")
            if stored is None
            else say("Replace it with the key I pasted"),
        }
        texts = {
            "draft_check": say("Check again"),
            "draft_use": use.get(self._draft.verdict, say("Save it")),
            "draft_switch": say("It is a key for {other}", other=self._other),
            "draft_discard": say("Discard"),
        }

        for position, action in enumerate(_ACTIONS[self._draft.verdict]):
            yield DraftButton(
                action=action,
                text=texts[action],
                ending=ending,
                is_main=position == 0,
            )


def _why_changed(stored: CredentialInfo | None, names: Names) -> Markup:
    if stored is None:
        return names.say("The {provider} key was removed in the meantime.")

    return say(
        "{actor} changed this key at {time}. Look at it before you save yours.",
        actor=stored.updated_by or say("Someone in your company"),
        time=stored.updated_at,
    )
