"""Rotate, verify and retire, as an operator meets them."""

from __future__ import annotations

import collections.abc as cabc
import json
import logging
import re
import typing as t

import pytest
import sqlalchemy as sa
from click.testing import Result

from flask_byok.masterkeys import generate
from flask_byok.testing import Simulator
from tests.support.host import BETTER
from tests.support.host import close_host
from tests.support.host import GOOD
from tests.support.host import Host
from tests.support.host import make_host
from tests.support.host import MASTER_KEYS

RINGS: t.Final = {**MASTER_KEYS, "k002": generate()}
Start = cabc.Callable[..., Host]
Run = cabc.Callable[..., Result]


@pytest.fixture
def start(
    sqlite_url: str, byok_simulator: Simulator, saved: Host
) -> cabc.Iterator[Start]:
    """Start the app anew on the same database, with other master keys."""
    made: list[Host] = []

    def start(primary: str = "k002", *key_ids: str, **config: t.Any) -> Host:
        rings = {key_id: RINGS[key_id] for key_id in key_ids or RINGS}
        usual = {"BYOK_MASTER_KEYS": rings, "BYOK_PRIMARY_KEY_ID": primary}
        made.append(make_host(sqlite_url, byok_simulator, **{**usual, **config}))
        return made[-1]

    # The host of the fixtures sealed one key under k001; two more.
    with saved.app.app_context():
        saved.byok.save_key(2, "CLAUDE", GOOD)
        saved.byok.save_key("acme", "GEMINI", GOOD)

    yield start

    for host in made:
        close_host(host)


def invoke(host: Host, *arguments: str) -> Result:
    """Run a command of ours on that app."""
    return host.app.test_cli_runner().invoke(args=["byok", *arguments])


def damage_one(host: Host) -> str:
    """Turn a bit of one stored key; give its record."""
    with host.app.app_context():
        state = host.byok.state
        table = state.tables.credential

        with state.database.write() as connection:
            row = connection.execute(sa.select(table.c.id, table.c.blob)).first()
            assert row is not None
            blob = row.blob[:-1] + bytes([row.blob[-1] ^ 1])
            connection.execute(
                sa.update(table).where(table.c.id == row.id).values(blob=blob)
            )

    return str(row.id)


@pytest.mark.case("B15")
def test_the_whole_way(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """Distribute, promote, rotate, verify, retire, put away, as the page says."""
    caplog.set_level(logging.INFO, "flask_byok")
    both, after = start("k001"), start("k002")
    assert "Master keys: k001, k002; k001 seals." in invoke(both, "doctor").output
    assert "3 stored keys are sealed by another" in invoke(after, "doctor").output

    rotated = invoke(after, "rotate")
    assert rotated.exit_code == 0, rotated.output
    assert rotated.output.splitlines() == [
        "3 stored keys are now sealed by k002.",
        "No other master key is needed any more. Next: 'flask byok verify', then "
        "'flask byok retire <id>'.",
    ]
    assert "Rotation to k002 ended: 3 moved, 0 changed" in caplog.text

    verified = invoke(after, "verify")
    assert verified.exit_code == 0
    assert verified.output.splitlines() == [
        "k002  3 open",
        "3 stored keys: 3 open, 0 do not.",
    ]

    retired = invoke(after, "retire", "k001")
    assert retired.exit_code == 0, retired.output
    assert "Take it out of BYOK_MASTER_KEYS" in retired.output
    assert "The master key k001 is retired." in caplog.text

    doctor = invoke(after, "doctor")
    assert doctor.exit_code == 0
    assert "warning master-keys: The master key 'k001' was retired" in doctor.output

    alone = start("k002", "k002")
    assert invoke(alone, "doctor").exit_code == 0
    assert "master-keys" not in invoke(alone, "doctor").output

    with alone.app.app_context():
        assert alone.byok.client_for("acme").chat("hi").source == "company"


def test_the_history_of_companies_has_no_rotation(start: Start) -> None:
    """Nothing of theirs has changed: the log and the key's table keep it."""
    host = start()

    with host.app.app_context():
        before = host.byok.history(1)
        assert invoke(host, "rotate").exit_code == 0
        assert host.byok.history(1) == before


def test_rotate_speaks_json(start: Start) -> None:
    """Programs read the same report."""
    report = json.loads(invoke(start(), "rotate", "--json").output)

    assert report == {
        "primary": "k002",
        "dry_run": False,
        "moved": 3,
        "changed": 0,
        "failed": 0,
        "left": {},
        "failures": [],
        "error": None,
    }


@pytest.mark.case("B14")
def test_rotate_names_a_key_that_does_not_open(start: Start) -> None:
    """By record and reason, on standard error; the others go over; it ends with 1."""
    host = start()
    record = damage_one(host)
    result = invoke(host, "rotate")

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "2 stored keys are now sealed by k002.",
        "Still sealed by other master keys: 1 by k001.",
    ]
    assert f"The key {record} of company" in result.stderr
    assert "stays as it is: tampered." in result.stderr

    again = invoke(host, "rotate", "--json")
    assert again.exit_code == 1
    (failure,) = json.loads(again.output)["failures"]
    assert (failure["record_id"], failure["reason"]) == (record, "tampered")


