"""A key that goes over to another master key appears nowhere on its way."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from flask_byok.masterkeys import generate
from flask_byok.testing import LeakGuard
from tests.web.conftest import Host
from tests.web.conftest import MakeHost


@pytest.mark.case("B18", "C21")
def test_a_rotated_key_appears_nowhere(
    make_host: MakeHost, leak_guard: LeakGuard, canary: str
) -> None:
    """Not in what commands print or log, in no table, in no file; it still works."""
    guard = leak_guard
    guard.require("command line", "logs", "tables", "database files")
    rings = {"k001": generate(), "k002": generate()}
    before = make_host(BYOK_MASTER_KEYS=rings, BYOK_PRIMARY_KEY_ID="k001")
    before.save(api_key=canary)
    before.save("CLAUDE", api_key=canary)
    host = make_host(BYOK_MASTER_KEYS=rings, BYOK_PRIMARY_KEY_ID="k002")

    for words in ("rotate --dry-run", "rotate", "verify", "verify --json"):
        assert guard.invoke(host.app, "byok", *words.split()).exit_code == 0, words

    spoil(host)
    back = make_host(BYOK_MASTER_KEYS=rings, BYOK_PRIMARY_KEY_ID="k001")
    report = json.loads(guard.invoke(back.app, "byok", "rotate", "--json").stdout)
    assert (report["moved"], report["failed"]) == (1, 1)

    for words in ("rotate", "verify", "retire k001", "retire k002"):
        guard.invoke(host.app, "byok", *words.split())

    with host.app.app_context():
        guard.look_at_database(host.byok.state.database.engine)
        assert host.byok.client_for(1).chat("hello", fallback=False).source == "company"

    guard.verify()


def spoil(host: Host) -> None:
    """Make the key of OPENAI unreadable."""
    with host.app.app_context():
        state = host.byok.state
        table = state.tables.credential
        row = table.c.provider == "OPENAI"

        with state.database.write() as conn:
            blob = bytearray(conn.scalar(sa.select(table.c.blob).where(row)))
            blob[-1] ^= 1
            conn.execute(sa.update(table).where(row).values(blob=bytes(blob)))
