"""What a mutant is: a protection taken out, and the tests that must notice."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import pathlib
import typing as t

HOUSE: t.Final = "flask_byok"


class CannotApply(Exception):
    """The source no longer has the text that a mutant changes."""


class Edit(t.NamedTuple):
    """One change of a file of the package.

    ``old`` stands there exactly once, white space included.
    """

    file: str
    old: str
    new: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """One protection taken out.

    :param cases: ids of the security cases it stands for; ``""`` for none.
    :param takes_out: the protection, in a few words.
    :param tests: what pytest is to run: files, or tests by their ids.
    :param servers: the tests need PostgreSQL or MariaDB.
    :param hangs: without the protection a test may wait for ever; then that counts.
    """

    name: str
    cases: str
    takes_out: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    servers: bool = False
    hangs: bool = False


def mutated(mutant: Mutant, root: pathlib.Path) -> dict[pathlib.Path, str]:
    """Give the text of every file that the mutant changes below ``root``.

    :raises CannotApply: when a text stands there not at all, or more than once.
    """
    texts: dict[pathlib.Path, str] = {}

    for edit in mutant.edits:
        path = root / HOUSE / edit.file
        text = texts.get(path) or _read(path, mutant)
        found = text.count(edit.old)

        if found != 1:
            raise CannotApply(_trouble(mutant, edit, found, root))

        texts[path] = text.replace(edit.old, edit.new)

    return texts


def _read(path: pathlib.Path, mutant: Mutant) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        raise CannotApply(f"{mutant.name}: there is no file {path}.") from None


def _trouble(mutant: Mutant, edit: Edit, found: int, root: pathlib.Path) -> str:
    """Say what to do about a text that is not there exactly once."""
    begin = edit.old.strip().splitlines()[0]
    where = f"{mutant.name}: {HOUSE}/{edit.file}"

    if found:
        return f"{where} has {found} times the text that begins {begin!r}. Give more."

    moved = [
        path.relative_to(root / HOUSE).as_posix()
        for path in _sources(root)
        if edit.old in path.read_text("utf-8")
    ]
    hint = f" It stands in {', '.join(moved)} now." if moved else " Was it rewritten?"
    return f"{where} has no text that begins {begin!r}.{hint}"


def _sources(root: pathlib.Path) -> cabc.Iterable[pathlib.Path]:
    return sorted((root / HOUSE).rglob("*.py"))
