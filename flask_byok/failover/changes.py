"""What changed about a key: told once, by the one who wrote it."""

from __future__ import annotations

import datetime as dt
import typing as t

from ..providers.types import Source
from ..vault.types import CircuitState
from ..vault.types import Credential
from .due import Due
from .system_keys import SystemKey

#: A key whose circuit is kept: a company's stored one or one of the operator's.
Target = Credential | SystemKey

Kind = t.Literal[
    "opened",
    "reopened",
    "closed",
    "blocked",
    "unblocked",
    "unreadable",
    "readable",
]


class Change(t.NamedTuple):
    """One change of a key's state that stands in the database now.

    :param company_id: the typed text; ``None`` for a system key.
    :param credential_id: of the row.
    :param reason: the reason word; of a closing, why it had been open.
    :param until: when one caller may try again; aware UTC.
    :param episode: the number of the episode; 0 when the key never had one.
    :param continued: an opening that goes on with the last episode: nobody is told of
        it a second time.
    :param fell_back: the episode's fallback had been told, so its end may be told too.
    :param model: of a block.
    :param due: the notice for the company that was claimed with an opening.
    """

    kind: Kind
    source: Source
    company_id: str | None
    provider: str
    credential_id: str
    reason: str | None = None
    code: str | None = None
    until: dt.datetime | None = None
    episode: int = 0
    continued: bool = False
    fell_back: bool = False
    model: str | None = None
    due: Due | None = None


def build_change(
    kind: Kind,
    target: Target,
    *,
    reason: str | None = None,
    code: str | None = None,
    until: dt.datetime | None = None,
    episode: int | None = None,
    continued: bool = False,
    fell_back: bool = False,
    model: str | None = None,
    due: Due | None = None,
) -> Change:
    """Say of ``target`` what changed; its own episode where none is given."""
    company_id = target.company_id if isinstance(target, Credential) else None
    return Change(
        kind=kind,
        source="system" if company_id is None else "company",
        company_id=company_id,
        provider=target.provider,
        credential_id=target.circuit.id,
        reason=reason,
        code=code,
        until=until,
        episode=target.circuit.episode if episode is None else episode,
        continued=continued,
        fell_back=fell_back,
        model=model,
        due=due,
    )


def build_closing(target: Target, state: CircuitState) -> Change:
    """Say that the circuit of ``target`` closed, and why it had been open.

    :param state: as it was before.
    """
    return build_change(
        "closed",
        target,
        reason=state.reason,
        code=state.code,
        episode=state.episode,
        fell_back=state.fallback_episode == state.episode,
    )
