"""The table of security cases with the tests that prove each.

The cases stand in ``tests/support/case_list.py``. A test says what it proves with
``@pytest.mark.case("A4")``; the markers are read from the source, so no test is run.
``python -m tests.support.cases`` writes ``docs/security-cases.md``.
"""

from __future__ import annotations

import ast
import collections
import collections.abc as cabc
import pathlib
import sys
import typing as t

from tests.support.case_list import Area
from tests.support.case_list import AREAS
from tests.support.case_list import Case
from tests.support.case_list import UNPROVEN

ROOT: t.Final = pathlib.Path(__file__).parents[2]
PAGE: t.Final = ROOT / "docs" / "security-cases.md"

#: Tests by the id of the case they prove, as ``vault/test_opening.py::test_…``.
Proofs: t.TypeAlias = dict[str, list[str]]

_HEAD: t.Final = """\
# Security cases

<!-- Written by tests.support.cases. Change the list there, or the markers of tests. -->

Each line is something that happens or that somebody tries, what must hold then, and
the tests that prove it. {count} {without}

`make tables` writes this page anew from the markers of the tests; a test fails while it
is out of date. [](security.md) explains the rules, [](mutants.md) shows that the tests
notice when a protection is taken out.
"""


class BadMarker(Exception):
    """A ``case`` marker that cannot be read, or that names no case."""


def known_ids() -> list[str]:
    """List the ids of all cases, in the order of the table."""
    return [id for area in AREAS for case in area.cases for id in case.ids.split()]


def find_proofs(folder: pathlib.Path = ROOT / "tests") -> Proofs:
    """Read the markers of every test file.

    :raises BadMarker: naming file and line.
    """
    proofs: Proofs = collections.defaultdict(list)

    for path in sorted(folder.rglob("test_*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        name = path.relative_to(folder).as_posix()
        _refuse_strays(tree, name)

        for test, ids in _marked_tests(tree, name):
            for id in ids:
                proofs[id].append(f"{name}::{test}")

    return dict(proofs)


def _marked_tests(tree: ast.Module, name: str) -> cabc.Iterator[tuple[str, list[str]]]:
    """Give each test with the cases its own decorators and its module name."""
    of_module = [id for node in _module_marks(tree) for id in _ids(node, name)]

    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            own = [
                id for mark in _marks(node.decorator_list) for id in _ids(mark, name)
            ]
            yield node.name, list(dict.fromkeys([*of_module, *own]))


def _module_marks(tree: ast.Module) -> list[ast.Call]:
    return [
        mark
        for node in tree.body
        if isinstance(node, ast.Assign) and "pytestmark" in ast.unparse(node.targets[0])
        for mark in _marks([node.value])
    ]


def _marks(nodes: cabc.Iterable[ast.AST]) -> list[ast.Call]:
    """List the calls of the marker anywhere inside some expressions."""
    return [
        node
        for outer in nodes
        for node in ast.walk(outer)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.case"
    ]


def _ids(mark: ast.Call, name: str) -> list[str]:
    ids = [node.value for node in mark.args if isinstance(node, ast.Constant)]

    if len(ids) != len(mark.args) or mark.keywords or not ids:
        raise BadMarker(f"{name}:{mark.lineno}: a case is named by its id alone.")

    unknown = set(ids).difference(known_ids())

    if unknown:
        raise BadMarker(f"{name}:{mark.lineno}: there is no case {sorted(unknown)}.")

    return [str(id) for id in ids]


def _refuse_strays(tree: ast.Module, name: str) -> None:
    """Refuse a marker where it would not be read: in a helper, a list, a class."""
    read = {
        id(mark)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        for mark in _marks(node.decorator_list)
    }
    read |= {id(mark) for mark in _module_marks(tree)}

    for mark in _marks([tree]):
        if id(mark) not in read:
            raise BadMarker(
                f"{name}:{mark.lineno}: put the marker onto a test or 'pytestmark'."
            )


def missing_ids(proofs: Proofs) -> list[str]:
    """List the cases that no test proves."""
    return [id for id in known_ids() if id not in proofs]


def write_page(proofs: Proofs) -> str:
    """Give the page."""
    missing = missing_ids(proofs)
    head = _HEAD.format(
        count=f"Of {len(known_ids())} cases, **{len(missing)} have no test**",
        without=": they are explained below." if missing else "yet.",
    ).replace("test** :", "test**:")
    parts = [head, *(_explain(missing) if missing else ())]
    parts += [_write_area(area, proofs) for area in AREAS]
    return "\n".join(parts)


def _explain(missing: cabc.Iterable[str]) -> list[str]:
    rows = "\n".join(f"| {id} | {UNPROVEN.get(id, '**why?**')} |" for id in missing)
    return [f"## Without a test\n\n| case | why |\n|---|---|\n{rows}\n"]


def _write_area(area: Area, proofs: Proofs) -> str:
    head = "| case | what happens | what must hold | proven by |\n|---|---|---|---|"
    rows = "\n".join(_write_row(case, proofs) for case in area.cases)
    return f"## {area.letter}: {area.title}\n\n{head}\n{rows}\n"


def _write_row(case: Case, proofs: Proofs) -> str:
    ids = case.ids.split()
    tests = list(dict.fromkeys(test for id in ids for test in proofs.get(id, ())))
    cells = (" ".join(ids), case.tried, case.holds, _write_tests(tests))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _write_tests(tests: cabc.Iterable[str]) -> str:
    """Write the tests file by file, each file once."""
    by_file: dict[str, list[str]] = {}

    for test in tests:
        file, _, name = test.partition("::")
        by_file.setdefault(file, []).append(f"`{name.removeprefix('test_')}`")

    return "<br>".join(
        f"*{file}*: {', '.join(names)}" for file, names in by_file.items()
    )


def main() -> int:
    """Write the page and say how many cases are proven."""
    proofs = find_proofs()
    missing = missing_ids(proofs)
    PAGE.write_text(write_page(proofs), "utf-8")
    total, tests = len(known_ids()), {test for each in proofs.values() for test in each}
    print(f"{total - len(missing)} of {total} cases proven by {len(tests)} tests.")

    if missing:
        print("Without a test: " + " ".join(missing))

    return 0


if __name__ == "__main__":
    sys.exit(main())
