"""The mutants fit the source, and a run of them can fail."""

from __future__ import annotations

import ast
import json
import pathlib
import re

import pytest

from flask_byok.web.blueprint import ROUTES
from tests.mutants import __main__ as command
from tests.mutants import page
from tests.mutants import web
from tests.mutants.catalog import MUTANTS
from tests.mutants.mutant import CannotApply
from tests.mutants.mutant import Edit
from tests.mutants.mutant import Mutant
from tests.mutants.mutant import mutated
from tests.support import cases
from tests.support import tree

pytestmark = pytest.mark.case("H5")
NAMED = [pytest.param(mutant, id=mutant.name) for mutant in MUTANTS]

#: A mutant of ours whose test is quick; the ones below are variations of it.
GOOD = next(mutant for mutant in MUTANTS if mutant.name == "retired-key-seals")


def variation(name: str, *edits: Edit, tests: tuple[str, ...] = GOOD.tests) -> Mutant:
    """Make a mutant for a test of the run itself."""
    return Mutant(name=name, cases="", takes_out="", edits=edits, tests=tests)


@pytest.mark.parametrize("mutant", NAMED)
def test_a_mutant_fits_the_source(mutant: Mutant) -> None:
    """Its text stands there once, and what becomes of it is Python."""
    texts = mutated(mutant, tree.ROOT)

    assert texts

    for path, text in texts.items():
        ast.parse(text)
        assert text != path.read_text("utf-8")


@pytest.mark.parametrize("mutant", NAMED)
def test_a_mutant_names_tests_and_cases_that_exist(mutant: Mutant) -> None:
    """A test that was renamed does not leave its mutant alone."""
    assert set(mutant.cases.split()) <= set(cases.known_ids())

    for test in mutant.tests:
        file, _, name = test.partition("::")
        text = (tree.ROOT / file).read_text("utf-8")
        assert not name or f"\ndef {name.partition('[')[0]}(" in text


def test_names_are_used_once() -> None:
    """``--only`` means one mutant."""
    names = [mutant.name for mutant in MUTANTS]

    assert len(names) == len(set(names))


def test_every_route_is_opened_once() -> None:
    """The mutants of access and CSRF know every endpoint and what changes there."""
    there = {route.endpoint: not set(route.views) <= {"GET"} for route in ROUTES}

    assert there == web.ENDPOINTS


def test_the_page_lists_every_mutant() -> None:
    """If this fails: ``make tables``, and read what changed."""
    assert page.PAGE.read_text("utf-8") == page.page_with_table(MUTANTS)


def test_a_text_that_moved_is_looked_for() -> None:
    """The error says where it stands now, so that mending takes a moment."""
    (edit,) = GOOD.edits
    moved = variation("moved", edit._replace(file="vault/store.py"))

    with pytest.raises(CannotApply, match=re.escape(f"It stands in {edit.file} now")):
        mutated(moved, tree.ROOT)


@pytest.mark.parametrize(
    ("old", "told"), [("no such text", "Was it rewritten"), ("return", "Give more")]
)
def test_a_text_that_does_not_fit_is_an_error(old: str, told: str) -> None:
    """Gone, or there more than once."""
    wrong = variation("wrong", Edit("vault/check_values.py", old, "pass"))

    with pytest.raises(CannotApply, match=told):
        mutated(wrong, tree.ROOT)


def test_a_run_tells_the_killed_from_the_rest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four endings; one that is not ``killed`` ends the run with 1."""
    file = "vault/check_values.py"
    harmless = Edit(file, "problems = []", "problems = list()")
    mistake = Edit(file, "problems = []", "problems = nowhere")
    chosen = [
        GOOD,
        variation("harmless", harmless),
        variation("gone", Edit(file, "no such text", "")),
        variation("mistake", mistake),
    ]
    before = (tree.ROOT / "flask_byok" / file).read_bytes()
    monkeypatch.setattr(command, "MUTANTS", chosen)

    assert command.main(["--json", "--jobs", "1", "--no-baseline"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [each["ending"] for each in found] == [
        "killed",
        "survived",
        "stale",
        "broken",
    ]
    assert found[0]["told"].startswith(GOOD.tests[0])
    assert (tree.ROOT / "flask_byok" / file).read_bytes() == before


def test_a_run_of_killed_ones_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    """First the tests pass without the mutant, then one fails with it."""
    assert command.main(["--only", GOOD.name, "--jobs", "1"]) == 0

    told = capsys.readouterr()
    assert "First their tests without any mutant" in told.err
    assert f"[1/1] killed   {GOOD.name}" in told.err
    assert told.out.endswith("1 killed\n")


def test_tests_that_fail_anyway_prove_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
) -> None:
    """Where the tests do not pass without a mutant, the run stops with 2."""
    lost = variation("lost", *GOOD.edits, tests=("tests/vault/no_such_file.py",))
    monkeypatch.setattr(command, "MUTANTS", [lost])

    assert command.main([]) == 2
    assert "The tests fail without any mutant" in capsys.readouterr().err


def test_a_name_nobody_has_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A typo runs nothing and says where the names are."""
    assert command.main(["--only", "no-such-mutant"]) == 2
    assert "See --list" in capsys.readouterr().out
