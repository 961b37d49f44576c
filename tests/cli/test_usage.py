"""``flask byok usage`` and ``sweep`` at a prompt."""

from __future__ import annotations

import collections.abc as cabc
import csv
import datetime as dt
import io
import json
import typing as t

import pytest
from click.testing import Result

from flask_byok.ledger.usage import AttemptEnd
from flask_byok.ledger.usage import Ledger
from flask_byok.ledger.usage import SWEEP_EVERY
from flask_byok.providers.types import Usage
from flask_byok.testing import Simulator
from tests.support.host import close_host
from tests.support.host import Host
from tests.support.host import make_host
from tests.support.ledger_room import DONE
from tests.support.ledger_room import PRICED
from tests.support.ledger_room import START

Run = cabc.Callable[..., Result]
BIG = AttemptEnd(
    state="done", usage=Usage(input_tokens=2_000_000, output_tokens=1_000_000)
)


@pytest.fixture
def host(sqlite_url: str, byok_simulator: Simulator) -> cabc.Iterator[Host]:
    """A host with a budget in all units."""
    budget = {"requests": 5, "tokens": 9_000_000, "money": "25.00"}
    made = make_host(sqlite_url, byok_simulator, BYOK_SYSTEM_BUDGET=budget)
    yield made
    close_host(made)


def fill(host: Host) -> dt.datetime:
    """Let two companies use something; give the time of it."""
    with host.app.app_context():
        ledger, now = host.byok.state.desk.ledger, the_time(host)
        other = PRICED._replace(company_id="s:acme")
        estimate = Usage(input_tokens=1, output_tokens=1)
        started = ledger.start(other, estimate=estimate, lifetime=60, now=now)
        ledger.settle(started, BIG)
        ledger.record(PRICED, BIG, started_at=now)
        ledger.record(START, DONE, started_at=now)
        return now


def the_time(host: Host) -> dt.datetime:
    with host.byok.state.database.read() as conn:
        return host.byok.state.database.now(conn)


def rows(result: Result) -> list[dict[str, t.Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines()]


def test_each_company_and_source_has_a_row(host: Host, run: Run) -> None:
    """Sorted, with cost, what is not priced, and what is left."""
    fill(host)
    own, provided = rows(run("usage", "--json"))

    assert (own["company"], own["source"], own["requests"]) == ("i:42", "company", 2)
    assert (own["cost"], own["unpriced"], own["left"]) == ("0.900000", 1, {})
    assert (provided["company"], provided["source"]) == ("s:acme", "system")
    assert provided["left"] == {
        "requests": 4,
        "tokens": 6_000_000,
        "money": "24.100000",
    }


def test_people_read_a_table(host: Host, run: Run) -> None:
    """Costs with their sign, partly priced sums with how many are not."""
    fill(host)
    lines = run("usage").output.splitlines()

    assert lines[0].split()[:2] == ["company", "key"]
    assert "$0.9000 + 1 not priced" in lines[1]
    assert "4 requests, 6,000,000 tokens, $24.10" in lines[2]


def test_programs_read_csv(host: Host, run: Run) -> None:
    """The promised columns, one line a company and source."""
    fill(host)
    found = list(csv.DictReader(io.StringIO(run("usage", "--csv").output)))

    assert [row["company"] for row in found] == ["i:42", "s:acme"]
    assert found[0]["estimated_cost"] == "0.900000"
    assert found[1]["money_left"] == "24.100000"


def test_one_company_may_be_named(host: Host, run: Run) -> None:
    """A company with its type, also one that has no key."""
    fill(host)
    assert [row["company"] for row in rows(run("usage", "s:acme", "--json"))] == [
        "s:acme"
    ]


def test_days_choose(host: Host, run: Run) -> None:
    """What was used on other days does not count."""
    day = (fill(host) - dt.timedelta(days=1)).date().isoformat()
    result = run("usage", "--since", day, "--until", day)

    assert result.exit_code == 0
    assert "Nothing was used in these days." in result.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--since", "yesterday"), "'yesterday' is no day. Write it as 2026-11-30."),
        (("--until", "2026-02-30"), "'2026-02-30' is no day."),
        (("--since", "20261130"), "is no day."),
        (
            ("--since", "2026-11-02", "--until", "2026-11-01"),
            "The first day 2026-11-02 is after the last one 2026-11-01.",
        ),
        (("--json", "--csv"), "Choose --json or --csv."),
        (("nobody",), "No stored company fits."),
        (("--until", "9999-12-31"), "is no day."),
    ],
)
def test_a_mistake_gets_a_sentence(
    run: Run, arguments: tuple[str, ...], sentence: str
) -> None:
    """No traceback, an exit code, and what to write instead."""
    result = run("usage", *arguments)

    assert result.exit_code != 0
    assert sentence in result.output
    assert "Traceback" not in result.output


