"""The house keeps its floors: contracts in ``pyproject.toml``, run by import-linter."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
LINT = "from importlinter.cli import lint_imports_command as lint; lint()"

#: What is added to which files, and the contract that this must break.
BREACHES = [
    ({"vault/__init__.py": "from flask_byok import web"}, "rooms"),
    ({"secret.py": "def late():\n    from flask_byok import service"}, "rooms"),
    ({"attic.py": ""}, "rooms"),
    ({"service/__init__.py": "import flask"}, "no Flask below the web"),
    ({"vault/__init__.py": "from werkzeug import http"}, "no Flask below the web"),
    ({"failover/__init__.py": "import requests"}, "one sender"),
    (
        {
            "web/one.py": "from flask_byok.web import two",
            "web/two.py": "from flask_byok.web import one",
        },
        "no cycles",
    ),
]


def lint_imports(folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """Run the contracts on the tree in ``folder``."""
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-logo", "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def copy_house(folder: pathlib.Path) -> pathlib.Path:
    """Copy the package and its contracts; give the copied package."""
    shutil.copy(ROOT / "pyproject.toml", folder)
    ignore = shutil.ignore_patterns("__pycache__")
    house = shutil.copytree(ROOT / "flask_byok", folder / "flask_byok", ignore=ignore)
    return pathlib.Path(house)


def test_every_room_imports_from_below_alone() -> None:
    """All contracts hold for the code as it is."""
    result = lint_imports(ROOT)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("planted", "contract"), BREACHES)
def test_a_planted_import_is_found(
    tmp_path: pathlib.Path, planted: dict[str, str], contract: str
) -> None:
    """A tree that breaks one contract fails that contract."""
    house = copy_house(tmp_path)

    for name, text in planted.items():
        with (house / name).open("a") as file:
            file.write(f"\n{text}\n")

    result = lint_imports(tmp_path)
    broken = re.findall(r"^(.+) BROKEN", result.stdout, re.MULTILINE)

    assert contract in broken, result.stdout + result.stderr
