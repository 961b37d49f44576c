"""A pasted key that is not saved at once: kept sealed, for one session's decision."""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import re
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok.errors import CheckLimited
from flask_byok.errors import RetireRefused
from flask_byok.masterkeys import generate
from flask_byok.service.upkeep import VerifyReport
from flask_byok.testing import FakeKeyService
from tests.web.conftest import GOOD_KEY
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import OTHER_KEY
from tests.web.conftest import state_of
from tests.web.conftest import text_of
from tests.web.conftest import Visitor
from tests.web.test_saving import blob_of
from tests.web.test_states import check_sound

ADDRESS_LIMIT = 20
POOR = "not-a-real-nocredit-key-0003-IjKl"
CLAUDE_LIKE = "sk-ant-not-a-real-key-0001-MnOp"


def drafts(host: Host) -> list[t.Any]:
    """Read the rows of drafts."""
    with host.app.app_context():
        state = host.byok.state

        with state.database.read() as conn:
            return list(conn.execute(sa.select(state.tables.draft)))


def press(
    visitor: Visitor, action: str, provider: str = "OPENAI", **form: str
) -> t.Any:
    """Press a button of the draft's panel."""
    return visitor.post("/key", action=f"draft_{action}", provider=provider, **form)


def move_clock(host: Host, **delta: float) -> None:
    """Let the database's clock run ahead."""
    with host.app.app_context():
        host.byok.state.database.clock_offset += dt.timedelta(**delta)


def use_up_checks(host: Host) -> None:
    """Let this address make no further check for a minute."""
    with host.app.app_context():
        limiter = host.byok.state.desk.limiter

        with pytest.raises(CheckLimited):
            for _ in range(ADDRESS_LIMIT + 1):
                limiter.hit(address="127.0.0.1")


def buttons(answer: t.Any) -> list[str]:
    """Read which decisions the panel offers, in order."""
    return re.findall(r'name="action" value="draft_(\w+)"', answer.text)


@pytest.fixture
def host(make_host: MakeHost) -> Host:
    """A host with a limit on checks of an address that tests do not meet by chance."""
    return make_host(BYOK_RATE_LIMIT={"company": 1000, "address": ADDRESS_LIMIT})


@pytest.fixture
def ada(host: Host) -> Visitor:
    """Ada's browser session; her company has a working key."""
    visitor = host.client()
    visitor.save()
    return visitor


def test_a_key_without_credit(host: Host, ada: Visitor) -> None:
    """It is kept; the old one serves; checked again, it takes its place."""
    before = blob_of(host)
    answer = ada.save(POOR)
    assert (answer.status_code, state_of(answer)) == (200, "draft")
    assert buttons(answer) == ["check", "use", "discard"]
    assert blob_of(host) == before
    host.simulator.clear()
    host.chat()
    assert set(host.simulator.api_keys_seen()) == {GOOD_KEY}

    # Standing: it is there on the next look, too, and still without a word of it.
    again = press(ada, "check")
    assert state_of(again) == state_of(ada.get()) == "draft"
    check_sound(again)
    assert blob_of(host) == before

    # The key of the row is what is saved, and nothing was pasted a second time. Nobody
    # is asked, so no limit on checks stands in the way.
    host.simulator.clear()
    use_up_checks(host)
    saved = press(ada, "use")
    assert state_of(saved) == "saved"
    assert host.simulator.requests == []
    assert host.status().credentials[0].last4 == "IjKl"
    assert host.status().credentials[0].state == "not_usable"
    assert drafts(host) == []
    assert "byok_draft" not in ada.session()


def test_a_draft_that_is_an_admin_key(host: Host, ada: Visitor) -> None:
    """Refused when it is asked about again, it is told apart as on *Save*."""
    host.simulator.set_fault("OPENAI", "outage")
    assert state_of(ada.save("sk-admin-not-a-real-key-0001-AbCd")) == "draft"
    host.simulator.set_fault("OPENAI", "revoked")
    answer = press(ada, "check")
    assert state_of(answer) == "field-error"
    assert "This looks like an admin key, which cannot be used here." in text_of(answer)
    assert drafts(host) == []


