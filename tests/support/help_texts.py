"""The help of every command, as the documentation shows it.

``python -m tests.support.help_texts`` writes it into ``docs/cli.md``.
"""

from __future__ import annotations

import pathlib
import re

import click.testing

from flask_byok.cli import byok_cli

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "cli.md"
MARK = "<!-- the help of each command, written by tests.support.help_texts -->\n"
TEST = "tests/frame/test_docs.py::test_the_help_of_each_command_is_the_real_one"


def help_texts() -> str:
    """Ask every command for its help; give the section of the page."""
    runner = click.testing.CliRunner()
    blocks = []

    for name in sorted(byok_cli.commands):
        arguments = [name, "--help"]
        shown = runner.invoke(byok_cli, arguments, prog_name="flask byok", color=False)
        text = re.sub(r"[ ]+$", "", shown.output, flags=re.M).strip()
        shown_as = f"```text\n$ flask byok {name} --help\n{text}\n```"
        blocks.append(f"### {name}\n\n<!-- checked by {TEST} -->\n{shown_as}\n")

    return "\n".join(blocks)


def page_with_help() -> str:
    """Give the page with the help as it is now."""
    return PAGE.read_text("utf-8").split(MARK)[0] + MARK + "\n" + help_texts()


if __name__ == "__main__":
    PAGE.write_text(page_with_help(), "utf-8")