def test_many_companies_are_read_in_pages(host: Host, run: Run) -> None:
    """Every company once, in order, also beyond one page."""
    with host.app.app_context():
        ledger, now = host.byok.state.desk.ledger, the_time(host)

        for number in range(1203):
            one = START._replace(company_id=f"s:c{number:05}")
            ledger.record(one, DONE, started_at=now)

    found = [row["company"] for row in rows(run("usage", "--json"))]
    assert found == [f"s:c{number:05}" for number in range(1203)]


# --- sweep ----------------------------------------------------------------------------


def leave(host: Host, days: int) -> None:
    """Leave one attempt nobody ended and two that are over, so many days ago."""
    with host.app.app_context():
        ledger, then = (
            host.byok.state.desk.ledger,
            the_time(host) - dt.timedelta(days=days),
        )
        estimate = Usage(input_tokens=5, output_tokens=5)
        ledger.start(PRICED, estimate=estimate, lifetime=60, now=then)
        ledger.record(START, DONE, started_at=then)
        ledger.record(START, DONE, started_at=then)


def states(host: Host) -> list[str]:
    with host.app.app_context(), host.byok.state.database.read() as conn:
        table = host.byok.state.tables.attempt
        return sorted(conn.scalars(table.select().with_only_columns(table.c.state)))


def test_a_sweep_settles_and_adds_up(host: Host, run: Run) -> None:
    """What nobody ended is charged; what is old moves; the report counts both."""
    leave(host, 100)
    leave(host, 3)
    report = json.loads(run("sweep", "--json").output)

    assert report["done"] == {
        "settled": 2,
        "rolled_up": 3,
        "notices": 0,
        "reminders": 0,
        "drafts": 0,
    }
    assert report["error"] is None
    assert states(host) == ["done", "done", "unknown"]


def test_a_dry_run_changes_nothing(host: Host, run: Run) -> None:
    """It tells what would be."""
    leave(host, 100)
    shown = run("sweep", "--dry-run").output

    assert "1 attempts nobody ended would be charged" in shown
    assert "2 attempts older than 90 days would be added up" in shown
    assert states(host) == ["done", "done", "started"]


def test_how_long_to_keep_is_said(host: Host, run: Run) -> None:
    """Fewer days move more; none is refused."""
    leave(host, 10)

    assert json.loads(run("sweep", "--json").output)["done"]["rolled_up"] == 0
    shown = run("sweep", "--keep-days", "7", "--json").output
    assert json.loads(shown)["done"]["rolled_up"] == 3
    assert run("sweep", "--keep-days", "0").exit_code == 2


def test_without_tables_there_is_a_sentence(host: Host, run: Run) -> None:
    """And an exit code."""
    with host.app.app_context():
        host.db.drop_all()

    result = run("sweep")
    assert result.exit_code == 1
    assert "tables of flask-byok are missing" in result.output


def test_calls_sweep_a_little(host: Host) -> None:
    """One attempt in so many settles what was left, at the end of its context."""
    leave(host, 100)

    with host.app.app_context():
        ledger, now = host.byok.state.desk.ledger, the_time(host)

        for _ in range(SWEEP_EVERY):
            ledger.record(START, DONE, started_at=now)

        assert "started" in states_here(ledger, host)

    assert "started" not in states(host)
    assert states(host).count("done") == SWEEP_EVERY + 2


def states_here(ledger: Ledger, host: Host) -> set[str]:
    with host.byok.state.database.read() as conn:
        table = host.byok.state.tables.attempt
        return set(conn.scalars(table.select().with_only_columns(table.c.state)))


# --- doctor ---------------------------------------------------------------------------


def doctor(host: Host) -> tuple[int, dict[str, str]]:
    result = host.app.test_cli_runner().invoke(args=["byok", "doctor", "--json"])
    found = {f["check"]: f"{f['level']} {f['text']}" for f in json.loads(result.output)}
    return result.exit_code, found


def test_doctor_knows_the_prices(host: Host) -> None:
    """Under a limit on money every system model must have one."""
    code, found = doctor(host)

    assert code == 0, found
    assert found["prices"] == "ok All models of the system keys are priced."


def test_doctor_names_what_is_not_priced(
    sqlite_url: str, byok_simulator: Simulator
) -> None:
    """Calls on it are refused, so the doctor ends with 1."""
    made = make_host(
        sqlite_url,
        byok_simulator,
        BYOK_SYSTEM_BUDGET={"money": 5},
        BYOK_MODELS={"OPENAI": {"default": "model-one"}},
    )
    code, found = doctor(made)
    close_host(made)

    assert code == 1
    assert found["prices"].startswith("error")
    assert "OPENAI model-one" in found["prices"]
