"""A key that goes over to another master key appears nowhere on its way."""

from __future__ import annotations

import json
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok.masterkeys import generate
from tests.support.leaks import Guard
from tests.web.conftest import Host
from tests.web.conftest import MakeHost


def run(host: Host, guard: Guard, *words: str) -> t.Any:
    """Run a command, and show everything it says."""
    result = host.app.test_cli_runner().invoke(args=["byok", *words])
    guard.look("command line", result.stdout, result.stderr)

    if result.exception is not None:
        guard.look_at_error(result.exception)

    return result


@pytest.mark.case("B18", "C21")
def test_a_rotated_key_appears_nowhere(
    make_host: MakeHost, guard: Guard, canary: str
) -> None:
    """Not in what commands print or log, in no table, in no file; it still works."""
    rings = {"k001": generate(), "k002": generate()}
    before = make_host(BYOK_MASTER_KEYS=rings, BYOK_PRIMARY_KEY_ID="k001")
    before.save(api_key=canary)
    before.save("CLAUDE", api_key=canary)
    host = make_host(BYOK_MASTER_KEYS=rings, BYOK_PRIMARY_KEY_ID="k002")

    for words in ("rotate --dry-run", "rotate", "verify", "verify --json"):
        assert run(host, guard, *words.split()).exit_code == 0, words

    spoil(host)
    back = make_host(BYOK_MASTER_KEYS=rings, BYOK_PRIMARY_KEY_ID="k001")
    report = json.loads(run(back, guard, "rotate", "--json").stdout)
    assert (report["moved"], report["failed"]) == (1, 1)

    for words in ("rotate", "verify", "retire k001", "retire k002"):
        run(host, guard, *words.split())

    with host.app.app_context():
        guard.look_at_database(host.byok.state.database.engine)
        assert host.byok.client_for(1).chat("hello", fallback=False).source == "company"

    guard.verify({"command line", "logs", "tables", "database files"})


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
