"""Attempts as rows, and the rows people read."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import sqlalchemy as sa

from flask_byok.ledger.usage import AttemptEnd
from flask_byok.ledger.usage import UsageRow
from flask_byok.providers.types import Usage
from tests.support.ledger_room import DONE
from tests.support.ledger_room import LedgerRoom
from tests.support.ledger_room import NOW
from tests.support.ledger_room import START
from tests.support.ledger_room import start_at
from tests.support.vault_room import COMPANY

TODAY = NOW.date()


def read(room: LedgerRoom, since: dt.date = TODAY, until: dt.date = TODAY):
    return room.ledger().usage(COMPANY, since, until)


def test_company_attempt_is_noted_when_it_is_over(room: LedgerRoom) -> None:
    """One row tells whose key, which model, how it ended and how long it took."""
    usage = Usage(input_tokens=9, output_tokens=4, cached_tokens=3, reasoning_tokens=2)
    start = START._replace(label="summary", call_id="c" * 36, streamed=True)
    end = AttemptEnd(
        state="done", status=200, request_id="req_1", latency_ms=321, usage=usage
    )
    room.ledger().record(start, end, started_at=NOW)
    (row,) = room.attempts()

    wanted = {
        "company_id": COMPANY,
        "source": "company",
        "provider": "OPENAI",
        "model": "model-one",
        "label": "summary",
        "call_id": "c" * 36,
        "state": "done",
        "status": 200,
        "request_id": "req_1",
        "latency_ms": 321,
        "input_tokens": 9,
        "output_tokens": 4,
        "cached_tokens": 3,
        "reasoning_tokens": 2,
        "est_tokens": None,
        "cost_micros": None,
        "period": "2026-11",
    }
    assert {name: row[name] for name in wanted} == wanted
    assert row["streamed"]


@pytest.mark.case("D1")
def test_failed_attempt_keeps_our_words(room: LedgerRoom) -> None:
    """A failure stands with its reason, status and code."""
    end = AttemptEnd(state="failed", reason="auth", status=401, code="invalid_api_key")
    room.ledger().record(START, end, started_at=NOW)
    (row,) = room.attempts()

    assert (row["state"], row["reason"], row["status"], row["code"]) == (
        "failed",
        "auth",
        401,
        "invalid_api_key",
    )
    assert row["input_tokens"] is None


def test_long_texts_are_cut_not_lost(room: LedgerRoom) -> None:
    """A label or model beyond its column costs its end, never the row."""
    start = START._replace(label="l" * 500, model="m\x00" * 500)
    room.ledger().record(start, DONE, started_at=NOW)
    (row,) = room.attempts()

    assert (row["label"], row["model"]) == ("l" * 100, "m" * 200)


def test_company_attempt_waits_for_a_busy_database(sqlite_room: LedgerRoom) -> None:
    """An attempt that cannot be written at once is written later."""
    room = sqlite_room

    with room.vault.host.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        room.ledger().record(START, DONE, started_at=NOW)
        connection.rollback()

    assert room.attempts() == []
    room.vault.database.flush(force=True)
    assert len(room.attempts()) == 1


@pytest.mark.case("F16")
def test_usage_is_counted_by_day_source_provider_model_and_label(
    room: LedgerRoom,
) -> None:
    """Own keys and the app's own key are never one blended number."""
    ledger = room.ledger()
    ledger.record(START, DONE, started_at=NOW)
    ledger.record(START, DONE, started_at=NOW)
    ledger.record(START, AttemptEnd(state="failed"), started_at=NOW)
    ledger.record(START, AttemptEnd(state="unknown"), started_at=NOW)
    ledger.settle(start_at(ledger), DONE)
    other = START._replace(label="summary")
    ledger.record(other, DONE, started_at=NOW)

    plain = {
        "day": TODAY,
        "provider": "OPENAI",
        "model": "model-one",
        "label": None,
        "failed": 0,
        "unknown": 0,
        "requests": 1,
        "input_tokens": 10,
        "cached_tokens": 0,
        "output_tokens": 5,
        "reasoning_tokens": 0,
        "cost": None,
        "unpriced": 1,
    }
    assert read(room) == [
        UsageRow(
            **{
                **plain,
                "source": "company",
                "requests": 4,
                "failed": 1,
                "unknown": 1,
                "cost": Decimal(0),
                "unpriced": 3,
                "input_tokens": 20,
                "output_tokens": 10,
            }
        ),
        UsageRow(**{**plain, "source": "company", "label": "summary"}),
        UsageRow(**{**plain, "source": "system"}),
    ]


def test_days_are_utc_and_both_ends_count(room: LedgerRoom) -> None:
    """A day begins and ends at midnight UTC; first and last day are included."""
    midnight = dt.datetime(2026, 11, 23, tzinfo=dt.timezone.utc)
    second = dt.timedelta(seconds=1)

    for moment in (midnight - second, midnight, midnight + dt.timedelta(days=1)):
        room.ledger().record(START, DONE, started_at=moment)

    assert [row.requests for row in read(room)] == [1]
    day = dt.timedelta(days=1)
    found = read(room, TODAY - day, TODAY + day)
    assert [row.day for row in found] == [TODAY - day, TODAY, TODAY + day]


def test_days_do_not_follow_the_zone_of_the_connection(room: LedgerRoom) -> None:
    """Also where the database's sessions live in another zone, days are UTC."""
    dialect = room.vault.host.dialect.name

    if dialect == "sqlite":
        pytest.skip("SQLite has no zone of a connection.")

    @sa.event.listens_for(room.vault.host, "connect")
    def move_zone(connection, record) -> None:
        zone = "'+10:00'" if dialect == "mysql" else "'Australia/Brisbane'"
        verb = "SET time_zone =" if dialect == "mysql" else "SET TIME ZONE"

        with connection.cursor() as cursor:
            cursor.execute(f"{verb} {zone}")

        connection.commit()

    room.vault.host.dispose()
    late = dt.datetime(2026, 11, 23, 23, tzinfo=dt.timezone.utc)
    room.ledger().record(START, DONE, started_at=late)

    assert [row.day for row in read(room)] == [TODAY]


def test_attempt_under_way_does_not_count_yet(room: LedgerRoom) -> None:
    """What is not over is not counted."""
    start_at(room.ledger())

    assert read(room) == []


@pytest.mark.case("F1")
def test_companies_are_apart(room: LedgerRoom) -> None:
    """No company reads another's usage, however alike their ids are."""
    other = START._replace(company_id="s:Acme")
    room.ledger().record(other, DONE, started_at=NOW)

    assert read(room) == []
    assert room.ledger().usage("s:acme", TODAY, TODAY) == []
    assert len(room.ledger().usage("s:Acme", TODAY, TODAY)) == 1
