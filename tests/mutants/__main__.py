"""Takes protections out of a copy of the project, one at a time; tests must fail."""

from __future__ import annotations

import argparse
import collections
import collections.abc as cabc
import contextlib
import fnmatch
import json
import os
import pathlib
import sys
import tempfile

from tests.mutants.catalog import MUTANTS
from tests.mutants.mutant import Mutant
from tests.mutants.page import write_page
from tests.mutants.runner import Copies
from tests.mutants.runner import Outcome
from tests.mutants.runner import run_all

_EPILOG = """\
The tests run on copies of the project in a temporary folder; nothing is changed in
place. A mutant is killed when one of its tests fails. The run ends with 1 when a
mutant survives, when the source no longer has the text that a mutant changes, or when
the tests stop for another reason; with 2 when the tests fail without any mutant.
"""


def main(arguments: cabc.Sequence[str] | None = None) -> int:
    """Read the arguments and do what they ask for."""
    options = _parser().parse_args(arguments)
    chosen = _choose(options.only)

    if not chosen:
        print(f"No mutant is called {' or '.join(options.only)}. See --list.")
        return 2

    if options.page:
        write_page(MUTANTS)
        return 0

    if options.list:
        _print_list(chosen)
        return 0

    with tempfile.TemporaryDirectory(prefix="flask-byok-mutants-") as folder:
        return _run(chosen, pathlib.Path(folder), options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--list", action="store_true", help="print the mutants and what each takes out"
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="run these alone; * and ? stand for others; may be given again",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="mutants at a time (default: one for each processor)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the outcome as JSON on stdout"
    )
    parser.add_argument(
        "--no-baseline",
        action="store_true",
        help="do not first see that the tests pass without a mutant",
    )
    parser.add_argument(
        "--page", action="store_true", help="write the table of docs/mutants.md"
    )
    return parser


def _choose(patterns: cabc.Sequence[str] | None) -> list[Mutant]:
    if not patterns:
        return list(MUTANTS)

    return [
        mutant
        for mutant in MUTANTS
        if any(fnmatch.fnmatchcase(mutant.name, pattern) for pattern in patterns)
    ]


def _print_list(mutants: cabc.Iterable[Mutant]) -> None:
    for mutant in mutants:
        print(f"{mutant.name:45} {mutant.cases:12} {mutant.takes_out}")


def _run(
    mutants: list[Mutant], folder: pathlib.Path, options: argparse.Namespace
) -> int:
    _say(f"{len(mutants)} mutants, {options.jobs} at a time, below {folder}")

    if not options.no_baseline:
        _say("First their tests without any mutant …")
        trouble = Copies(folder / "baseline", 1).find_trouble(mutants)

        if trouble is not None:
            _say(trouble)
            return 2

    outcomes = _collect(run_all(mutants, folder, max(1, options.jobs)), len(mutants))
    outcomes.sort(key=lambda outcome: mutants.index(outcome.mutant))

    if options.json:
        print(json.dumps([_as_json(outcome) for outcome in outcomes], indent=2))
    else:
        _print_table(outcomes)

    return int(any(outcome.ending != "killed" for outcome in outcomes))


def _collect(outcomes: cabc.Iterable[Outcome], total: int) -> list[Outcome]:
    found: list[Outcome] = []

    for outcome in outcomes:
        found.append(outcome)
        _say(
            f"[{len(found)}/{total}] {outcome.ending:8} {outcome.mutant.name} "
            f"({outcome.seconds:.1f} s)"
        )

    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print_table(outcomes: cabc.Sequence[Outcome]) -> None:
    width = max(len(outcome.mutant.name) for outcome in outcomes)

    for outcome in outcomes:
        name, told = outcome.mutant.name, outcome.told.removeprefix("tests/")
        told += f": {outcome.why}" if outcome.ending == "broken" else ""
        print(f"{name:{width}}  {outcome.ending:8}  {told}")

    counts = collections.Counter(outcome.ending for outcome in outcomes)
    print(", ".join(f"{number} {ending}" for ending, number in sorted(counts.items())))


def _as_json(outcome: Outcome) -> dict[str, object]:
    return {
        "name": outcome.mutant.name,
        "cases": outcome.mutant.cases.split(),
        "takes_out": outcome.mutant.takes_out,
        "ending": outcome.ending,
        "told": outcome.told,
        "why": outcome.why,
        "seconds": round(outcome.seconds, 1),
    }


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())

    sys.exit("Stopped.")
