"""The simulator's own side: the page, JSON, the command, the pytest fixture."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.request

import playwright.sync_api
import pytest

from flask_byok.testing import Simulator
from tests.support.waiting import wait_until

from .conftest import Ask

COMMAND = [sys.executable, "-m", "flask_byok.testing.simulator"]


def test_faults_are_switched_as_json(ask: Ask, simulator: Simulator) -> None:
    """PUT switches on, ``null`` switches off, GET shows what is on."""
    body = {"provider": "CLAUDE", "fault": "expired", "keys": "demo", "times": 3}
    state = ask("PUT", "/faults", body).json

    assert state["switches"] == [
        {"provider": "CLAUDE", "fault": "expired", "keys": "demo", "left": 3}
    ]
    assert "outage" in ask("GET", "/faults").json["faults"]["GEMINI"]

    off = {"provider": "*", "fault": None}
    assert ask("POST", "/faults", off).json["switches"] == []
    assert simulator.faults == []


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"provider": "*", "fault": "outtage"}', b"\xff"]
)
def test_a_bad_switch_is_explained(ask: Ask, simulator: Simulator, body: bytes) -> None:
    """Nothing changes, and the answer says what to send."""
    reply = ask("PUT", "/faults", body)

    assert reply.status == 400
    assert reply.json["error"].startswith("Send {")
    assert simulator.faults == []


def test_requests_can_be_read_by_other_processes(chat: Ask, ask: Ask) -> None:
    """The record says who asked for what with whose key, and can be forgotten."""
    chat("GEMINI", api_key="whose-key")
    [request] = ask("GET", "/requests").json["requests"]

    assert request["provider"] == "GEMINI"
    assert request["api_key"] == "whose-key"
    assert request["model"] == "gemini-3.8-flash"
    assert request["status"] == 200
    assert ask("DELETE", "/requests").json["requests"] == []


@pytest.mark.parametrize(
    "headers", [{"origin": "http://evil.example"}, {"host": "evil.example"}]
)
def test_other_web_sites_are_kept_out(
    ask: Ask, simulator: Simulator, headers: dict[str, str]
) -> None:
    """Neither a foreign form nor a name that was pointed here gets through."""
    body = {"provider": "*", "fault": "outage"}

    assert ask("POST", "/faults", body, headers).status == 403
    assert simulator.faults == []


def test_the_page_breaks_and_repairs(
    page: playwright.sync_api.Page, chat: Ask, simulator: Simulator
) -> None:
    """A visitor breaks one provider for some keys, sees it, and repairs it."""
    page.goto(simulator.address)
    page.get_by_label("Provider", exact=True).select_option("CLAUDE")
    page.get_by_label("What happens").select_option("expired")
    page.get_by_label("Only keys that contain").check()
    page.get_by_label("Part of the keys").fill("company<i>")
    page.get_by_role("button", name="Break it").click()

    assert page.locator("[data-provider=CLAUDE] .badge").inner_text() == "Broken"
    assert "company<i>" in page.get_by_role("table").first.inner_text()
    assert chat("CLAUDE", api_key="a-key-of-company<i>1").status == 401
    assert chat("CLAUDE", api_key="a-key-of-the-system").status == 200

    page.get_by_role("button", name="Repair Claude").click()
    assert page.locator("[data-provider=CLAUDE] .badge").inner_text() == "Working"
    assert "a-key-of" not in page.content()
    assert "…stem" in page.content()


def test_the_page_says_what_is_wrong(ask: Ask, simulator: Simulator) -> None:
    """A form that cannot be obeyed changes nothing."""
    for form in (
        b"provider=*&fault=outage&reach=some&keys=",
        b"provider=OPENAI&fault=forbidden_waf&reach=all",
        b"provider=&fault=&reach=all",
    ):
        reply = ask("POST", "/", form)
        assert (reply.status, b'role="alert"' in reply.body) == (400, True)

    assert simulator.faults == []


def test_the_page_allows_no_script(ask: Ask) -> None:
    """Its policy forbids everything but its own style."""
    policy = ask("GET", "/").headers["content-security-policy"]

    assert "default-src 'none'" in policy and "script" not in policy
    assert ask("GET", "/style.css").status == 200
    assert ask("GET", "/nothing").status == 404


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_the_command(end: signal.Signals) -> None:
    """It prints addresses, ``export`` and ``ready``, serves, logs nothing, ends."""
    with subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        lines = [process.stdout.readline().split() for _ in range(5)]
        names = [line[0] for line in lines]
        assert names == ["OPENAI", "CLAUDE", "GEMINI", "export", "ready"]
        address = lines[0][1]
        assert address.endswith("/openai/v1") and lines[2][1].endswith("/v1beta")
        request = urllib.request.Request(
            f"{address}/models", headers={"authorization": "Bearer canary-key"}
        )

        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["object"] == "list"

        process.send_signal(end)
        assert process.wait(timeout=10) == 0
        assert process.stdout.read() == ""
        assert process.stderr.read() == ""


def test_the_command_says_when_its_port_is_taken(simulator: Simulator) -> None:
    """One sentence on stderr, exit code 1."""
    done = subprocess.run(
        [*COMMAND, "--port", str(simulator.port)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr == (
        f"Cannot listen on 127.0.0.1 port {simulator.port}. Is it in use?\n"
    )


def test_pytest_is_loaded_by_the_fixtures_alone() -> None:
    """An app that only uses the simulator needs no pytest."""
    code = (
        "import sys, flask_byok.testing.simulator\n"
        "raise SystemExit('pytest' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_fixture_starts_clean_each_time(tmp_path: pathlib.Path) -> None:
    """One server for the session; faults and requests last one test."""
    (tmp_path / "conftest.py").write_text(
        'pytest_plugins = ["flask_byok.testing.fixtures"]\n'
    )
    (tmp_path / "test_host.py").write_text(
        "import urllib.request\n"
        "ports = set()\n"
        "def check(simulator):\n"
        "    assert simulator.faults == [] and simulator.requests == []\n"
        "    ports.add(simulator.port)\n"
        "    simulator.set_fault('*', 'slow')\n"
        "    request = urllib.request.Request(\n"
        "        simulator.urls['OPENAI'] + '/models',\n"
        "        headers={'authorization': 'Bearer k'})\n"
        "    urllib.request.urlopen(request).close()\n"
        "    assert simulator.api_keys_seen() == ['k']\n"
        "def test_one(byok_simulator): check(byok_simulator)\n"
        "def test_two(byok_simulator):\n"
        "    check(byok_simulator)\n"
        "    assert len(ports) == 1\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": _import_path()},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert "2 passed" in done.stdout, done.stdout + done.stderr


def _import_path() -> str:
    root = str(pathlib.Path(__file__).parents[2])
    return os.pathsep.join(
        part for part in (os.environ.get("PYTHONPATH"), root) if part
    )


def test_stopping_ends_what_waits() -> None:
    """``stop`` closes kept connections and hanging answers at once."""
    simulator = Simulator().start()
    idle = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=30)
    idle.request("GET", "/faults")
    idle.getresponse().read()
    hanging = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=30)
    headers = {"authorization": "Bearer hang"}
    hanging.request("GET", "/openai/v1/models", headers=headers)

    wait_until(lambda: simulator.in_flight > 0, "an answer hangs")
    started = time.monotonic()
    simulator.stop()

    with pytest.raises(ConnectionError):
        hanging.getresponse()

    assert idle.sock.recv(1) == b""
    assert time.monotonic() - started < 5
    idle.close()
    hanging.close()


def test_a_simulator_starts_again() -> None:
    """Stopping twice does no harm; what needs a port says when there is none."""
    simulator = Simulator()

    for _ in range(2):
        with simulator:
            assert simulator.urls["CLAUDE"].endswith("/claude/v1")

            with pytest.raises(RuntimeError, match="already running"):
                simulator.start()

        simulator.stop()

    with pytest.raises(RuntimeError, match="not running"):
        simulator.urls  # noqa: B018 - reading it is the point
