"""Importing the package is cheap, and programs find in it what type checkers read."""

from __future__ import annotations

import ast
import json
import pathlib
import subprocess
import sys

import pytest

import flask_byok

#: What costs more to import than this package, or is not everybody's.
HEAVY = {
    "anthropic",
    "boto3",
    "cryptography",
    "flask_wtf",
    "google.genai",
    "httpx",
    "httpx2",
    "limits",
    "openai",
    "opentelemetry",
    "requests",
    "urllib3",
    "wtforms",
}


def imported_by(code: str) -> set[str]:
    """Name the modules that a fresh Python has loaded behind ``code``."""
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{code}\nimport json, sys; print(json.dumps([*sys.modules]))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(told.stdout))


@pytest.mark.parametrize(
    "code",
    ["import flask_byok", "from flask_byok import BYOK, current_ai_client"],
)
def test_an_import_loads_nothing_heavy(code: str) -> None:
    """Neither the package nor what every host imports from it loads a library."""
    loaded = imported_by(code)

    assert not HEAVY & loaded
    assert len([name for name in loaded if name.startswith("flask_byok")]) <= 10


def test_an_app_loads_no_sdk() -> None:
    """Who uses no SDK does not load one, nor the HTTP client they have in common."""
    loaded = imported_by("import flask_byok.wiring, flask_byok.web.blueprint")

    assert "requests" in loaded
    assert not loaded & {"openai", "anthropic", "google.genai", "httpx", "httpx2"}


def test_every_name_is_found_where_it_is_said_to_be() -> None:
    """The running program finds what a type checker reads, and nothing else."""
    tree = ast.parse(pathlib.Path(flask_byok.__file__).read_text())
    read = {
        alias.asname: f"flask_byok.{node.module}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }

    assert set(read) == set(flask_byok.__all__) <= set(dir(flask_byok))

    for name, home in read.items():
        assert getattr(flask_byok, name) is getattr(sys.modules[home], name)


def test_a_name_that_does_not_exist_is_told() -> None:
    """A misspelt name is the error that Python has for it."""
    with pytest.raises(AttributeError, match="'flask_byok' has no attribute 'Byok'"):
        flask_byok.Byok  # noqa: B018
