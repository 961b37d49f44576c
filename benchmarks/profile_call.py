"""Which parts make up the cost of a call, in counts that no busy machine changes.

Run it from the repository: ``python benchmarks/profile_call.py [--url DATABASE_URL]``.
It counts the functions, of Python and of C, that one operation calls, by the library
that calls them, and what is said to the database. A function of C is as one of Python
here, however much it does: counts show what is redundant, and times what it costs.
"""

from __future__ import annotations

import argparse
import collections
import collections.abc as cabc
import contextlib
import functools
import os
import pathlib
import sys
import types
import typing as t

from peers.databases import making
from shared.provider import answering
from shared.replies import PIECES

# The clients of the comparison are scripts; this one asks two of them.
sys.path.insert(0, str(pathlib.Path(__file__).parent / "peers" / "clients"))

import plain  # noqa: E402
import work  # noqa: E402

#: So many operations are counted of each kind, after as many that are not.
TIMES: t.Final = 10
PACKAGE: t.Final = "flask_byok"
#: How the standard library's parts that matter are called in the table.
STANDARD: t.Final = {
    "http": "http.client",
    "email": "email (headers)",
    "json": "json",
    "threading.py": "locks",
    "queue.py": "locks",
    "logging": "logging",
}
REST: t.Final = "rest of the standard library"
#: What the drivers of databases call the sending of a message.
MESSAGES: t.Final = frozenset({"Cursor.execute", "Connection.commit"})

Run = cabc.Callable[[], object]


class Counter:
    """Counts while it is entered: functions by who calls them, and messages."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.functions: collections.Counter[str] = collections.Counter()
        self.messages: int = 0

    def __enter__(self) -> Counter:
        sys.setprofile(self._note)
        return self

    def __exit__(self, *ignored: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: types.FrameType, event: str, argument: t.Any) -> None:
        if event not in ("call", "c_call"):
            return

        name = self._find_name(frame.f_code.co_filename)
        self.functions[name] += 1

        if event == "c_call":
            # Of a driver that is written in C.
            self.messages += getattr(argument, "__qualname__", "") in MESSAGES
        elif name != "sqlalchemy":
            self.messages += _qualified_name(frame.f_code) in MESSAGES

    def _find_name(self, file: str) -> str:
        if file not in self._names:
            self._names[file] = _name(file)

        return self._names[file]


def _qualified_name(code: types.CodeType) -> str:
    # From Python 3.11 on.
    return str(getattr(code, "co_qualname", ""))


def _name(file: str) -> str:
    """Say which library a file belongs to."""
    parts = pathlib.PurePath(file).parts

    if "benchmarks" in parts:
        return "the benchmark"

    if PACKAGE in parts:
        return PACKAGE

    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1]

    return next((STANDARD[part] for part in parts if part in STANDARD), REST)


def count(run: Run, prepare: Run = lambda: None) -> tuple[dict[str, float], float]:
    """Give what one run calls, by library, and its messages to the database.

    :param prepare: comes before each run and is not counted.
    """
    counter = Counter()

    for number in range(2 * TIMES):
        prepare()

        # What is made once, such as a connection, is there by then.
        if number < TIMES:
            run()
        else:
            with counter:
                run()

    each = {name: found / TIMES for name, found in counter.functions.items()}
    return each, counter.messages / TIMES


def report(
    columns: cabc.Mapping[str, tuple[cabc.Mapping[str, float], float]],
    least: float,
) -> None:
    """Print one table: libraries down, operations across.

    :param least: rows with fewer everywhere are added up under "all others".
    """
    rows: dict[str, list[float]] = {}

    for at, (found, _) in enumerate(columns.values()):
        for name, number in found.items():
            rows.setdefault(name, [0.0] * len(columns))[at] += number

    big = {name: row for name, row in rows.items() if max(row) >= least}
    total = [sum(column) for column in zip(*rows.values(), strict=True)]
    shown = [sum(column) for column in zip(*big.values(), strict=True)]
    others = [whole - part for whole, part in zip(total, shown, strict=True)]
    ordered = sorted(big.items(), key=lambda entry: -max(entry[1]))

    _print_line("functions called by", columns)

    for name, row in [*ordered, ("all others", others)]:
        _print_line(name, (f"{number:.0f}" for number in row))

    _print_line("together", (f"{number:.0f}" for number in total))
    _print_line("beside the first", (f"{number / total[0]:.2f}" for number in total))
    _print_line("to the database", (f"{sent:.0f}" for _, sent in columns.values()))
    print()


def _print_line(name: str, cells: cabc.Iterable[str]) -> None:
    print(f"{name:<30}", *[f"{cell:>12}" for cell in cells], flush=True)


def measure(url: str, database_url: str, provider: str) -> None:
    """Count everything and print it."""
    os.environ.update(BENCH_DATABASE=database_url, BENCH_KIND="refused")
    # It reads its environment when it is imported.
    import ours

    print(f"{provider}, on {database_url.partition(':')[0]}\n")
    bare = plain.build(url)

    with opened(ours.build(url)) as whole:
        call = whole.runs["fallback"][provider]
        prepare = functools.partial(whole.prepare["fallback"], provider)
        columns = {
            "requests": count(bare.runs["call"][provider]),
            "a call": count(call),
            "a fallback": count(call, prepare),
        }

    report(columns, least=20)
    ours.KIND = "no row"

    with opened(ours.build(url)) as whole:
        columns = {
            "requests": _count_chunk(bare, provider),
            "a chunk": _count_chunk(whole, provider),
        }

    report(columns, least=0.5)


@contextlib.contextmanager
def opened(works: work.Works) -> cabc.Iterator[work.Works]:
    """Enter what a client works in; at the end let go of its database."""
    with works.context():
        yield works
        works.app.extensions["byok"].state.database.close()
        works.app.extensions["sqlalchemy"].engine.dispose()


def _count_chunk(works: work.Works, provider: str) -> tuple[dict[str, float], float]:
    """Count one more chunk: a stream, less a call."""
    stream, _ = count(works.runs["stream"][provider])
    call, _ = count(works.runs["call"][provider])
    return {
        name: (found - call.get(name, 0.0)) / PIECES for name, found in stream.items()
    }, 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a PostgreSQL database; one is made beside it")
    parser.add_argument(
        "--provider", choices=("OPENAI", "CLAUDE", "GEMINI"), default="OPENAI"
    )
    options = parser.parse_args()

    with answering() as url, making(options.url) as databases:
        measure(url, databases.make(databases.kinds[-1]), options.provider)

    return 0


if __name__ == "__main__":
    sys.exit(main())