@pytest.mark.case("B17")
def test_a_dry_run_changes_nothing(start: Start) -> None:
    """Not one column of one table, and it finds what would not open."""
    host = start()
    damage_one(host)
    before = everything(host)
    result = invoke(host, "rotate", "--dry-run")

    assert result.exit_code == 1
    assert "2 stored keys would be sealed by k002." in result.output
    assert "tampered" in result.stderr
    assert everything(host) == before
    report = json.loads(invoke(host, "rotate", "--dry-run", "--json").output)
    assert (report["dry_run"], report["moved"]) == (True, 2)
    assert report["left"] == {"k001": 3}
    assert everything(host) == before


def everything(host: Host) -> dict[str, list[t.Any]]:
    """Read all tables."""
    with host.app.app_context():
        state = host.byok.state

        with state.database.read() as connection:
            return {
                table.name: sorted(map(str, connection.execute(sa.select(table))))
                for table in state.tables.all()
            }


def test_a_part_can_be_asked_for(start: Start) -> None:
    """That it was only a part is no failure."""
    host = start()
    first = invoke(host, "rotate", "--max-rows", "2", "--batch", "1")
    would = invoke(host, "rotate", "--max-rows", "1", "--dry-run")

    assert first.exit_code == 0
    assert "2 stored keys are now sealed by k002." in first.output
    assert "Still sealed by other master keys: 1 by k001." in first.output
    assert "1 stored keys would be" in would.output
    assert invoke(host, "rotate").exit_code == 0


def test_one_master_key_has_none_to_go_over_to(start: Start) -> None:
    """Who rotates before there is a second one is told how to begin."""
    result = invoke(start("k001", "k001"), "rotate")

    assert result.exit_code == 0
    assert "0 stored keys are now sealed by k001." in result.output
    assert "k001 is the only master key here" in result.output
    assert "flask byok generate-key" in result.output
    assert "retire" not in result.output


def test_numbers_that_make_no_sense_are_refused(start: Start) -> None:
    """A batch of none would never end."""
    host = start()

    for arguments in (["--batch", "0"], ["--max-rows", "0"], ["--batch", "99999"]):
        result = invoke(host, "rotate", *arguments)
        assert result.exit_code == 2
        assert "not in the range" in result.stderr


def test_verify_names_a_key_that_does_not_open(start: Start) -> None:
    """The total is those that open and those that do not; it ends with 1."""
    host = start()
    record = damage_one(host)
    result = invoke(host, "verify")
    report = json.loads(invoke(host, "verify", "--json").output)

    assert result.exit_code == 1
    assert "3 stored keys: 2 open, 1 do not." in result.stdout
    assert f"{record} of company" in result.stderr
    assert "does not open: tampered." in result.stderr
    assert (report["total"], report["opened"], report["failed"]) == (3, {"k001": 2}, 1)
    assert report["failures"][0]["record_id"] == record


@pytest.mark.case("B15")
def test_retire_says_why_not(start: Start) -> None:
    """The primary, one with rows left, one nobody knows: a sentence each, and 1."""
    host = start()
    plan = {
        "k002": "is the primary",
        "k001": "Still sealed by the master key 'k001': 3 stored keys",
        "k009": "No master key 'k009' has ever sealed",
    }

    for key_id, sentence in plan.items():
        result = invoke(host, "retire", key_id)
        assert result.exit_code == 1
        assert sentence in result.stderr


