"""All the forms in which a provider says, or fails to say, how long to wait."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

from .exchange import ErrorRow

#: Replaced by a date 38 seconds after the answer's own ``Date``.
DATE_MARK = "{in-38-seconds}"

_FORMS: cabc.Mapping[str, cabc.Mapping[str, str]] = {
    "ratelimited_bare": {},
    "ratelimited_1s": {"retry-after": "1"},
    "ratelimited_38s": {"retry-after": "38"},
    "ratelimited_hour": {"retry-after": "3600"},
    "ratelimited_float": {"retry-after": "0.5"},
    "ratelimited_ms": {"retry-after-ms": "750"},
    "ratelimited_date": {"retry-after": DATE_MARK},
    "ratelimited_negative": {"retry-after": "-5"},
    "ratelimited_nan": {"retry-after": "NaN"},
    "ratelimited_infinite": {"retry-after": "inf"},
    "ratelimited_huge": {"retry-after": "1e9"},
    "ratelimited_words": {"retry-after": "soon"},
    "ratelimited_no_retry": {"retry-after": "1", "x-should-retry": "false"},
}
#: Said in words alone: what the message then says.
_TEXTS: cabc.Mapping[str, str] = {
    "ratelimited_text_ms": "Rate limit reached. Please try again in 174ms.",
    "ratelimited_text_minutes": "Rate limit reached. Please try again in 1m6.7s.",
    "ratelimited_text_seconds": "Please retry in 48.9s.",
}
_SILENT = "Rate limit reached for {model}."


def retry_rows(row: ErrorRow) -> dict[str, ErrorRow]:
    """Make a provider's rate limit in every form, by name."""
    rows = {}

    for name, headers in _FORMS.items():
        rows[name] = dataclasses.replace(
            row, headers=headers, body=_with_message(row.body, _SILENT)
        )

    for name, text in _TEXTS.items():
        rows[name] = dataclasses.replace(
            row, headers={}, body=_with_message(row.body, text)
        )

    return rows


def _with_message(body: dict[str, t.Any], message: str) -> dict[str, t.Any]:
    error = {name: item for name, item in body["error"].items() if name != "details"}
    return body | {"error": error | {"message": message}}
