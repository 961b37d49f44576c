"""Save, test, remove by the page: each verdict, each mistake, and nothing leaks."""

from __future__ import annotations

import logging
import re
import typing as t

import pytest
import sqlalchemy as sa

from tests.web.conftest import GOOD_KEY
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import OTHER_KEY
from tests.web.conftest import state_of
from tests.web.conftest import text_of
from tests.web.test_states import check_sound


def blob_of(host: Host) -> bytes | None:
    """Read the stored ciphertext."""
    with host.app.app_context():
        state = host.byok.state
        with state.database.read() as conn:
            return conn.execute(sa.select(state.tables.credential.c.blob)).scalar()


def generation_of(host: Host) -> int:
    """Read the generation of the one stored key."""
    return t.cast("int", host.status().credentials[0].generation)


def test_the_way_once(host: Host) -> None:
    """Save, test, use, remove: each step says what it did."""
    ada = host.client()
    saved = ada.save()
    assert (saved.status_code, state_of(saved)) == (200, "saved")
    assert re.search(r"Saved\. OpenAI answered in \d+ ms\.", text_of(saved))
    assert "AI features now use this key." in text_of(saved)
    tested = ada.post("/test", provider="OPENAI")
    assert state_of(tested) == "test-ok"
    assert "Connected" in text_of(tested)
    asked = ada.get("/remove/OPENAI")
    assert "Remove your OpenAI key?" in text_of(asked)
    assert "...AbCd" in text_of(asked)
    assert "use the key provided by Studio" in text_of(asked)
    check_sound(asked)
    removed = ada.post("/remove/OPENAI", generation=str(generation_of(host)))
    assert state_of(removed) == "removed"
    assert "OpenAI key removed" in text_of(removed)
    assert "AI features use the key provided by Studio." in text_of(removed)
    assert host.chat().source == "system"


def test_every_change_ends_in_303(host: Host) -> None:
    """No change renders a page, so that a reload sends nothing again."""
    ada = host.client()
    answers = [
        ada.post("/key", follow=False, action="save", provider="OPENAI", api_key=""),
        ada.post(
            "/key", follow=False, action="save", provider="OPENAI", api_key=GOOD_KEY
        ),
        ada.post("/test", follow=False, provider="OPENAI"),
        ada.post("/policy", follow=False, fallback="never"),
        ada.post("/remove/OPENAI", follow=False),
    ]
    assert [answer.status_code for answer in answers] == [303] * 5
    fragments = [answer.headers["Location"] for answer in answers]
    assert fragments[0] == "/settings/ai/#byok-errors"
    assert fragments[1] == "/settings/ai/#byok-notice"
    assert fragments[2] == "/settings/ai/#byok-test-OPENAI"


def test_an_outcome_is_shown_once(host: Host) -> None:
    """A reload shows the page as it stands."""
    ada = host.client()
    assert state_of(ada.save()) == "saved"
    assert state_of(ada.get()) == "working"


@pytest.mark.case("D12", "E10", "E11")
@pytest.mark.parametrize(
    ("pasted", "told"),
    [
        ("", "Enter an API key."),
        ("   ", "Enter an API key."),
        ("sk-...AbCd", "This is the hidden form of a saved key."),
        ("not a key at all", "The key has a space or a line break in it."),
        ("first-half\nsecond-half", "The key has a space or a line break in it."),
        ("not–a–real–key–0001", "The key has a character that API keys do not have"),
        ("not-a-key-\x07-bell", "The key has a character that API keys do not have"),
        ("short", "This is too short to be an API key."),
        ("k" * 2049, "This is too long to be an API key."),
    ],
)
def test_what_cannot_be_a_key(host: Host, pasted: str, told: str) -> None:
    """Each mistake has its sentence, at the field, too; nothing is sent."""
    answer = host.client().save(pasted)
    assert state_of(answer) == "field-error"
    assert text_of(answer).count(told) == 2
    assert "There is a problem" in answer.text
    assert "Error: AI Configuration - Studio" in text_of(answer)
    assert 'aria-invalid="true"' in answer.text
    check_sound(answer)
    assert host.simulator.requests == []
    assert blob_of(host) is None


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("provider", "", "Choose a provider."),
        ("provider", "NOPE", "Choose a provider."),
        ("model", "two words", "Enter the model's name in one piece"),
        ("model", "m" * 201, "Enter the model's name in one piece"),
        ("model", "AIza-not-a-real-key-0001", "This looks like an API key."),
        ("expires_on", "2001-01-01", "Enter a date after today"),
        ("expires_on", "tomorrow", "Enter a date after today"),
    ],
)
def test_other_fields(host: Host, field: str, value: str, told: str) -> None:
    """The other fields are checked before anything is sent."""
    answer = host.client().save(**{field: value})
    assert text_of(answer).count(told) == 2
    assert host.simulator.requests == []


