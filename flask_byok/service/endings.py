"""The days models shut down: what is known of them, and when it is time to say so."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import logging
import typing as t

from ..config import Settings
from ..events import log_event
from ..providers.base import Provider
from ..providers.registry import Registry
from ..providers.types import ModelInfo
from .types import ConnectionReport
from .types import ListedModel

#: Days before its end on which people are told of it.
WARN_DAYS: t.Final = 30

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """A model whose end is near, or behind us.

    :param days: until then; 0 and less when the day has come.
    """

    model: str
    on: dt.date
    days: int

    @property
    def is_over(self) -> bool:
        """Whether the model is gone by its own vendor's word."""
        return self.days <= 0


def find_end(
    provider: Provider, model: str, listed: cabc.Iterable[ModelInfo] = ()
) -> dt.date | None:
    """Tell the day a model shuts down: by the list, else by what is known."""
    for info in listed:
        if info.id == model and info.shuts_down_on is not None:
            return info.shuts_down_on

    return provider.ends_on(model)


def find_end_in_report(
    provider: Provider, model: str, report: ConnectionReport | None
) -> dt.date | None:
    """Tell the day a model shuts down: by the last list a key was given, likewise."""
    for fact in () if report is None else report.model_facts:
        if fact.id == model and fact.shuts_down_on is not None:
            return fact.shuts_down_on

    return provider.ends_on(model)


def near_ending(model: str, on: dt.date | None, today: dt.date) -> Ending | None:
    """Tell of an end that is near; ``None`` when there is nothing to say yet.

    :param today: UTC.
    """
    days = None if on is None else (on - today).days

    if on is None or days is None or days > WARN_DAYS:
        return None

    return Ending(model=model, on=on, days=days)


def app_endings(
    settings: Settings, registry: Registry, today: dt.date
) -> cabc.Iterator[tuple[Provider, Ending]]:
    """Give the models the app itself names whose end is near.

    Those of ``BYOK_MODELS``, and a provider's own where no setting names another.
    """
    for provider in registry:
        names = {**provider.default_models, **settings.models.get(provider.id, {})}

        for model in sorted(set(names.values())):
            ending = near_ending(model, provider.ends_on(model), today)

            if ending is not None:
                yield provider, ending


def read_facts(
    provider: Provider, listed: cabc.Iterable[ModelInfo]
) -> tuple[ListedModel, ...]:
    """Keep what a list, or the table of ends, says of models beside their ids."""
    facts = (_read_fact(provider, info) for info in listed)
    return tuple(fact for fact in facts if fact != ListedModel(id=fact.id))


def _read_fact(provider: Provider, info: ModelInfo) -> ListedModel:
    return ListedModel(
        id=info.id[:200],
        kinds=tuple(sorted(info.kinds)),
        can=tuple(sorted(info.can)),
        shuts_down_on=info.shuts_down_on or provider.ends_on(info.id),
        input_limit=info.input_limit,
    )


def warn_of_ends(settings: Settings, registry: Registry) -> None:
    """Tell the log of the models the app itself names whose end is near."""
    for provider, ending in app_endings(settings, registry, _today()):
        _warn(provider, ending)


def warn_of_end(provider: Provider, model: str, on: dt.date | None) -> None:
    """Tell the log of a company's model whose end is near."""
    ending = near_ending(model, on, _today())

    if ending is not None:
        _warn(provider, ending)


def _today() -> dt.date:
    return dt.datetime.now(dt.timezone.utc).date()


def _warn(provider: Provider, ending: Ending) -> None:
    log_event(
        _log,
        logging.WARNING,
        "model_ends",
        "%(provider)s shuts the model %(model)s down on %(date)s. Choose another one.",
        provider=provider.id,
        model=ending.model,
        date=ending.on.isoformat(),
    )
