"""How a company stands: whose key serves, and what people have to know about it.

One reading of :class:`CompanyStatus` for the page, the banner and the members' page.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

from markupsafe import Markup

from .page import Badge
from .page import Tone
from .reasons import Reason
from .reasons import reason_in_words
from .texts import join
from .texts import Names
from .texts import say

if t.TYPE_CHECKING:
    from ..config import Settings
    from ..providers.registry import Registry
    from ..service.types import Allowance
    from ..service.types import CompanyStatus
    from ..vault.types import CredentialInfo

#: The share of an allowance from which on people are told.
LOW: t.Final = 0.8


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What one state means.

    :param slug: names the state in ``data-byok-state``.
    :param line: a sentence for "In use now".
    :param title: of the notice; ``None`` when the state needs none.
    :param notice: the sentences of the notice.
    :param banner: the one line of the banner; ``None`` when it shows none.
    :param mend: which links the notice offers: ``replace``, ``test``, ``policy``.
    """

    slug: str
    tone: Tone
    badge: Badge
    line: Markup | None = None
    title: Markup | None = None
    notice: Markup | None = None
    banner: Markup | None = None
    mend: tuple[str, ...] = ()


def active_credential(status: CompanyStatus) -> CredentialInfo | None:
    """Find the stored key that AI features start on."""
    for info in status.credentials:
        if info.active:
            return info

    return None


def is_used_up(allowances: cabc.Sequence[Allowance]) -> bool:
    """Tell whether nothing is left of one of the allowances."""
    return any(allowance.used >= allowance.limit for allowance in allowances)


def is_low(allowances: cabc.Sequence[Allowance]) -> bool:
    """Tell whether one of the allowances comes to its end."""
    return any(a.used >= a.limit * LOW for a in allowances)


def find_slug(status: CompanyStatus, allowances: cabc.Sequence[Allowance]) -> str:
    """Name the state a company is in."""
    active = active_credential(status)

    if active is None:
        return _slug_without_key(status, allowances)

    if active.unreadable_at is not None:
        return "unreadable"

    if status.serving is None:
        return "never-worked" if active.last_ok_at is None else "off-by-choice"

    if status.serving == "system" and is_used_up(allowances):
        return "allowance-used"

    if status.fallback_active:
        return _slug_of_fallback(status)

    states = {
        "unchecked": "unchecked",
        "not_usable": "not-usable",
        "no_model": "no-model",
    }
    return states.get(active.state, "working")


def _slug_without_key(
    status: CompanyStatus, allowances: cabc.Sequence[Allowance]
) -> str:
    if status.serving is None:
        return "no-key-off"

    if is_used_up(allowances):
        return "allowance-used"

    return "allowance-low" if is_low(allowances) else "no-key"


def _slug_of_fallback(status: CompanyStatus) -> str:
    if status.serving == "company":
        return "other-key"

    return "rate-limited" if status.reason == "rate_limit" else "fallback"


def build_standing(
    status: CompanyStatus,
    allowances: cabc.Sequence[Allowance],
    settings: Settings,
    registry: Registry,
) -> Standing:
    """Put the state of a company into words."""
    slug = find_slug(status, allowances)
    words = _Words(status, allowances, settings, registry)
    makers: dict[str, cabc.Callable[[], Standing]] = {
        "no-key": words.no_key,
        "no-key-off": words.no_key_off,
        "allowance-low": words.allowance_low,
        "allowance-used": words.allowance_used,
        "unreadable": words.unreadable,
        "never-worked": words.never_worked,
        "off-by-choice": words.off_by_choice,
        "other-key": words.other_key,
        "rate-limited": words.rate_limited,
        "fallback": words.fallback,
        "unchecked": words.unchecked,
        "not-usable": words.not_usable,
        "no-model": words.no_model,
        "working": words.working,
    }
    return makers[slug]()