def test_nobody_could_be_asked(host: Host, ada: Visitor) -> None:
    """Once the provider answers, the same key is checked and saved; or unchecked."""
    host.simulator.set_fault("OPENAI", "outage")
    answer = ada.save(OTHER_KEY, model="gpt-6-luna", expires_on="2099-12-31")
    assert "OpenAI could not be asked whether this key works." in text_of(answer)
    assert state_of(press(ada, "check")) == "draft"
    host.simulator.clear_faults()
    assert state_of(press(ada, "check")) == "saved"
    (stored,) = host.status().credentials
    assert (stored.last4, stored.model) == ("EfGh", "gpt-6-luna")
    assert (str(stored.expires_on), stored.state) == ("2099-12-31", "working")

    host.simulator.set_fault("OPENAI", "outage")
    ada.save(GOOD_KEY)
    host.simulator.clear()
    assert state_of(press(ada, "use")) == "saved"
    assert host.simulator.requests == []
    assert host.status().credentials[0].state == "unchecked"


def test_a_model_the_key_does_not_have(host: Host, ada: Visitor) -> None:
    """Another model is chosen from the list, and tried; the key is kept until then."""
    answer = ada.save(OTHER_KEY, model="no-such-model")
    assert buttons(answer) == ["use", "discard"]
    assert '<option value="gpt-6-luna">' in answer.text
    wrong = press(ada, "use", model="two words")
    assert text_of(wrong).count("Enter the model's name in one piece") == 2
    assert 'id="byok-model-draft-error"' in wrong.text
    check_sound(wrong)
    assert state_of(press(ada, "use", model="no-such-either")) == "draft"
    assert state_of(press(ada, "use", model="gpt-6-luna")) == "saved"
    assert host.status().credentials[0].model == "gpt-6-luna"


def test_a_key_that_looks_like_anothers(host: Host) -> None:
    """Nothing is sent before somebody said whose key it is."""
    ada = host.client()
    answer = ada.save(CLAUDE_LIKE)
    assert buttons(answer) == ["switch", "use", "discard"]
    assert host.simulator.requests == []
    assert state_of(press(ada, "switch")) == "saved"
    assert [info.provider for info in host.status().credentials] == ["CLAUDE"]
    assert {request.provider for request in host.simulator.requests} == {"CLAUDE"}

    host.simulator.clear()
    ada.save("sk-ant-not-a-real-key-0002-QrSt")
    assert state_of(press(ada, "use")) == "saved"
    assert {request.provider for request in host.simulator.requests} == {"OPENAI"}
    assert drafts(host) == []


def test_somebody_else_changed_the_key(host: Host, ada: Visitor) -> None:
    """The pasted key replaces what the person has looked at, and nothing newer."""
    answer = ada.save(OTHER_KEY, generation="OPENAI:7")
    assert buttons(answer) == ["use", "discard"]
    assert "Replace it with the key I pasted" in text_of(answer)
    shown = re.findall(r'name="generation" value="(\d+)"', answer.text)
    assert shown[0] == "1"
    host.save(api_key="not-a-real-company-key-0009-ZzZz", actor="bea")
    newer = press(ada, "use", generation="1")
    assert "bea changed this key at" in text_of(newer)
    assert host.status().credentials[0].last4 == "ZzZz"
    assert state_of(press(ada, "use", generation="2")) == "saved"
    assert host.status().credentials[0].last4 == "EfGh"

    # Removed in between: the panel offers to save it.
    form = {"generation": "OPENAI:3"}
    ada.post("/remove/OPENAI")
    gone = ada.save(OTHER_KEY, **form)
    assert "The OpenAI key was removed in the meantime." in text_of(gone)
    assert "Save it" in text_of(gone)
    assert state_of(press(ada, "use", generation="0")) == "saved"


def test_the_limit_on_checks_keeps_the_key(make_host: MakeHost) -> None:
    """It is about waiting; after it, the key is checked without a second paste."""
    host = make_host(BYOK_RATE_LIMIT={"company": 1})
    ada = host.client()
    ada.save()
    answer = ada.save(OTHER_KEY)
    assert state_of(answer) == "check-limit"
    assert buttons(answer) == ["check", "discard"]
    assert state_of(press(ada, "check")) == "check-limit"
    assert state_of(ada.get()) == "draft"

    with host.app.app_context():
        host.byok.state.desk.limiter.storage.reset()

    assert state_of(press(ada, "check")) == "saved"
    assert host.status().credentials[0].last4 == "EfGh"


