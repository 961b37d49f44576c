"""The days known models shut down: data, in this one place.

As of 2026-11-23, from the vendors' pages on deprecations. A list of models that names
a day of its own comes first: these are for providers, and for keys, whose list does
not. Ids stand without a date at their end.
"""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import types
import typing as t

#: When this table was last compared with the vendors' pages.
AS_OF: t.Final = dt.date(2026, 11, 23)


def _on(day: str, *models: str) -> dict[str, dt.date]:
    return dict.fromkeys(models, dt.date.fromisoformat(day))


OPENAI_ENDS: t.Final[cabc.Mapping[str, dt.date]] = types.MappingProxyType(
    {
        **_on("2026-10-23", "o1", "o3-mini", "o4-mini", "gpt-4", "gpt-4-turbo"),
        **_on("2026-10-23", "gpt-3.5-turbo", "gpt-4.1-nano"),
        **_on("2026-12-11", "gpt-5", "gpt-5-mini", "gpt-5-nano", "o3"),
        **_on("2027-01-14", "gpt-4.1", "gpt-4.1-mini", "gpt-4o", "gpt-4o-mini"),
        **_on("2027-04-01", "gpt-5.1", "gpt-5.4-nano"),
    }
)

CLAUDE_ENDS: t.Final[cabc.Mapping[str, dt.date]] = types.MappingProxyType(
    {
        **_on("2026-06-15", "claude-opus-4", "claude-sonnet-4"),
        **_on("2026-11-30", "claude-sonnet-4-5"),
    }
)

#: After their day the vendor answers with another model, at that model's price.
GEMINI_ENDS: t.Final[cabc.Mapping[str, dt.date]] = types.MappingProxyType(
    {
        **_on("2026-12-01", "gemini-2.5-pro", "gemini-2.5-flash"),
        **_on("2027-05-07", "gemini-3.1-flash-lite"),
        **_on("2028-05-14", "gemini-embedding-001"),
    }
)
