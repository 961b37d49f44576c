"""The documentation says what the code does: tables are compared, examples are run."""

from __future__ import annotations

import ast
import inspect
import pathlib
import re

import flask
import flask_sqlalchemy
import pytest

from flask_byok import BYOK
from flask_byok import errors
from flask_byok.cli import byok_cli
from flask_byok.client import AIClient
from flask_byok.config import setting_names
from flask_byok.config import Settings
from flask_byok.failover.reasons import CLASSES
from flask_byok.failover.reasons import CoolDown
from flask_byok.failover.reasons import FailureClass
from flask_byok.masterkeys import generate
from flask_byok.testing import Simulator
from flask_byok.vault.models import build_tables
from tests.support import examples
from tests.support import help_texts
from tests.support import settings_page

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


def test_every_setting_has_a_section_and_every_section_a_setting() -> None:
    """No setting is undocumented and none is invented, here or in the facts."""
    text = (DOCS / "configuration.md").read_text("utf-8")
    names = sorted(setting_names())

    assert sorted(re.findall(r"^### `(\w+)`$", text, re.M)) == names
    assert sorted(fact.name for fact in settings_page.FACTS) == names


def test_the_facts_of_each_setting_are_those_of_the_code() -> None:
    """If this fails: ``make tables``. Defaults and refusals are asked of the code."""
    assert settings_page.PAGE.read_text("utf-8") == settings_page.page()


@pytest.mark.parametrize(
    "fact",
    [fact for fact in settings_page.FACTS if fact.shown is not None],
    ids=lambda fact: fact.name,
)
def test_what_is_shown_for_the_environment_is_read(
    fact: settings_page.Fact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable that the page shows changes the setting, in an app as it starts."""
    app = flask.Flask("host")
    app.config["BYOK_MASTER_KEYS"] = {"k001": generate(), "k002": generate()}
    app.config["BYOK_PRIMARY_KEY_ID"] = "k001"
    app.config["BYOK_SYSTEM_KEYS"] = dict.fromkeys(("OPENAI", "CLAUDE"), "not-a-key")
    before = Settings.from_config(app.config)

    for name, text in settings_page.as_environment(fact, generate()).items():
        monkeypatch.setenv(name, text)

    app.config.from_prefixed_env()

    assert Settings.from_config(app.config) != before


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


def test_every_command_has_a_row() -> None:
    """The table at the head of the page lists each command, and no other."""
    text = help_texts.PAGE.read_text("utf-8").partition("\n## ")[0]
    listed = re.findall(r"^\| `flask byok ([\w-]+)", text, re.M)

    assert sorted(listed) == sorted(byok_cli.commands)


#: A setting that is misspelt on purpose.
MISSPELT = "BYOK_BASE_TEMPLATES"


@pytest.mark.parametrize("page", examples.pages())
def test_every_name_of_ours_that_a_page_uses_exists(page: str) -> None:
    """Settings, and methods of the extension, the client and the simulator."""
    text = examples.path_of(page).read_text("utf-8")
    settings = set(re.findall(r"\bBYOK_[A-Z_]+\b", text)) - {MISSPELT}
    owners = {"byok": BYOK, "current_ai_client": AIClient, "byok_simulator": Simulator}
    missing = [
        f"{word}.{name}"
        for word, owner in owners.items()
        for name in re.findall(rf"\b{word}\.([a-z_]+)\(", text)
        if not hasattr(owner, name)
    ]

    assert settings <= set(setting_names())
    assert missing == []


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
