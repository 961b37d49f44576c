"""Models on the page and in the API: what they can do, when they end, who answers."""

from __future__ import annotations

import datetime as dt

import pytest

from flask_byok import OpenAICompatible
from flask_byok.testing import Simulator
from tests.web.conftest import GOOD_KEY
from tests.web.conftest import MakeHost
from tests.web.conftest import state_of
from tests.web.conftest import text_of

KEY = "gsk_not-a-real-company-key-0001-AbCd"
SYSTEM = "gsk_not-a-real-system-key-0001-SyS1"


def ending_vendor(simulator: Simulator, days: int) -> OpenAICompatible:
    """A vendor whose default model ends so many days from now."""
    simulator.add_vendor("GROQ")
    today = dt.datetime.now(dt.timezone.utc).date()
    return OpenAICompatible(
        id="GROQ",
        label="Groq",
        base_url=simulator.urls["GROQ"],
        default_models={"default": "groq-large", "fast": "groq-small"},
        model_ends={"groq-large": today + dt.timedelta(days=days)},
    )


@pytest.mark.parametrize(("days", "told"), [(40, False), (20, True), (-3, True)])
def test_a_model_that_ends(
    make_host: MakeHost,
    byok_simulator: Simulator,
    caplog: pytest.LogCaptureFixture,
    days: int,
    told: bool,
) -> None:
    """From 30 days before: on the page, the card, in a test, in the log; API always."""
    vendor = ending_vendor(byok_simulator, days)
    host = make_host(
        providers=[vendor], BYOK_PROVIDER_URLS={}, BYOK_SYSTEM_KEYS={"GROQ": SYSTEM}
    )
    ada = host.client()
    caplog.clear()
    saved = ada.save(KEY, provider="GROQ")
    assert state_of(saved) == "saved"
    page = ada.get()
    text, day = text_of(page), vendor.model_ends["groq-large"].isoformat()
    words = f"Groq shuts groq-large down on {day}"

    if days < 0:
        words = f"Groq has shut groq-large down, on {day}"

    # In the notice, on the card, below the test.
    assert text.count(words) == (3 if told else 0)
    events = [getattr(record, "byok_event", "") for record in caplog.records]
    assert ("model_ends" in events) is told
    listed = ada.call("GET", "/credentials").json["credentials"]
    assert listed[0]["model_shuts_down_on"] == day
    assert listed[0]["last_test"]["model_shuts_down_on"] == day
    # Free text stays: another model takes the warning away.
    ada.post("/key", action="details", provider="GROQ", model="groq-new", expires_on="")
    assert words not in text_of(ada.get())


def test_what_each_list_says_is_offered(make_host: MakeHost) -> None:
    """Of all three: abilities and ends beside the names, kept over a reload."""
    host = make_host(BYOK_MODELS={"CLAUDE": {"clever": "claude-opus-5-5"}})

    for provider in ("OPENAI", "CLAUDE", "GEMINI"):
        host.save(provider, f"{GOOD_KEY}-{provider[:1]}")

    page = host.client().get("/?provider=OPENAI")
    text = text_of(page)
    # What is known stands once, above the models it is known of.
    assert "chat, ends on 2027-01-14 gpt-4.1 gpt-4.1-mini gpt-4o gpt-4o-mini" in text
    assert "documents, structured answers, reasoning claude-opus-5-5" in text
    assert "embeddings gemini-embedding-2" in text
    assert '<option value="clever">claude-opus-5-5 (Claude)<' in page.text
    assert '<option value="gpt-4o">OpenAI, chat, ends on 2027-01-14<' in page.text
    assert '<option value="default">' not in page.text
    # One of the app's own names is what the company means by it.
    ada = host.client()
    ada.post("/key", action="details", provider="CLAUDE", model="clever", expires_on="")
    with host.app.app_context():
        host.byok.set_policy(1, active_provider="CLAUDE")

    assert host.chat().model.startswith("claude-opus-5-5")


def test_a_model_that_answers_as_another(
    make_host: MakeHost, byok_simulator: Simulator
) -> None:
    """It is said by the test, the API and the answer; a date makes no other model."""
    host = make_host()
    byok_simulator.set_fault("GEMINI", "other_model")
    host.save("GEMINI", model="gemini-2.5-pro")
    ada = host.client()
    assert "Yes. It answers as gemini-3.8-flash." in text_of(ada.get())
    report = ada.call("GET", "/credentials").json["credentials"][0]["last_test"]
    assert report["answered_model"] == "gemini-3.8-flash"
    assert (report["verdict"], report["model"]) == ("working", "gemini-2.5-pro")
    assert host.chat().model == "gemini-3.8-flash"

    byok_simulator.clear_faults()
    host.save("OPENAI", model="gpt-6-sol-2026-05-01")
    listed = ada.call("GET", "/credentials").json["credentials"]
    assert [one["last_test"]["answered_model"] for one in listed] == [
        None,
        "gemini-3.8-flash",
    ]
