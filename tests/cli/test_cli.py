"""What operators see at a prompt, and with which exit code."""

from __future__ import annotations

import base64
import collections.abc as cabc
import json
import os
import pathlib
import shlex
import subprocess
import sys
import typing as t

import pytest
from click.testing import Result

from flask_byok.cli import byok_cli
from flask_byok.testing import FakeKeyService
from tests.support.host import close_host
from tests.support.host import GOOD
from tests.support.host import Host
from tests.support.host import make_host

Run = cabc.Callable[..., Result]


def test_generate_key_needs_no_app(tmp_path: pathlib.Path) -> None:
    """A new master key is made before there is anything to configure."""
    command = [sys.executable, "-m", "flask", "byok", "generate-key"]
    environment = {**os.environ, "FLASK_APP": "nowhere"}

    made = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True
    )

    assert made.returncode == 0, made.stderr
    assert len(base64.urlsafe_b64decode(made.stdout.strip() + "=")) == 32


def test_generated_keys_differ(run: Run) -> None:
    """Two keys are never the same."""
    assert run("generate-key").output != run("generate-key").output


def test_doctor_finds_a_healthy_app(saved: Host, run: Run) -> None:
    """Everything in order: exit 0, and a line for each thing looked at."""
    result = run("doctor")

    assert result.exit_code == 0, result.output
    assert "Stored keys that open: 1." in result.output
    assert "OPENAI accepts the system key" in result.output


def test_doctor_speaks_json(saved: Host, run: Run) -> None:
    """Machines read the same findings."""
    findings = json.loads(run("doctor", "--json").output)

    assert {finding["level"] for finding in findings} == {"ok"}


def test_doctor_misses_tables(host: Host, run: Run) -> None:
    """Without tables the remedy is named and the exit code is 1."""
    with host.app.app_context():
        host.db.drop_all()

    result = run("doctor")

    assert result.exit_code == 1
    assert "db.create_all()" in result.output


@pytest.mark.case("B8", "C21")
def test_doctor_finds_a_key_that_does_not_open(saved: Host, run: Run) -> None:
    """A damaged row is named by its id, without a byte of what it holds."""
    tables, database = saved.app.extensions["byok"], None

    with saved.app.app_context():
        tables, database = tables.state.tables, tables.state.database

        with database.write() as connection:
            table = tables.credential
            stored = connection.scalar(table.select().with_only_columns(table.c.blob))
            damaged = stored[:-1] + bytes([stored[-1] ^ 1])
            connection.execute(table.update().values(blob=damaged))

    result = run("doctor")

    assert result.exit_code == 1
    assert "does not open: tampered" in result.output
    assert "Stored keys that open: 0." in result.output


def test_doctor_finds_a_rejected_system_key(host: Host, run: Run) -> None:
    """The operator reads which of his keys the provider refuses."""
    host.simulator.set_fault("CLAUDE", "revoked", keys="system")

    result = run("doctor")

    assert result.exit_code == 1
    assert "CLAUDE rejects the system key" in result.output


def test_doctor_asks_for_an_access_check(host: Host, run: Run) -> None:
    """Without an access check the page is closed to everybody."""
    host.byok._access_check = None

    result = run("doctor")

    assert result.exit_code == 1
    assert "@byok.access_check" in result.output


@pytest.mark.case("C21")
def test_a_company_without_keys_is_named(saved: Host, run: Run) -> None:
    """What is said of one company is not taken for all."""
    result = run("credentials", "i:2")

    assert result.exit_code == 0, result.output
    assert result.output == "No keys are stored for company i:2.\n"


def test_two_providers_are_not_tested_as_one(saved: Host, run: Run) -> None:
    """A contradiction is refused; the same name twice is none."""
    refused = run("test", "1", "OPENAI", "--provider", "CLAUDE")

    assert refused.exit_code == 2
    assert "Choose one provider: OPENAI or CLAUDE." in refused.output
    assert run("test", "1", "OPENAI", "--provider", "OPENAI").exit_code == 0


def test_credentials_are_listed_masked(saved: Host, run: Run) -> None:
    """The list shows whose key it is and four of its characters."""
    result = run("credentials")

    assert result.exit_code == 0
    names, row = result.output.splitlines()
    assert names.split() == "company provider masked state circuit active".split()
    assert row.split() == "i:1 OPENAI ...AbCd working closed active".split()
    assert row.index("...AbCd") == names.index("masked")
    assert GOOD[:12] not in result.output


@pytest.mark.parametrize("company", ["i:1", "1"])
def test_a_company_is_found_by_its_id(saved: Host, run: Run, company: str) -> None:
    """The typed id works, and the bare one where only one company fits."""
    rows = json.loads(run("credentials", company, "--json").output)

    assert [row["company"] for row in rows] == ["i:1"]


