"""Which SDK, for which provider; installed or not, new enough or not."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import pathlib
import subprocess
import sys
import typing as t

import anthropic
import openai
import pytest
from google import genai

from flask_byok import AzureOpenAI
from flask_byok import errors
from flask_byok import OpenAICompatible
from flask_byok.sdk import kinds
from flask_byok.sdk.builder import PLACEHOLDER
from flask_byok.testing import Simulator
from tests.sdk.kinds import OPENAI
from tests.support.calls import CallHost

ROOT = pathlib.Path(__file__).parents[2]


def test_the_kind_of_the_next_call(host: CallHost) -> None:
    """Nothing named: the SDK of the provider the next call would start on."""
    assert isinstance(host.client.sdk(), openai.OpenAI)
    host.store("CLAUDE")
    assert isinstance(host.client.sdk(), anthropic.Anthropic)
    assert isinstance(host.client.sdk(asynchronous=True), anthropic.AsyncAnthropic)
    host.store("GEMINI")
    assert isinstance(host.client.sdk(), genai.Client)
    asked = host.client.sdk("openai", asynchronous=True)
    assert isinstance(asked, openai.AsyncOpenAI)

    with pytest.raises(errors.SetupError, match="takes openai, anthropic, google"):
        host.client.sdk("mistral")


def test_no_key_and_no_kind(make: t.Any) -> None:
    """AI is off: no SDK can be chosen, and the message says what to do."""
    host = make(BYOK_SYSTEM_KEYS={})

    with pytest.raises(errors.NoRoute, match="Name one"):
        host.client.sdk()


def test_a_compatible_vendor_has_the_same_sdk(
    make: t.Any, byok_simulator: Simulator
) -> None:
    """By its id, or as the active provider: on the vendor's own routes."""
    byok_simulator.add_vendor("GROQ")
    vendor = OpenAICompatible(
        id="GROQ",
        label="Groq",
        base_url=byok_simulator.urls["GROQ"],
        default_models={"default": "groq-large", "fast": "groq-small"},
    )
    keys = {"OPENAI": "not-a-real-system-key-1", "GROQ": "not-a-real-system-key-2"}
    host = make(providers=[vendor], BYOK_SYSTEM_KEYS=keys)
    assert isinstance(host.client.sdk("GROQ"), openai.OpenAI)
    OPENAI.ask(host.client.sdk("openai"))
    assert host.attempts()[-1].provider == "OPENAI"
    host.store("GROQ")
    OPENAI.ask(host.client.sdk("openai"))
    row = host.attempts()[-1]
    assert (row.provider, row.source, row.model) == ("GROQ", "company", "groq-large")
    host.fail("nocredit", "GROQ")
    assert "".join(OPENAI.stream(host.client.sdk()))
    row = host.attempts()[-1]
    assert (row.provider, row.source, row.state) == ("GROQ", "system", "done")


def test_no_sdk_looks_where_dated_deployments_are(host: CallHost) -> None:
    """The official SDK would not write the version into the address."""
    dated = AzureOpenAI(
        base_url="https://contoso.openai.azure.com/openai",
        default_models={"default": "our-deployment"},
        api_version="2024-10-21",
    )
    host.byok.register_provider(dated)

    with pytest.raises(errors.SetupError, match="No official SDK speaks"):
        host.client.sdk("AZURE")


def test_a_company_key_that_is_not_active_still_pays(host: CallHost) -> None:
    """Who asks for a kind gets the company's key of it, whichever is active."""
    host.store("CLAUDE", "OPENAI")
    OPENAI.ask(host.client.sdk("openai"))
    assert host.paid == "c"


@pytest.mark.case("C28")
def test_the_sdk_holds_a_placeholder(
    host: CallHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is taken from the environment either."""
    for name in (
        "OPENAI_API_KEY",
        "OPENAI_ADMIN_KEY",
        "OPENAI_WEBHOOK_SECRET",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_WEBHOOK_SIGNING_KEY",
        "GOOGLE_API_KEY",
        "GEMINI_API_KEY",
    ):
        monkeypatch.setenv(name, "from-the-environment")

    for kind in kinds.KINDS:
        client: t.Any = host.client.sdk(kind)
        inner = getattr(client, "_api_client", client)
        assert inner.api_key == PLACEHOLDER
        assert "from-the-environment" not in repr(vars(inner))


#: An app that asks for an SDK, and prints the sentence it gets instead.
ASK: t.Final = """
import flask, flask_sqlalchemy
from flask_byok import BYOK, SetupError
app = flask.Flask("shop")
app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", BYOK_MASTER_KEYS=False)
byok = BYOK(app, db=flask_sqlalchemy.SQLAlchemy(app))
with app.app_context():
    try:
        byok.client_for(1).sdk("openai")
    except SetupError as error:
        print(error)
"""


def test_an_old_sdk_is_told_in_one_sentence(tmp_path: pathlib.Path) -> None:
    """With the line that installs it, where an older one is found first."""
    metadata = tmp_path / "openai-3.53.9.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: openai\nVersion: 3.53.9\n")
    told = subprocess.run(
        [sys.executable, "-c", ASK],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "'openai' 3.54 or newer; 3.53.9 is installed" in told.stdout
    assert "pip install 'flask-byok[openai]'" in told.stdout


def test_a_missing_sdk_is_told_in_one_sentence() -> None:
    """With the line that installs it."""
    missing = dataclasses.replace(kinds.KINDS["google"], package="no-such-package-here")

    with pytest.raises(errors.SetupError, match=r"pip install 'flask-byok\[google\]'"):
        kinds.need(missing)


def test_the_extras_name_the_same_versions() -> None:
    """What the sentence asks for is what the extra installs."""
    lines = (ROOT / "pyproject.toml").read_text().splitlines()

    for kind in kinds.KINDS.values():
        least = ".".join(map(str, kind.least))
        assert f'{kind.name} = ["{kind.package}>={least}"]' in lines
        assert kinds.read_version(importlib.metadata.version(kind.package)) >= (
            kind.least
        )


def test_the_package_imports_no_sdk() -> None:
    """Nor the HTTP client they use: who needs none of them pays for none."""
    code = (
        "import sys, flask_byok.wiring\n"
        "names = {'openai', 'anthropic', 'google.genai', 'httpx2', 'httpx', 'anyio'}\n"
        "print(sorted(names & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert told.stdout == "[]\n"
