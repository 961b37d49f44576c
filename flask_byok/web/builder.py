"""Builds the page out of what the service methods tell."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import typing as t

from .cards import build_card
from .draftpanel import build_draft_panel
from .history import build_lines
from .keyform import KeyFormBuilder
from .notices import NoticeMaker
from .outcome import Outcome
from .page import Fact
from .page import KeyCard
from .page import Notice
from .page import Serving
from .page import SettingsPage
from .policyform import build_policy
from .standing import Standing
from .texts import Names
from .texts import say
from .usage import DayRange
from .usage import MOST_DAYS
from .usage import UsageBuilder
from .usageparts import UsageSection
from .wording import build_standing

if t.TYPE_CHECKING:
    from ..config import Settings
    from ..ledger.audit import HistoryEntry
    from ..ledger.usage import UsageRow
    from ..providers.base import Provider
    from ..providers.registry import Registry
    from ..service.types import Allowance
    from ..service.types import CompanyStatus
    from ..vault.types import CredentialInfo

#: By code of an outcome: the slug of the page that tells it.
_SLUGS: t.Final[cabc.Mapping[str, str]] = {
    "fields": "field-error",
    "saved": "saved",
    "changed": "changed",
    "check_limit": "check-limit",
    "counter_down": "check-limit",
    "key_service": "key-service",
    "details_saved": "setting-saved",
    "setting_saved": "setting-saved",
    "active_changed": "setting-saved",
    "removed": "removed",
    "locked": "locked",
    "not_set_up": "not-set-up",
    "gone": "changed",
    "draft_gone": "changed",
    "draft_discarded": "draft-discarded",
}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """All that a page is made of.

    :param is_range: whether the address asks for days that can be shown.
    :param entries: the history, newest first, further back than the page lists it.
    :param chosen: the provider the address asks for (``?provider=``).
    :param recovered: a key that works again, to be told this once.
    """

    status: CompanyStatus
    allowances: cabc.Sequence[Allowance]
    rows: cabc.Sequence[UsageRow]
    days: DayRange
    entries: cabc.Sequence[HistoryEntry]
    is_range: bool = True
    outcome: Outcome | None = None
    chosen: str = ""
    recovered: CredentialInfo | None = None

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
            form=KeyFormBuilder(
                self._settings, self._registry, self._status, material.outcome, cards
            ).build(material.chosen)
            if self._status.vault_open
            else None,
            draft=build_draft_panel(
                self._status, self._settings, self._registry, material.outcome
            ),
            policy=build_policy(self._status.policy, self._settings, self._registry),
            usage=self._usage(),
            history=build_lines(material.entries, self._settings, self._registry),
        )

    def _usage(self) -> UsageSection:
        material = self._material
        error = say(
            "Choose days in their order, at most {n} of them. These are the last days.",
            n=MOST_DAYS,
        )
        return UsageBuilder(
            self._settings,
            self._registry,
            material.rows,
            material.days,
            material.entries,
        ).build(
            material.allowances, material.today, None if material.is_range else error
        )

    def _slug(self, standing: Standing, cards: tuple[KeyCard, ...]) -> str:
        outcome = self._material.outcome

        if outcome is not None and outcome.code == "tested":
            for card in cards:
                if card.provider == outcome.provider and card.result is not None:
                    return card.result.slug

        if outcome is not None and outcome.code in _SLUGS:
            return _SLUGS[outcome.code]

        if not self._status.vault_open:
            return "not-set-up"

        if self._status.draft is not None:
            return "draft"

        return "recovered" if self._tells_recovery(standing) else standing.slug

    def _tells_recovery(self, standing: Standing) -> bool:
        """Anything that is wrong now is more pressing."""
        return self._material.recovered is not None and standing.title is None

    def _notice(self, notices: NoticeMaker, standing: Standing) -> Notice | None:
        outcome = self._material.outcome
        told = None if outcome is None else notices.after(outcome)
        recovered = self._material.recovered

        if recovered is not None and self._tells_recovery(standing):
            told = told or notices.recovered(recovered)

        return told or notices.standing(standing) or notices.ending()

    def _cards(self) -> t.Iterator[KeyCard]:
        for info in self._status.credentials:
            if info.provider in self._registry.ids:
                yield build_card(
                    info,
                    self._settings,
                    self._registry,
                    now=self._status.now,
                    outcome=self._material.outcome,
                )

    def _serving(self, standing: Standing) -> Serving:
        status = self._status
        headline = say("No key in use")
        initial = "–"

        if status.provider is not None and status.serving is not None:
            label = self._registry.get(status.provider).label
            headline = say("{provider}", provider=label)
            initial = label[:1]

        return Serving(
            badge=standing.badge,
            initial=initial,
            headline=headline,
            line=standing.line,
            facts=tuple(self._serving_facts(standing)),
        )

    def _serving_facts(self, standing: Standing) -> t.Iterator[Fact]:
        status = self._status

        if status.serving is not None and status.model:
            yield Fact(label=say("Model"), text=say("{model}", model=status.model))

        # The line of a working key has this already.
        told = standing.slug == "working"

        for info in status.credentials:
            if info.active and info.last_ok_at is not None and not told:
                yield Fact(
                    label=say("Last call on your key"),
                    text=say("{time}", time=info.last_ok_at),
                )

        if standing.until is not None:
            yield Fact(
                label=say("Next try of your key"),
                text=say("{time}", time=standing.until),
            )

    def _provider(self, provider: str) -> Provider:
        return self._registry.get(provider)
