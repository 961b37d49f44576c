"""What a client of the comparison can do, and the loop in which it does it.

A client is a script beside this file with a function ``build``. It runs in the Python
that has its library, so nothing but the standard library is imported here, and the
words that the provider knows.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import gc
import json
import pathlib
import sys
import time
import typing as t

from shared.replies import API_KEY as API_KEY
from shared.replies import QUESTION as QUESTION
from shared.replies import REFUSED as REFUSED

Run = cabc.Callable[[], object]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Works:
    """Everything one client can do.

    :param runs: by what it is (``call``, ``stream``, ``first``, ``fallback`` …) and the
        provider.
    :param pieces: opens a stream of OPENAI and gives its texts one by one.
    :param prepare: comes before each run of a kind, with the provider, unmeasured.
    :param context: in which all of it runs.
    :param app: a Flask app that the views of ``view.py`` are to be part of.
    :param companies: makes a call of the company of that number, with what it would
        keep for the next one.
    :param count: tells how many requests went out on a key that is known to be dead.
    """

    runs: cabc.Mapping[str, cabc.Mapping[str, Run]]
    pieces: cabc.Callable[[], cabc.Iterator[str]] | None = None
    prepare: cabc.Mapping[str, cabc.Callable[[str], object]] = dataclasses.field(
        default_factory=dict
    )
    context: cabc.Callable[[], contextlib.AbstractContextManager[t.Any]] = (
        contextlib.nullcontext
    )
    app: t.Any = None
    companies: cabc.Callable[[int], object] | None = None
    count: cabc.Callable[[], float] | None = None


def spend(works: Works, what: str, provider: str, times: int) -> float:
    """Give the CPU microseconds of one run, in all threads of this process."""
    run = works.runs[what][provider]
    prepare = works.prepare.get(what)

    if prepare is None:
        started = time.process_time()

        for _ in range(times):
            run()

        return (time.process_time() - started) / times * 1e6

    spent = 0.0

    for _ in range(times):
        prepare(provider)
        started = time.process_time()
        run()
        spent += time.process_time() - started

    return spent / times * 1e6


def memory() -> float:
    """Give the KiB that this process alone has written to."""
    gc.collect()
    told = pathlib.Path("/proc/self/smaps_rollup").read_text()
    (line,) = [one for one in told.splitlines() if one.startswith("Private_Dirty")]
    return float(line.split()[1])


def grow(works: Works, number: int) -> float:
    """Give the KiB by which this process grows with each company that has called."""
    assert works.companies is not None
    call, kept = works.companies, []

    # What is filled once, such as a pool, is full by then.
    for company in range(number):
        kept.append(call(company))

    before = memory()

    for company in range(number, 2 * number):
        kept.append(call(company))

    return max(0.0, memory() - before) / number


def serve(works: Works) -> int:
    """Do what each line of standard input says, and answer with a number."""
    # What libraries print would be taken for an answer.
    answers, sys.stdout = sys.stdout, sys.stderr

    with works.context():
        print(json.dumps(sorted(works.runs)), file=answers, flush=True)

        for line in sys.stdin:
            print(_do(works, *json.loads(line)), file=answers, flush=True)

    return 0


def _do(works: Works, what: str, *more: t.Any) -> float:
    if what == "grow":
        return grow(works, *more)

    if what == "count":
        assert works.count is not None
        return works.count()

    return spend(works, what, *more)
