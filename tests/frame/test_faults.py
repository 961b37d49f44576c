"""The table of faults is that of the markers, and the markers can be read."""

from __future__ import annotations

import pathlib

import pytest

from tests.support import faults
from tests.support.fault_list import UNPROVEN
from tests.support.faults import Outcome
from tests.support.markers import BadMarker
from tests.support.told import BUSY
from tests.support.watch import read_words
from tests.support.watch import write_words


@pytest.fixture(scope="module")
def outcomes() -> faults.Outcomes:
    """Read the markers of this suite."""
    return faults.find_outcomes()


def test_the_table_is_up_to_date(outcomes: faults.Outcomes) -> None:
    """If this fails: ``make tables``, and read what changed."""
    assert faults.PAGE.read_text("utf-8") == faults.write_page(outcomes)


def test_a_fault_without_a_test_is_explained(outcomes: faults.Outcomes) -> None:
    """Each has a reason, and no fault that has a test keeps one."""
    assert sorted(UNPROVEN) == faults.missing_numbers(outcomes)


def test_the_faults_are_ninety() -> None:
    """In order, and none stands twice."""
    assert faults.known_numbers() == list(range(1, 91))


def test_markers_of_functions_and_parameters_count(tmp_path: pathlib.Path) -> None:
    """Wherever pytest takes one, it is read; a name stands for its text."""
    (tmp_path / "test_it.py").write_text(
        """
from tests.support.told import BUSY

@pytest.mark.fault(1, 2, got="answer", served="c1 s1", seen=BUSY)
@pytest.mark.parametrize(
    "x", [pytest.param(1, marks=pytest.mark.fault(1, got="E", served="c1 s0"))]
)
def test_one(x): ...
""",
        "utf-8",
    )
    first = Outcome("", "answer", "c1 s1", BUSY)
    second = Outcome("", "E", "c1 s0", "nothing")
    tests = ["test_it.py::test_one"]

    assert faults.find_outcomes(tmp_path) == {
        1: {first: tests, second: tests},
        2: {first: tests},
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("91, got='answer', served='c1 s0'", "no fault .91."),
        ("got='answer', served='c1 s0'", "no fault"),
        ("1, got='answer'", "says 'got'"),
        ("1, got=GOT, served='c1 s0'", "names of .tests"),
        ("1, got='answer', served='c1 s0', seen='smoke'", "called 'smoke'"),
    ],
)
def test_a_marker_that_cannot_be_true_is_refused(
    tmp_path: pathlib.Path, words: str, told: str
) -> None:
    """A typo, a missing word, a name from elsewhere: the line is named."""
    source = f"@pytest.mark.fault({words})\ndef test_one(): ..."
    (tmp_path / "test_it.py").write_text(source, "utf-8")

    with pytest.raises(BadMarker, match=rf"test_it\.py:1: .*{told}"):
        faults.find_outcomes(tmp_path)


@pytest.mark.parametrize("seen", ["nothing", "flash banner", "log:ERROR×3"])
def test_what_was_seen_is_written_as_it_is_read(seen: str) -> None:
    """The words of a marker and of the watch are the same."""
    assert write_words(read_words(seen)) == seen
