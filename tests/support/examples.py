"""The examples of the documentation and the README, as they are printed.

Each block stands under a mark, a comment that readers do not see:

``<!-- checked by tests/frame/test_readme.py::test_the_readmes_app_runs_as_printed -->``
    That test runs it, or compares it with what is real.
``<!-- not run: it downloads -->``
    Nothing does, and why.

``python -m tests.support.examples`` proves the first kind: it spoils one block after
another and sees the test that is named fail. Words behind it choose pages.
"""

from __future__ import annotations

import collections
import collections.abc as cabc
import dataclasses
import functools
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import markdown_it
import markdown_it.token

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs"

#: Names one block, as ``page:line``, that is spoilt for the tests of one run.
SPOILT: t.Final = "SPOILT_EXAMPLE"

_MARK = re.compile(r"<!-- (?:checked by (?P<test>\S+)|not run: (?P<reason>.+)) -->")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A fenced block of a page.

    :param line: of its fence, counted from 1.
    :param section: the heading of the second level that it stands under.
    :param mark: what the comment right above it says; ``None`` without one.
    """

    page: str
    line: int
    language: str
    section: str
    mark: re.Match[str] | None
    printed: str

    @property
    def name(self) -> str:
        """Where it stands, as ``page:line``."""
        return f"{self.page}:{self.line}"

    @property
    def text(self) -> str:
        """What it says; something else where this run wants it spoilt."""
        if os.environ.get(SPOILT) != self.name:
            return self.printed

        return 'raise AssertionError("spoilt")\n' if self.language == "python" else "{"

    @property
    def test(self) -> str | None:
        """The test that checks it."""
        return self.mark["test"] if self.mark else None


def pages() -> list[str]:
    """List the README and the pages of the documentation."""
    return ["README.md", *sorted(path.name for path in DOCS.glob("*.md"))]


def path_of(page: str) -> pathlib.Path:
    """Find the file of a page."""
    return ROOT / page if page == "README.md" else DOCS / page


@functools.cache
def tokens(page: str) -> list[markdown_it.token.Token]:
    """Parse a page."""
    parser = markdown_it.MarkdownIt("commonmark").enable("table")
    return parser.parse(path_of(page).read_text("utf-8"))


def all_blocks(page: str) -> cabc.Iterator[Block]:
    """Read every block of a page, but for what Sphinx itself carries out."""
    section = ""
    found = tokens(page)

    for before, token in zip([None, *found], found, strict=False):
        if token.type == "inline" and before and before.tag == "h2":
            section = token.content
        elif token.type in ("fence", "code_block") and not token.info.startswith("{"):
            is_comment = before is not None and before.type == "html_block"
            mark = _MARK.fullmatch(before.content.strip()) if is_comment else None
            yield Block(
                page=page,
                line=(token.map or [0])[0] + 1,
                language=token.info.strip(),
                section=section,
                mark=mark,
                printed=token.content,
            )


def blocks(page: str, language: str = "python") -> list[str]:
    """Copy the code blocks of one language out of a page."""
    return [each.text for each in all_blocks(page) if each.language == language]


def section(page: str, title: str, language: str = "python") -> list[str]:
    """Copy the blocks of one language that stand under one heading of a page."""
    found = [each for each in all_blocks(page) if each.section == title]
    assert found, f"{page} has no blocks under a heading {title!r}"
    return [each.text for each in found if each.language == language]


def run(block: str, names: dict[str, t.Any]) -> None:
    """Run a block with the names that stand before it, and keep what it defines."""
    code = compile(block, "<example>", "exec", dont_inherit=True)
    exec(code, names)  # noqa: S102 - our own pages


def spoil(block: Block) -> str:
    """Spoil a block, run the test that checks it, and say what came of it."""
    assert block.test is not None
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", block.test]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, SPOILT: block.name},
        capture_output=True,
        text=True,
        check=False,
    )

    if done.returncode == 0 and " passed" not in done.stdout:
        return "skipped"

    return "noticed" if done.returncode == 1 else "NOBODY NOTICES"


def main(chosen: list[str]) -> int:
    """Spoil every block that a test runs; give how many nobody missed."""
    # What tests read by other ways is compared as a whole: help texts, published bytes.
    languages = ("python", "jinja", "po", "css")
    tried = [
        each
        for page in chosen or pages()
        for each in all_blocks(page)
        if each.test and each.language in languages
    ]
    came = []

    for block in tried:
        came.append(spoil(block))
        print(block.name, came[-1], flush=True)

    print(dict(collections.Counter(came)))
    return came.count("NOBODY NOTICES")


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
