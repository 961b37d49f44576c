"""The examples of the documentation run as they are printed."""

from __future__ import annotations

import collections.abc as cabc
import json
import types
import typing as t

import flask
import flask_sqlalchemy
import jinja2
import pytest

from flask_byok import BYOK
from flask_byok.config import Settings
from flask_byok.masterkeys import generate
from flask_byok.testing import Simulator
from tests.support import examples
from tests.support.calls import calling

ADMIN = types.SimpleNamespace(is_authenticated=True, is_admin=True, company_id=7)
TEXT = "A long text about keys."


@pytest.fixture
def simulator() -> cabc.Iterator[Simulator]:
    """Give a provider simulator to one test."""
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def environment(
    monkeypatch: pytest.MonkeyPatch, sqlite_url: str, simulator: Simulator
) -> None:
    """Set what the pages say stands in the environment."""
    monkeypatch.setenv("FLASK_SECRET_KEY", "for this test alone")
    monkeypatch.setenv("FLASK_SQLALCHEMY_DATABASE_URI", sqlite_url)
    monkeypatch.setenv("FLASK_BYOK_MASTER_KEYS", f"k001:{generate()}")
    monkeypatch.setenv("FLASK_BYOK_PROVIDER_URLS", json.dumps(simulator.urls))
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-real-system-key")


@pytest.mark.usefixtures("environment")
def test_the_quickstart_runs(
    simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each block of the quickstart does what the text around it says."""
    app_block, call_block, error_block, *others = examples.blocks("quickstart.md")
    job_block, stream_block = others
    db = flask_sqlalchemy.SQLAlchemy()
    names: dict[str, t.Any] = {"__name__": "quickstart", "db": db}
    names |= {"current_user": ADMIN, "company_id": 7}
    examples.run(app_block, names)
    host = names["app"] = names["create_app"]()
    examples.run(call_block, names)
    examples.run(error_block, names)
    host.register_blueprint(names["pages"])

    with host.app_context():
        db.create_all()
        names["byok"].save_key(7, "OPENAI", "not-a-real-company-key")

    answer = host.test_client().post("/summary", data={"text": TEXT})
    assert answer.get_json()["paid_by"] == "company"
    assert host.test_client().get("/settings/ai/").status_code == 200

    examples.run(job_block, names)
    assert names["answer"].source == "company"

    examples.run(stream_block, names)
    assert "Usage(" in capsys.readouterr().out
    assert set(simulator.api_keys_seen()) == {"not-a-real-company-key"}

    simulator.set_fault("OPENAI", "outage")
    refused = host.test_client().post("/summary", data={"text": TEXT})
    assert (refused.status_code, [*refused.get_json()]) == (503, ["error"])

    with host.app_context():
        db.engine.dispose()


def test_everything_that_can_be_asked_for_runs(
    sqlite_url: str, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each block of the page about asking, in its order, on all three providers."""
    with calling(sqlite_url, simulator) as host:
        for provider in ("CLAUDE", "GEMINI", "OPENAI"):
            host.store(provider)
            host.byok.set_policy(1, active_provider=provider)
            names: dict[str, t.Any] = {"__name__": "chat", "ai": host.client}
            names |= {"picture": b"not a real picture", "document": b"%PDF"}

            for block in examples.blocks("chat.md"):
                examples.run(block, names)

            # CLAUDE has no vectors: the system key of another provider makes them.
            paid = {"company"} | ({"system"} if provider == "CLAUDE" else set())
            keys = host.simulator.api_keys_seen()
            assert {("company", "system")["system" in key] for key in keys} == paid
            assert capsys.readouterr().out.count("cut off") == 1


def test_the_settings_that_are_shown_are_accepted() -> None:
    """Each setting printed as Python is one that ``init_app`` takes."""
    names: dict[str, t.Any] = {}

    for block in examples.blocks("configuration.md"):
        examples.run(block, names)

    shown = {name: value for name, value in names.items() if name.startswith("BYOK_")}
    settings = Settings.from_config({"BYOK_MASTER_KEYS": False, **shown})

    assert settings.models == shown["BYOK_MODELS"]
    assert settings.provider_urls == shown["BYOK_PROVIDER_URLS"]


BASE = """<!doctype html><title>{% block page_title %}{% endblock %}</title>
<main>{% block main %}{% endblock %}</main>"""


def test_a_layout_of_the_host_takes_the_page_in(sqlite_url: str) -> None:
    """The layout printed there fits other block names, and three lines two blocks."""
    layout, own = examples.blocks("customizing.md", "jinja")
    host = flask.Flask("host")
    host.config.update(SECRET_KEY="for this test alone", BYOK_MASTER_KEYS=False)
    host.config["SQLALCHEMY_DATABASE_URI"] = sqlite_url
    templates = {
        "my_base.html": BASE,
        "byok/layout.html": layout,
        "byok/own/settings.html": own,
    }
    host.jinja_loader = jinja2.DictLoader(templates)
    db = flask_sqlalchemy.SQLAlchemy(host)
    byok = BYOK(host, db=db)
    byok.company_loader(lambda: 7)
    byok.access_check(lambda: True)

    with host.app_context():
        db.create_all()
        db.engine.dispose()

    page = host.test_client().get("/settings/ai/").text
    assert "<title>AI Configuration</title>" in page
    assert (
        '<div class="byok byok-plain" lang="en" dir="ltr">'
        in page.partition("<main>")[2]
    )
    assert "In use now" in page
    assert '<a href="/settings">Settings</a>' in page
    assert "History" not in page


def test_a_class_of_the_host_holds_the_keys() -> None:
    """The class printed on the page about models takes the place of our table."""
    block, _ = examples.blocks("models-and-migrations.md")
    db = flask_sqlalchemy.SQLAlchemy()
    examples.run(block, {"__name__": "models", "db": db})

    assert "note" in db.metadata.tables["company_ai_key"].columns
    assert "byok_credential" not in db.metadata.tables


def test_a_vendor_is_one_object() -> None:
    """The vendors printed on the page about providers can be registered."""
    vendor, azure, in_tests = examples.blocks("providers.md")
    names: dict[str, t.Any] = {"byok": BYOK(db=flask_sqlalchemy.SQLAlchemy())}
    examples.run(vendor, names)
    examples.run(azure, names)
    names["app"] = flask.Flask("host")
    examples.run(in_tests, names)

    assert set(names["app"].config["BYOK_PROVIDER_URLS"]) > {"ACME"}