@pytest.mark.case("F11")
def test_a_rejected_key_is_not_stored(host: Host) -> None:
    """The provider's clear no refuses a first key."""
    answer = host.client().save("not-a-real-revoked-key-0001-AbCd")
    assert state_of(answer) == "field-error"
    assert "OpenAI did not accept this key." in text_of(answer)
    assert blob_of(host) is None


@pytest.mark.case("D19")
@pytest.mark.parametrize(
    ("pasted", "told"),
    [
        ("not-a-real-revoked-key-0002-AbCd", "OpenAI did not accept this key."),
        ("not-a-real-expired-key-0002-AbCd", "OpenAI"),
        ("not-a-real-nocredit-key-0002-AbCd", "The new key is not saved yet"),
        ("not-a-real-outage-key-0002-AbCd", "The new key is not saved yet"),
    ],
)
def test_a_stored_key_gives_way_only_to_a_working_one(
    host: Host, pasted: str, told: str
) -> None:
    """The old ciphertext keeps its bytes, and the page says that it stays."""
    ada = host.client()
    ada.save()
    before = blob_of(host)
    answer = ada.save(pasted)
    text = text_of(answer)
    assert told in text
    assert "Your saved key has not changed." in text or "stays in use" in text
    assert blob_of(host) == before
    assert pasted not in answer.text
    check_sound(answer)


@pytest.mark.case("D16")
def test_another_providers_key_is_asked_about(host: Host) -> None:
    """A telling prefix is a question before anything is sent."""
    ada = host.client()
    answer = ada.save("sk-ant-not-a-real-key-0001-AbCd")
    assert "This looks like a key for Claude. Nothing was sent." in text_of(answer)
    assert "It is a key for Claude" in text_of(answer)
    assert host.simulator.requests == []
    assert blob_of(host) is None


def test_somebody_else_changed_the_key(host: Host) -> None:
    """A key that changed since the page was opened is not overwritten."""
    ada = host.client()
    ada.save()
    before = blob_of(host)
    answer = ada.save(OTHER_KEY, generation="OPENAI:7")
    assert state_of(answer) == "draft"
    assert "ada changed this key at" in text_of(answer)
    assert blob_of(host) == before
    # The page was opened when there was no key yet.
    for generation in ("", "CLAUDE:1"):
        answer = ada.save(OTHER_KEY, generation=generation)
        assert "ada changed this key at" in text_of(answer)

    assert blob_of(host) == before
    answer = ada.post("/remove/OPENAI", generation="7")
    assert state_of(answer) == "changed"
    assert blob_of(host) == before


def test_the_same_form_twice_saves_once(host: Host) -> None:
    """A second Save of one rendering gets the same success and checks nothing."""
    ada = host.client()
    form_id = re.findall(r'name="form_id"\s+value="([^"]+)"', ada.get().text)[0]
    ada.save(form_id=form_id, generation="")
    asked = len(host.simulator.requests)
    assert state_of(ada.save(form_id=form_id, generation="")) == "saved"
    assert len(host.simulator.requests) == asked
    assert generation_of(host) == 1
    # The browser's Back brings the form again, for another key.
    other = ada.save(OTHER_KEY, form_id=form_id, generation="")
    assert state_of(other) == "draft"
    claude = ada.save(OTHER_KEY, provider="CLAUDE", form_id=form_id, generation="")
    assert state_of(claude) == "saved"
    assert {info.provider for info in host.status().credentials} == {"OPENAI", "CLAUDE"}


