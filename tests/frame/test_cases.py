"""The table of security cases is that of the markers, and the markers can be read."""

from __future__ import annotations

import pathlib
import textwrap

import pytest

from tests.support import cases
from tests.support.case_list import AREAS
from tests.support.case_list import UNPROVEN


@pytest.fixture(scope="module")
def proofs() -> cases.Proofs:
    """Read the markers of this suite."""
    return cases.find_proofs()


def test_the_table_is_up_to_date(proofs: cases.Proofs) -> None:
    """If this fails: ``make tables``, and read what changed."""
    assert cases.PAGE.read_text("utf-8") == cases.write_page(proofs)


def test_a_case_without_a_test_is_explained(proofs: cases.Proofs) -> None:
    """Each has a reason, and no case that has a test keeps one."""
    assert sorted(UNPROVEN) == sorted(cases.missing_ids(proofs))


def test_every_case_has_one_place() -> None:
    """No id stands twice, and each begins with the letter of its area."""
    ids = cases.known_ids()

    assert len(ids) == len(set(ids))

    for area in AREAS:
        assert all(
            id[0] == area.letter for each in area.cases for id in each.ids.split()
        )


def write(folder: pathlib.Path, source: str) -> None:
    """Plant a test file."""
    (folder / "test_it.py").write_text(textwrap.dedent(source), "utf-8")


def test_markers_of_functions_modules_and_parameters_count(
    tmp_path: pathlib.Path,
) -> None:
    """Wherever pytest takes one, it is read, in this order and once each."""
    write(
        tmp_path,
        """
        pytestmark = pytest.mark.case("A1")

        @pytest.mark.case("A1", "A2")
        @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.case("A3"))])
        def test_one(x): ...

        def test_two(): ...

        def helper(): ...
        """,
    )

    assert cases.find_proofs(tmp_path) == {
        "A1": ["test_it.py::test_one", "test_it.py::test_two"],
        "A2": ["test_it.py::test_one"],
        "A3": ["test_it.py::test_one"],
    }


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ('@pytest.mark.case("Z9")\ndef test_one(): ...', "no case .'Z9'."),
        ("@pytest.mark.case(A1)\ndef test_one(): ...", "by its id alone"),
        ("@pytest.mark.case()\ndef test_one(): ...", "by its id alone"),
        ('@pytest.mark.case("A1")\ndef helper(): ...', "onto a test"),
        ('MARK = pytest.mark.case("A1")', "onto a test"),
    ],
)
def test_a_marker_that_would_be_lost_is_refused(
    tmp_path: pathlib.Path, source: str, told: str
) -> None:
    """A typo, a variable, a helper: the file and the line are named."""
    write(tmp_path, source)

    with pytest.raises(cases.BadMarker, match=rf"test_it\.py:\d: .*{told}"):
        cases.find_proofs(tmp_path)
