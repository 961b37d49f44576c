"""The examples of the documentation and the README, as they are printed."""

from __future__ import annotations

import pathlib
import re
import typing as t

ROOT = pathlib.Path(__file__).parents[2]


def blocks(page: str, language: str = "python") -> list[str]:
    """Copy the code blocks of one language out of a page of ``docs/`` or the README."""
    path = ROOT / page if page == "README.md" else ROOT / "docs" / page
    pattern = rf"^```{language}\n(.*?)^```"
    return re.findall(pattern, path.read_text("utf-8"), re.M | re.S)


def run(block: str, names: dict[str, t.Any]) -> None:
    """Run a block with the names that stand before it, and keep what it defines."""
    code = compile(block, "<example>", "exec", dont_inherit=True)
    exec(code, names)  # noqa: S102 - our own pages


def section(page: str, title: str) -> list[str]:
    """Copy the Python blocks that stand under one heading of a page of ``docs/``."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    _, found, rest = text.partition(f"\n## {title}\n")
    assert found, f"docs/{page} has no heading {title!r}"
    return re.findall(r"^```python\n(.*?)^```", rest.split("\n## ")[0], re.M | re.S)