@pytest.mark.case("E1")
def test_a_short_key_is_not_taken_for_the_one_that_was_saved(
    make_host: MakeHost,
) -> None:
    """Back again, another key pasted: no digits tell them apart, so it is told."""
    ada = make_host().client()
    form_id = re.findall(r'name="form_id"\s+value="([^"]+)"', ada.get().text)[0]
    ada.save("short-key-0001", form_id=form_id, generation="")

    other = ada.save("short-key-0002", form_id=form_id, generation="")
    assert state_of(other) == "draft"


@pytest.mark.case("E16")
def test_too_many_checks(make_host: MakeHost) -> None:
    """Our own limit speaks of waiting, not of the key."""
    ada = make_host(BYOK_RATE_LIMIT={"address": 1}).client()
    ada.save()
    answer = ada.save(OTHER_KEY)
    assert state_of(answer) == "check-limit"
    assert re.search(r"Try again in \d+ seconds\.", text_of(answer))
    # Looking and removing have no limit.
    assert ada.get().status_code == 200
    assert state_of(ada.post("/remove/OPENAI")) == "removed"


def test_model_and_date_of_a_stored_key(host: Host) -> None:
    """They change without the key; a model it lacks is refused, the old one stays."""
    ada = host.client()
    ada.save()
    form = {"action": "details", "provider": "OPENAI"}
    done = ada.post("/key", model="gpt-6-luna", expires_on="2099-12-31", **form)
    assert "Model and date saved." in text_of(done)
    assert "2099-12-31" in text_of(done)
    wrong = ada.post("/key", model="no-such-model", expires_on="", **form)
    assert state_of(wrong) == "field-error"
    assert "OpenAI does not give this key that model. The old one stays." in wrong.text
    assert 'id="byok-model-OPENAI-error"' in wrong.text
    check_sound(wrong)
    assert host.status().credentials[0].model == "gpt-6-luna"
    bad = ada.post("/key", model="", expires_on="2001-01-01", **form)
    assert 'id="byok-expires-on-OPENAI-error"' in bad.text
    assert str(host.status().credentials[0].expires_on) == "2099-12-31"


def test_a_second_key_and_which_one_serves(host: Host) -> None:
    """An unticked box leaves the first key active; the notice offers the switch."""
    ada = host.client()
    ada.save()
    answer = ada.save(OTHER_KEY, provider="CLAUDE", activate="0")
    assert "AI features still use your OpenAI key." in text_of(answer)
    assert "Use this key" in text_of(answer)
    switched = ada.post("/policy", active_provider="CLAUDE")
    assert "AI features now use your Claude key." in text_of(switched)
    assert "After that, AI features use your OpenAI key." in text_of(
        ada.get("/remove/CLAUDE")
    )
    assert "AI features still use your Claude key." in text_of(
        ada.get("/remove/OPENAI")
    )


def test_one_field_of_the_policy_leaves_the_rest(host: Host) -> None:
    """A form with one field changes one thing."""
    ada = host.client()
    ada.post("/policy", fallback="outage_only")
    ada.post("/policy", use_other_keys=["0", "1"])
    policy = host.status().policy
    assert (policy.fallback, policy.use_other_keys) == ("outage_only", True)
    ada.post("/policy", use_other_keys="0", fallback="never")
    policy = host.status().policy
    assert (policy.fallback, policy.use_other_keys) == ("never", False)
    assert ada.post("/policy", fallback="sometimes").status_code == 400


@pytest.mark.case("F17")
def test_a_locked_policy_is_refused(make_host: MakeHost) -> None:
    """A forged form cannot change what the operator fixed."""
    host = make_host(BYOK_FALLBACK_LOCKED=True)
    answer = host.client().post("/policy", fallback="never")
    assert "Studio has set this for all companies." in text_of(answer)
    assert host.status().policy.fallback == "auto"


@pytest.mark.case("D18", "D21")
def test_the_graded_checks(host: Host) -> None:
    """Test Connection names each check with its grade, and keeps the ciphertext."""
    ada = host.client()
    ada.save()
    before = blob_of(host)
    host.simulator.set_fault("OPENAI", "restricted")
    answer = ada.post("/test", provider="OPENAI")
    text = text_of(answer)
    assert state_of(answer) in ("test-failed", "test-remarks")
    assert "Permission to list models" in text
    host.simulator.set_fault("OPENAI", "revoked")
    failed = ada.post("/test", provider="OPENAI")
    assert state_of(failed) == "test-failed"
    assert "Not connected" in text_of(failed)
    assert "OpenAI did not accept it." in text_of(failed)
    host.simulator.set_fault("OPENAI", "outage")
    unknown = ada.post("/test", provider="OPENAI")
    assert state_of(unknown) == "test-unknown"
    assert "Could not test" in text_of(unknown)
    assert "Your saved key has not changed." in text_of(unknown)
    assert blob_of(host) == before


