"""A vendor added in five lines, from the page to the call and back."""

from __future__ import annotations

import collections.abc as cabc
import json
import typing as t

import flask
import playwright.sync_api
import pytest

from flask_byok import current_ai_client
from flask_byok import OpenAICompatible
from flask_byok.providers.deadline import Deadline
from flask_byok.testing import Simulator
from tests.web.conftest import Host
from tests.web.conftest import MakeHost

KEY = "gsk_not-a-real-company-key-0001-AbCd"
SYSTEM = "gsk_not-a-real-system-key-0001-SyS1"


@pytest.fixture
def host(make_host: MakeHost, byok_simulator: Simulator) -> Host:
    """A host that registers one vendor and pays for it, too."""
    byok_simulator.add_vendor("GROQ")
    vendor = OpenAICompatible(
        id="GROQ",
        label="Groq",
        base_url=byok_simulator.urls["GROQ"],
        default_models={"default": "groq-large", "fast": "groq-small"},
        prefix_hints=("gsk_",),
        embedding_model="groq-embed",
    )

    def prepare(app: flask.Flask) -> None:
        @app.get("/banner")
        def banner() -> str:
            return flask.render_template_string(
                '{% from "byok/banner.html" import byok_banner with context %}'
                "{{ byok_banner() }}"
            )

        @app.get("/ask")
        def ask() -> dict[str, t.Any]:
            answer = current_ai_client.chat("hello", max_tokens=50, system="Be brief.")
            return {"source": answer.source, "provider": answer.provider}

        @app.get("/sign-in")
        def sign_in() -> str:
            flask.session.update(user="ada", company=1)
            return "in"

    return make_host(
        prepare=prepare,
        providers=[vendor],
        BYOK_PROVIDER_URLS={},
        BYOK_SYSTEM_KEYS={"GROQ": SYSTEM},
        BYOK_MODELS={"GROQ": {"long": "groq-large"}},
    )


class Patient(OpenAICompatible):
    """A vendor that notes how long it may be asked, in seconds."""

    waits: t.ClassVar[list[float]] = []

    def models(self, *args: t.Any, deadline: Deadline, **more: t.Any) -> t.Any:
        """List the models."""
        self.waits.append(deadline.left())
        return super().models(*args, deadline=deadline, **more)

    def probe(self, *args: t.Any, deadline: Deadline, **more: t.Any) -> t.Any:
        """Generate a few tokens."""
        self.waits.append(deadline.left())
        return super().probe(*args, deadline=deadline, **more)


@pytest.mark.parametrize(("settings", "seconds"), [({}, 10), ({"BYOK_TIMEOUT": 3}, 3)])
def test_a_check_takes_ten_seconds_at_most(
    make_host: MakeHost,
    byok_simulator: Simulator,
    settings: dict[str, t.Any],
    seconds: float,
) -> None:
    """Whoever saves a key waits no longer; with a shorter limit of calls, that long."""
    byok_simulator.add_vendor("GROQ")
    vendor = Patient(
        id="GROQ",
        label="Groq",
        base_url=byok_simulator.urls["GROQ"],
        default_models={"default": "groq-large"},
    )
    host = make_host(
        providers=[vendor], BYOK_PROVIDER_URLS={}, BYOK_SYSTEM_KEYS={}, **settings
    )
    Patient.waits.clear()
    assert host.save("GROQ", KEY).saved
    assert len(Patient.waits) == 2
    assert 0 < max(Patient.waits) <= seconds


