"""What ``docs/security.md`` publishes is what the package does."""

from __future__ import annotations

import dataclasses
import pathlib
import re

import pytest

from flask_byok.errors import StoredKeyUnreadable
from tests.support import opener
from tests.support import service_vectors
from tests.support import vectors
from tests.support.vectors import Vector

ALL = (*vectors.VECTORS, *service_vectors.VECTORS)
PAGE = pathlib.Path(__file__).parents[2] / "docs" / "security.md"
REASONS = [
    "malformed",
    "unsupported_format",
    "header_mismatch",
    "unknown_key_id",
    "key_service_unavailable",
    "wrong_key_or_context",
    "tampered",
]


@pytest.fixture(scope="module")
def text() -> str:
    """Read the page."""
    return PAGE.read_text("utf-8")


@pytest.mark.case("A21")
@pytest.mark.parametrize("vector", ALL)
def test_the_page_prints_the_answers_that_are_tested(text: str, vector: Vector) -> None:
    """Every byte string and every part of the context stands on the page."""
    printed = re.sub(r"\n\s+", "", text)
    encoded = [vector.blob, vector.info, vector.associated_data]
    parts = [vector.plaintext, *dataclasses.asdict(vector.context).values()]

    assert all(each.hex() in printed for each in encoded if each is not None)
    assert all(part in text for part in parts)


@pytest.mark.case("A21")
def test_the_page_prints_the_check_values(text: str) -> None:
    """Both of them, with the id they belong to."""
    for key_id, check_value in vectors.CHECK_VALUES.items():
        assert re.search(rf"`{key_id}` has\s+`{check_value}`", text)


@pytest.mark.case("A21")
@pytest.mark.parametrize("vector", ALL)
def test_the_printed_program_opens_the_printed_answers(vector: Vector) -> None:
    """The second opener, which the page includes, reads what the page publishes."""
    masters = {
        "k001": vectors.K001,
        "k002": vectors.K002,
        **service_vectors.DATA_KEYS,
    }
    parts = dataclasses.asdict(vector.context)
    opened = opener.open_blob(
        vector.blob, masters[vector.key_id], namespace=vector.namespace, **parts
    )

    assert opened == vector.plaintext


def test_the_table_of_reasons_is_in_order(text: str) -> None:
    """The steps on the page give every reason, in the order of the checks."""
    section = text[text.index("### Opening") : text.index("### Check values")]
    told = re.findall(r"^\| .* \| `(\w+)` \|$", section, re.MULTILINE)

    assert told == [*REASONS, "malformed"]


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_has_a_sentence_of_its_own(text: str, reason: str) -> None:
    """And stands on the page."""
    others = {str(StoredKeyUnreadable(other)) for other in {*REASONS, "x"} - {reason}}

    assert f"`{reason}`" in text
    assert str(StoredKeyUnreadable(reason)) not in others
