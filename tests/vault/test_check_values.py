"""Is the ring still the one the database was written under?"""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from flask_byok.vault.check_values import judge
from flask_byok.vault.check_values import KeyringProblem
from tests.support import vectors

NOW = dt.datetime(2030, 1, 2, tzinfo=dt.timezone.utc)


@dataclasses.dataclass
class Row:
    """A row of ``byok_keyring`` as a query gives it."""

    key_id: str
    kcv: str
    namespace: str = "default"
    retired_at: dt.datetime | None = None


def row(key_id: str, **changes: object) -> Row:
    """Give the row that a first seal under one of the published keys writes."""
    good = Row(key_id=key_id, kcv=vectors.CHECK_VALUES.get(key_id, "0" * 32))
    return dataclasses.replace(good, **changes)  # type: ignore[arg-type]


def problems(*rows: Row, primary: str = "k002") -> list[tuple[str, str, bool]]:
    """Judge rows against the published ring."""
    found = judge(rows, vectors.keyring(primary=primary))
    return [(each.key_id, each.kind, each.stops_sealing) for each in found]


def test_the_ring_that_wrote_the_rows_is_well() -> None:
    """Matching rows, no rows and rows of ids not loaded here are no problem."""
    assert problems(row("k001"), row("k002")) == []
    assert problems() == []
    assert problems(row("k009"), row("k009", retired_at=NOW)) == []


@pytest.mark.case("B7", "G3")
@pytest.mark.parametrize("key_id", ["k001", "k002"])
@pytest.mark.parametrize("kcv", ["0" * 32, "", vectors.CHECK_VALUES["k001"].upper()])
def test_other_bytes_under_an_id_stop_sealing(key_id: str, kcv: str) -> None:
    """Primary or not: the backup belongs to another ring."""
    assert problems(row(key_id, kcv=kcv)) == [(key_id, "other_bytes", True)]


@pytest.mark.case("B7")
@pytest.mark.parametrize("key_id", ["k001", "k002"])
def test_another_namespace_stops_sealing(key_id: str) -> None:
    """What is sealed now would be unreadable for what sealed before."""
    found = problems(row(key_id, namespace="shop.prod"))

    assert found == [(key_id, "other_namespace", True)]


@pytest.mark.case("B15", "G4")
@pytest.mark.parametrize(("primary", "stops"), [("k001", True), ("k002", False)])
def test_a_retired_key_never_seals(primary: str, stops: bool) -> None:
    """A retired primary stops sealing; a retired other one is told and no more."""
    found = problems(row("k001", retired_at=NOW), row("k002"), primary=primary)

    assert found == [("k001", "retired", stops)]


def test_the_worst_of_a_row_is_told_and_every_row_is_judged() -> None:
    """One problem per row, in their order."""
    found = problems(
        row("k002", kcv="", namespace="shop.prod", retired_at=NOW),
        row("k001", namespace="shop.prod", retired_at=NOW),
    )

    assert found == [("k002", "other_bytes", True), ("k001", "other_namespace", True)]


@pytest.mark.parametrize("kind", ["other_bytes", "other_namespace", "retired"])
def test_each_problem_says_which_key_and_setting(kind: str) -> None:
    """The sentence names the id and a setting, and no bytes."""
    problem = KeyringProblem(key_id="k001", kind=kind, stops_sealing=True)  # type: ignore[arg-type]

    assert "'k001'" in problem.sentence
    assert "BYOK_" in problem.sentence
