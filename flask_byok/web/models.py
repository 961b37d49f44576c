"""Models in words: what each can do, and when it ends."""

from __future__ import annotations

import collections.abc as cabc
import itertools
import typing as t

from markupsafe import Markup

from ..failover.routes import DEFAULT
from .page import ModelGroup
from .page import Option
from .texts import enumerate_parts
from .texts import N_
from .texts import Names
from .texts import say
from .texts import tell

if t.TYPE_CHECKING:
    from ..config import Settings
    from ..providers.base import Provider
    from ..service.endings import Ending
    from ..service.types import ConnectionReport
    from ..service.types import ListedModel

#: What a model is for and what it can do, in the order people read it.
_WORDS: t.Final[cabc.Mapping[str, str]] = {
    "chat": N_("chat"),
    "embed": N_("embeddings"),
    "other": N_("other uses"),
    "vision": N_("images"),
    "documents": N_("documents"),
    "tools": N_("tools"),
    "schema": N_("structured answers"),
    "reasoning": N_("reasoning"),
}


def build_options(report: ConnectionReport) -> cabc.Iterator[Option]:
    """Give the models of a key's last list, each with what is known of it."""
    facts = {fact.id: fact for fact in report.model_facts}

    for model in report.models:
        fact = facts.get(model)
        text = Markup() if fact is None else describe(fact)
        yield Option(value=model[:200], text=text)


def group_options(options: cabc.Iterable[Option]) -> cabc.Iterator[ModelGroup]:
    """Put neighbours together of which the same is known."""
    for text, group in itertools.groupby(options, lambda option: option.text):
        yield ModelGroup(text=text, names=tuple(option.value for option in group))


def describe(fact: ListedModel) -> Markup:
    """Say what a model can do and when it ends; for an option, so without markup."""
    known = {*fact.kinds, *fact.can}
    parts = [say(word) for name, word in _WORDS.items() if name in known]

    if fact.shuts_down_on is not None:
        # An option of a list takes plain text alone.
        parts.append(
            say("ends on {date}", date=tell("{date}", date=fact.shuts_down_on))
        )

    return enumerate_parts(parts)


def model_names(settings: Settings, provider: Provider) -> dict[str, str]:
    """Map the app's own names for models to those of a provider."""
    return {**provider.default_models, **settings.models.get(provider.id, {})}


def name_options(settings: Settings, provider: Provider) -> cabc.Iterator[Option]:
    """Give the app's own names for models of a provider, each with what it means.

    Without ``default``: that is what an empty field stands for.
    """
    for name, model in model_names(settings, provider).items():
        if name == DEFAULT:
            continue

        text = say("{model} ({provider})", model=model, provider=provider.label)
        yield Option(value=name, text=text)


def end_line(ending: Ending, names: Names) -> Markup:
    """Say that a model is about to be shut down, or that its day has come."""
    if ending.is_over:
        return names.say(
            "{vendor} has shut {model} down, on {date}. Choose another model.",
            model=ending.model,
            date=ending.on,
        )

    return names.say(
        "{vendor} shuts {model} down on {date}. Choose another model before that day.",
        model=ending.model,
        date=ending.on,
    )
