"""Processes of the comparison: what is measured has a core for itself."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import typing as t

from .environments import ROOT

#: Where a client looks for what is not installed: this checkout, and its own folder.
PATH: t.Final = os.pathsep.join(
    str(ROOT / part) for part in ("", "benchmarks", "benchmarks/peers/clients")
)
#: With it every import would compile anew.
_UNUSUAL: t.Final = frozenset({"PYTHONDONTWRITEBYTECODE"})
_CORES: t.Final = sorted(os.sched_getaffinity(0))
#: What is measured runs on the first core, everything else on the others.
MEASURED: t.Final = frozenset(_CORES[:1])
OTHERS: t.Final = frozenset(_CORES[1:] or _CORES)


def environment(**more: str) -> dict[str, str]:
    """Give the environment of a measured process."""
    kept = {name: text for name, text in os.environ.items() if name not in _UNUSUAL}
    return {**kept, "PYTHONPATH": PATH, "PYTHONHASHSEED": "0", **more}


def take_first_core() -> None:
    """Stay on the core of what is measured; called in the new process."""
    os.sched_setaffinity(0, MEASURED)


class Client:
    """The process of one script of ``clients``.

    :param python: that has its library.
    """

    def __init__(self, script: str, url: str, python: str, **more: str) -> None:
        self._told = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [python, str(ROOT / "benchmarks/peers/clients" / f"{script}.py"), url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._told,
            env=environment(**more),
            preexec_fn=take_first_core,
            text=True,
        )
        #: The kinds of work it can do.
        self.can: list[str] = json.loads(self._read())

    def ask(self, *what: t.Any) -> float:
        """Let it do something, and give the number it answers."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return float(self._read())

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()

        if not line:
            self._told.seek(0)
            sys.exit(f"A client failed:\n{self._told.read().decode()[-4000:]}")

        return line

    def close(self) -> None:
        """End it."""
        self._process.communicate()
        self._told.close()


@contextlib.contextmanager
def closing_all(
    clients: cabc.Mapping[str, Client],
) -> cabc.Iterator[cabc.Mapping[str, Client]]:
    """End all of them behind the block."""
    try:
        yield clients
    finally:
        for client in clients.values():
            client.close()
