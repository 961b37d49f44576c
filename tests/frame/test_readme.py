"""The app of the README runs as it is printed there."""

from __future__ import annotations

import collections.abc as cabc
import json
import os
import pathlib
import re
import subprocess
import sys

import bs4
import pytest
import requests

from flask_byok.masterkeys import generate
from flask_byok.testing import Simulator
from tests.support import examples
from tests.support import tree
from tests.support.follow_readme import follow

API_KEY = "not-a-real-company-key-0001-AbCd"


@pytest.fixture
def address(tmp_path: pathlib.Path) -> cabc.Iterator[str]:
    """Run the README's app as ``flask run`` does, in a folder with nothing else."""
    (block,) = examples.blocks("README.md")
    (tmp_path / "app.py").write_text(block)

    with Simulator() as simulator:
        environment = {
            **os.environ,
            "FLASK_BYOK_MASTER_KEYS": f"k001:{generate()}",
            "FLASK_BYOK_PROVIDER_URLS": json.dumps(simulator.urls),
            "FLASK_BYOK_SYSTEM_KEYS__OPENAI": "not-a-real-system-key-0001",
            "FLASK_SECRET_KEY": "for this test alone",
        }
        command = [sys.executable, "-m", "flask", "run", "--port", "0"]

        with subprocess.Popen(
            command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
        ) as process:
            yield _read_address(process)
            process.terminate()


def _read_address(process: subprocess.Popen[str]) -> str:
    for line in process.stderr or ():
        found = re.search(r"Running on (http://127\.0\.0\.1:\d+)", line)

        if found:
            return found.group(1)

    raise AssertionError("The app of the README did not start.")


def test_the_readmes_app_runs_as_printed(address: str) -> None:
    """The app's own key serves, until a key is pasted into the page."""
    with requests.Session() as visitor:
        assert "paid by: system key" in visitor.get(f"{address}/").text

        page = bs4.BeautifulSoup(
            visitor.get(f"{address}/settings/ai/").text, "html.parser"
        )
        token = page.select_one("input[name=csrf_token]")["value"]
        form = {
            "csrf_token": token,
            "action": "save",
            "provider": "OPENAI",
            "api_key": API_KEY,
            "activate": "1",
        }
        saved = visitor.post(f"{address}/settings/ai/key", data=form)

        assert "...AbCd" in saved.text
        assert "paid by: company key" in visitor.get(f"{address}/").text


#: What pip writes beside the Python of an environment that has Flask.
FLASK = "#!{python}\nimport sys\nfrom flask.cli import main\n\nsys.exit(main())\n"


@pytest.mark.nightly
def test_the_readme_can_be_followed(tmp_path: pathlib.Path) -> None:
    """Each command in its order, from nothing to an answer on a pasted key.

    Nothing is downloaded: the environment holds what ``pip install`` would bring.
    """
    source = tree.copy_tree(tmp_path / "source")
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir"]
    subprocess.run([*command, tmp_path, source], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    python = tree.make_environment(tmp_path / "venv", wheel)
    python.with_name("flask").write_text(FLASK.format(python=python))
    python.with_name("flask").chmod(0o755)
    (mine := tmp_path / "mine").mkdir()

    walk = follow(mine, python.parent, "true")

    assert "AI Configuration" in walk.first
    assert "paid by: company key" in walk.answer
    assert "Stored keys that open: 1." in walk.doctor
    assert walk.answer_after[0] <= 10
