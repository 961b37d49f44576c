"""Puts the state of a company into words."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

from markupsafe import Markup

from .expiry import add_expiry
from .page import Badge
from .page import Tone
from .reasons import reason_in_words
from .standing import active_credential
from .standing import find_slug
from .standing import is_low
from .standing import is_used_up
from .standing import key_service_line
from .standing import model_in_use
from .standing import Standing
from .standing import state_line
from .texts import amount
from .texts import join
from .texts import N_
from .texts import Names
from .texts import say
from .trouble import find_trouble

if t.TYPE_CHECKING:
    from ..config import Settings
    from ..providers.registry import Registry
    from ..service.types import Allowance
    from ..service.types import CompanyStatus


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
        "key-service-down": words.key_service_down,
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
    standing = dataclasses.replace(makers[slug](), until=words.until)
    return add_expiry(standing, status, settings, registry)


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
        model = ""
        trouble = None

        if active is not None:
            model = model_in_use(settings, registry, active)
            trouble = find_trouble(active, model, status.now)

        #: When the company's key is tried again.
        self.until = None if trouble is None else trouble.until
        word = status.reason or (None if active is None else active.state_reason)
        self._reason = reason_in_words(word, self._key, until=self.until, model=model)

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
            notice=(line,),
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
            notice=(line,),
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
            notice=(
                join(self._since(), self._reason.remedy),
                join(
                    self._served_by_the_app(),
                    *[self._left_this_month(a) for a in self._allowances],
                ),
                join(self._next_try()),
            ),
            banner=join(
                self._key.say(
                    "Your {provider} key is not working: {reason}. AI features use the "
                    "key provided by {app} for now.",
                    reason=self._reason.words,
                ),
                self._times(),
            ),
            mend=("replace", "test"),
        )

    def rate_limited(self) -> Standing:
        message = N_("Busy: {reason}. The key provided by {app} is used meanwhile.")
        badge = self._provided_for_now()

        # It passes by itself, so it is no alarm even where nothing else may answer.
        if self._status.serving is None:
            message = N_("Busy: {reason}. AI features wait until then.")
            badge = Badge(tone="info", text=say("AI is paused"))

        line = self._key.say(message, reason=self._reason.words)
        return Standing(slug="rate-limited", tone="info", badge=badge, line=line)

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
            notice=(line, join(self._reason.remedy, self._next_try())),
            banner=join(line, self._times()),
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
            (why, join(self._reason.remedy, self._next_try())),
            mend=("replace", "test", "policy"),
        )

    def never_worked(self) -> Standing:
        why = say(
            "This key has not worked yet: {reason}. Replace it or remove it to turn AI "
            "features on.",
            reason=self._reason.words,
        )
        return self._switched_off("never-worked", (why,), mend=("replace", "test"))

    def _switched_off(
        self, slug: str, notice: tuple[Markup, ...], mend: tuple[str, ...]
    ) -> Standing:
        return Standing(
            slug=slug,
            tone="error",
            badge=self._off(),
            line=say("No key serves AI features now."),
            title=say("AI features are off"),
            notice=notice,
            banner=join(
                say("AI features are off: {reason}.", reason=self._reason.words),
                self._times(),
            ),
            mend=mend,
        )

    def unreadable(self) -> Standing:
        line = self._key.say(
            "{app_first} cannot read your saved {provider} key any more. Add it again."
        )
        return dataclasses.replace(
            self._unopened("unreadable", line), tone="error", mend=("replace",)
        )

    def key_service_down(self) -> Standing:
        return self._unopened("key-service-down", key_service_line(self._key))

    def _unopened(self, slug: str, line: Markup) -> Standing:
        serves = self._status.serving == "system"
        return Standing(
            slug=slug,
            tone="warn",
            badge=self._provided_for_now() if serves else self._off(),
            line=self._key.say("AI features use the key provided by {app} for now.")
            if serves
            else say("No key serves AI features now."),
            title=self._key.say("Your {provider} key cannot be read"),
            notice=(line,),
            banner=line,
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

    def _times(self) -> Markup | None:
        """Say since when the key is out, and when it is tried again."""
        since = self._status.since

        if since is None or self.until is None:
            return self._next_try()

        return say(
            "Your key has been out since {since} and is tried again at {until}.",
            since=since,
            until=self.until,
        )

    def _next_try(self) -> Markup | None:
        if self.until is None or self._reason.tells_when:
            return None

        return say("Your key is tried again at {time}.", time=self.until)

    def _with(self, line: Markup) -> Markup:
        return join(line, *[self._left_of(a) for a in self._allowances])

    def _left_of(self, allowance: Allowance) -> Markup:
        return self._key.say(
            "{left} of {total} left on the key provided by {app} until {date}.",
            left=amount(allowance.left, None),
            total=amount(allowance.limit, allowance.unit),
            date=allowance.resets_on,
        )

    def _left_this_month(self, allowance: Allowance) -> Markup:
        return say(
            "{left} left this month.",
            left=amount(allowance.left, allowance.unit),
        )
