"""The typed text of a company's id."""

from __future__ import annotations

import enum
import typing as t
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_byok.errors import NoCompany
from flask_byok.vault.company import company_text
from flask_byok.vault.company import company_value

UUID = "0d9e5a31-77c4-4f0b-b1e2-5a6c8d3f2e10"


class HostUUID(uuid.UUID):
    """A subclass that prints itself in another way, as drivers ship them."""

    def __str__(self) -> str:
        return self.hex.upper()


class Plan(enum.IntEnum):
    """An int that is not plainly one."""

    FREE = 1


class Markup(str):
    """A str that is not plainly one."""


@pytest.mark.parametrize(
    ("company_id", "text"),
    [
        (42, "i:42"),
        (0, "i:0"),
        (-7, "i:-7"),
        (2**63 - 1, "i:9223372036854775807"),
        (-(2**63), "i:-9223372036854775808"),
        ("42", "s:42"),
        ("i:42", "s:i:42"),
        ("Acme", "s:Acme"),
        ("zürich-ag", "s:zürich-ag"),
        ("a b", "s:a b"),
        ("x" * 255, "s:" + "x" * 255),
        (uuid.UUID(UUID.upper()), "u:" + UUID),
        (UUID, "s:" + UUID),
    ],
)
def test_an_id_has_one_text_and_comes_back(company_id: t.Any, text: str) -> None:
    """The tag tells the type, and reading the text gives the same id and type."""
    assert company_text(company_id) == text
    assert company_value(text) == company_id
    assert type(company_value(text)) is type(company_id)


def test_a_uuid_subclass_is_written_like_any_uuid() -> None:
    """However a driver's own class prints itself."""
    assert company_text(HostUUID(UUID)) == "u:" + UUID


@pytest.mark.case("A12")
@pytest.mark.parametrize(
    "company_id",
    [
        None,
        True,
        False,
        Plan.FREE,
        Markup("acme"),
        1.0,
        b"acme",
        ["acme"],
        2**63,
        -(2**63) - 1,
        "",
        " acme",
        "acme ",
        "acme\u00a0",
        "\u2003acme",
        "ac\0me",
        "ac\nme",
        "ac\x7fme",
        "ac\x85me",
        "ac\ud800me",
        "x" * 256,
        "ü" * 128,
    ],
)
def test_what_might_be_mistaken_is_refused(company_id: t.Any) -> None:
    """Other types, and texts that a person or a database might read as another."""
    with pytest.raises(NoCompany) as caught:
        company_text(company_id)

    assert caught.value.__context__ is None


@pytest.mark.case("A12")
def test_ids_that_look_alike_stay_apart() -> None:
    """Types, case, width and composition all count; nothing is normalised."""
    alike: list[t.Any] = [
        1,
        "1",
        "\uff11",
        "Acme",
        "acme",
        "Zu\u0308rich",
        "Z\u00fcrich",
        "a",
        "a b",
    ]

    assert len({company_text(company_id) for company_id in alike}) == len(alike)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42",
        "i:",
        "i:042",
        "i:+42",
        "i:-0",
        "i: 42",
        "i:4_2",
        "i:\uff14\uff12",
        "i:42\n",
        "i:9223372036854775808",
        "i:" + "9" * 5000,
        "I:42",
        "s:",
        "s: acme",
        "s:\ud800",
        "u:" + UUID.upper(),
        "u:" + UUID.replace("-", ""),
        "u:{" + UUID + "}",
        "u:",
        "x:1",
    ],
)
def test_a_text_that_no_id_has_is_refused(text: str) -> None:
    """Only what ``company_text`` writes is read, and nothing is chained."""
    with pytest.raises(ValueError, match="not the text of a company's id") as caught:
        company_value(text)

    assert caught.value.__context__ is None


@given(st.one_of(st.integers(-(2**63), 2**63 - 1), st.uuids(), st.text()))
def test_every_text_comes_back_as_the_id_it_was(company_id: t.Any) -> None:
    """Either refused, or exactly reversible: two ids never share a text."""
    try:
        text = company_text(company_id)
    except NoCompany:
        return

    assert company_value(text) == company_id
    assert type(company_value(text)) is type(company_id)


@given(st.text())
def test_every_readable_text_is_the_only_one_of_its_id(text: str) -> None:
    """What reads at all is written back the same."""
    try:
        company_id = company_value(text)
    except ValueError:
        return

    assert company_text(company_id) == text
