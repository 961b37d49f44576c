"""A registered vendor: when it may be registered, and the commands about it."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import datetime as dt
import json
import os
import subprocess
import sys
import typing as t

import pytest
from click.testing import Result
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_byok import BYOK
from flask_byok import ConfigError
from flask_byok import OpenAICompatible
from flask_byok import SetupError
from flask_byok.testing import Simulator
from flask_byok.testing.simulator import main
from tests.support.host import close_host
from tests.support.host import GOOD
from tests.support.host import Host
from tests.support.host import make_host
from tests.support.host import MASTER_KEYS

TODAY = dt.datetime.now(dt.timezone.utc).date()


def vendor(url: str, **more: t.Any) -> OpenAICompatible:
    usual = {
        "id": "GROQ",
        "label": "Groq",
        "base_url": url,
        "default_models": {"default": "groq-large", "fast": "groq-small"},
    }
    return OpenAICompatible(**{**usual, **more})


def run(host: Host, *arguments: str) -> Result:
    return host.app.test_cli_runner().invoke(args=["byok", *arguments])


@pytest.fixture
def make(
    sqlite_url: str, byok_simulator: Simulator
) -> cabc.Iterator[cabc.Callable[..., Host]]:
    """Make a host that registers after ``init_app``; ``None`` registers nothing."""
    byok_simulator.add_vendor("GROQ")
    built_in = {k: v for k, v in byok_simulator.urls.items() if k != "GROQ"}

    with contextlib.ExitStack() as stack:

        def make_one(provider: OpenAICompatible | None, **config: t.Any) -> Host:
            usual = {"BYOK_PROVIDER_URLS": built_in}
            host = make_host(sqlite_url, byok_simulator, **{**usual, **config})
            stack.callback(close_host, host)

            if provider is not None:
                host.byok.register_provider(provider)

            return host

        yield make_one


def test_the_commands_know_the_vendor(
    make: cabc.Callable[..., Host], byok_simulator: Simulator
) -> None:
    """Listed, tested with the end of its model, removed; doctor finds what is left."""
    url = byok_simulator.urls["GROQ"]
    ends = {"groq-large": TODAY + dt.timedelta(days=9)}
    host = make(vendor(url, model_ends=ends))

    with host.app.app_context():
        assert host.byok.save_key(1, "GROQ", GOOD).saved
        assert host.byok.client_for(1).chat("hello").provider == "GROQ"
        (info,) = host.byok.client_for(1).models()[:1]
        assert info.can == {"tools", "schema", "vision"}

    assert "GROQ" in run(host, "credentials").output
    tested = run(host, "test", "i:1", "--provider", "GROQ")
    assert "GROQ groq-large: working" in tested.output
    assert f"model ends      {ends['groq-large'].isoformat()}" in tested.output
    assert (
        "registered are: OPENAI, GEMINI, CLAUDE, GROQ."
        in run(host, "test", "i:1", "--provider", "NOPE").output
    )
    healthy = json.loads(run(host, "doctor", "--json").output)
    texts = [f["text"] for f in healthy if f["check"] == "models"]
    assert texts == [
        "The model groq-large of GROQ is shut down on "
        f"{ends['groq-large'].isoformat()}. Name another one in BYOK_MODELS."
    ]

    # Another release does not register it any more.
    later = make(None)
    left = run(later, "doctor")
    assert "Nobody registers the provider GROQ of 1 stored keys" in left.output
    assert left.exit_code == 0, left.output

    with later.app.app_context():
        assert later.byok.credentials(1) == []

    assert run(later, "remove", "i:1", "GROQ", "--yes").exit_code == 0
    assert "Nobody registers" not in run(later, "doctor").output


def test_doctor_asks_no_public_list(
    make: cabc.Callable[..., Host], byok_simulator: Simulator
) -> None:
    """A list that everybody may read proves nothing; a check generates, and says so."""
    public = vendor(byok_simulator.urls["GROQ"], list_proves=False)
    keys = {"GROQ": "not-a-real-system-key"}
    host = make(None, providers=[public], BYOK_SYSTEM_KEYS=keys)
    byok_simulator.clear()
    assert "GROQ can be reached." in run(host, "doctor").output
    groq = [one for one in byok_simulator.requests if one.provider == "GROQ"]
    assert groq == []

    with host.app.app_context():
        report = host.byok.check_key("GROQ", GOOD)
        assert (report.verdict, report.key) == ("working", "pass")
        assert (report.list, report.list_asked) == ("unknown", False)
        (sent,) = [one for one in byok_simulator.requests if one.provider == "GROQ"]
        assert sent.method == "POST"

        # Nothing showed that the key is accepted: it may be the vendor that is busy.
        byok_simulator.set_fault("GROQ", "no_capacity")
        report = host.byok.check_key("GROQ", GOOD)
        assert (report.verdict, report.key) == ("could_not_ask", "unknown")


def test_registered_once(
    make: cabc.Callable[..., Host], byok_simulator: Simulator
) -> None:
    """The same object again is nothing new; another one of that id is refused."""
    url = byok_simulator.urls["GROQ"]
    host = make(vendor(url))
    host.byok.register_provider(vendor(url))

    with pytest.raises(SetupError, match="GROQ is registered already"):
        host.byok.register_provider(vendor(url, label="Other"))

    with host.app.app_context():
        assert host.byok.registry.get("GROQ").label == "Groq"

    with pytest.raises(ConfigError, match="no model for 'default'"):
        make(vendor(url, default_models={}))


def test_settings_name_registered_providers_alone(sqlite_url: str) -> None:
    """One sentence says what to do; registered first, every setting may name it."""

    def init(byok: BYOK, **config: t.Any) -> Flask:
        app = Flask("host")
        app.config.update(
            SECRET_KEY="not-a-real-secret",
            SQLALCHEMY_DATABASE_URI=sqlite_url,
            BYOK_MASTER_KEYS=MASTER_KEYS,
            **config,
        )
        db = SQLAlchemy()
        db.init_app(app)
        byok.init_app(app, db=db)
        return app

    for setting, value in {
        "BYOK_SYSTEM_KEYS": {"GROQ": "not-a-real-system-key"},
        "BYOK_MODELS": {"GROQ": {"default": "m"}},
        "BYOK_PROVIDER_URLS": {"GROQ": "https://gateway.example/v1"},
    }.items():
        sentence = f"'{setting}' names GROQ, which is not registered. Call"

        with pytest.raises(ConfigError, match=sentence):
            init(BYOK(), **{setting: value})

    byok = BYOK()
    byok.register_provider(vendor("https://api.vendor.example/v1", default_models={}))
    config = {
        "BYOK_SYSTEM_KEYS": {"GROQ": "not-a-real-system-key", "OPENAI": "not-a-real-1"},
        "BYOK_SYSTEM_ORDER": "GROQ,OPENAI",
        "BYOK_MODELS": {"GROQ": {"default": "m"}},
    }
    apart = init(byok, **config)
    gateway = init(
        byok, **config, BYOK_PROVIDER_URLS={"GROQ": "https://gateway.example/v1"}
    )

    with apart.app_context():
        assert byok.settings.system_order == ("GROQ", "OPENAI")
        assert byok.registry.get("GROQ").base_url == "https://api.vendor.example/v1"

    with gateway.app_context():
        assert byok.registry.get("GROQ").base_url == "https://gateway.example/v1"


def test_the_simulator_prints_the_vendor(capsys: pytest.CaptureFixture[str]) -> None:
    """Its address stands behind those of the three, before 'ready'."""
    command = [sys.executable, "-m", "flask_byok.testing.simulator"]
    process = subprocess.Popen(
        [*command, "--vendor", "GROQ", "--vendor", "OLLAMA"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )

    with process:
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in range(7)]
        process.terminate()

    names = [line[0] for line in lines]
    assert names == ["OPENAI", "CLAUDE", "GEMINI", "GROQ", "OLLAMA", "export", "ready"]
    assert lines[3][1].endswith("/groq/v1")
    assert main(["--vendor", "groq"]) == 1
    assert "A-Z" in capsys.readouterr().err