@pytest.mark.case("B7")
@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            {"BYOK_MASTER_KEYS": {"k001": generate()}, "BYOK_PRIMARY_KEY_ID": "k001"},
            "'k001' in 'BYOK_MASTER_KEYS' has other bytes",
        ),
        (
            {"BYOK_MASTER_KEYS": {**RINGS, "k001": generate()}},
            "'k001' in 'BYOK_MASTER_KEYS' has other bytes",
        ),
        ({"BYOK_NAMESPACE": "staging"}, "under another 'BYOK_NAMESPACE'"),
    ],
)
def test_beside_the_wrong_database_nothing_is_sealed(
    start: Start, config: dict[str, t.Any], sentence: str
) -> None:
    """Rotating, retiring and saving are refused in a sentence; the list still works."""
    host = start(**config)
    before = everything(host)

    for arguments in (["rotate"], ["rotate", "--dry-run"], ["retire", "k009"]):
        result = invoke(host, *arguments)
        assert result.exit_code == 1
        assert sentence in result.stderr

    with host.app.app_context():
        with pytest.raises(Exception, match="BYOK_"):
            host.byok.save_key(3, "OPENAI", BETTER)

        assert host.byok.credentials(1)[0].masked == "...AbCd"

    assert everything(host) == before
    assert invoke(host, "credentials").exit_code == 0
    doctor = invoke(host, "doctor")
    assert doctor.exit_code == 1
    assert sentence in doctor.output


@pytest.mark.case("B7")
def test_the_log_says_it_at_the_first_use(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Once per process, before anybody tries to save; calls and pages go on."""
    host = start(BYOK_MASTER_KEYS={**RINGS, "k001": generate()})
    assert caplog.records == []

    with host.app.app_context():
        assert host.byok.client_for(1).chat("hi").source == "system"
        host.byok.credentials(1)
        host.byok.credentials(2)

    said = [each for each in caplog.records if "other bytes" in each.getMessage()]
    assert [each.levelname for each in said] == ["ERROR"]


@pytest.mark.case("B8", "B16")
def test_a_worker_without_the_new_master_key(start: Start) -> None:
    """It hears ``unknown_key_id``, never tampering, serves by the system key, and
    stands in nobody's way."""
    skipped, other = start("k001", "k001"), start("k002")
    assert invoke(other, "rotate").exit_code == 0

    with skipped.app.app_context():
        assert skipped.byok.client_for(1).chat("hi").source == "system"

    report = json.loads(invoke(skipped, "verify", "--json").output)
    assert {failure["reason"] for failure in report["failures"]} == {"unknown_key_id"}
    assert report["failed"] == 3
    assert re.search(
        r"ERROR +stored-keys: .* does not open: unknown_key_id",
        invoke(skipped, "doctor").output,
    )

    with other.app.app_context():
        assert other.byok.client_for(1).chat("hi").source == "company"


@pytest.mark.parametrize("command", [["rotate"], ["verify"], ["retire", "k001"]])
def test_a_closed_vault_gets_a_sentence(start: Start, command: list[str]) -> None:
    """Without master keys there is nothing to move, open or retire."""
    host = start(BYOK_MASTER_KEYS=False, BYOK_PRIMARY_KEY_ID=None)
    result = invoke(host, *command)

    assert result.exit_code == 1
    assert "BYOK_MASTER_KEYS is off" in result.stderr


def test_verify_counts_nothing_where_it_looked_at_nothing(start: Start) -> None:
    """What stopped it at once is said alone, not below a count of no keys."""
    host = start(BYOK_MASTER_KEYS=False, BYOK_PRIMARY_KEY_ID=None)

    assert invoke(host, "verify").stdout == ""


@pytest.mark.parametrize("command", [["rotate"], ["verify"], ["retire", "k001"]])
def test_missing_tables_get_a_sentence(start: Start, command: list[str]) -> None:
    """Commands end with a remedy, not with a traceback."""
    host = start()

    with host.app.app_context():
        host.db.drop_all()

    result = invoke(host, *command)
    assert result.exit_code == 1
    assert "db.create_all()" in result.stderr


def test_json_says_what_stopped_it(start: Start) -> None:
    """A program reads the report of what was done, and the sentence."""
    host = start()

    with host.app.app_context():
        host.db.drop_all()

    result = invoke(host, "rotate", "--json")
    assert result.exit_code == 1
    assert "db.create_all()" in json.loads(result.stdout)["error"]
