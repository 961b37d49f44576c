"""Every standing state: its slug, its texts, and that its page is sound."""

from __future__ import annotations

import html.parser
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
from tests.web.conftest import Visitor


class _Page(html.parser.HTMLParser):
    """Collects what a strict policy and a screen reader care about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: list[str] = []
        self.labels: list[str] = []
        self.inputs: list[dict[str, str | None]] = []
        self.faults: list[str] = []
        self.headings = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.headings += tag == "h1"

        if len(found) != len(attrs):
            self.faults.append(f"<{tag}> names an attribute twice")

        if "style" in found or any(name.startswith("on") for name in found):
            self.faults.append(f"<{tag}> has inline code")

        if tag == "style" or (tag == "script" and "src" not in found):
            self.faults.append(f"inline <{tag}>")

        if found.get("id"):
            self.ids.append(t.cast("str", found["id"]))

        for name in ("aria-labelledby", "aria-describedby", "aria-controls", "list"):
            self.references += (found.get(name) or "").split()

        if tag == "label" and "for" in found:
            self.labels.append(t.cast("str", found["for"]))

        if tag in ("input", "select"):
            self.inputs.append(found)


def check_sound(answer: t.Any) -> None:
    """Look at one page the way a policy and a screen reader do."""
    page = _Page(answer.text)
    assert page.faults == []
    assert len(page.ids) == len(set(page.ids))
    assert set(page.references) <= set(page.ids)
    assert set(page.labels) <= set(page.ids)
    assert page.headings == 1
    assert answer.text.count("byok-notice-body") <= 1
    key_fields = [field for field in page.inputs if field.get("type") == "password"]
    assert all("value" not in field for field in key_fields)
    named = [
        f for f in page.inputs if f.get("type") not in ("hidden", "checkbox", "radio")
    ]
    assert all(field.get("id") in page.labels for field in named)


def show(host: Host) -> tuple[str, str]:
    """Open the page; give its slug and its text."""
    answer = host.client().get()
    assert answer.status_code == 200
    check_sound(answer)
    return state_of(answer), text_of(answer)


def fault(host: Host, name: str, keys: str = "company") -> None:
    """Let the simulator fail for the company's keys and make two calls."""
    host.simulator.set_fault("*", name, keys=keys)

    for _ in range(2):
        try:
            host.chat()
        except Exception:
            pass


def test_without_a_key_the_app_pays(host: Host) -> None:
    """No key: the page says that the key provided by the app serves."""
    slug, text = show(host)
    assert slug == "no-key"
    assert "Your company has not added a key." in text
    assert "Key provided by Studio" in text
    assert "Test Connection" not in text


def test_without_any_key_ai_is_off(make_host: MakeHost) -> None:
    """No key here and none of the app: AI is off, and the policy has no choices."""
    slug, text = show(make_host(BYOK_SYSTEM_KEYS={}))
    assert slug == "no-key-off"
    assert "AI is off" in text
    assert "Add a key to turn on AI features." in text
    assert "Studio provides no key of its own." in text


def test_a_working_key(host: Host) -> None:
    """A key that works shows masked, with its model and its last call."""
    host.save()
    host.chat()
    slug, text = show(host)
    assert slug == "working"
    assert "Your OpenAI key" in text
    assert "Last call" in text
    assert "...AbCd" in text
    assert GOOD_KEY not in text


@pytest.mark.case("D19")
def test_saved_while_the_provider_is_down(host: Host) -> None:
    """A first key is kept when nobody could be asked, and the page says so."""
    host.simulator.set_fault("OPENAI", "outage")
    host.save()
    slug, text = show(host)
    assert slug == "unchecked"
    assert "Saved, not checked yet. OpenAI could not be reached" in text


def test_saved_without_credit(host: Host) -> None:
    """A key without credit is stored, named so, and comes with a remedy."""
    host.save(api_key="not-a-real-nocredit-key-0001-AbCd")
    slug, text = show(host)
    assert slug in ("not-usable", "fallback")
    assert "out of credit or at its own limit" in text
    assert "Add credit or raise the limit at OpenAI" in text


def test_a_model_the_key_does_not_have(host: Host) -> None:
    """A first key is stored without the model it lacks."""
    host.save(model="no-such-model")
    slug, text = show(host)
    assert slug == "no-model"
    assert "no-such-model is not available to it" in text