def test_a_test_in_place(host: Host) -> None:
    """The script gets what the card shows of its last test, by the same address."""
    ada = host.client()
    ada.save()
    answer = ada.client.post(
        "/settings/ai/test",
        data={"csrf_token": ada.token(), "provider": "OPENAI"},
        headers={"X-Byok-Fragment": "1", "X-Byok-Typed": "1"},
    )
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith("<h4>Last test</h4>")
    assert "<main" not in answer.text
    assert "Connected" in answer.text
    assert "This tested the saved key." in text_of(answer)
    assert "byok_outcome" not in ada.session()


def test_a_test_in_place_that_changes_what_is_in_use(host: Host) -> None:
    """The script loads the page again, unless a key is being typed."""
    ada = host.client()
    ada.save()
    form = {"csrf_token": ada.token(), "provider": "OPENAI"}

    for headers, status in ({}, 205), ({"X-Byok-Typed": "1"}, 200):
        host.simulator.set_fault("OPENAI", "expired", keys="company")
        host.chat()
        host.simulator.clear_faults()
        answer = ada.client.post(
            "/settings/ai/test", data=form, headers={"X-Byok-Fragment": "1", **headers}
        )
        assert answer.status_code == status

    assert "Load the page again to see it." in text_of(answer)


CANARY = "CanaryKey"
_LEAKS = [
    {"api_key": CANARY},
    {"api_key": f"{CANARY} 0001 with a space"},
    {"api_key": f"{CANARY}–0001–dash"},
    {"api_key": f"'\"{CANARY}-0001-wrapped\"'"},
    {"api_key": f"sk-ant-{CANARY}-0001-other-provider"},
    {"api_key": f"{CANARY}-0001-revoked-rejected"},
    {"api_key": f"{CANARY}-0001-outage-down"},
    {"api_key": f"{CANARY}-0001-nocredit-poor"},
    {"api_key": CANARY * 400},
    {"api_key": CANARY + "\x00" + "k" * 20},
    {"api_key": GOOD_KEY, "model": f"{CANARY}-0001-in-the-wrong-field"},
    {"api_key": GOOD_KEY, "expires_on": CANARY},
    {"api_key": GOOD_KEY, "provider": CANARY},
    {"api_key": GOOD_KEY, "generation": CANARY, "form_id": CANARY, "confirm": CANARY},
]


@pytest.mark.case("C17", "E1", "E15")
@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("form", _LEAKS)
def test_nothing_typed_comes_back(
    host: Host, form: dict[str, str], stored: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is pasted where: it is in no page, no session and no log."""
    caplog.set_level(logging.DEBUG)
    ada = host.client()

    if stored:
        ada.save()

    sent = {"action": "save", "provider": "OPENAI", **form}
    answer = ada.post("/key", follow=False, **sent)
    session = str(ada.session())
    page = ada.client.get(answer.headers["Location"])
    shown = page.text

    # The model of a stored key is shown on purpose.
    if "model" in form and not stored:
        shown = ""

    for place in (answer.text, str(answer.headers), session, shown, caplog.text):
        assert CANARY not in place


@pytest.mark.case("E1", "E15")
@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("form", _LEAKS)
def test_nothing_typed_comes_back_by_the_api(
    host: Host, form: dict[str, str], stored: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The same by JSON, where the problem details repeat nothing."""
    caplog.set_level(logging.DEBUG)
    ada = host.client()

    if stored:
        ada.save()

    body = {name: value for name, value in form.items() if name != "form_id"}
    provider = body.pop("provider", "OPENAI")
    answer = ada.call("PUT", f"/credentials/{provider}", body)
    shown = answer.text

    # A model that is stored is shown on purpose.
    if answer.status_code < 300 and "model" in form:
        shown = ""

    for place in (shown, str(answer.headers), str(ada.session()), caplog.text):
        assert CANARY not in place
