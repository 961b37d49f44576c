"""What the templates are given: one frozen :class:`SettingsPage`. They decide nothing.

Texts are ready to print: escaped, with their times and masked keys marked up.
"""

from __future__ import annotations

import dataclasses
import typing as t

from markupsafe import Markup

from .usageparts import HistoryLine
from .usageparts import UsageSection

#: How a badge, notice or check looks. Each has an icon and a word besides its colour.
Tone = t.Literal["ok", "info", "warn", "error"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Badge:
    """A word with an icon."""

    tone: Tone
    text: Markup


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A link; ``external`` ones leave the app and send no referrer."""

    href: str
    text: Markup
    external: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """A row of a definition list."""

    label: Markup
    text: Markup


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """What stands above all else on the page, at most once.

    :param id: the fragment that gets the focus: ``byok-errors`` or ``byok-notice``.
    :param errors: links to the fields to mend; their texts stand at the fields, too.
    :param activate: a provider whose key can be put to use right here.
    :param test: a provider whose stored key can be tested right here, and its label.
    """

    tone: Tone
    title: Markup
    lines: tuple[Markup, ...] = ()
    links: tuple[Link, ...] = ()
    errors: tuple[Link, ...] = ()
    id: str = "byok-notice"
    activate: str | None = None
    test: Option | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Serving:
    """Whose key the next AI request uses.

    :param initial: decoration in front of the headline.
    """

    badge: Badge
    initial: str
    headline: Markup
    line: Markup | None
    facts: tuple[Fact, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One graded row of a test."""

    name: Markup
    tone: Tone
    word: Markup
    text: Markup


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ModelGroup:
    """Models of a key's list of which the same is known.

    :param text: what they can do and when they end; empty when nobody knows.
    """

    text: Markup
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TestResult:
    """The result of Test Connection.

    :param slug: ``test-ok``, ``test-remarks``, ``test-failed`` or ``test-unknown``.
    :param lines: what stands below the checks.
    :param models: the models this key may use, chat models first; the text of each
        says what it can do and when it ends, and is empty when nobody knows.
    :param groups: the same models, in the same order; neighbours of the same text
        stand together.
    :param request_id: the vendor's own, for its support.
    """

    provider: str
    slug: str
    badge: Badge
    tested_at: Markup
    checks: tuple[Check, ...]
    lines: tuple[Markup, ...] = ()
    models: tuple[Option, ...] = ()
    groups: tuple[ModelGroup, ...] = ()
    request_id: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DetailsForm:
    """Model and expiry date of a stored key.

    :param models: the app's own names for models; the script adds those of the test.
    """

    model: str
    model_hint: Markup
    models: tuple[Option, ...]
    expires_on: str
    generation: int
    is_open: bool = False
    model_error: Markup | None = None
    expires_on_error: Markup | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class KeyCard:
    """One stored key.

    :param line: what the badge does not say; ``None`` for a key that works.
    """

    provider: str
    label: str
    masked: Markup
    active: bool
    badge: Badge
    line: Markup | None
    facts: tuple[Fact, ...]
    details: DetailsForm
    result: TestResult | None
    can_test: bool
    replace_url: str
    remove_url: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ProviderHelp:
    """Where a key is made, and what it must be allowed to do.

    :param create: ``None`` where there is no page for that.
    """

    label: str
    create: Link | None
    needs: Markup


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One choice of a select or of radios."""

    value: str
    text: Markup
    selected: bool = False
    hint: Markup | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class KeyForm:
    """The form with the key field, which is always empty.

    :param generations: ``OPENAI:3 CLAUDE:1``: what was stored when the page was made.
    :param form_id: tells a second press of *Save* from a second save.
    """

    options: tuple[Option, ...]
    model: str
    model_hint: Markup
    models: tuple[Option, ...]
    expires_on: str
    activate: bool
    generations: str
    form_id: str
    help: tuple[ProviderHelp, ...]
    provider_error: Markup | None = None
    api_key_error: Markup | None = None
    model_error: Markup | None = None
    expires_on_error: Markup | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DraftButton:
    """One decision about a draft.

    :param action: ``draft_check``, ``draft_use``, ``draft_switch`` or
        ``draft_discard``.
    :param ending: what a screen reader says behind the text.
    """

    action: str
    text: Markup
    ending: Markup
    is_main: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DraftPanel:
    """A pasted key that is not saved yet, and what can be done about it.

    :param buttons: the careful one first.
    :param model: ``None`` where no model is to be chosen.
    :param form_id: tells this draft from one that took its place.
    """

    provider: str
    title: Markup
    lines: tuple[Markup, ...]
    buttons: tuple[DraftButton, ...]
    generation: int
    form_id: str
    model: str | None = None
    models: tuple[str, ...] = ()
    model_error: Markup | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class PolicyForm:
    """What happens when the company's key stops working.

    :param choices: empty when nothing can be chosen; then ``fixed`` says why.
    :param use_other_keys: ``None`` where other keys cannot serve.
    """

    choices: tuple[Option, ...]
    hint: Markup | None
    fixed: tuple[Markup, ...] = ()
    use_other_keys: bool | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SettingsPage:
    """The whole page.

    :param state: the slug in ``data-byok-state``.
    :param form: ``None`` when no key can be saved here.
    :param draft: ``None`` when this session has none.
    """

    state: str
    app: str
    notice: Notice | None
    serving: Serving
    keys: tuple[KeyCard, ...]
    form: KeyForm | None
    draft: DraftPanel | None
    policy: PolicyForm
    usage: UsageSection
    history: tuple[HistoryLine, ...]

    @property
    def has_errors(self) -> bool:
        """Whether a field has to be mended; the title then says so."""
        return self.notice is not None and bool(self.notice.errors)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class RemovePage:
    """The confirmation before a key is removed.

    :param links: to the vendor's own page, where a key is revoked.
    """

    state: str
    provider: str
    title: Markup
    lines: tuple[Markup, ...]
    generation: int
    keep_url: str
    links: tuple[Link, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DeniedPage:
    """What a member sees: whose key serves, and nothing that belongs to it."""

    state: str
    lines: tuple[Markup, ...]
    badge: Badge | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class MessagePage:
    """A sentence, and where to go."""

    state: str
    title: Markup
    lines: tuple[Markup, ...]
    link: Link | None = None
