"""The project's own files: copied without what tools left, listed, installed."""

from __future__ import annotations

import collections.abc as cabc
import importlib.metadata
import os
import pathlib
import shutil
import subprocess
import sys

import packaging.requirements
import packaging.utils

ROOT = pathlib.Path(__file__).parents[2]

_LEFT_OUT = shutil.ignore_patterns(
    ".*",
    "__pycache__",
    "*.egg-info",
    "_build",
    "artifacts",
    "build",
    "dist",
    "instance",
    "node_modules",
    "*.sqlite3*",
)


def copy_tree(target: pathlib.Path) -> pathlib.Path:
    """Copy the project without environments, caches and results."""
    shutil.copytree(ROOT, target, ignore=_LEFT_OUT)
    return target


def project_files() -> list[pathlib.Path]:
    """Every file git knows; in an unpacked sdist, every file there is."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    if listing.returncode == 0 and listing.stdout:
        found = (ROOT / name for name in listing.stdout.split("\0") if name)
        return [path for path in found if path.is_file()]

    return [path for path in ROOT.rglob("*") if path.is_file()]


def make_environment(
    folder: pathlib.Path, wheel: pathlib.Path, *others: str
) -> pathlib.Path:
    """Make an environment that holds a wheel and what it requires; give its Python.

    Nothing is downloaded: each distribution that the wheel requires, directly or
    not, is linked from the environment the tests run in, and no other.

    :param others: more distributions, which are linked with their requirements.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    site = pathlib.Path(
        ask(python, "import sysconfig as s; print(s.get_path('purelib'))")
    )
    install = [sys.executable, "-m", "pip", "--quiet", "--python", python, "install"]
    subprocess.run([*install, "--no-deps", "--no-index", wheel], check=True)

    for distribution in _required_by("flask-byok", *others):
        _link(distribution, site)

    for name in others:
        _link(importlib.metadata.distribution(name), site)

    return python


def ask(python: pathlib.Path, code: str, *, folder: pathlib.Path | None = None) -> str:
    """Run code in another interpreter, warnings as errors; give what it prints."""
    result = subprocess.run(
        [python, "-W", "error", "-c", code],
        cwd=folder,
        env={name: text for name, text in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.strip()


def _required_by(*names: str) -> cabc.Iterator[importlib.metadata.Distribution]:
    """Follow the requirements of distributions, extras left out."""
    waiting = [*names]
    seen = {*names}

    while waiting:
        for text in importlib.metadata.requires(waiting.pop()) or ():
            requirement = packaging.requirements.Requirement(text)
            wanted = packaging.utils.canonicalize_name(requirement.name)

            if wanted in seen or not _applies(requirement):
                continue

            seen.add(wanted)
            waiting.append(wanted)
            yield importlib.metadata.distribution(wanted)


def _applies(requirement: packaging.requirements.Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _link(distribution: importlib.metadata.Distribution, site: pathlib.Path) -> None:
    """Link the top-level files and folders of an installed distribution."""
    names = {path.parts[0] for path in distribution.files or ()} - {"..", "__pycache__"}

    for name in names:
        target = site / name

        if not target.exists():
            target.symlink_to(pathlib.Path(str(distribution.locate_file(name))))
