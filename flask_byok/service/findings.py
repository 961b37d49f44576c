"""What the doctor says of one thing it looked at."""

from __future__ import annotations

import dataclasses
import typing as t

Level = t.Literal["ok", "warning", "error"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was looked at.

    :param check: a short name, the same in every version.
    :param text: what was found and, if it is not good, what to do.
    """

    check: str
    level: Level
    text: str


def ok(check: str, text: str) -> Finding:
    """Say that a thing is as it should be."""
    return Finding(check=check, level="ok", text=text)


def warning(check: str, text: str) -> Finding:
    """Say that a thing works and deserves a look."""
    return Finding(check=check, level="warning", text=text)


def error(check: str, text: str) -> Finding:
    """Say that a thing does not work, and the remedy."""
    return Finding(check=check, level="error", text=text)
