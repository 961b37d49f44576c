"""A save beside rows that another master key, or another app, has written."""

from __future__ import annotations

import typing as t

import pytest
import sqlalchemy as sa

from flask_byok.errors import VaultClosed
from tests.support.host import BETTER
from tests.support.host import GOOD
from tests.support.host import Host


@pytest.mark.case("B7", "G3")
@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize(
    ("column", "value"), [("kcv", "0" * 32), ("namespace", "staging")]
)
def test_nothing_is_saved_under_the_wrong_master_key(
    host: Host, column: str, value: t.Any, stored: bool
) -> None:
    """The save is refused as a whole; what is stored stays, and the page lists it."""
    host.byok.save_key(1, "OPENAI", GOOD)
    tables = host.byok.state.tables

    if not stored:
        host.byok.remove_key(1, "OPENAI")

    before = host.byok.credentials(1)

    with host.byok.state.database.write() as connection:
        connection.execute(sa.update(tables.keyring).values({column: value}))

    with pytest.raises(VaultClosed, match="k001"):
        host.byok.save_key(1, "OPENAI", BETTER)

    assert host.byok.credentials(1) == before
    assert [e.action for e in host.byok.history(1)].count("key_replaced") == 0
