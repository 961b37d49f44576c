"""The command behind ``make demo``, and the settings it runs with."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import urllib.request

import flask
import pytest

import example_app
from example_app import demo_keys
from example_app import settings
from example_app.people import ACCOUNTS
from flask_byok import ConfigError
from flask_byok.testing import Simulator
from tests.support import tree

from .conftest import close


@contextlib.contextmanager
def running(folder: pathlib.Path, *options: str) -> cabc.Iterator[str]:
    """Run the demo and give what it printed until it was ready."""
    command = [sys.executable, "-m", "example_app.demo", "--folder", str(folder)]
    process = subprocess.Popen(
        [*command, *options],
        cwd=tree.ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    printed = ""

    with process:
        for line in process.stdout:
            printed += line

            if "Ctrl-C" in line:
                break

        try:
            yield printed
        finally:
            process.send_signal(signal.SIGINT)
            rest = read_rest(process)

    assert process.returncode == 0, printed + rest
    assert rest.strip() == "Stopped."


def read_rest(process: subprocess.Popen[str]) -> str:
    """Wait for the end; who does not end in time is ended, and the test fails."""
    try:
        return process.communicate(timeout=20)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def environment() -> dict[str, str]:
    """The environment without settings of whoever runs the tests."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FLASK_", "BYOK_"))
    }


def address_in(printed: str, name: str) -> str:
    """Find an address in what the demo printed."""
    found = re.search(rf"{name}\s+(http://127\.0\.0\.1:\d+)", printed)
    assert found is not None, printed
    return found[1]


def test_the_demo_starts_tells_and_ends(tmp_path: pathlib.Path) -> None:
    """It prints address, sign-ins, keys and five things to try; Ctrl-C ends it."""
    with running(tmp_path, "--port", "0", "--simulator-port", "0") as printed:
        page = read(address_in(printed, "Content Studio") + "/sign-in")
        simulator = address_in(printed, "Provider simulator")
        assert "faults" in json.loads(read(simulator + "/faults"))

    for account in ACCOUNTS:
        assert account.email in printed and account.email in page

    for api_key in demo_keys.company_keys("northwind").values():
        assert api_key in printed

    assert len(re.findall(r"^  \d\. ", printed, re.M)) == 5
    assert list(tmp_path.glob("*.new")) == []


def test_taken_ports_are_no_trouble(tmp_path: pathlib.Path) -> None:
    """A second demo beside the first takes free ports."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        with running(tmp_path, "--port", port, "--simulator-port", port) as printed:
            assert not address_in(printed, "Content Studio").endswith(f":{port}")
            assert not address_in(printed, "Provider simulator").endswith(f":{port}")
            assert "Sign in" in read(address_in(printed, "Content Studio") + "/sign-in")


def test_the_layout_can_be_chosen(tmp_path: pathlib.Path) -> None:
    """With ``--layout bootstrap`` the app is a Bootstrap one, its policy included."""
    ports = ("--port", "0", "--simulator-port", "0")

    with running(tmp_path, *ports, "--layout", "bootstrap") as printed:
        address = address_in(printed, "Content Studio")

        with urllib.request.urlopen(f"{address}/sign-in") as answer:
            policy = answer.headers["Content-Security-Policy"]

        assert "img-src 'self' data:;" in policy
        assert "--bs-body-bg" in read(
            f"{address}/bootstrap/static/css/bootstrap.min.css"
        )


def test_the_command_line_finds_app_and_simulator(tmp_path: pathlib.Path) -> None:
    """``flask --app example_app byok doctor`` has nothing to complain about."""
    app = f"example_app:create_app(None, instance_path={str(tmp_path)!r})"

    with running(tmp_path, "--port", "0", "--simulator-port", "0"):
        doctor = subprocess.run(
            [sys.executable, "-m", "flask", "--app", app, "byok", "doctor"],
            cwd=tree.ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert doctor.returncode == 0, doctor.stdout + doctor.stderr


def test_secrets_are_made_once_and_kept_private(tmp_path: pathlib.Path) -> None:
    """The second start can open what the first one sealed."""
    first = settings.read_secrets(tmp_path)

    assert settings.read_secrets(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "demo.json").stat().st_mode) == 0o600


def test_reset_forgets_the_database_alone(tmp_path: pathlib.Path) -> None:
    """Keys and texts go; the secrets, which real keys may need, stay."""
    options = ("--port", "0", "--simulator-port", "0")

    with running(tmp_path, *options):
        pass

    kept = settings.read_secrets(tmp_path)
    database = tmp_path / "studio.sqlite3"

    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE left_over (id INTEGER)")

    (tmp_path / "studio-real.sqlite3").write_text("real keys")

    with running(tmp_path, *options, "--reset"):
        pass

    with contextlib.closing(sqlite3.connect(database)) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}

    assert "byok_credential" in names and "left_over" not in names
    assert (tmp_path / "studio-real.sqlite3").read_text() == "real keys"
    assert settings.read_secrets(tmp_path) == kept


def test_real_system_keys_never_reach_the_simulator(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its page shows keys: what the environment holds is left out."""
    monkeypatch.setenv("FLASK_BYOK_SYSTEM_KEYS", '{"OPENAI": "not-a-real-key-0001"}')
    app = example_app.create_app(instance_path=str(tmp_path))

    assert system_keys(app) == demo_keys.system_keys()
    assert app.config["STUDIO_SIMULATOR_URL"] == settings.SIMULATOR_URL
    close(app)


