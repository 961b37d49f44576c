"""The documentation says what the code does: tables are compared, examples are run."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import pathlib
import re

import flask_sqlalchemy
import pytest

from flask_byok import errors
from flask_byok.config import setting_names
from flask_byok.config import Settings
from flask_byok.failover.reasons import CLASSES
from flask_byok.failover.reasons import CoolDown
from flask_byok.failover.reasons import FailureClass
from flask_byok.vault.models import build_tables
from tests.support import examples
from tests.support import help_texts

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))


#: What :func:`flask_byok.web.context.page_context` gives, as the page writes it.
CONTEXT = {
    "byok_page",
    "byok_app_name",
    "byok_base_template",
    "byok_ui",
    "byok_elements",
    "byok_nonce",
    "byok_csrf_field",
    "byok_csrf_token()",
    'byok_say("…", name=value)',
    'byok_say_count("{n} day", "{n} days", 3)',
    "byok_lang",
    "byok_dir",
    "byok_compact(html)",
}


def rows_of(page: str) -> list[list[str]]:
    """Read the rows of every table of a page, as cells."""
    lines = (DOCS / page).read_text("utf-8").splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows]


def words(cell: str) -> list[str]:
    """List what stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def row_about(page: str, word: str) -> list[str]:
    """Find the one table row whose first cell names a word."""
    (row,) = (row for row in rows_of(page) if word in words(row[0]))
    return row


def section(page: str, title: str) -> str:
    """Read what stands under a heading, up to the next one."""
    text = (DOCS / page).read_text("utf-8")
    return re.split(rf"^#+ `?{re.escape(title)}`?$", text, flags=re.M)[1].split("\n#")[
        0
    ]


def duration(seconds: float) -> str:
    """Write seconds as the pages do."""
    if seconds < 60:
        return f"{seconds:.0f} s"

    return (
        f"{seconds / 60:.0f} minutes" if seconds < 3600 else f"{seconds / 3600:.0f} h"
    )


def rest(cool_down: CoolDown | None) -> list[str]:
    """List what a page must say of a cool-down."""
    if cool_down is None:
        return ["nothing"]

    pause = f"{duration(cool_down.base)}, then ×{cool_down.factor:g}"
    return [pause, f"up to {duration(cool_down.cap)}"]


def spellings(value: object) -> set[str]:
    """List the ways a page may write a default."""
    text = str(value)
    return {text, text.removesuffix(".0"), text.replace("'", '"')}


def test_every_setting_has_a_section_and_every_section_a_setting() -> None:
    """No setting is undocumented and none is invented."""
    text = (DOCS / "configuration.md").read_text("utf-8")

    assert sorted(re.findall(r"^### `(\w+)`$", text, re.M)) == sorted(setting_names())


@pytest.mark.parametrize(
    "field",
    [field for field in dataclasses.fields(Settings) if field.name != "ring"],
    ids=lambda field: field.name,
)
def test_a_stated_default_is_the_real_one(field: dataclasses.Field[object]) -> None:
    """Where the page names a default as code, it is that of ``Settings``."""
    text = section("configuration.md", f"BYOK_{field.name.upper()}")
    stated = re.search(r"Default:\s+`([^`]+)`", text)
    factory = field.default_factory
    default = field.default if factory is dataclasses.MISSING else factory()

    assert "Default:" in text
    assert stated is None or stated[1] in spellings(default)


@pytest.mark.parametrize("entry", CLASSES.values(), ids=lambda entry: entry.letter)
def test_the_table_of_reasons_is_that_of_the_code(entry: FailureClass) -> None:
    """Each reason stands with the policies and the pauses that the engine uses."""
    row = row_about("failover.md", entry.reason)

    assert tuple(words(row[0])) == entry.reasons
    assert set(words(row[2])) == entry.policies
    assert [text for text in rest(entry.cool_down) if text not in row[3]] == []


def test_every_error_of_a_call_is_explained() -> None:
    """Each error a call may raise stands in the table of the page."""
    named = {word for row in rows_of("failover.md") for word in words(row[0])}
    raised = {
        name
        for name, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, errors.CallError | errors.StateUnavailable)
    }

    assert raised - {"CallError", "ProviderError"} <= named


def test_every_table_is_named() -> None:
    """The page about models names the tables that stand in the metadata."""
    db = flask_sqlalchemy.SQLAlchemy()
    build_tables(db.metadata)
    named = {words(row[0])[0] for row in rows_of("models-and-migrations.md")[2:]}

    assert named == set(db.metadata.tables)


def test_every_template_and_block_is_named() -> None:
    """The page on customizing names each template and each block, and no other."""
    folder = ROOT / "flask_byok" / "templates" / "byok"
    paths = [
        path
        for path in folder.rglob("*.html")
        if path.parent.name != "elements_bootstrap5"
    ]
    text = "".join(path.read_text("utf-8") for path in paths)
    blocks = set(re.findall(r"{%-? block (\w+)", text))
    rows = rows_of("customizing.md")
    named = {word for row in rows for word in words(row[0])}

    assert {path.name for path in paths} == {n for n in named if n.endswith(".html")}
    assert blocks <= named
    assert {n for n in named if n.startswith("byok_")} - blocks == CONTEXT


def test_the_help_of_each_command_is_the_real_one() -> None:
    """If this fails: ``python -m tests.support.help_texts``, and read what changed."""
    assert help_texts.PAGE.read_text("utf-8") == help_texts.page_with_help()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_examples_are_python(page: pathlib.Path) -> None:
    """Each block that says it is Python can be read by Python."""
    for block in examples.blocks(page.name):
        ast.parse(block)


@pytest.mark.case("C26")
def test_no_page_claims_that_memory_is_wiped() -> None:
    """The limit is said plainly, and nothing in the package pretends otherwise."""
    page = " ".join((DOCS / "security.md").read_text("utf-8").split())
    sources = [path.read_text("utf-8") for path in (ROOT / "flask_byok").rglob("*.py")]

    assert "Python cannot wipe memory reliably" in page
    assert not [text for text in sources if "ctypes" in text or "memset" in text]