def test_an_ambiguous_id_is_asked_about(saved: Host, run: Run) -> None:
    """The int 1 and the text "1" are two companies."""
    with saved.app.app_context():
        saved.byok.save_key("1", "OPENAI", GOOD)

    result = run("credentials", "1")

    assert result.exit_code == 1
    assert "i:1, s:1" in result.output


def test_test_reports_a_good_key(saved: Host, run: Run) -> None:
    """The three checks stand in the answer; the exit code is 0."""
    result = run("test", "i:1", "OPENAI")

    assert result.exit_code == 0, result.output
    assert "OPENAI gpt-6-sol: working" in result.output
    assert " ms, limit " in result.output


def test_test_ends_with_one_when_the_key_is_bad(saved: Host, run: Run) -> None:
    """Scripts can rely on the exit code."""
    saved.simulator.set_fault("OPENAI", "revoked", keys=GOOD)

    result = run("test", "i:1", "--json")

    assert result.exit_code == 1
    assert json.loads(result.output)["verdict"] == "rejected"


def test_test_without_a_key_says_so(host: Host, run: Run) -> None:
    """One sentence on stderr, no traceback."""
    result = run("test", "i:1")

    assert result.exit_code == 1
    assert result.stderr == "Error: This company has no stored key to test.\n"


def test_remove_asks_first(saved: Host, run: Run) -> None:
    """A no keeps the key."""
    result = run("remove", "i:1", "OPENAI", answer="n\n")

    assert result.exit_code == 1
    assert "OPENAI" in run("credentials").output


def test_remove_deletes(saved: Host, run: Run) -> None:
    """A yes deletes it, and the history names the command line."""
    result = run("remove", "i:1", "OPENAI", "--yes")

    assert result.exit_code == 0, result.output

    with saved.app.app_context():
        assert saved.byok.credentials(1) == []
        assert saved.byok.history(1)[0].actor == "cli"


def test_remove_of_nothing_says_so(host: Host, run: Run) -> None:
    """A typo in the provider removes nothing and says so."""
    result = run("remove", "i:1", "OPENAI", "--yes")

    assert result.exit_code == 1
    assert "no stored key" in result.stderr


def test_a_broken_database_gets_a_sentence(host: Host, run: Run) -> None:
    """Commands end with a remedy, not with a traceback."""
    with host.app.app_context():
        host.db.drop_all()

    result = run("credentials")

    assert result.exit_code == 1
    assert "db.create_all()" in result.stderr


@pytest.mark.parametrize(
    "command",
    sorted(byok_cli.commands),
)
def test_every_command_explains_itself(run: Run, command: str) -> None:
    """``--help`` helps, without an app's database."""
    result = run(command, "--help")

    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 5


def test_the_simulator_prints_its_addresses() -> None:
    """Its lines fit BYOK_PROVIDER_URLS; it ends when it is told to."""
    command = [sys.executable, "-m", "flask", "byok", "simulator", "--port", "0"]

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        *lines, export, ready = [process.stdout.readline() for _ in range(5)]
        process.terminate()

    urls = dict(line.split() for line in lines)
    assert set(urls) == {"OPENAI", "CLAUDE", "GEMINI"}
    assert ready == "ready\n"
    name, value = shlex.split(export)[1].split("=", 1)
    assert (name, json.loads(value)) == ("FLASK_BYOK_PROVIDER_URLS", urls)


@pytest.mark.case("B20")
def test_doctor_tries_each_key_service(sqlite_url: str, byok_simulator: t.Any) -> None:
    """One that wraps is well; one that does not is an error, also without any row."""
    service = FakeKeyService()
    host = make_host(sqlite_url, byok_simulator, BYOK_MASTER_KEYS={"kms1": service})
    run = host.app.test_cli_runner().invoke
    well = run(args=["byok", "doctor"])
    service.fail("down")
    ill = run(args=["byok", "doctor"])
    close_host(host)

    assert well.exit_code == 0, well.output
    assert "The key service 'kms1' wraps and unwraps" in well.output
    assert ill.exit_code == 1
    assert "does not wrap and unwrap data keys (key_service_unavailable)" in ill.output


@pytest.mark.case("B20")
def test_a_command_says_that_the_service_is_down(
    sqlite_url: str, byok_simulator: t.Any
) -> None:
    """A sentence and exit code 1, no traceback."""
    service = FakeKeyService()
    host = make_host(sqlite_url, byok_simulator, BYOK_MASTER_KEYS={"kms1": service})

    with host.app.app_context():
        assert host.byok.save_key(1, "OPENAI", GOOD).saved

    service.fail("down")
    result = host.app.test_cli_runner().invoke(args=["byok", "test", "i:1"])
    close_host(host)

    assert result.exit_code == 1
    assert "Error: The key service that protects the stored keys" in result.output
