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
from tests.support.markers import BadMarker as BadMarker
from tests.support.markers import find_marked
from tests.support.markers import Marked
from tests.support.markers import TESTS
from tests.support.markers import write_row
from tests.support.markers import write_tests

PAGE: t.Final = TESTS.parent / "docs" / "security-cases.md"

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


def known_ids() -> list[str]:
    """List the ids of all cases, in the order of the table."""
    return [id for area in AREAS for case in area.cases for id in case.ids.split()]


def find_proofs(folder: pathlib.Path = TESTS) -> Proofs:
    """Read the markers of every test file.

    :raises BadMarker: naming file and line.
    """
    proofs: Proofs = collections.defaultdict(list)

    for marked in find_marked(folder, "case"):
        ids = [id for mark in marked.marks for id in _ids(marked, mark)]

        for id in dict.fromkeys(ids):
            proofs[id].append(marked.test)

    return dict(proofs)


def _ids(marked: Marked, mark: ast.Call) -> list[str]:
    ids = [node.value for node in mark.args if isinstance(node, ast.Constant)]

    if len(ids) != len(mark.args) or mark.keywords or not ids:
        marked.refuse(mark, "a case is named by its id alone.")

    unknown = set(ids).difference(known_ids())

    if unknown:
        marked.refuse(mark, f"there is no case {sorted(unknown)}.")

    return [str(id) for id in ids]


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
    return write_row(" ".join(ids), case.tried, case.holds, write_tests(tests))


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
