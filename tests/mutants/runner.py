"""Runs the tests of a mutant on a changed copy of the project, never in place."""

from __future__ import annotations

import collections.abc as cabc
import concurrent.futures
import dataclasses
import importlib.util
import pathlib
import queue
import re
import time
import typing as t

import pytest

from tests.mutants import apart
from tests.mutants.mutant import CannotApply
from tests.mutants.mutant import Mutant
from tests.mutants.mutant import mutated
from tests.support import tree

#: ``killed``: a test failed. ``survived``: none did. ``stale``: the source has changed.
#: ``broken``: the tests did not fail because a protection was missing.
Ending = t.Literal["killed", "survived", "stale", "broken"]

#: Seconds for the tests of one mutant; for one that may hang.
TIME: t.Final = 240.0
HANG_TIME: t.Final = 45.0

# Plain asserts: nobody reads what one compared, and rewriting takes its time.
_OPTIONS: t.Final = tuple(
    "-x -q -rfE --tb=no --assert=plain -p no:cacheprovider -p no:xdist".split()
)

_context: t.Final = apart.prepare()

#: What a mutant that is itself no good dies of.
_MISTAKES: t.Final = re.compile(
    r"\b(NameError|SyntaxError|IndentationError|ImportError|ModuleNotFoundError)\b"
)
_FAILED: t.Final = re.compile(r"^(?:FAILED|ERROR) (\S+(?: \S+)*?)(?: - (.*))?$", re.M)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How one mutant fared.

    :param told: the test that failed first, or what is wrong.
    :param why: what that test says, in a line; empty without one.
    """

    mutant: Mutant
    ending: Ending
    told: str
    why: str
    seconds: float


class Copies:
    """Copies of the project, one per job, each used by one mutant at a time."""

    def __init__(self, folder: pathlib.Path, jobs: int) -> None:
        self._free: queue.SimpleQueue[pathlib.Path] = queue.SimpleQueue()

        for number in range(jobs):
            self._free.put(tree.copy_tree(folder / f"copy-{number}"))

    def run(self, mutant: Mutant) -> Outcome:
        """Change a copy, run the tests, and put the copy back as it was."""
        copy = self._free.get()
        began = time.monotonic()

        try:
            ending, told, why = _try_mutant(mutant, copy)
        finally:
            self._free.put(copy)

        seconds = time.monotonic() - began
        return Outcome(
            mutant=mutant, ending=ending, told=told, why=why, seconds=seconds
        )

    def find_trouble(self, mutants: cabc.Iterable[Mutant]) -> str | None:
        """Run the tests of all mutants on the source as it is; they must pass."""
        copy = self._free.get()

        try:
            return _find_trouble(list(mutants), copy)
        finally:
            self._free.put(copy)


def run_all(
    mutants: cabc.Sequence[Mutant], folder: pathlib.Path, jobs: int
) -> cabc.Iterator[Outcome]:
    """Run mutants side by side; give each outcome as it comes."""
    copies = Copies(folder, jobs)

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        running = [pool.submit(copies.run, mutant) for mutant in mutants]

        try:
            for done in concurrent.futures.as_completed(running):
                yield done.result()
        finally:
            # Stopped by somebody: those not yet begun are left out.
            pool.shutdown(cancel_futures=True)


def _try_mutant(mutant: Mutant, copy: pathlib.Path) -> tuple[Ending, str, str]:
    try:
        texts = mutated(mutant, copy)
    except CannotApply as error:
        return "stale", str(error), ""

    before = {path: path.read_text("utf-8") for path in texts}

    try:
        _write(texts)
        seconds = HANG_TIME if mutant.hangs else TIME
        servers = mutant.servers
        result = _run_tests(mutant.tests, copy, servers=servers, seconds=seconds)
        return _judge(mutant, result)
    finally:
        _write(before)


def _write(texts: cabc.Mapping[pathlib.Path, str]) -> None:
    """Write files, and let no compiled file of the same second and size stand in."""
    for path, text in texts.items():
        path.write_text(text, "utf-8")
        pathlib.Path(importlib.util.cache_from_source(str(path))).unlink(True)


def _run_tests(
    tests: cabc.Iterable[str],
    copy: pathlib.Path,
    *,
    servers: bool,
    seconds: float | None = None,
) -> apart.Result:
    environment = {
        # For the processes that tests start: the copy, not what was installed here.
        "PYTHONPATH": str(copy),
        "COLUMNS": "300",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(copy / ".hypothesis"),
        "TEST_BROWSER": "off",
    }

    if not servers:
        environment["TEST_SERVERS"] = "off"

    arguments = [*_OPTIONS, *tests]
    return apart.run_pytest(_context, copy, arguments, environment, seconds)


def _judge(mutant: Mutant, result: apart.Result) -> tuple[Ending, str, str]:
    if result.code is None:
        slow = "a test waits for ever" if mutant.hangs else "the tests did not end"
        return "killed" if mutant.hangs else "broken", slow, ""

    if result.code == pytest.ExitCode.OK:
        return "survived", "no test failed: " + ", ".join(mutant.tests), ""

    failed = _FAILED.search(result.output)

    if result.code != pytest.ExitCode.TESTS_FAILED or failed is None:
        return "broken", _last_lines(result), ""

    test, why = failed[1], failed[2] or ""

    if _MISTAKES.search(why):
        return "broken", test, why

    return "killed", test, why


def _find_trouble(mutants: list[Mutant], copy: pathlib.Path) -> str | None:
    for servers in (False, True):
        chosen = [mutant for mutant in mutants if mutant.servers is servers]
        tests = dict.fromkeys(test for mutant in chosen for test in mutant.tests)
        result = _run_tests(tests, copy, servers=servers) if tests else None

        if result is not None and result.code != pytest.ExitCode.OK:
            return f"The tests fail without any mutant:\n{_last_lines(result)}"

    return None


def _last_lines(result: apart.Result) -> str:
    lines = result.output.strip().splitlines()
    return "\n".join(lines[-8:]) or f"pytest ended with {result.code}"
