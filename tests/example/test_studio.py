"""The pages of the example app: whose key pays, and what a bad day looks like."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import json
import typing as t

import pytest
import sqlalchemy as sa

from example_app import demo_keys
from example_app.breaker import FAULTS
from example_app.extensions import byok
from example_app.extensions import db
from example_app.models import Piece
from example_app.security import POLICY
from example_app.tasks import LONGEST
from example_app.tasks import TASKS

from .conftest import Studio
from .conftest import text_of
from .conftest import Visitor

STREAM = "application/x-ndjson"
SYSTEM_KEY = demo_keys.system_keys()["OPENAI"]


def stream(visitor: Visitor, slug: str, **form: str) -> list[dict[str, str]]:
    """Run a tool as the script does, and read its lines."""
    answer = visitor.post(f"/{slug}", accept=STREAM, **form)
    assert answer.mimetype == STREAM
    return [json.loads(line) for line in answer.text.splitlines()]


def count_pieces(studio: Studio) -> int:
    """Count the stored texts of all companies."""
    with studio.app.app_context():
        return db.session.scalar(sa.select(sa.func.count(Piece.id))) or 0


@pytest.mark.parametrize("provider", ["OPENAI", "GEMINI", "CLAUDE"])
@pytest.mark.parametrize("slug", TASKS)
def test_each_tool_runs_on_the_companys_key(
    studio: Studio, slug: str, provider: str
) -> None:
    """The company pays, the page says so, and the usage carries the tool's label."""
    api_key = studio.save(provider)

    page = studio.visit().run(slug, TASKS[slug].sample)

    assert studio.simulator.api_keys_seen() == [api_key]
    assert 'data-payer="company"' in page.text
    assert " ms " in text_of(page) and " in, " in text_of(page)

    with studio.app.app_context():
        today = dt.datetime.now(dt.timezone.utc).date()
        rows = byok.usage(1, today, today)

    assert [(row.source, row.label) for row in rows] == [("company", slug)]


def test_without_a_key_the_studio_pays(studio: Studio) -> None:
    """Nobody has to bring a key to begin."""
    page = studio.visit().run("summarise")

    assert studio.simulator.api_keys_seen() == [SYSTEM_KEY]
    assert "OpenAI key provided by Content Studio" in text_of(page)


def test_each_company_pays_for_itself(studio: Studio) -> None:
    """Two companies in one app never share a key."""
    keys = [studio.save(slug="northwind"), studio.save(slug="blueharbor")]

    for name in ("Ada", "Grace"):
        studio.visit(name).run("analyse")

    assert studio.simulator.api_keys_seen() == keys


@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "hang"])
def test_the_answer_comes_while_the_key_is_broken(studio: Studio, fault: str) -> None:
    """The panel breaks the company's key alone; the provided one answers."""
    api_key = studio.save()
    ada = studio.visit()

    assert ada.post("/simulator/OPENAI", fault=fault).status_code == 303
    page = ada.run("translate")

    # A rate limit is asked once more only when it is short, and this one is not.
    assert studio.simulator.api_keys_seen() == [api_key, SYSTEM_KEY]
    assert "Your company's OpenAI key:" in text_of(page)
    assert "OpenAI key provided by Content Studio: answered" in text_of(page)


def test_flash_and_banner_tell_an_admin(studio: Studio) -> None:
    """Once as a message, and as a banner on each page until it is mended."""
    studio.save()
    ada = studio.visit()
    ada.post("/simulator/OPENAI", fault="expired")

    told = text_of(ada.run("analyse"))
    later = ada.get("/").text

    assert "Your company's OpenAI key is not working: OpenAI says it has" in told
    assert 'aria-label="AI Configuration"' in later
    assert "Broken: Expired" in text_of(later)


def test_a_member_is_told_without_details(studio: Studio) -> None:
    """No banner, no reason: it is not theirs to mend."""
    studio.save()
    max_ = studio.visit("Max")
    max_.post("/simulator/OPENAI", fault="expired")

    told = text_of(max_.run("analyse"))

    assert "AI features use the key provided by Content Studio for now." in told
    assert "byok-banner" not in max_.get("/").text


def test_the_panel_spares_the_other_company(studio: Studio) -> None:
    """What Northwind breaks does not strike Blue Harbor."""
    studio.save()
    api_key = studio.save(slug="blueharbor")
    studio.visit("Ada").post("/simulator/OPENAI", fault="outage")

    studio.visit("Grace").run("analyse")

    assert studio.simulator.api_keys_seen() == [api_key]