def test_from_the_page_to_the_call(
    host: Host,
    serve: cabc.Callable[[t.Any], str],
    page: playwright.sync_api.Page,
) -> None:
    """Saved, tested, used; the key dies, the system key of the vendor answers."""
    url = serve(host.app)
    page.goto(f"{url}/sign-in")
    page.goto(f"{url}/settings/ai/?provider=GROQ")
    assert page.locator("#byok-models option[value=long]").count() == 1
    # Groq has a page for keys; this object names none, so there is no link to one.
    groq = page.locator(".byok-help-item", has_text="Groq")
    assert groq.locator("a").count() == 0
    page.fill("#byok-api-key", KEY)
    page.get_by_role("button", name="Save the key").click()
    card = page.locator("#byok-key-GROQ")
    assert "gsk_...AbCd" in card.inner_text()
    card.get_by_role("button", name="Test Connection").click()
    result = card.locator("[data-byok-result=test-ok]")
    result.locator("summary", has_text="Models this key may use (3)").click()
    assert "chat, images, tools, structured answers" in result.inner_text()
    assert card.locator("datalist option[value=groq-small]").count() == 1

    host.simulator.clear()
    page.goto(f"{url}/ask")
    assert json.loads(page.inner_text("body"))["source"] == "company"
    (sent,) = host.simulator.requests
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.body is not None and sent.body["max_tokens"] == 50
    assert sent.body["messages"][0] == {"role": "system", "content": "Be brief."}

    host.simulator.set_fault("GROQ", "revoked", keys=KEY)
    page.goto(f"{url}/ask")
    assert json.loads(page.inner_text("body")) == {
        "source": "system",
        "provider": "GROQ",
    }
    page.goto(f"{url}/banner")
    assert "Groq rejected it" in page.inner_text("body")
    page.goto(f"{url}/settings/ai/")
    assert page.locator("[data-byok-state=fallback]").count() == 1
    page.get_by_role("link", name="Remove Key of Groq").click()
    page.get_by_role("button", name="Remove Key").click()
    assert page.locator("#byok-key-GROQ").count() == 0
    assert host.status().serving == "system"


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("revoked", "auth"),
        ("expired", "expired"),
        ("restricted", "permission"),
        ("nocredit", "quota"),
        ("ratelimited", "rate_limit"),
        ("outage", "outage"),
    ],
)
def test_the_words_in_keys(host: Host, word: str, reason: str) -> None:
    """Each fault has its reason, and the system key of the vendor answers."""
    host.save("GROQ", KEY)
    host.simulator.set_fault("GROQ", word, keys=KEY)
    answer = host.chat()

    assert (answer.source, answer.provider) == ("system", "GROQ")
    assert answer.attempts[0].reason == reason


def test_the_api_knows_the_vendor(host: Host) -> None:
    """Saved, listed with its models, tested, told apart when unknown, removed."""
    ada = host.client()
    saved = ada.call("PUT", "/credentials/GROQ", {"api_key": KEY, "model": "fast"})
    assert saved.status_code == 201
    listed = ada.call("GET", "/credentials").json
    (vendor,) = [one for one in listed["providers"] if one["provider"] == "GROQ"]
    assert vendor == {
        "provider": "GROQ",
        "label": "Groq",
        "key_page_url": None,
        "model_names": {
            "default": "groq-large",
            "fast": "groq-small",
            "long": "groq-large",
        },
    }
    report = ada.call("POST", "/credentials/GROQ/test").json
    assert (report["verdict"], report["model"]) == ("working", "groq-small")
    facts = {fact["id"]: fact for fact in report["model_facts"]}
    assert facts["groq-large"]["can"] == ["schema", "tools", "vision"]
    assert facts["groq-embed"]["kinds"] == ["embed"]
    document = ada.call("GET", "/openapi.json").json
    assert "GROQ" in document["components"]["parameters"]["provider"]["schema"]["enum"]
    assert ada.call("DELETE", "/credentials/GROQ").status_code == 204
    assert ada.call("PUT", "/credentials/MISTRAL", {"api_key": KEY}).status_code == 404


def test_streams_and_vectors(host: Host) -> None:
    """An error inside a stream is told by its number; vectors go the same way."""
    host.save("GROQ", KEY)

    with host.app.app_context():
        client = host.byok.client_for(1)
        host.simulator.set_fault("GROQ", "stream_ratelimited", keys=KEY)

        with client.stream("hello") as stream:
            text = "".join(chunk.text for chunk in stream)

        answer = stream.response
        assert text and (answer.source, answer.text) == ("system", text)
        assert answer.attempts[0].reason == "rate_limit"
        assert answer.usage.input_tokens

        host.simulator.clear_faults()
        vectors = client.embed(["a", "b"])
        assert (vectors.provider, vectors.model) == ("GROQ", "groq-embed")
        assert len(vectors.vectors) == 2
