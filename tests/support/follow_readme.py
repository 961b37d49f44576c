"""Follows the README word by word: its own commands, its own code, in its own order.

``python -m tests.support.follow_readme`` clones this checkout into an empty folder,
makes an empty environment, follows the section "Ten minutes to a working page", and
tells how many commands and seconds it took to the page and to the first answer. One
word differs: ``pip install flask-byok`` installs the clone. That command downloads.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import os
import pathlib
import re
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import typing as t

import bs4
import requests

from tests.support import examples
from tests.support.plugin_runs import clean_environment

SECTION: t.Final = "Ten minutes to a working page"
PAGE: t.Final = "README.md"


class Terminal:
    """A terminal that stands in the app's folder and remembers what is exported."""

    def __init__(self, folder: pathlib.Path, binaries: pathlib.Path) -> None:
        self.folder = folder
        self.commands: list[str] = []
        self._exports: list[str] = []
        path = f"{binaries}{os.pathsep}{os.environ['PATH']}"
        self._environment = {**clean_environment(), "PATH": path}
        # Two apps on one machine must not want the same port.
        self._environment["FLASK_RUN_PORT"] = str(_free_port())

    def type(self, command: str) -> str:
        """Type a command, wait for it, and give what it prints."""
        self.commands.append(command)

        if command.startswith("export "):
            self._exports.append(command)
            return ""

        done = subprocess.run(
            self._shell(command),
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    @contextlib.contextmanager
    def running(self, command: str) -> cabc.Iterator[cabc.Iterator[str]]:
        """Type a command that stays, give the lines it prints, and press Ctrl-C."""
        self.commands.append(command)
        process = subprocess.Popen(
            self._shell(f"exec {command}"),
            cwd=self.folder,
            env={**self._environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None

        with process:
            try:
                yield iter(process.stdout)
            finally:
                process.send_signal(signal.SIGINT)

    def _shell(self, command: str) -> list[str]:
        return ["bash", "-c", "\n".join([*self._exports, command])]


@dataclasses.dataclass
class Walk:
    """What came of it.

    :param page_after: commands and seconds until the settings page stood there.
    :param answer_after: the same until a company's key had answered.
    """

    commands: list[str]
    page_after: tuple[int, float] = (0, 0.0)
    answer_after: tuple[int, float] = (0, 0.0)
    first: str = ""
    answer: str = ""
    doctor: str = ""


def follow(folder: pathlib.Path, binaries: pathlib.Path, install: str) -> Walk:
    """Follow the section in an empty folder.

    :param binaries: of the environment that ``pip`` and ``flask`` come from.
    :param install: typed in the place of ``pip install flask-byok``.
    """
    began = time.monotonic()
    first = Terminal(folder, binaries)
    second = Terminal(folder, binaries)
    walk = Walk(commands=first.commands)
    _set_up(first, install)

    with first.running(_sentence("flask run")) as printed:
        page = _address(printed) + _sentence("/settings/ai")
        walk.first = requests.get(page, timeout=30).text
        walk.page_after = (len(first.commands), time.monotonic() - began)

    with second.running(_sentence("flask byok simulator")) as printed:
        export = next(line for line in printed if "export " in line)
        first.type(export[export.index("export ") :].strip())

        with first.running(_sentence("flask run")) as printed:
            address = _address(printed)
            _paste(address, _sentence("sk-demo-anything-will-do"))
            walk.answer = requests.get(f"{address}/", timeout=30).text

        count = len(first.commands) + len(second.commands)
        walk.answer_after = (count, time.monotonic() - began)
        walk.doctor = first.type(_sentence("flask byok doctor"))

    walk.commands += second.commands
    return walk


def _set_up(terminal: Terminal, install: str) -> None:
    """Type the lines of the section, and save its app, up to where it runs."""
    printed = ""

    for block in examples.all_blocks(PAGE):
        if block.section != SECTION:
            continue

        if block.language == "python":
            (terminal.folder / _sentence("app.py")).write_text(block.text, "utf-8")
            continue

        for line in block.text.splitlines():
            command = install if line == "pip install flask-byok" else line
            printed = terminal.type(_fill_in(command, printed)) or printed


def _fill_in(command: str, printed: str) -> str:
    """Put what a person would in the place of what stands in angle brackets."""
    asked = {
        "what the command printed": printed.splitlines()[0] if printed else "",
        "a secret of your app": secrets.token_hex(),
        "your own key": "not-a-real-system-key",
    }
    return re.sub(r"<([^>]+)>", lambda found: asked[found[1]], command)


def _sentence(word: str) -> str:
    """Give a word that a sentence of the section prints as code."""
    section = examples.path_of(PAGE).read_text("utf-8").partition(f"## {SECTION}")[2]
    assert f"`{word}`" in section.partition("\n## ")[0], f"The README has no `{word}`."
    return word


def _address(printed: cabc.Iterator[str]) -> str:
    said = ""

    for line in printed:
        said += line

        if found := re.search(r"Running on (http://127\.0\.0\.1:\d+)", line):
            return found[1]

    raise AssertionError(f"The app did not start.\n{said}")


def _paste(address: str, api_key: str) -> None:
    """Choose a provider, paste a key, save: as the form of the page is."""
    with requests.Session() as visitor:
        page = visitor.get(f"{address}/settings/ai", timeout=30).text
        form = bs4.BeautifulSoup(page, "html.parser").select_one("form[action$='/key']")
        assert form is not None
        hidden = {i["name"]: i["value"] for i in form.select("input[type=hidden]")}
        fields = {**hidden, "provider": "OPENAI", "api_key": api_key, "action": "save"}
        fields["activate"] = "1"
        saved = visitor.post(f"{address}/settings/ai/key", data=fields, timeout=30)
        assert f"...{api_key[-4:]}" in saved.text, saved.text


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def main() -> None:
    """Clone, make an environment, follow, tell."""
    with tempfile.TemporaryDirectory() as made:
        clone, folder = pathlib.Path(made, "clone"), pathlib.Path(made, "mine")
        folder.mkdir()
        subprocess.run(["git", "clone", "-q", examples.ROOT, clone], check=True)
        subprocess.run([sys.executable, "-m", "venv", f"{made}/venv"], check=True)
        install = f"pip install -q {shlex.quote(str(clone))}"
        walk = follow(folder, pathlib.Path(made, "venv", "bin"), install)

    for command in walk.commands:
        print("$", re.sub(r"(export \w+=).*", r"\1…", command.replace(made, "…")))

    print("first page: {} commands, {:.0f} s".format(*walk.page_after))
    print("first answer: {} commands, {:.0f} s".format(*walk.answer_after))
    print(walk.answer)
    print(walk.doctor)


if __name__ == "__main__":
    main()