def test_repaired_and_tested_the_key_pays_again(studio: Studio) -> None:
    """A working test closes the episode: the banner goes, the company pays."""
    api_key = studio.save()
    ada = studio.visit()
    ada.post("/simulator/OPENAI", fault="nocredit")
    ada.run("analyse")

    ada.post("/simulator/OPENAI", fault="")
    ada.post("/settings/ai/test", provider="OPENAI")
    studio.simulator.clear()
    ada.run("analyse")

    assert studio.simulator.api_keys_seen() == [api_key]
    assert "byok-banner" not in ada.get("/").text


def test_a_member_uses_the_studio_and_cannot_open_the_settings(studio: Studio) -> None:
    """The page of the settings answers 403, with the name of who can help."""
    api_key = studio.save()
    max_ = studio.visit("Max")

    assert max_.run("improve").status_code == 200
    denied = max_.get("/settings/ai/")

    assert denied.status_code == 403
    assert "Ada Winter can help." in text_of(denied)
    assert api_key[-4:] not in denied.text
    assert "/settings/ai/" not in max_.get("/").text


def test_a_text_of_another_company_is_not_there(studio: Studio) -> None:
    """Neither as a page nor as the start of something else."""
    studio.visit("Ada").run("summarise", "A secret of Northwind.")
    grace = studio.visit("Grace")

    assert grace.get("/texts/1").status_code == 404
    assert "secret of Northwind" not in grace.get("/improve?from=1").text
    assert "secret of Northwind" in studio.visit("Max").get("/improve?from=1").text


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("revoked", "OpenAI did not accept the key provided by Content Studio."),
        ("outage", "OpenAI has a problem. Your text is still here"),
        ("context_length", "OpenAI refused this request. Change the text"),
    ],
)
def test_a_call_without_an_answer_is_one_sentence(
    make_studio: cabc.Callable[..., Studio], fault: str, sentence: str
) -> None:
    """The page tells what happened, keeps the text, and stores nothing."""
    studio = make_studio(BYOK_SYSTEM_KEYS={"OPENAI": SYSTEM_KEY})
    studio.simulator.set_fault("OPENAI", fault)

    page = studio.visit().run("analyse", "My own words.")

    assert page.status_code == 502
    assert sentence in text_of(page)
    assert "My own words." in page.text
    assert count_pieces(studio) == 0


def test_a_company_that_wants_no_other_key_is_told(studio: Studio) -> None:
    """With fallback switched off the sentence names the setting as the cause."""
    studio.save()
    studio.simulator.set_fault("OPENAI", "expired", keys="demo-northwind-")

    with studio.app.app_context():
        byok.set_policy(1, fallback="never")

    ada = studio.visit()
    first, second = ada.run("analyse"), ada.run("analyse")

    assert "OpenAI did not accept your company's key." in text_of(first)
    assert second.status_code == 503
    assert "your settings leave no other key to use" in text_of(second)


def test_without_the_tables_of_byok_the_studio_still_stands(studio: Studio) -> None:
    """The dashboard and a tool say in a sentence that the settings cannot be read."""
    ada = studio.visit()

    with studio.app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE byok_credential"))

    assert "settings cannot be read" in text_of(ada.get("/"))
    answer = ada.run("analyse")
    assert answer.status_code == 503
    assert "settings cannot be read" in text_of(answer)


@pytest.mark.parametrize("slug", ["write", "improve"])
def test_a_stream_comes_in_pieces_and_ends_with_its_receipt(
    studio: Studio, slug: str
) -> None:
    """The pieces make up the stored text, and the last line says who paid."""
    api_key = studio.save()
    ada = studio.visit()

    *pieces, last = stream(ada, slug, text=TASKS[slug].sample)

    assert len(pieces) > 5
    assert studio.simulator.api_keys_seen() == [api_key]
    assert 'data-payer="company"' in last["receipt"]

    with studio.app.app_context():
        piece = db.session.get(Piece, 1)

    assert piece is not None
    assert piece.text == "".join(line["text"] for line in pieces)


def test_a_stream_brings_the_banner_with_it(studio: Studio) -> None:
    """The warning appears without a reload when the stream fell back."""
    studio.save()
    ada = studio.visit()
    ada.post("/simulator/OPENAI", fault="expired")

    *_, last = stream(ada, "write", text="a book")

    assert 'data-payer="system"' in last["receipt"]
    assert "OpenAI says it has expired" in text_of(last["banner"])