def test_fallback_is_told(host: Host) -> None:
    """A rejected key: why, whose account pays, when it is tried again."""
    host.save()
    fault(host, "revoked")
    slug, text = show(host)
    assert slug == "fallback"
    assert "Key provided by Studio, for now" in text
    assert "Your OpenAI key is not working" in text
    assert "OpenAI rejected it: it was revoked, or it is not complete" in text
    assert "your prompts go through the account of Studio at OpenAI" in text
    assert "Your key is tried again at" in text


def test_a_busy_key_is_no_alarm(host: Host) -> None:
    """A rate limit is a status line, not a notice."""
    host.save()
    fault(host, "ratelimited")
    answer = host.client().get()
    assert state_of(answer) == "rate-limited"
    assert "Busy: OpenAI limits your account until" in text_of(answer)
    assert "byok-notice-body" not in answer.text


def test_off_by_choice(host: Host) -> None:
    """Under "never" a broken key means AI is off, by the company's own setting."""
    host.save()
    host.chat()
    host.client().post("/policy", fallback="never")
    fault(host, "revoked")
    slug, text = show(host)
    assert slug == "off-by-choice"
    assert "Your settings say not to use the key provided by Studio" in text
    assert "AI is off" in text


def test_never_worked(make_host: MakeHost) -> None:
    """Under "never" a key without one good answer is told as such."""
    host = make_host(BYOK_FALLBACK="never")
    host.simulator.set_fault("OPENAI", "outage")
    host.save()
    host.simulator.clear_faults()
    fault(host, "revoked")
    slug, text = show(host)
    assert slug == "never-worked"
    assert "This key has not worked yet" in text


def test_a_test_that_is_over_is_not_green(host: Host) -> None:
    """What a test found before the key went out stands there, and is called past."""
    host.save()
    ada = host.client()
    ada.post("/test", provider="OPENAI")
    card = ada.get().text.partition('id="byok-test-OPENAI"')[2].partition("<form")[0]
    assert "Connected" in card and "byok-is-ok" in card
    fault(host, "expired")
    page = ada.get()
    card = page.text.partition('id="byok-test-OPENAI"')[2].partition("<form")[0]
    assert "Connected" in card and "byok-is-ok" not in card
    assert "The key has stopped working since this test." in card
    # One more test says how it is now.
    answer = ada.post("/test", provider="OPENAI")
    assert "Not connected" in text_of(answer)
    assert "since this test" not in text_of(answer)


def test_the_next_try_is_told_once(host: Host) -> None:
    """In an outage the remedy names the time; no second sentence repeats it."""
    host.save()
    fault(host, "outage")
    text = text_of(host.client().get())
    told = r"Nothing to do: Studio tries your key again at \S+ \S+ UTC ?\."
    assert len(re.findall(told, text)) == 2
    assert "Your key is tried again at" not in text
    assert "It is tried again at" not in text


def test_another_own_key_serves(host: Host) -> None:
    """With other keys switched on, the page names both keys."""
    host.save()
    host.save("CLAUDE", OTHER_KEY, activate=False)
    host.client().post("/policy", use_other_keys=["0", "1"])
    host.simulator.set_fault("OPENAI", "revoked")
    host.chat()
    slug, text = show(host)
    assert slug == "other-key"
    assert "Your Claude key, for now" in text
    assert "AI features use your Claude key; your prompts go to Anthropic." in text


@pytest.mark.case("B8", "F12")
def test_an_unreadable_key(host: Host) -> None:
    """A row that does not open shows as such; the page itself works."""
    host.save()
    damage(host)
    host.chat()
    slug, text = show(host)
    assert slug == "unreadable"
    assert "Studio cannot read your saved OpenAI key any more. Add it again." in text
    assert "Test Connection for OpenAI" not in text


def damage(host: Host) -> None:
    """Turn one byte of the stored blob."""
    with host.app.app_context():
        state = host.byok.state
        table = state.tables.credential

        with state.database.write() as conn:
            blob = bytearray(conn.execute(sa.select(table.c.blob)).scalar_one())
            blob[-1] ^= 1
            conn.execute(sa.update(table).values(blob=bytes(blob)))


