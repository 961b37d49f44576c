"""The one notice above the page: what an action led to, else what is wrong now."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import typing as t

from flask import url_for
from markupsafe import Markup

from ..service.reports import parse_report
from .models import end_line
from .outcome import FIELD_ERRORS
from .outcome import Outcome
from .page import Link
from .page import Notice
from .page import Option
from .reasons import reason_in_words
from .removal import revoke_links
from .standing import active_credential
from .standing import default_model
from .standing import ending_of
from .standing import model_in_use
from .standing import Standing
from .standing import state_line
from .texts import N_
from .texts import Names
from .texts import say
from .texts import say_count

if t.TYPE_CHECKING:
    from ..config import Settings
    from ..providers.registry import Registry
    from ..service.types import CompanyStatus
    from ..vault.types import CredentialInfo


class NoticeMaker:
    """Puts outcomes into words, for one company at one moment."""

    def __init__(
        self, status: CompanyStatus, settings: Settings, registry: Registry
    ) -> None:
        self._status = status
        self._settings = settings
        self._registry = registry
        self._makers: dict[str, cabc.Callable[[Outcome, Names], Notice]] = {
            "fields": self._fields,
            "saved": self._saved,
            "changed": self._changed,
            "check_limit": self._check_limit,
            "counter_down": self._counter_down,
            "key_service": self._key_service,
            "details_saved": self._details_saved,
            "setting_saved": self._setting_saved,
            "active_changed": self._active_changed,
            "removed": self._removed,
            "locked": self._locked,
            "not_set_up": self._not_set_up,
            "gone": self._gone,
            "draft_gone": self._draft_gone,
            "draft_discarded": self._draft_discarded,
        }

    def after(self, outcome: Outcome) -> Notice | None:
        """Say what an action led to; ``None`` when the page itself shows it."""
        maker = self._makers.get(outcome.code)
        return None if maker is None else maker(outcome, self._names(outcome.provider))

    def recovered(self, info: CredentialInfo) -> Notice:
        """Say, once, that a key works again."""
        names = self._names(info.provider)
        line = names.say(
            "Your {provider} key works again since {time}.",
            time=info.closed_at or info.last_ok_at or info.updated_at,
        )
        title = names.say("Your {provider} key works again")
        return Notice(tone="ok", title=title, lines=(line,))

    def standing(self, standing: Standing) -> Notice | None:
        """Say what is wrong now; ``None`` when nothing is."""
        if standing.title is None:
            return None

        return Notice(
            tone=standing.tone,
            title=standing.title,
            lines=tuple(line for line in standing.notice if line),
            links=tuple(self._mending(standing.mend)),
            test=self._test() if "test" in standing.mend else None,
        )

    def _test(self) -> Option | None:
        active = active_credential(self._status)

        if active is None or not self._settings.is_vault_open:
            return None

        label = self._names(active.provider).say("{provider}")
        return Option(value=active.provider, text=label)

    def ending(self) -> Notice | None:
        """Say that the model in use is about to end; ``None`` while it is not."""
        active = active_credential(self._status)

        if active is None or self._status.provider != active.provider:
            return None

        provider = self._registry.get(active.provider)
        model = model_in_use(self._settings, self._registry, active)
        today = self._status.now.astimezone(dt.timezone.utc).date()
        ending = ending_of(provider, active, model, today)

        if ending is None:
            return None

        title = (
            N_("{model} has ended") if ending.is_over else N_("{model} ends on {date}")
        )
        return Notice(
            tone="warn",
            title=say(title, model=ending.model, date=ending.on),
            lines=(end_line(ending, self._names(active.provider)),),
            links=(
                Link(
                    href=f"#byok-key-{active.provider}",
                    text=say("Choose another model"),
                ),
            ),
        )

    def _mending(self, words: cabc.Sequence[str]) -> t.Iterator[Link]:
        active = active_credential(self._status)

        if active is not None and "replace" in words:
            names = self._names(active.provider)
            yield Link(
                href=url_for("byok.page", provider=active.provider) + "#byok-key-form",
                text=names.say("Replace the {provider} key"),
            )

        if "policy" in words:
            yield Link(href="#byok-policy", text=say("Change the setting"))

    def _names(self, provider: str | None) -> Names:
        found = None if provider is None else self._registry.get(provider)
        return Names.of(self._settings, found)

    def _stored(self, provider: str | None) -> CredentialInfo | None:
        for info in self._status.credentials:
            if info.provider == provider:
                return info

        return None

    def _fields(self, outcome: Outcome, names: Names) -> Notice:
        suffix = "" if outcome.card is None else f"-{outcome.card}"
        texts = outcome.field_errors(names)
        lines: tuple[Markup, ...] = ()

        if outcome.card is None and self._stored(outcome.provider) is not None:
            lines = (say("Your saved key has not changed."),)

        return Notice(
            id="byok-errors",
            tone="error",
            title=say("There is a problem"),
            lines=lines,
            errors=tuple(
                Link(href=f"#byok-{field.replace('_', '-')}{suffix}", text=texts[field])
                for field in dict.fromkeys(
                    FIELD_ERRORS[code][0] for code in outcome.errors
                )
            ),
        )

    def _changed(self, outcome: Outcome, names: Names) -> Notice:
        stored = self._stored(outcome.provider)
        line = names.say(
            "The {provider} key was removed in the meantime. Nothing was changed."
        )

        if stored is not None:
            line = say(
                "{actor} changed this key at {time}. Look at it before you save yours.",
                actor=stored.updated_by or say("Someone in your company"),
                time=stored.updated_at,
            )

        return Notice(
            tone="warn",
            title=say("Nothing was saved"),
            lines=(line,),
            links=() if stored is None else (self._to_form(),),
        )

    def _check_limit(self, outcome: Outcome, names: Names) -> Notice:
        return Notice(
            tone="warn",
            title=say("Nothing was checked or saved"),
            lines=(
                say_count(
                    "Too many keys were checked in a minute. Try again in {n} second.",
                    "Too many keys were checked in a minute. Try again in {n} seconds.",
                    outcome.number or 60,
                ),
            ),
        )

    def _counter_down(self, outcome: Outcome, names: Names) -> Notice:
        return Notice(
            tone="warn",
            title=say("Nothing was checked or saved"),
            lines=(say("Keys cannot be checked now. Try again later."),),
        )

    def _key_service(self, outcome: Outcome, names: Names) -> Notice:
        lines = [
            names.say(
                "{app_first} cannot reach the service that protects saved keys. Try "
                "again in a few minutes."
            )
        ]

        if self._stored(outcome.provider) is not None:
            lines.append(say("Your saved key has not changed."))

        return Notice(
            tone="warn", title=say("Nothing was checked or saved"), lines=tuple(lines)
        )

    def _locked(self, outcome: Outcome, names: Names) -> Notice:
        return Notice(
            tone="warn",
            title=say("Nothing was saved"),
            lines=(names.say("{app_first} has set this for all companies."),),
        )

    def _not_set_up(self, outcome: Outcome, names: Names) -> Notice:
        return Notice(
            tone="warn",
            title=say("Nothing was saved"),
            lines=(
                names.say(
                    "Keys cannot be saved yet. The people who run {app} have to finish "
                    "its set-up."
                ),
            ),
        )

    def _gone(self, outcome: Outcome, names: Names) -> Notice:
        return Notice(
            tone="warn",
            title=say("Nothing was changed"),
            lines=(names.say("There is no {provider} key here any more."),),
        )

    def _draft_gone(self, outcome: Outcome, names: Names) -> Notice:
        return Notice(
            tone="warn",
            title=say("Nothing was changed"),
            lines=(
                say(
                    "The key you pasted is not kept here any more: it was saved or "
                    "discarded, or its time was over."
                ),
            ),
            links=(self._to_form(),),
        )

    def _draft_discarded(self, outcome: Outcome, names: Names) -> Notice:
        return Notice(
            tone="ok",
            title=say("Discarded"),
            lines=(say("The key you pasted is not kept. Nothing else was changed."),),
        )

    def _to_form(self) -> Link:
        return Link(href="#byok-key-form", text=say("Go to the form"))

    def _saved(self, outcome: Outcome, names: Names) -> Notice:
        stored = self._stored(outcome.provider)

        if stored is None:
            return self._gone(outcome, names)

        if stored.state != "working":
            return self._saved_with_doubt(stored, names)

        return Notice(
            tone="ok",
            title=names.say("{provider} key saved"),
            lines=(self._answered(stored, names), self._in_use(stored)),
            activate=None if stored.active else stored.provider,
        )

    def _saved_with_doubt(self, stored: CredentialInfo, names: Names) -> Notice:
        default = default_model(self._settings, self._registry, stored.provider)
        reason = reason_in_words(
            stored.state_reason, names, model=stored.model or default
        )
        return Notice(
            tone="info" if stored.state == "unchecked" else "warn",
            title=names.say("{provider} key saved"),
            lines=(state_line(stored, reason), self._in_use(stored)),
        )

    def _answered(self, stored: CredentialInfo, names: Names) -> Markup:
        report = parse_report(stored.report)

        if report is None or report.latency_ms is None:
            return say("Saved.")

        return names.say("Saved. {vendor} answered in {ms} ms.", ms=report.latency_ms)

    def _in_use(self, stored: CredentialInfo) -> Markup:
        if stored.active:
            return say("AI features now use this key.")

        return self._still_in_use()

    def _still_in_use(self) -> Markup:
        active = active_credential(self._status)

        if active is None:
            return self._names(None).say("AI features use the key provided by {app}.")

        names = self._names(active.provider)
        return names.say("AI features still use your {provider} key.")

    def _details_saved(self, outcome: Outcome, names: Names) -> Notice:
        return Notice(
            tone="ok", title=say("Saved"), lines=(say("Model and date saved."),)
        )

    def _setting_saved(self, outcome: Outcome, names: Names) -> Notice:
        return Notice(tone="ok", title=say("Saved"), lines=(say("Setting saved."),))

    def _active_changed(self, outcome: Outcome, names: Names) -> Notice:
        return Notice(
            tone="ok",
            title=say("Saved"),
            lines=(names.say("AI features now use your {provider} key."),),
        )

    def _removed(self, outcome: Outcome, names: Names) -> Notice:
        provider = self._registry.get(t.cast("str", outcome.provider))
        return Notice(
            tone="ok",
            title=names.say("{provider} key removed"),
            lines=(
                self._serves_now(),
                names.say(
                    "The key itself still works at {vendor} until you revoke it there."
                ),
            ),
            links=revoke_links(provider, names),
        )

    def _serves_now(self) -> Markup:
        active = active_credential(self._status)

        if active is not None:
            names = self._names(active.provider)
            return names.say("AI features now use your {provider} key.")

        if self._status.serving is None:
            return say("AI features are off.")

        return self._names(None).say("AI features use the key provided by {app}.")
