"""The table of mutants in ``docs/mutants.md``."""

from __future__ import annotations

import collections.abc as cabc
import pathlib
import typing as t

from tests.mutants.mutant import Mutant

PAGE: t.Final = pathlib.Path(__file__).parents[2] / "docs" / "mutants.md"
MARK: t.Final = "<!-- the table of mutants, written by tests.mutants.page -->\n"


def page_with_table(mutants: cabc.Iterable[Mutant]) -> str:
    """Give the page with the table as it should be."""
    head = PAGE.read_text("utf-8").split(MARK)[0]
    rows = "".join(_row(mutant) for mutant in mutants)
    return f"{head}{MARK}\n| mutant | takes out | cases |\n|---|---|---|\n{rows}"


def _row(mutant: Mutant) -> str:
    return f"| `{mutant.name}` | {mutant.takes_out} | {mutant.cases} |\n"


def write_page(mutants: cabc.Iterable[Mutant]) -> None:
    """Write the table."""
    PAGE.write_text(page_with_table(mutants), "utf-8")
