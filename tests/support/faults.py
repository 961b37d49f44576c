"""The table of faults: what each did to the caller, to the keys and to people.

The faults stand in ``tests/support/fault_list.py``. A test says with
``@pytest.mark.fault(1, got="answer", served="c1 s1", seen="flash")`` which ones it runs
and what comes of them, and fails when something else came of them; see
``tests/faults/conftest.py``. ``python -m tests.support.faults`` reads the markers from
the sources and writes ``docs/faults.md``.
"""

from __future__ import annotations

import ast
import collections.abc as cabc
import pathlib
import sys
import typing as t

from tests.support.fault_list import Fault
from tests.support.fault_list import Group
from tests.support.fault_list import GROUPS
from tests.support.fault_list import UNPROVEN
from tests.support.fault_list import WORDS
from tests.support.markers import find_marked
from tests.support.markers import Marked
from tests.support.markers import TESTS
from tests.support.markers import write_row
from tests.support.markers import write_tests
from tests.support.watch import read_words

PAGE: t.Final = TESTS.parent / "docs" / "faults.md"

_HEAD: t.Final = """\
# What happens when something fails

<!-- Written by tests.support.faults: change its list, or the markers of tests. -->

Each line is a fault that the tests bring about with the provider simulator over real
sockets, on SQLite, PostgreSQL and MariaDB. What the caller got, whose key served and
what people saw is compared with what happened each time a test runs, and so are two
promises that hold in every line: no call makes more than three requests, and no key
comes to light. {count} {without}

- **the caller got**: an answer, or the error of that class, call by call;
- **served**: `c2 s1` are two requests on company keys and one on a system key;
- **people saw**: the flash is shown by the page that made the call, the banner stands
  when the test ends, `×2` came twice.

`make tables` writes this page anew from the markers of the tests; a test fails while it
is out of date. [](failover.md) explains the rules.
"""
_TABLE: t.Final = """\
| # | what fails | the caller got | served | people saw | the tests |
|---|---|---|---|---|---|"""


class Outcome(t.NamedTuple):
    """What came of a fault in one of its variants."""

    when: str
    got: str
    served: str
    seen: str


#: For each fault its outcomes, each with the tests that bring it about.
Outcomes: t.TypeAlias = dict[int, dict[Outcome, list[str]]]


def known_numbers() -> list[int]:
    """List the numbers of all faults, in the order of the table."""
    return [fault.number for group in GROUPS for fault in group.faults]


def find_outcomes(folder: pathlib.Path = TESTS) -> Outcomes:
    """Read the markers of every test file.

    :raises BadMarker: naming file and line.
    """
    found: Outcomes = {}

    for marked in find_marked(folder, "fault"):
        for mark in marked.marks:
            outcome = _outcome(marked, mark)

            for number in _numbers(marked, mark):
                tests = found.setdefault(number, {}).setdefault(outcome, [])

                if marked.test not in tests:
                    tests.append(marked.test)

    return found


def _numbers(marked: Marked, mark: ast.Call) -> list[int]:
    numbers = [marked.value(node) for node in mark.args]
    unknown = [number for number in numbers if number not in known_numbers()]

    if unknown or not numbers:
        marked.refuse(mark, f"there is no fault {unknown}.")

    return t.cast("list[int]", numbers)


def _outcome(marked: Marked, mark: ast.Call) -> Outcome:
    said = {word.arg: marked.value(word.value) for word in mark.keywords}
    said = {"when": "", "seen": "nothing", **said}

    if set(said) != set(Outcome._fields):
        marked.refuse(mark, "a fault says 'got', 'served' and 'seen'.")

    if not all(isinstance(text, str) for text in said.values()):
        marked.refuse(mark, "write texts, or names of 'tests.support.told'.")

    try:
        read_words(str(said["seen"]))
    except ValueError as error:
        marked.refuse(mark, str(error))

    return Outcome(**{str(name): str(text) for name, text in said.items()})


def missing_numbers(outcomes: Outcomes) -> list[int]:
    """List the faults that no test brings about."""
    return [number for number in known_numbers() if number not in outcomes]


def write_page(outcomes: Outcomes) -> str:
    """Give the page."""
    missing = missing_numbers(outcomes)
    total = len(known_numbers())
    count = f"Of {total} faults, {total - len(missing)} are run."
    without = "The others are explained at the end." if missing else ""
    parts = [_HEAD.format(count=count, without=without).replace(" \n", "\n")]
    parts += [_write_group(group, outcomes) for group in GROUPS]
    parts += [_explain(missing)] if missing else []
    return "\n".join(parts)


def _write_group(group: Group, outcomes: Outcomes) -> str:
    rows = [
        row
        for fault in group.faults
        for row in _write_fault(fault, outcomes.get(fault.number, {}))
    ]
    return "\n".join([f"## {group.title}", "", _TABLE, *rows, ""])


def _write_fault(
    fault: Fault, outcomes: cabc.Mapping[Outcome, list[str]]
) -> cabc.Iterator[str]:
    """Write one row for each outcome; number and title stand in the first alone."""
    number, title = str(fault.number), fault.title

    if not outcomes:
        yield write_row(number, title, "", "", "", "")

    for outcome, tests in outcomes.items():
        what = f"{title}: {outcome.when}" if title and outcome.when else title
        yield write_row(
            number,
            what or f"… {outcome.when}",
            outcome.got,
            outcome.served,
            _write_seen(outcome.seen),
            write_tests(tests),
        )
        number, title = "", ""


def _write_seen(seen: str) -> str:
    words = read_words(seen)
    texts = [
        f"{text} ×{words[word]}" if words[word] > 1 else text
        for word, text in WORDS.items()
        if word in words
    ]
    return ", ".join(texts) or "nothing"


def _explain(missing: cabc.Iterable[int]) -> str:
    rows = [write_row(str(n), UNPROVEN.get(n, "**why?**")) for n in missing]
    return "\n".join(["## Not run", "", "| # | why |", "|---|---|", *rows, ""])


def main() -> int:
    """Write the page and say how many faults are run."""
    outcomes = find_outcomes()
    missing = missing_numbers(outcomes)
    PAGE.write_text(write_page(outcomes), "utf-8")
    total = len(known_numbers())
    print(f"{total - len(missing)} of {total} faults are run.")

    if missing:
        print("Without a test: " + " ".join(map(str, missing)))

    return 0


if __name__ == "__main__":
    sys.exit(main())
