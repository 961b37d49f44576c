"""The pytest plugin, where flask-byok is installed as a wheel beside other plugins."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from tests.support import plugin_runs
from tests.support import tree
from tests.support.plugin_runs import example_files
from tests.support.plugin_runs import PluginRuns
from tests.support.plugin_runs import write_example


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> PluginRuns:
    """Install the wheel where pytest, pytest-flask and pytest-xdist are."""
    folder = tmp_path_factory.mktemp("plugin")
    source = tree.copy_tree(folder / "source")
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir"]
    subprocess.run([*command, folder, source], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    python = tree.make_environment(folder / "venv", wheel, *plugin_runs.PLUGINS)
    return PluginRuns(python=python)


def test_the_example_of_the_page_passes(
    runs: PluginRuns, tmp_path: pathlib.Path
) -> None:
    """The whole example runs as printed: under pytest-flask, in two workers."""
    names = write_example(tmp_path)
    assert names == ["app.py", "conftest.py", "test_app.py", "test_outage.py"]

    assert "5 passed" in runs.run(tmp_path, "-n", "2")


HOST = """
import sys

import pytest


def test_nothing_of_ours_is_loaded():
    ours = {"flask_byok", "flask", "requests", "sqlalchemy", "blinker"}
    assert not ours & set(sys.modules)


def test_the_fixtures_are_there(request):
    request.getfixturevalue("byok_simulator")
    request.getfixturevalue("byok_signals")

    with pytest.raises(pytest.fail.Exception, match="Define a fixture 'app'"):
        request.getfixturevalue("failing_key")
"""


def test_who_does_not_use_it_does_not_load_it(
    runs: PluginRuns, tmp_path: pathlib.Path
) -> None:
    """Neither the package nor what it needs is imported; a switch leaves all out."""
    (tmp_path / "test_host.py").write_text(HOST)

    assert "2 passed" in runs.run(tmp_path, "-p", "no:flask")
    assert "byok_simulator" in runs.run(tmp_path, "--fixtures")
    without = runs.run(tmp_path, "--fixtures", "-p", "no:flask_byok")
    assert "byok_simulator" not in without and "tmp_path" in without


FINISHED = """
import pytest
from flask_byok.masterkeys import generate
from flask_byok.providers.compatible import OpenAICompatible
from app import byok, create_app, db

pytest_plugins = ["flask_byok.testing.fixtures"]


def make_app():
    app = create_app(
        {
            "BYOK_MASTER_KEYS": {"k001": generate()},
            "SECRET_KEY": "for tests alone",
            "SQLALCHEMY_DATABASE_URI": "sqlite://",
        }
    )

    with app.app_context():
        db.create_all()

    return app


@pytest.fixture(scope="session")
def byok_app(byok_connect):
    byok.register_provider(
        OpenAICompatible(
            id="ACME",
            label="Acme",
            base_url="https://ai.invalid/v1",
            default_models={"default": "acme-1"},
        )
    )
    return byok_connect(make_app())


@pytest.fixture
def stranger():
    app = make_app()
    yield app

    with app.app_context():
        db.engine.dispose()
"""

ASKING = """
import pytest
from app import byok
from flask_byok.testing import CompanyKeys


@pytest.mark.parametrize("round_number", [1, 2])
def test_every_provider_is_the_simulator(
    byok_simulator, company_key, byok_app, round_number
):
    for provider in ("OPENAI", "CLAUDE", "GEMINI", "ACME"):
        api_key = company_key("acme", provider)

        with byok_app.app_context():
            byok.client_for("acme").chat("Hello")

        request = byok_simulator.requests[-1]
        assert (request.provider, request.api_key) == (provider, api_key)

    assert len(set(byok_simulator.api_keys_seen())) == 4


def test_no_app_asks_a_real_provider(stranger, byok_simulator):
    with pytest.raises(AssertionError, match="byok_settings"):
        CompanyKeys(stranger, byok_simulator).store()

    assert byok_simulator.requests == []


def test_an_unknown_kind_is_told(failing_key, byok_signals):
    with pytest.raises(ValueError, match="tired"):
        failing_key("tired")

    with pytest.raises(ValueError, match="fallback_usd"):
        byok_signals.payloads("fallback_usd")


def test_the_guard_leaves_the_output_alone(leak_guard, byok_app, capsys):
    leak_guard.attach(byok_app)
    byok_app.test_client().get("/settings/ai/")
    print("Nothing of interest.")
    assert capsys.readouterr().out == "Nothing of interest.\\n"
"""


@pytest.mark.parametrize("switch", ["", "1"])
def test_a_finished_app_is_led_to_the_simulator(
    runs: PluginRuns, tmp_path: pathlib.Path, switch: str
) -> None:
    """Without settings of ours, listed beside the plugin or in its place."""
    (tmp_path / "app.py").write_text(example_files()["app.py"])
    (tmp_path / "conftest.py").write_text(FINISHED)
    (tmp_path / "test_app.py").write_text(ASKING)

    told = runs.run(tmp_path, PYTEST_DISABLE_PLUGIN_AUTOLOAD=switch)
    assert "5 passed" in told