def test_a_stream_that_breaks_off_says_so_and_keeps_nothing(studio: Studio) -> None:
    """What came stays on the page; half a text is not stored as a whole one."""
    studio.save()
    studio.simulator.set_fault("OPENAI", "cut")

    first, *_, last = stream(studio.visit(), "write", text="a book")

    assert first["text"]
    assert "The answer from OpenAI broke off." in text_of(last["trouble"])
    assert count_pieces(studio) == 0


@pytest.mark.parametrize("accept", ["text/html", STREAM])
@pytest.mark.parametrize(
    ("text", "sentence"),
    [("  \n ", "Enter a text."), ("x" * (LONGEST + 1), "8,000 are possible.")],
)
def test_a_text_that_cannot_be_used_is_not_sent(
    studio: Studio, accept: str, text: str, sentence: str
) -> None:
    """Nothing is asked, nobody pays."""
    answer = studio.visit().post("/write", accept=accept, text=text)

    assert answer.status_code == 422
    assert sentence in text_of(answer.text.replace("\\n", " "))
    assert studio.simulator.requests == []


@pytest.mark.parametrize("path", ["/", "/write", "/texts/1", "/settings/"])
def test_strangers_sign_in_first(studio: Studio, path: str) -> None:
    """Every page of the studio leads to the sign-in page."""
    answer = studio.app.test_client().get(path)

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/sign-in?next=")


def test_strangers_asking_for_the_settings_sign_in_first(studio: Studio) -> None:
    """The access check itself sends them there."""
    answer = studio.app.test_client().get("/settings/ai/")

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/sign-in")


@pytest.mark.parametrize(
    "goal",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "/\t/evil.example"],
)
def test_signing_in_leads_to_no_other_site(studio: Studio, goal: str) -> None:
    """Only a path of this app is followed."""
    visitor = Visitor(studio.app.test_client())

    answer = visitor.post(
        "/sign-in",
        email="ada@northwind.example",
        password="studio-demo",
        next=goal,
    )

    assert answer.headers["Location"] == "/"


def test_a_wrong_password_is_refused(studio: Studio) -> None:
    """The sentence does not tell which of the two was wrong."""
    visitor = Visitor(studio.app.test_client())

    for email in ("ada@northwind.example", "nobody@northwind.example"):
        answer = visitor.post("/sign-in", email=email, password="wrong")

        assert answer.status_code == 422
        assert "do not fit together" in answer.text


@pytest.mark.parametrize("path", ["/write", "/sign-out", "/simulator/OPENAI"])
def test_a_form_without_its_token_changes_nothing(studio: Studio, path: str) -> None:
    """Another site cannot run tools, sign out or break providers."""
    ada = studio.visit()

    answer = ada.client.post(path, data={"text": "hello", "fault": "expired"})

    assert answer.status_code == 400
    assert "Nothing was changed." in text_of(answer)
    assert studio.simulator.requests == []
    assert studio.simulator.faults == []


@pytest.mark.parametrize("path", ["/", "/write", "/nowhere", "/settings/ai/"])
def test_every_page_has_the_strict_policy(studio: Studio, path: str) -> None:
    """Nothing inline, nothing foreign; also on the pages of flask-byok."""
    page = studio.visit().get(path)

    assert page.headers["Content-Security-Policy"] == POLICY
    assert page.headers["Cache-Control"] == "no-store"

    for word in (" style=", "<style", " onclick=", "<script>"):
        assert word not in page.text


def test_a_simulator_that_is_gone_does_not_break_the_dashboard(
    make_studio: cabc.Callable[..., Studio],
) -> None:
    """The panel says so; switching does, too."""
    studio = make_studio(STUDIO_SIMULATOR_URL="http://127.0.0.1:9")
    ada = studio.visit()

    assert "The simulator does not answer." in text_of(ada.get("/"))
    assert ada.post("/simulator/OPENAI", fault="expired").status_code == 303


def test_with_real_providers_there_is_nothing_to_break(
    make_studio: cabc.Callable[..., t.Any],
) -> None:
    """Neither panel nor demo keys."""
    studio = make_studio(STUDIO_SIMULATOR_URL=None)
    ada = studio.visit()

    assert "Provider simulator" not in ada.get("/").text
    assert "sk-demo" not in ada.get("/settings/ai/").text
    assert "sk-demo" not in studio.app.test_client().get("/sign-in").text
    assert ada.post("/simulator/OPENAI", fault="expired").status_code == 404
