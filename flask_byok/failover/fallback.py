"""Another key answers for a company key that is out."""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t
import uuid

from ..providers.types import Source

#: The ids of lines about a company's own keys are made within it; never change it.
_LINES: t.Final = uuid.UUID("c97baf93-4c41-4406-b7ca-bbf0c8e6058b")


def own_key_line(credential_id: str, episode: int) -> str:
    """Give the id of the line in the history that says another own key answers.

    It is the same in every process, so the table holds one such line for an episode,
    whoever writes it.
    """
    return str(uuid.uuid5(_LINES, f"{credential_id}:{episode}"))


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Fallback:
    """The first call of an episode, or of a block, that ran on another key.

    :param company_id: the typed text.
    :param provider: whose company key is out, for ``reason``.
    :param credential_id: of that key's row.
    :param episode: of its circuit; 0 when a block is the cause.
    :param to_provider: whose key answered.
    :param source: whether that is the system key or another key of the company.
    :param at: the database's time, aware UTC.
    """

    company_id: str
    provider: str
    credential_id: str
    reason: str
    episode: int
    to_provider: str
    source: Source
    at: dt.datetime

    @property
    def line_id(self) -> str | None:
        """The id of its line in the history; ``None`` for any."""
        if self.source == "company" and self.episode:
            return own_key_line(self.credential_id, self.episode)

        return None