def test_a_closed_vault(make_host: MakeHost) -> None:
    """With the vault closed there is no key form, and the page says why."""
    host = make_host(BYOK_MASTER_KEYS=False)
    slug, text = show(host)
    assert slug == "not-set-up"
    assert "Keys cannot be saved yet. The people who run Studio" in text
    assert 'name="api_key"' not in host.client().get().text


def test_the_allowance(make_host: MakeHost) -> None:
    """The page counts down the allowance and says when it is gone."""
    host = make_host(BYOK_SYSTEM_BUDGET={"requests": 5})
    assert "5 of 5 requests left on the key provided by Studio" in show(host)[1]

    for _ in range(4):
        host.chat()

    slug, text = show(host)
    assert slug == "allowance-low"
    assert "1 of 5 requests left" in text
    host.chat()
    slug, text = show(host)
    assert slug == "allowance-used"
    assert "The key provided by Studio is used up for this month." in text


def test_the_allowance_in_money(make_host: MakeHost) -> None:
    """Money has its sign, other units their names; costs stand in the table."""
    host = make_host(BYOK_SYSTEM_BUDGET={"tokens": 90_000, "money": "25.00"})
    text = show(host)[1]
    assert "90,000 of 90,000 tokens left on the key provided by Studio" in text
    assert "$25.00 of $25.00 left on the key provided by Studio" in text

    host.chat()
    text = show(host)[1]
    assert "of $25.00 used" in text
    assert "Estimated from list prices; your provider's bill counts." in text
    assert "$0.0" in text


def test_what_is_not_priced_is_said(make_host: MakeHost) -> None:
    """A model without a known price is never told as free."""
    host = make_host(BYOK_MODELS={"OPENAI": {"default": "gpt-6.2-sol"}})
    host.chat()
    assert "not priced" in show(host)[1]


def test_a_locked_policy(make_host: MakeHost) -> None:
    """A locked policy shows what holds and offers no control."""
    host = make_host(BYOK_FALLBACK_LOCKED=True)
    answer = host.client().get()
    assert "Studio has set this for all companies." in text_of(answer)
    assert 'name="fallback"' not in answer.text


def test_usage_never_adds_the_two_up(host: Host) -> None:
    """Own requests and provided ones stand in columns of their own."""
    host.chat()
    host.save()
    host.chat()
    host.chat()
    answer = host.client().get()
    total = re.findall(r"All days.*?</table>", answer.text, re.S)[0]
    cells = re.findall(r"<td>([\d,]+)(?=<)", total)
    assert (cells[0], cells[3]) == ("2", "1") or (cells[0], cells[3]) == ("3", "1")


@pytest.mark.case("E1")
def test_the_form_remembers_all_but_the_key(host: Host) -> None:
    """After a mistake provider, known model and date stand there again, the key not."""
    visitor = host.client()
    answer = visitor.save(api_key="sh", model="gpt-6-luna", expires_on="2099-01-31")
    assert chosen_provider(answer) == "OPENAI"
    assert 'value="gpt-6-luna"' in answer.text
    assert 'value="2099-01-31"' in answer.text
    check_sound(answer)


def chosen_provider(answer: t.Any) -> str:
    """Read which provider is selected."""
    return re.findall(r'<option value="(\w*)"\s+selected', answer.text)[0]


def test_the_address_can_choose_the_provider(host: Host) -> None:
    """``?provider=`` preselects, and anything else is ignored."""
    assert chosen_provider(host.client().get("/?provider=CLAUDE")) == "CLAUDE"
    assert "NOPE" not in host.client().get("/?provider=NOPE").text


def test_texts_avoid_the_forbidden_words(host: Host) -> None:
    """No page says invalid, please, sorry, token for the key, fallback, …"""
    visitor: Visitor = host.client()
    host.save()
    visitor.post("/test", provider="OPENAI")
    visitor.save(api_key="not-a-real-revoked-key-0001-AbCd")
    visitor.get("/remove/OPENAI")
    fault(host, "revoked")
    visitor.get()
    words = (
        "invalid|valid|please|sorry|oops|successfully|credential|fallback|system key"
    )

    for answer in visitor.pages:
        assert not re.search(rf"\b({words})\b", text_of(answer), re.I)
