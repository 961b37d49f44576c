"""Runs of pytest where flask-byok is installed as a wheel, beside other plugins."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import subprocess

from tests.support import examples

#: What an environment of tests holds beside flask-byok.
PLUGINS = ("pytest", "pytest-flask", "pytest-xdist")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PluginRuns:
    """An environment in which pytest is run.

    :param python: the interpreter of that environment.
    """

    python: pathlib.Path

    def run(self, folder: pathlib.Path, *options: str, **environment: str) -> str:
        """Run the tests of a folder, warnings as errors; give what was printed.

        :raises AssertionError: when a test fails, or none was found.
        """
        command = [self.python, "-m", "pytest", "-q", "-W", "error", *options]
        done = subprocess.run(
            [*command, "-p", "no:cacheprovider"],
            cwd=folder,
            env={**clean_environment(), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def clean_environment() -> dict[str, str]:
    """Give the environment without what concerns the run of these tests."""
    ours = ("BYOK_", "FLASK_", "PYTEST_", "PYTHON")
    return {
        name: text for name, text in os.environ.items() if not name.startswith(ours)
    }


def write_example(folder: pathlib.Path) -> list[str]:
    """Write the files that the page about testing prints; give their names."""
    files = example_files()

    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")

    return [*files]


def example_files() -> dict[str, str]:
    """Read the blocks of the page about testing that begin with a file's name."""
    return {
        match[1]: block
        for block in examples.blocks("testing.md")
        if (match := re.match(r"# (\w+\.py)\n", block))
    }
