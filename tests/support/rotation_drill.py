"""The drill: so many keys, two workers, one of them killed inside a batch.

``python -m tests.support.rotation_drill --rows 200000`` stores that many keys under one
master key on PostgreSQL, starts two ``flask byok rotate``, kills one with ``kill -9``
inside a batch, runs it again, verifies, retires the old master key, and opens every key
with only the new one loaded. It ends with 1 unless each step came out as it must.
"""

from __future__ import annotations

import argparse
import collections.abc as cabc
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import typing as t

from tests.support import servers
from tests.support import vectors
from tests.support.rotation_room import BOTH
from tests.support.rotation_room import fill
from tests.support.rotation_room import NEW
from tests.support.rotation_room import opened
from tests.support.rotation_room import ring
from tests.support.rotation_room import under
from tests.support.vault_room import open_room
from tests.support.vault_room import Room

ROOT = pathlib.Path(__file__).parent.parent.parent


def start(
    url: str,
    *command: str,
    stop: str = "",
    only_new: bool = False,
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen[str]:
    """Start ``flask byok …`` in a process of its own."""
    masters = NEW if only_new else BOTH
    environment = {
        **os.environ,
        "ROTATION_URL": url,
        "ROTATION_KEYS": ",".join(
            f"{key_id}:{vectors.text_of(each)}" for key_id, each in masters.items()
        ),
        "ROTATION_PRIMARY": "k002",
        "ROTATION_STOP": stop,
    }
    flask = [sys.executable, "-m", "flask", "--app", "tests.support.rotation_app"]
    return subprocess.Popen(
        [*flask, "byok", *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> t.Any:
    """Wait for a command that must end well; give its report."""
    out, errors = process.communicate(timeout=1200)
    assert process.returncode == 0, (process.returncode, out, errors)
    return json.loads(out) if out.startswith("{") else out


def wait_until_stopped(process: subprocess.Popen[str]) -> None:
    """Wait until a worker stands where it was told to stop."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == "stopped\n", (line, process.communicate())


def kill(process: subprocess.Popen[str]) -> None:
    """End it as ``kill -9`` does."""
    process.kill()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL


def drill(
    url: str, rows: int, *, batch: int, say: cabc.Callable[[str], object]
) -> None:
    """Run the whole drill on an empty database.

    :raises AssertionError: at the first step that did not come out as it must.
    """
    with open_room(url) as room:
        what = f"{rows:,} keys stored under k001"
        kept = _timed(say, what, lambda: _fill(room, rows))
        _rotate_and_kill(room, url, rows, batch, say)
        _see_all(url, rows, say)
        said = end(start(url, "retire", "k001"))
        say(f"retire: {said.strip()}")
        found = end(start(url, "verify", "--json", only_new=True))
        say(f"with only k002 loaded, verify: {_render(found)}")
        assert (found["opened"], found["failed"]) == ({"k002": rows}, 0)
        assert opened(room, ring(NEW, "k002")) == kept
        say("every key is, character by character, the one that was stored.")


def _fill(room: Room, rows: int) -> dict[str, str]:
    kept: dict[str, str] = {}

    for first in range(0, rows, 10_000):
        number = min(10_000, rows - first)
        kept.update(fill(room, number, first=first))

    return kept


def _rotate_and_kill(
    room: Room, url: str, rows: int, batch: int, say: cabc.Callable[[str], object]
) -> None:
    command = ("rotate", "--json", "--batch", str(batch))
    third = max(2, rows // batch // 3)
    victim = start(url, *command, stop=f"inside {third}")
    # Had both begun at once, the other might have done all before the victim's turn.
    wait_until_stopped(victim)
    other = start(url, *command)

    try:
        before = under(room)
        kill(victim)
        say(
            f"worker 1 killed with -9 inside its batch {third}, {batch} keys written "
            f"and not committed; rows by master key: {before}"
        )
        say(f"worker 2 went on to its end: {_render(end(other))}")
        assert sum(under(room).values()) == rows
        again = _timed(say, "rotate, run again", lambda: end(start(url, *command)))
        say(f"run again: {_render(again)}")
        assert (again["failed"], again["left"]) == (0, {})
    finally:
        for process in (victim, other):
            process.kill()
            process.communicate()


def _see_all(url: str, rows: int, say: cabc.Callable[[str], object]) -> None:
    found = end(start(url, "verify", "--json"))
    say(f"verify: {_render(found)}")
    assert (found["total"], found["failed"]) == (rows, 0)
    assert found["opened"] == {"k002": rows}


def _render(report: dict[str, t.Any]) -> str:
    return json.dumps({name: each for name, each in report.items() if each is not None})


_T = t.TypeVar("_T")


def _timed(
    say: cabc.Callable[[str], object], what: str, work: cabc.Callable[[], _T]
) -> _T:
    began = time.monotonic()
    result = work()
    say(f"{what} ({time.monotonic() - began:.0f} s)")
    return result


@contextlib.contextmanager
def empty_database(name: str) -> cabc.Iterator[str]:
    """Make a database for one drill."""
    with tempfile.TemporaryDirectory() as folder:
        databases = servers.Databases(pathlib.Path(folder))

        try:
            yield databases.make(name)
        finally:
            databases.drop_all()


def main() -> None:
    """Read the options and run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--database", default=servers.POSTGRESQL)
    options = parser.parse_args()

    with empty_database(options.database) as url:
        drill(url, options.rows, batch=options.batch, say=_say)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