def test_one_variable_leads_to_the_real_providers(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No simulator, no demo key, and a database and namespace of its own."""
    simulated = example_app.create_app(instance_path=str(tmp_path)).config
    monkeypatch.setenv(settings.REAL_VARIABLE, "1")
    monkeypatch.setenv("FLASK_BYOK_SYSTEM_KEYS", '{"OPENAI": "not-a-real-key-0001"}')

    app = example_app.create_app(instance_path=str(tmp_path))
    real = app.config

    assert real["STUDIO_SIMULATOR_URL"] is None
    assert "BYOK_PROVIDER_URLS" not in real
    assert system_keys(app) == {"OPENAI": "not-a-real-key-0001"}

    for name in ("SQLALCHEMY_DATABASE_URI", "BYOK_NAMESPACE"):
        assert real[name] != simulated[name]


def test_an_unknown_setting_stops_the_studio(tmp_path: pathlib.Path) -> None:
    """What flask-byok refuses, the demo does not hide."""
    config = {
        "SECRET_KEY": "for this test alone",
        "SQLALCHEMY_DATABASE_URI": "sqlite://",
        "BYOK_MASTER_KEYS": False,
        "BYOK_SYSTEM_KEY": "x",
    }

    with pytest.raises(ConfigError, match="BYOK_SYSTEM_KEYS"):
        example_app.create_app(config)


@pytest.mark.parametrize("slug", ["northwind", "blueharbor"])
def test_demo_keys_are_shown_masked_and_work(slug: str) -> None:
    """Long enough for a mask, with the public prefix, and without a word that fails."""
    with Simulator() as simulator:
        for provider, api_key in demo_keys.company_keys(slug).items():
            assert len(api_key) >= 20
            assert demo_keys.mark(slug) in api_key
            simulator.set_fault(provider, "expired", keys=demo_keys.mark(slug))
            switches = simulator.switchboard.matching(
                provider, demo_keys.system_keys()[provider]
            )
            assert switches == []


def system_keys(app: flask.Flask) -> dict[str, str]:
    """Look into the system keys, which flask-byok hides in the config."""
    found = app.config["BYOK_SYSTEM_KEYS"]
    return {provider: api_key.reveal() for provider, api_key in found.items()}


def read(url: str) -> str:
    """Get a page of this machine."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    with opener.open(url, timeout=20) as answer:
        return str(answer.read().decode())
