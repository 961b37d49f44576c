"""What stands in the history, word for word."""

from __future__ import annotations

import pytest

from tests.support.host import BETTER
from tests.support.host import GOOD
from tests.support.host import Host


@pytest.mark.case("C22")
def test_the_history_of_a_key_holds_words_alone(host: Host) -> None:
    """Who, what, which provider, and words of ours: every detail is listed here."""
    host.byok.save_key(1, "OPENAI", GOOD, actor="ann")
    host.byok.save_key(1, "OPENAI", BETTER, actor="bob")
    host.byok.test_connection(1, "OPENAI", actor="ann")
    host.byok.remove_key(1, "OPENAI", actor="bob")

    told = [
        (entry.actor, entry.action, entry.provider, dict(entry.details))
        for entry in reversed(host.byok.history(1))
    ]

    assert told == [
        ("ann", "key_saved", "OPENAI", {"verdict": "working", "active": True}),
        ("bob", "key_replaced", "OPENAI", {"verdict": "working", "active": True}),
        ("ann", "key_tested", "OPENAI", {"verdict": "working", "reason": None}),
        ("bob", "key_removed", "OPENAI", {}),
    ]


@pytest.mark.case("C22")
def test_the_rows_of_the_history_hold_no_ciphertext(host: Host) -> None:
    """Neither the sealed bytes nor four characters of the key, in any column."""
    host.byok.save_key(1, "OPENAI", GOOD, actor="ann")
    tables = host.byok.state.tables

    with host.byok.state.database.read() as connection:
        (blob, last4) = connection.execute(
            tables.credential.select().with_only_columns(
                tables.credential.c.blob, tables.credential.c.last4
            )
        ).one()
        shown = repr(list(connection.execute(tables.audit.select())))

    assert last4 and last4 not in shown

    for piece in (blob[:6], blob[6:38], blob[-16:]):
        assert piece.hex() not in shown
        assert repr(piece)[2:-1] not in shown