def test_the_provider_says_no(host: Host, ada: Visitor) -> None:
    """What was in doubt and is rejected now ends: it is in no row any more."""
    before = blob_of(host)
    ada.save(POOR)
    host.simulator.set_fault("OPENAI", "revoked")
    answer = press(ada, "check")
    assert state_of(answer) == "field-error"
    assert "OpenAI did not accept this key." in text_of(answer)
    assert "Your saved key has not changed." in text_of(answer)
    assert (blob_of(host), drafts(host)) == (before, [])


def test_how_a_draft_ends(host: Host, ada: Visitor) -> None:
    """By discarding, a new paste, the removal of that provider's key, and in time."""
    ada.save(POOR)
    assert state_of(press(ada, "discard")) == "draft-discarded"
    assert drafts(host) == []

    ada.save(POOR)
    first = drafts(host)[0].id
    ada.save(POOR)
    (second,) = drafts(host)
    assert second.id != first
    # A button of a page that still shows the first draft is about no draft at all.
    told = press(ada, "use", form_id=first)
    assert "The key you pasted is not kept here any more" in text_of(told)
    assert [row.id for row in drafts(host)] == [second.id]

    ada.save(GOOD_KEY, provider="CLAUDE")
    assert drafts(host) == []
    ada.save(POOR)
    ada.post("/remove/CLAUDE")
    assert len(drafts(host)) == 1
    ada.post("/remove/OPENAI")
    assert drafts(host) == []

    ada.save(CLAUDE_LIKE)
    move_clock(host, minutes=14, seconds=50)
    assert state_of(ada.get()) == "draft"
    move_clock(host, seconds=11)
    assert state_of(ada.get()) == "no-key"
    assert "byok_draft" not in ada.session()
    assert len(drafts(host)) == 1
    sweep(host)
    assert drafts(host) == []


def sweep(host: Host) -> None:
    """Do the small sweep of a request, whether it is its turn or not."""
    with host.app.app_context():
        sweeper = host.byok.state.sweeper

        for chore in sweeper.chores():
            if chore.by_itself:
                chore.step(sweeper._now(), 50, 0.0)


@pytest.mark.parametrize("action", ["check", "use", "switch", "discard"])
def test_a_draft_whose_time_is_over_does_nothing(host: Host, action: str) -> None:
    """Not even for the session that pasted it."""
    ada = host.client()
    ada.save(CLAUDE_LIKE)
    move_clock(host, minutes=16)
    press(ada, action)
    assert host.status().credentials == ()
    assert host.simulator.requests == []


@pytest.mark.parametrize(
    ("user", "company", "knows"),
    [("ada", 1, False), ("ada", 2, True), ("max", 1, True)],
)
def test_nobody_else_has_it(
    host: Host, ada: Visitor, user: str, company: int, knows: bool
) -> None:
    """Another session, person or company sees no draft and can do nothing with it.

    Nor where its session holds the very id, as after a log-out that forgets to clear
    the session.
    """
    host.byok.access_check(lambda: True)
    ada.save(POOR)
    (row,) = drafts(host)
    before = blob_of(host)
    other = host.client(user, company)

    def know() -> None:
        if knows:
            with other.client.session_transaction() as session:
                session["byok_draft"] = row.id

    know()
    page = other.get()
    assert state_of(page) in ("working", "no-key")
    assert "byok-draft" not in page.text and row.id not in page.text

    for action in ("check", "use", "switch", "discard"):
        know()
        press(other, action, form_id=row.id)
        know()
        press(other, action)
        assert [found.id for found in drafts(host)] == [row.id]

    know()
    other.save(CLAUDE_LIKE)
    assert row.id in [found.id for found in drafts(host)]
    assert (blob_of(host), len(host.status().credentials)) == (before, 1)
    assert state_of(ada.get()) == "draft"


