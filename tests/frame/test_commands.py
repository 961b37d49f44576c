"""Every command that the README and the documentation print exists, options and all."""

from __future__ import annotations

import collections.abc as cabc
import importlib.util
import re
import shlex
import subprocess
import sys

import click
import pytest

from flask_byok.cli import byok_cli
from flask_byok.config import setting_names
from tests.support import examples

PROJECT = (examples.ROOT / "pyproject.toml").read_text("utf-8")
MAKEFILE = (examples.ROOT / "Makefile").read_text("utf-8")
BENCHMARKS = examples.ROOT / "benchmarks"


def written(page: str) -> cabc.Iterator[str]:
    """List what a page prints as a command: lines of shells, and code in sentences."""
    for block in examples.all_blocks(page):
        if block.language in ("", "text", "console"):
            yield from block.text.splitlines()

    for token in examples.tokens(page):
        for child in token.children or ():
            if child.type == "code_inline":
                yield " ".join(child.content.split())


def problems(line: str) -> cabc.Iterator[str]:
    """Say what in a command does not exist."""
    words = _split(line.removeprefix("$ "))

    match words:
        case ["flask", "byok", name, *rest]:
            yield from _problems_of_ours(name, rest)
        case ["export", assigned]:
            setting = assigned.partition("=")[0].removeprefix("FLASK_")

            if setting.startswith("BYOK_"):
                yield from {setting.partition("__")[0]} - {*setting_names()}
        case ["pip", "install", *packages]:
            extras = re.findall(r"flask-byok\[([\w,]+)\]", " ".join(packages))
            known = set(re.findall(r"^(\w+) = \[", PROJECT, re.M))
            yield from {e for each in extras for e in each.split(",")} - known
        case ["make", *targets] if targets:
            known = set(re.findall(r"^([\w-]+):", MAKEFILE, re.M))
            variables = set(re.findall(r"^(\w+) [?]?=", MAKEFILE, re.M))
            yield from (
                each
                for each in targets
                if each.partition("=")[0] not in known | variables
            )
        case ["python", "-m", module, *_] if importlib.util.find_spec(module) is None:
            yield module
        case ["python", path, *_] if path.endswith(".py"):
            if not (examples.ROOT / path).is_file():
                yield path


def _split(line: str) -> list[str]:
    try:
        # What stands in angle brackets is for the reader to fill in.
        filled_in = re.sub(r"<[^>]+>|…", "x", line)
        return shlex.split(filled_in, comments=True)
    except ValueError:
        return []


def _problems_of_ours(name: str, rest: list[str]) -> cabc.Iterator[str]:
    command = byok_cli.commands.get(name)

    if command is None:
        yield f"flask byok {name}"
        return

    known = {
        option
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    options = {word.partition("=")[0] for word in rest if word.startswith("-")}
    yield from options - known - {"--help"}


@pytest.mark.parametrize("page", examples.pages())
def test_every_command_that_is_printed_exists(page: str) -> None:
    """Commands of ours with options, targets of make, extras, modules, scripts."""
    found = {line: list(problems(line)) for line in written(page)}

    assert {line: what for line, what in found.items() if what} == {}


@pytest.mark.parametrize(
    ("planted", "told"),
    [
        ("flask byok polish", ["flask byok polish"]),
        ("flask byok doctor --jason", ["--jason"]),
        ("pip install 'flask-byok[otl]'", ["otl"]),
        ("make mutant ONLY=x", ["mutant"]),
        ("export FLASK_BYOK_TIMEOUTS=3", ["BYOK_TIMEOUTS"]),
        ("python -m tests.support.chaoss", ["tests.support.chaoss"]),
        ("python benchmarks/bench_cal.py", ["benchmarks/bench_cal.py"]),
        ("flask byok doctor --json", []),
    ],
)
def test_a_planted_slip_is_found(planted: str, told: list[str]) -> None:
    """The rule does find what it looks for."""
    assert list(problems(planted)) == told


@pytest.mark.skipif(
    sys.version_info < (3, 11), reason="They compare with Google's SDK, too."
)
@pytest.mark.parametrize(
    "script", sorted(path.name for path in BENCHMARKS.glob("*.py"))
)
def test_every_benchmark_begins(script: str) -> None:
    """It finds what it imports, and says how it is used."""
    asked = [sys.executable, BENCHMARKS / script, "--help"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert f"usage: {script}" in done.stdout
