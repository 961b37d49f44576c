"""The table: what was measured, beside what it should be."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import pathlib
import typing as t

from .setting import Results

_BEGIN: t.Final = "<!-- the table begins -->"
_END: t.Final = "<!-- the table ends -->"


@dataclasses.dataclass(frozen=True)
class Row:
    """One row.

    :param name: of the numbers in the results.
    :param text: what is measured, and in the second place against what.
    :param limits: one for all numbers or one for each; none where there is no target.
    :param more: whether more is better.
    """

    name: str
    text: str
    against: str
    limits: tuple[float, ...] = ()
    more: bool = False

    def target(self) -> str:
        """Write the target."""
        sign = "≥" if self.more else "≤"
        return f"{sign} {_write(self.limits)}" if self.limits else ""

    def judge(self, found: tuple[float, ...]) -> str:
        """Tell whether all numbers keep to the target."""
        if not self.limits:
            return ""

        limits = self.limits * len(found) if len(self.limits) == 1 else self.limits
        good = (
            one >= limit if self.more else one <= limit
            for one, limit in zip(found, limits, strict=False)
        )
        return "yes" if all(good) else "**no**"


_REQUESTS: t.Final = "`requests`"
_KEPT: t.Final = "the SDK, one client kept"
_FLASK: t.Final = "`import flask, flask_sqlalchemy`"
_MIB: t.Final = "MiB beyond its dependencies"

ROWS: t.Final = (
    Row("call, no row", "a call, nothing recorded", _REQUESTS, (0.65, 0.85, 0.85)),
    Row("call, SQLite", "a call, recorded in SQLite", _REQUESTS, (0.8, 1.0, 1.0)),
    Row("call, PostgreSQL", "a call, recorded in PostgreSQL", _REQUESTS, (0.8, 1, 1)),
    Row("SDK kept", "a call of the SDK, one client kept", _REQUESTS),
    Row("litellm", "a call of litellm", _REQUESTS),
    Row("any-llm", "a call of any-llm", _REQUESTS),
    Row("call, SDK kept", "a call, recorded", _KEPT, (0.4, 0.6, 0.4)),
    Row("call, SDK anew", "a call, recorded", "the SDK, a client made for it", (0.03,)),
    Row("call, litellm", "a call, recorded", "litellm", (0.18,)),
    Row("call, any-llm", "a call, recorded", "any-llm"),
    Row("chunk", "one more chunk of a stream", _REQUESTS, (0.8,)),
    Row("chunk, SDK", "one more chunk of a stream", "the SDK", (0.08, 0.25, 0.05)),
    Row("chunk, litellm", "one more chunk of a stream", "litellm", (0.015,)),
    Row("first chunk", "the first chunk of a stream", _REQUESTS, (0.65, 0.8, 0.8)),
    Row("fallback", "refused, then the system key", _REQUESTS, (1.2, 1.5, 1.5)),
    Row("fallback, litellm", "refused, then the system key", "litellm's", (0.04,)),
    Row("circuit open", "a call beside a dead key", "a company without a key", (1.1,)),
    Row("circuit open, attempts", "requests on a dead key", "of a whole run", (0,)),
    Row("served, requests", "calls per second of 8 threads", _REQUESTS, (1.3,), True),
    Row("served, SDK", "calls per second of 8 threads", "the SDK", (2.3,), True),
    Row("served, litellm", "calls per second of 8 threads", "litellm", (6.5,), True),
    Row(
        "served, litellm proxy",
        "calls per second of 8 threads",
        "litellm's proxy",
        (13,),
        True,
    ),
    Row("streams, ours", "streams on time of one gevent worker", "", (400,), True),
    Row("streams, requests", "the same with `requests`", ""),
    Row("streams, SDK", "the same with the SDK", ""),
    Row("streams, litellm", "the same with litellm", ""),
    Row("resolve", "a key read and opened", "Core's columns, decrypted", (1.3,)),
    Row("resolve, some", "the same among 1,000 companies", "one company"),
    Row("resolve, many", "the same among 1,000,000", "1,000 companies", (1.3,)),
    Row("workers, 4", "a call, in 4 processes at once", "in one"),
    Row("workers, 16", "a call, in 16 processes at once", "in one"),
    Row("import", "importing `BYOK`", f"{_FLASK} alone", (1.1,)),
    Row("start", "an app with `BYOK`", "the same app without"),
    Row("import, openai", "importing openai", _FLASK),
    Row("import, litellm", "importing litellm", _FLASK),
    Row("import, any-llm", "importing any-llm", _FLASK),
    Row("memory", "memory of the library", _MIB, (3,)),
    Row("memory, company", "memory of one more company", "KiB", (0,)),
    Row("memory, SDK kept", "the same, an SDK client kept for it", "KiB"),
)


def _write(numbers: cabc.Iterable[float]) -> str:
    return " / ".join(_write_one(number) for number in numbers)


def _write_one(number: float) -> str:
    if number >= 10 or number == int(number):
        return f"{number:.0f}"

    return f"{number:.3f}" if number < 0.1 else f"{number:.2f}"


def build_table(results: Results) -> str:
    """Write the rows that were measured."""
    lines = [
        "| what | against | OPENAI / CLAUDE / GEMINI, or all | target | met |",
        "|---|---|---|---|---|",
    ]

    for row in ROWS:
        found = results.get(row.name)

        if found is not None:
            cells = (row.text, row.against, _write(found), row.target())
            lines.append(f"| {' | '.join(cells)} | {row.judge(found)} |")

    return "\n".join(lines)


def write_page(page: pathlib.Path, table: str) -> None:
    """Put the table into a page, in place of the one that is there."""
    before, _, rest = page.read_text("utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    page.write_text(f"{before}{_BEGIN}\n\n{table}\n\n{_END}{after}", "utf-8")