def test_two_presses_at_once_save_once(host: Host, ada: Visitor) -> None:
    """Two tabs of one session: whoever comes second finds nothing to do."""
    host.simulator.set_fault("OPENAI", "outage")
    ada.save(OTHER_KEY)
    token, cookies = ada.token(), ada.client._cookies
    form = {"action": "draft_use", "provider": "OPENAI", "csrf_token": token}

    def go(_: int) -> int:
        client = host.app.test_client()
        client._cookies.update(cookies)
        return client.post("/settings/ai/key", data=form).status_code

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert list(pool.map(go, range(4))) == [303] * 4

    assert host.status().credentials[0].generation == 2
    assert drafts(host) == []


@pytest.fixture
def service() -> FakeKeyService:
    """A key service of the operator's."""
    return FakeKeyService()


def test_a_key_service_that_is_down(
    make_host: MakeHost, service: FakeKeyService
) -> None:
    """Nothing can be kept meanwhile; what was kept waits."""
    host = make_host(BYOK_MASTER_KEYS={"kms1": service})
    ada = host.client()
    ada.save()
    ada.save(POOR)
    service.fail("down")
    assert state_of(ada.get()) == "draft"
    assert state_of(press(ada, "use")) == "key-service"
    assert len(drafts(host)) == 1
    host.simulator.set_fault("OPENAI", "outage")
    assert state_of(ada.save(OTHER_KEY)) == "key-service"
    assert drafts(host) == []
    service.recover()
    ada.save(POOR)
    assert state_of(press(ada, "use")) == "saved"


def test_a_row_somebody_tampered_with(
    host: Host, ada: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    """It does not open, is deleted and told in the log."""
    ada.save(POOR)

    with host.app.app_context():
        state = host.byok.state
        table = state.tables.draft

        with state.database.write() as conn:
            blob = conn.execute(sa.select(table.c.blob)).scalar_one()
            conn.execute(sa.update(table).values(blob=blob[:-1] + b"x"))

    told = press(ada, "use")
    assert "The key you pasted is not kept here any more" in text_of(told)
    assert drafts(host) == []
    (record,) = [r for r in caplog.records if r.byok_event == "draft_unreadable"]
    assert "does not open and was deleted: tampered" in record.getMessage()


def test_drafts_on_every_database(make_host: MakeHost, database_url: str) -> None:
    """Kept, noted, moved, rotated, verified; they hold a master key back; forgotten."""
    old, new = generate(), generate()
    settings = {"SQLALCHEMY_DATABASE_URI": database_url}
    host = make_host(BYOK_MASTER_KEYS={"k001": old}, **settings)
    ada = host.client()
    ada.save()
    ada.save(POOR)
    assert state_of(press(ada, "check")) == "draft"

    both = {"k001": old, "k002": new}
    later = make_host(BYOK_MASTER_KEYS=both, BYOK_PRIMARY_KEY_ID="k002", **settings)

    with later.app.app_context():
        upkeep = later.byok.state.upkeep
        later.byok.remove_key(1, "OPENAI")
        later.byok.save_key(1, "OPENAI", GOOD_KEY)

    bea = later.client()
    bea.save(POOR)
    make_host(BYOK_MASTER_KEYS={"k001": old}, **settings)
    ada.save(POOR)
    assert sorted(row.key_id for row in drafts(later)) == ["k001", "k002"]

    with later.app.app_context():
        with pytest.raises(RetireRefused, match="1 stored keys"):
            upkeep.retire("k001")

        report = upkeep.begin_report()
        list(upkeep.rotate(report))
        assert (report.moved, report.failed, report.left) == (1, 0, {})
        verified = VerifyReport()
        list(upkeep.verify(verified))
        assert (dict(verified.opened), verified.failed) == ({"k002": 3}, 0)
        upkeep.retire("k001")

    assert state_of(press(bea, "use")) == "saved"
    assert len(drafts(later)) == 1

    # A company keeps so many and no more: the oldest end.
    for _ in range(22):
        later.client().save(POOR)

    assert len(drafts(later)) == 20
    move_clock(later, minutes=16)
    sweep(later)
    assert drafts(later) == []
    later.client().save(POOR)

    with later.app.app_context():
        later.byok.forget_company(1)

    assert drafts(later) == []
