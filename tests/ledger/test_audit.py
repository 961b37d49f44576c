"""The history of a company."""

from __future__ import annotations

import datetime as dt

import pytest

from flask_byok.errors import StateUnavailable
from flask_byok.ledger.audit import Audit
from tests.support.ledger_room import LedgerRoom
from tests.support.ledger_room import NOW
from tests.support.vault_room import COMPANY


def make_audit(room: LedgerRoom) -> Audit:
    return Audit(room.vault.database, room.vault.tables)


def test_event_is_read_as_written(room: LedgerRoom) -> None:
    """Time, actor, action, provider and our own words come back."""
    audit = make_audit(room)

    with room.vault.database.write() as connection:
        audit.write(
            connection,
            COMPANY,
            "policy_changed",
            at=NOW,
            actor="ann@example.com",
            provider="OPENAI",
            details={"from": "auto", "to": "never"},
        )

    (entry,) = audit.history(COMPANY)
    assert (entry.at, entry.actor, entry.action, entry.provider) == (
        NOW,
        "ann@example.com",
        "policy_changed",
        "OPENAI",
    )
    assert entry.details == {"from": "auto", "to": "never"}


def test_history_is_newest_first_and_bounded(room: LedgerRoom) -> None:
    """The latest events come first, as many as asked for."""
    audit = make_audit(room)

    with room.vault.database.write() as connection:
        for minute in range(30):
            moment = NOW + dt.timedelta(minutes=minute)
            audit.write(connection, COMPANY, "key_tested", at=moment)

    found = audit.history(COMPANY)
    assert len(found) == 20
    assert found[0].at == NOW + dt.timedelta(minutes=29)
    assert [entry.at for entry in found] == sorted(
        (entry.at for entry in found), reverse=True
    )
    assert len(audit.history(COMPANY, limit=3)) == 3


@pytest.mark.case("G10")
def test_event_goes_with_its_change(room: LedgerRoom) -> None:
    """When the change is rolled back, so is its event."""
    audit = make_audit(room)

    with pytest.raises(RuntimeError, match="no"):
        with room.vault.database.write() as connection:
            audit.write(connection, COMPANY, "key_saved", at=NOW)
            raise RuntimeError("no")

    assert audit.history(COMPANY) == []


@pytest.mark.case("G10")
def test_change_goes_with_its_event(room: LedgerRoom) -> None:
    """When the event cannot be written, the change is not made either."""
    audit = make_audit(room)
    room.vault.tables.audit.drop(room.vault.host)

    with pytest.raises(StateUnavailable):
        with room.vault.database.write() as connection:
            room.vault.store.set_policy(connection, COMPANY, fallback="never")
            audit.write(connection, COMPANY, "policy_changed", at=NOW)

    assert room.vault.rows(room.vault.tables.company) == []


@pytest.mark.case("F1")
def test_companies_are_apart(room: LedgerRoom) -> None:
    """No company reads another's history, however alike their ids are."""
    audit = make_audit(room)

    with room.vault.database.write() as connection:
        audit.write(connection, "s:Acme", "key_saved", at=NOW)

    assert audit.history("s:acme") == []
    assert len(audit.history("s:Acme")) == 1


@pytest.mark.case("C22")
def test_details_hold_words_alone(room: LedgerRoom) -> None:
    """An object that found its way into the details is refused."""
    audit = make_audit(room)

    with pytest.raises(TypeError, match="a word, a number or None"):
        with room.vault.database.write() as connection:
            details = {"report": {"text": "…"}}
            audit.write(connection, COMPANY, "key_saved", at=NOW, details=details)
