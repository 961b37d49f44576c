"""A company's id that is given to another company: what is documented, pinned."""

from __future__ import annotations

import pathlib

import pytest

from tests.support.host import GOOD
from tests.support.host import Host

DOCS = pathlib.Path(__file__).parents[2] / "docs"


@pytest.mark.case("F20")
def test_a_reused_id_inherits_what_was_not_forgotten(host: Host) -> None:
    """A known limit: nothing tells the next company of that id from the one before."""
    host.byok.save_key(1, "OPENAI", GOOD)

    assert host.byok.client_for(1).chat("hello").source == "company"

    host.byok.forget_company(1)
    assert host.byok.client_for(1).chat("hello").source == "system"


@pytest.mark.case("F20")
def test_the_pages_demand_forgetting() -> None:
    """The page about models says what to call, the security page what else happens."""
    models = (DOCS / "models-and-migrations.md").read_text("utf-8")
    security = (DOCS / "security.md").read_text("utf-8")

    assert "byok.forget_company(company_id)" in models
    assert "This is not optional" in models
    assert "inherits the key" in security
