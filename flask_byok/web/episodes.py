"""From when to when a company's key was out, as its history tells."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import typing as t

if t.TYPE_CHECKING:
    from ..ledger.audit import HistoryEntry

# A key that is replaced or removed takes its episode with it.
_ENDS: t.Final = frozenset({"fallback_ended", "key_replaced", "key_removed"})


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Episode:
    """A key was out and another one served.

    :param end: ``None`` while it goes on.
    :param reason: a word of ours.
    """

    provider: str
    start: dt.datetime
    end: dt.datetime | None
    reason: str | None

    def touches(self, day: dt.date) -> bool:
        """Tell whether it went on at some time of a day, UTC."""
        return _day(self.start) <= day and (self.end is None or day <= _day(self.end))


def _day(moment: dt.datetime) -> dt.date:
    return moment.astimezone(dt.timezone.utc).date()


def find_episodes(entries: cabc.Sequence[HistoryEntry]) -> list[Episode]:
    """Put starts and ends together, the oldest first.

    An end whose start is older than the entries is left out.

    :param entries: newest first.
    """
    found: list[Episode] = []
    open_at: dict[str, int] = {}

    for entry in reversed(entries):
        provider = entry.provider

        if provider is None:
            continue

        if entry.action == "fallback_started" and provider not in open_at:
            reason = entry.details.get("reason")
            open_at[provider] = len(found)
            found.append(
                Episode(
                    provider=provider,
                    start=entry.at,
                    end=None,
                    reason=reason if isinstance(reason, str) else None,
                )
            )

        if entry.action in _ENDS and provider in open_at:
            place = open_at.pop(provider)
            found[place] = dataclasses.replace(found[place], end=entry.at)

    return found