class _Words:
    """The sentences of each state, for one company at one moment."""

    def __init__(
        self,
        status: CompanyStatus,
        allowances: cabc.Sequence[Allowance],
        settings: Settings,
        registry: Registry,
    ) -> None:
        active = active_credential(status)
        self._status = status
        self._allowances = allowances
        self._key = Names.of(
            settings, None if active is None else registry.get(active.provider)
        )
        self._serving = Names.of(
            settings, None if status.provider is None else registry.get(status.provider)
        )
        self._active = active
        self._reason = self._find_reason(settings, registry)

    def _find_reason(self, settings: Settings, registry: Registry) -> Reason:
        active, status = self._active, self._status
        model = None if active is None else active.model

        if active is not None and model is None:
            model = default_model(settings, registry, active.provider)

        word = status.reason or (None if active is None else active.state_reason)
        return reason_in_words(word, self._key, until=status.until, model=model)

    def no_key(self) -> Standing:
        line = self._key.say(
            "Your company has not added a key. AI features use the key provided by "
            "{app}."
        )
        return Standing(
            slug="no-key", tone="info", badge=self._provided(), line=self._with(line)
        )

    def no_key_off(self) -> Standing:
        line = say("Add a key to turn on AI features.")
        return Standing(slug="no-key-off", tone="info", badge=self._off(), line=line)

    def allowance_low(self) -> Standing:
        line = join(*[self._left_of(a) for a in self._allowances if is_low([a])])
        return Standing(
            slug="allowance-low",
            tone="warn",
            badge=self._provided(),
            line=self._key.say("AI features use the key provided by {app}."),
            title=say("Most of this month's allowance is used"),
            notice=line,
            banner=line,
        )

    def allowance_used(self) -> Standing:
        used = [a for a in self._allowances if is_used_up([a])]
        line = self._key.say(
            "The key provided by {app} is used up for this month. AI features start "
            "again on {date}, or as soon as your own key works.",
            date=used[0].resets_on,
        )
        return Standing(
            slug="allowance-used",
            tone="error",
            badge=self._off(),
            line=say("The allowance of this month is used up."),
            title=say("AI features are off until next month"),
            notice=line,
            banner=line,
            mend=() if self._active is None else ("replace", "test"),
        )

    def working(self) -> Standing:
        active = self._active
        line = say("Working.")

        if active is not None and active.last_ok_at is not None:
            line = say("Working. Last call {time}.", time=active.last_ok_at)

        return Standing(slug="working", tone="ok", badge=self._own("ok"), line=line)

    def unchecked(self) -> Standing:
        return self._of_state("unchecked", "info")

    def not_usable(self) -> Standing:
        return self._of_state("not-usable", "warn")

    def no_model(self) -> Standing:
        return self._of_state("no-model", "warn")

    def _of_state(self, slug: str, tone: Tone) -> Standing:
        line = None if self._active is None else state_line(self._active, self._reason)
        return Standing(slug=slug, tone=tone, badge=self._own(tone), line=line)

    def fallback(self) -> Standing:
        return Standing(
            slug="fallback",
            tone="warn",
            badge=self._provided_for_now(),
            line=self._key.say("AI features use the key provided by {app} for now."),
            title=self._key.say("Your {provider} key is not working"),
            notice=join(
                self._since(),
                self._served_by_the_app(),
                self._next_try(),
                *[self._left_this_month(a) for a in self._allowances],
                self._reason.remedy,
            ),
            banner=self._key.say(
                "Your {provider} key is not working: {reason}. AI features use the key "
                "provided by {app} for now.",
                reason=self._reason.words,
            ),
            mend=("replace", "test"),
        )

    def rate_limited(self) -> Standing:
        line = self._key.say(
            "Busy: {reason}. The key provided by {app} is used meanwhile.",
            reason=self._reason.words,
        )
        return Standing(
            slug="rate-limited",
            tone="info",
            badge=self._provided_for_now(),
            line=line,
        )

    def other_key(self) -> Standing:
        line = say(
            "Your {first} key is not working: {reason}. AI features use your "
            "{provider} key; your prompts go to {vendor}.",
            first=self._key.provider,
            reason=self._reason.words,
            provider=self._serving.provider,
            vendor=self._serving.vendor,
        )
        badge = self._serving.say("Your {provider} key, for now")
        return Standing(
            slug="other-key",
            tone="warn",
            badge=Badge(tone="warn", text=badge),
            line=self._serving.say("Your prompts go to {vendor} for now."),
            title=self._key.say("Your {provider} key is not working"),
            notice=join(line, self._next_try(), self._reason.remedy),
            banner=line,
            mend=("replace", "test"),
        )

    def off_by_choice(self) -> Standing:
        why = say(
            "Your key is not working: {reason}. Your settings say not to use the key "
            "provided by {app} for this.",
            reason=self._reason.words,
            app=self._key.app,
        )
        return self._switched_off(
            "off-by-choice",
            join(why, self._next_try(), self._reason.remedy),
            mend=("replace", "test", "policy"),
        )

    def never_worked(self) -> Standing:
        why = say(
            "This key has not worked yet: {reason}. Replace it or remove it to turn AI "
            "features on.",
            reason=self._reason.words,
        )
        return self._switched_off("never-worked", why, mend=("replace", "test"))

    def _switched_off(
        self, slug: str, notice: Markup, mend: tuple[str, ...]
    ) -> Standing:
        return Standing(
            slug=slug,
            tone="error",
            badge=self._off(),
            line=say("No key serves AI features now."),
            title=say("AI features are off"),
            notice=notice,
            banner=say("AI features are off: {reason}.", reason=self._reason.words),
            mend=mend,
        )

    def unreadable(self) -> Standing:
        line = self._key.say(
            "{app_first} cannot read your saved {provider} key any more. Add it again."
        )
        serves = self._status.serving == "system"
        return Standing(
            slug="unreadable",
            tone="error",
            badge=self._provided_for_now() if serves else self._off(),
            line=self._key.say("AI features use the key provided by {app} for now.")
            if serves
            else say("No key serves AI features now."),
            title=self._key.say("Your {provider} key cannot be read"),
            notice=line,
            banner=line,
            mend=("replace",),
        )

    def _own(self, tone: Tone) -> Badge:
        return Badge(tone=tone, text=self._serving.say("Your {provider} key"))

    def _provided(self) -> Badge:
        return Badge(tone="info", text=self._key.say("Key provided by {app}"))

    def _provided_for_now(self) -> Badge:
        return Badge(tone="warn", text=self._key.say("Key provided by {app}, for now"))

    def _off(self) -> Badge:
        return Badge(tone="error", text=say("AI is off"))

    def _since(self) -> Markup:
        if self._status.since is None:
            return say("It is not working: {reason}.", reason=self._reason.words)

        return say(
            "Since {time}: {reason}.",
            time=self._status.since,
            reason=self._reason.words,
        )

    def _served_by_the_app(self) -> Markup:
        return self._key.say(
            "AI features use the key provided by {app} for now; your prompts go "
            "through the account of {app} at {account}.",
            account=self._serving.vendor,
        )

    def _next_try(self) -> Markup | None:
        if self._status.until is None:
            return None

        return say("Your key is tried again at {time}.", time=self._status.until)

    def _with(self, line: Markup) -> Markup:
        return join(line, *[self._left_of(a) for a in self._allowances])

    def _left_of(self, allowance: Allowance) -> Markup:
        return self._key.say(
            "{left} of {total} {unit} left on the key provided by {app} until {date}.",
            left=max(0, allowance.limit - allowance.used),
            total=allowance.limit,
            unit=allowance.unit,
            date=allowance.resets_on,
        )

    def _left_this_month(self, allowance: Allowance) -> Markup:
        return say(
            "{left} {unit} left this month.",
            left=max(0, allowance.limit - allowance.used),
            unit=allowance.unit,
        )


def state_line(info: CredentialInfo, reason: Reason) -> Markup:
    """Say how a stored key fares that has not been found working."""
    names = reason.names

    if info.state == "unchecked":
        return names.say(
            "Saved, not checked yet. {vendor} could not be reached at {time}. The next "
            "AI request checks it.",
            time=info.updated_at,
        )

    if info.state == "no_model":
        return names.say(
            "{vendor} accepts this key, but {model} is not available to it. Choose "
            "another model.",
            model=reason.model,
        )

    why = names.say(
        "Accepted by {vendor}, not usable yet: {reason}.", reason=reason.words
    )
    return join(why, reason.remedy)


def default_model(settings: Settings, registry: Registry, provider: str) -> str:
    """Name the model ``default`` means at a provider when the company chose none."""
    chosen = settings.models.get(provider, {}).get("default")
    return chosen or registry.get(provider).default_models.get("default", "")
