"""Every block of the README and the documentation is checked, or says why not."""

from __future__ import annotations

import ast

import pytest

from tests.support import examples

REMEDY = (
    "Put '<!-- checked by tests/…::test_… -->' on the line above the block and let "
    "that test run it, or '<!-- not run: why -->'. See tests/support/examples.py."
)


@pytest.mark.parametrize("page", examples.pages())
def test_every_block_is_marked(page: str) -> None:
    """A block without a mark is run by nobody."""
    bare = [each.name for each in examples.all_blocks(page) if each.mark is None]

    assert bare == [], REMEDY


@pytest.mark.parametrize("page", examples.pages())
def test_every_test_that_is_named_exists(page: str) -> None:
    """A mark names a function of a file of tests."""
    named = {each.test for each in examples.all_blocks(page) if each.test}
    missing = [test for test in named if not exists(test)]

    assert missing == []


@pytest.mark.parametrize("page", examples.pages())
def test_no_program_is_left_out(page: str) -> None:
    """Only what is no program may say why it is not run."""
    programs = {"python", "jinja", "css", "po", "javascript", "json", "html"}
    left_out = [
        each.name
        for each in examples.all_blocks(page)
        if each.language in programs and each.test is None
    ]

    assert left_out == []


@pytest.mark.parametrize("page", examples.pages())
def test_every_mark_stands_above_a_block(page: str) -> None:
    """A mark with an empty line below it would mark nothing."""
    text = examples.path_of(page).read_text("utf-8")
    written = text.count("<!-- checked by ") + text.count("<!-- not run: ")

    assert written == sum(each.mark is not None for each in examples.all_blocks(page))


def exists(test: str) -> bool:
    """Tell whether a file of tests has a function of that name."""
    path, _, name = test.partition("::")

    if not (examples.ROOT / path).is_file():
        return False

    source = (examples.ROOT / path).read_text("utf-8")
    return any(
        isinstance(node, ast.FunctionDef) and node.name == name
        for node in ast.parse(source).body
    )
