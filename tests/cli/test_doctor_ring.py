"""``doctor`` beside a database that another master key, or another app, has written."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import pytest
import sqlalchemy as sa
from click.testing import Result

from tests.support.host import Host
from tests.support.vault_room import AT


@pytest.mark.case("B7", "G3")
@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("kcv", "0" * 32, "has other bytes"),
        ("namespace", "staging", "BYOK_NAMESPACE"),
        ("retired_at", AT, "was retired"),
    ],
)
def test_doctor_finds_the_wrong_master_key(
    saved: Host, run: cabc.Callable[..., Result], column: str, value: t.Any, told: str
) -> None:
    """The id is named, the next step too, and the exit code is 1."""
    with saved.app.app_context():
        state = saved.byok.state

        with state.database.write() as connection:
            connection.execute(sa.update(state.tables.keyring).values({column: value}))

    result = run("doctor")

    assert result.exit_code == 1
    assert "'k001'" in result.output
    assert told in result.output
