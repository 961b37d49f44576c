"""The two commands a newcomer types say what is missing, in one sentence."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]

#: Stand-ins for a Python, by what they lack: each refuses the question of that kind.
PYTHONS = {
    "too old": ("version_info", "needs Python 3.10 or newer"),
    "without venv": ("ensurepip", "apt install python3-venv"),
}


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in the checkout, free of the make that may have started the tests."""
    inherited = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env={name: text for name, text in os.environ.items() if name not in inherited},
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_alone_lists_every_target() -> None:
    """Who types ``make`` sees what can be made, and nothing is left out."""
    targets = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.M)
    listed = re.findall(r"^  make ([\w-]+)", make().stdout, re.M)

    assert sorted(listed) == sorted(targets[0].split())


def test_a_python_that_does_not_run_is_named(tmp_path: pathlib.Path) -> None:
    """A missing Python is one sentence with the remedy, and makes nothing."""
    venv = tmp_path / "venv"
    result = make(f"{venv}/.made", f"VENV={venv}", "PYTHON=/no/such/python")

    assert result.returncode != 0
    assert "'/no/such/python' does not run. Install Python 3.10" in result.stderr
    assert not venv.exists()


@pytest.mark.parametrize("lack", PYTHONS)
def test_a_python_that_will_not_do_is_named(tmp_path: pathlib.Path, lack: str) -> None:
    """An old Python, or one without venv, is one sentence with the remedy."""
    refused, sentence = PYTHONS[lack]
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ncase "$*" in *{refused}*) exit 1 ;; esac\n')
    python.chmod(0o755)
    venv = tmp_path / "venv"
    result = make(f"{venv}/.made", f"VENV={venv}", f"PYTHON={python}")

    assert result.returncode != 0
    assert sentence in result.stderr
    assert not venv.exists()


def test_the_ci_script_is_one_that_bash_reads() -> None:
    """The script of the machine that checks each change can be started."""
    script = ROOT / ".ci" / "run"

    if not script.exists():
        pytest.skip("An sdist does not hold the script.")

    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
