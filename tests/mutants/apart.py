"""Runs pytest on a copy of the project in a process of its own.

A pytest that starts from nothing spends five times as long on importing as on the
tests of one mutant. So what never changes is imported once, and each run is a fork.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import multiprocessing
import multiprocessing.context
import os
import pathlib
import signal
import sys
import typing as t

#: Imported once. Nothing of the project itself: that is what the mutants change.
_WARM: t.Final = [
    "pytest",
    "hypothesis.strategies",
    "bs4",
    "cryptography.hazmat.primitives.ciphers.aead",
    "flask_sqlalchemy",
    "flask_wtf.csrf",
    "limits",
    "playwright.sync_api",
    "psycopg",
    "pymysql",
    "redis",
    "requests.adapters",
    "responses",
    "sqlalchemy.dialects.mysql.pymysql",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
]
_ROOT: t.Final = pathlib.Path(__file__).parents[2]
_OURS: t.Final = ("tests", "flask_byok", "example_app")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """How pytest ended; ``code`` is ``None`` when it did not in time."""

    code: int | None
    output: str


def prepare() -> multiprocessing.context.ForkServerContext:
    """Make what the runs are forked from."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_WARM)
    return context


def run_pytest(
    context: multiprocessing.context.ForkServerContext,
    copy: pathlib.Path,
    arguments: cabc.Sequence[str],
    environment: cabc.Mapping[str, str],
    seconds: float | None,
) -> Result:
    """Run pytest below ``copy`` and wait for it so many seconds."""
    output = copy.with_suffix(".txt")
    process = context.Process(
        target=_be_pytest, args=(copy, list(arguments), dict(environment), output)
    )
    process.start()
    process.join(seconds)
    code = process.exitcode

    if code is None and process.pid is not None:
        # Whatever the tests have started ends, too.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

        process.join()

    return Result(code=code, output=output.read_text("utf-8", "replace"))


def _be_pytest(
    copy: pathlib.Path,
    arguments: list[str],
    environment: dict[str, str],
    output: pathlib.Path,
) -> t.NoReturn:
    os.setsid()
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    for stream in (1, 2):
        os.dup2(written, stream)

    os.environ.update(environment)
    os.chdir(copy)
    _forget_the_project(copy)

    import pytest

    sys.exit(pytest.main(arguments))


def _forget_the_project(copy: pathlib.Path) -> None:
    """Let the project's modules be imported from the copy, as if for the first time."""
    for name in [name for name in sys.modules if name.partition(".")[0] in _OURS]:
        del sys.modules[name]

    elsewhere = [path for path in sys.path if path not in ("", str(_ROOT))]
    sys.path[:] = [str(copy), *elsewhere]
