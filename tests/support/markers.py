"""Markers of tests, read from the sources: no test is imported or run."""

from __future__ import annotations

import ast
import collections.abc as cabc
import dataclasses
import pathlib
import typing as t

from tests.support import told

#: The folder of all tests.
TESTS: t.Final = pathlib.Path(__file__).parents[1]


class BadMarker(Exception):
    """A marker that cannot be read, or that names what does not exist."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Marked:
    """One test and its markers of one name, those of its module first.

    :param test: as ``vault/test_opening.py::test_…``.
    :param constants: the texts of ``tests.support.told`` its module uses, by name.
    """

    test: str
    marks: list[ast.Call]
    constants: cabc.Mapping[str, object]

    def refuse(self, mark: ast.Call, why: str) -> t.NoReturn:
        """Say what is wrong with a marker, and where it stands."""
        raise BadMarker(f"{self.test.partition('::')[0]}:{mark.lineno}: {why}")

    def value(self, node: ast.expr) -> object:
        """Give the plain value a marker's argument has; ``None`` for another one."""
        if isinstance(node, ast.Name):
            return self.constants.get(node.id)

        try:
            return t.cast("object", ast.literal_eval(node))
        except ValueError:
            return None


def find_marked(folder: pathlib.Path, marker: str) -> cabc.Iterator[Marked]:
    """Read the markers of every test file.

    :raises BadMarker: naming file and line.
    """
    for path in sorted(folder.rglob("test_*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        name = path.relative_to(folder).as_posix()
        _refuse_strays(tree, name, marker)
        of_module = _module_marks(tree, marker)
        constants = _constants(tree)

        for node in _tests(tree):
            own = _marks(node.decorator_list, marker)
            yield Marked(
                test=f"{name}::{node.name}",
                marks=[*of_module, *own],
                constants=constants,
            )


def _tests(tree: ast.Module) -> cabc.Iterator[ast.FunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node


def _module_marks(tree: ast.Module, marker: str) -> list[ast.Call]:
    return [
        mark
        for node in tree.body
        if isinstance(node, ast.Assign) and "pytestmark" in ast.unparse(node.targets[0])
        for mark in _marks([node.value], marker)
    ]


def _marks(nodes: cabc.Iterable[ast.AST], marker: str) -> list[ast.Call]:
    """List the calls of the marker anywhere inside some expressions."""
    return [
        node
        for outer in nodes
        for node in ast.walk(outer)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == f"pytest.mark.{marker}"
    ]


def _constants(tree: ast.Module) -> dict[str, object]:
    """Give what a module takes by name from the tests' own support."""
    found: dict[str, object] = {}

    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == told.__name__:
            for alias in node.names:
                found[alias.asname or alias.name] = getattr(told, alias.name, None)

    return found


def _refuse_strays(tree: ast.Module, name: str, marker: str) -> None:
    """Refuse a marker where it would not be read: in a helper, a list, a class."""
    read = {
        id(mark)
        for node in _tests(tree)
        for mark in _marks(node.decorator_list, marker)
    }
    read |= {id(mark) for mark in _module_marks(tree, marker)}

    for mark in _marks([tree], marker):
        if id(mark) not in read:
            raise BadMarker(
                f"{name}:{mark.lineno}: put the marker onto a test or 'pytestmark'."
            )


def write_tests(tests: cabc.Iterable[str]) -> str:
    """Write tests for a cell, file by file, each file once."""
    by_file: dict[str, list[str]] = {}

    for test in tests:
        file, _, name = test.partition("::")
        by_file.setdefault(file, []).append(f"`{name.removeprefix('test_')}`")

    return "<br>".join(
        f"*{file}*: {', '.join(names)}" for file, names in by_file.items()
    )


def write_row(*cells: str) -> str:
    """Write one row of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
