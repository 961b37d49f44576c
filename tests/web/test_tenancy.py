"""One company's manager against another company's key, and forged fields anywhere."""

from __future__ import annotations

import collections.abc as cabc
import itertools
import logging
import re
import typing as t

import flask
import pytest
import sqlalchemy as sa

from flask_byok import current_ai_client
from flask_byok import errors
from tests.web.conftest import GOOD_KEY
from tests.web.conftest import Host
from tests.web.conftest import OTHER_KEY
from tests.web.conftest import state_of
from tests.web.conftest import Visitor
from tests.web.test_access import CALLS
from tests.web.test_access import CHANGES
from tests.web.test_access import everything
from tests.web.test_access import PAGES

#: What no request may set, whatever carries it.
FORGED: t.Final = {
    "company_id": "i:1",
    "company": "1",
    "id": "00000000-0000-4000-8000-000000000000",
    "key_id": "k999",
    "blob": "AAAA",
    "prefix": "sk-",
    "last4": "zzzz",
    "status": "working",
    "state": "working",
    "state_reason": "forged",
    "circuit": "closed",
    "active": "1",
    "actor": "forged",
    "created_by": "forged",
    "updated_by": "forged",
    "source": "system",
    "base_url": "http://127.0.0.1:9/v1",
    "url": "http://127.0.0.1:9/v1",
    "headers": "x",
    "organization": "forged",
    "may_manage": "1",
    "user": "ada",
}


UUID: t.Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def stored(host: Host, company: str | None = None) -> dict[str, list[str]]:
    """Read every row of every table, or those of one company."""
    found: dict[str, list[str]] = {}

    with host.app.app_context():
        state = host.byok.state

        with state.database.read() as conn:
            for table in state.tables.all():
                query = sa.select(table)

                if company is not None and "company_id" in table.c:
                    query = query.where(table.c.company_id == company)

                found[table.name] = sorted(map(repr, conn.execute(query)))

    return found


def record_of(host: Host) -> str:
    """Give the id of the stored key of company 1."""
    with host.app.app_context():
        state = host.byok.state.store.read_state("i:1")

    return t.cast("str", state.credential("OPENAI").id)


@pytest.fixture
def victim(host: Host) -> Host:
    """Company 1 has a key; nothing was asked since."""
    host.save()
    host.simulator.clear()
    return host


ATTEMPTS: t.Final = (
    ("GET", "/remove/{}", None),
    ("POST", "/remove/{}", {}),
    ("POST", "/test", {"provider": "{}"}),
    ("POST", "/key", {"action": "details", "provider": "{}", "model": "gpt-6-luna"}),
    ("POST", "/policy", {"active_provider": "{}"}),
    ("PUT", "/api/credentials/{}", {"model": "gpt-6-luna"}),
    ("DELETE", "/api/credentials/{}", None),
    ("POST", "/api/credentials/{}/test", None),
    ("PATCH", "/api/policy", {"active_provider": "{}"}),
)


def attempt(
    visitor: Visitor, method: str, path: str, fields: t.Any, name: str
) -> t.Any:
    """Ask for somebody's key by a name."""
    filled = {k: v.format(name) for k, v in (fields or {}).items()}

    if path.startswith("/api"):
        body = filled if fields is not None else None
        return visitor.call(method, path.removeprefix("/api").format(name), body)

    if method == "GET":
        return visitor.get(path.format(name))

    return visitor.post(path.format(name), follow=False, **filled)


@pytest.mark.case("F1")
@pytest.mark.parametrize(("method", "path", "fields"), ATTEMPTS)
def test_another_companys_key_on_each_verb(
    victim: Host,
    method: str,
    path: str,
    fields: t.Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By provider: 404, as for a key nobody has; the log tells, nothing is asked."""
    before = stored(victim)
    answer = attempt(victim.client("ada", 2), method, path, fields, "OPENAI")
    assert answer.status_code == 404
    told = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert ["company i:2 has no key of OPENAI" in r.getMessage() for r in told] == [
        True
    ]
    assert stored(victim) == before
    assert victim.simulator.requests == []


@pytest.mark.case("F1")
@pytest.mark.parametrize("company", [1, 2])
@pytest.mark.parametrize(("method", "path", "fields"), ATTEMPTS)
def test_no_address_takes_a_records_id(
    victim: Host, method: str, path: str, fields: t.Any, company: int
) -> None:
    """The id of a row opens nothing, not even one's own."""
    before = stored(victim)
    visitor = victim.client("ada", company)
    answer = attempt(visitor, method, path, fields, record_of(victim))
    # The API knows the providers by name and says so.
    assert answer.status_code in (404, 422)
    assert record_of(victim) not in answer.text
    assert stored(victim) == before
    assert victim.simulator.requests == []


def flooded(visitor: Visitor) -> None:
    """Let every further request carry the forged fields in headers and cookies."""
    for name, value in FORGED.items():
        visitor.client.set_cookie(name, value)
        visitor.client.environ_base[f"HTTP_X_{name.upper()}"] = value
        visitor.client.environ_base[f"HTTP_{name.upper()}"] = value


@pytest.mark.case("E8", "F2")
@pytest.mark.parametrize(("path", "form"), CHANGES)
@pytest.mark.parametrize("user", ["ada", "max", None])
def test_forged_fields_of_a_form(
    victim: Host, path: str, form: dict[str, str], user: str | None
) -> None:
    """In form, address, header and cookie: no row of ours takes one of them."""
    visitor = victim.client(user, 2)
    flooded(visitor)
    before, all_before = stored(victim, "i:1"), stored(victim)
    data = {**FORGED, **form, "csrf_token": visitor.token()}
    visitor.client.post(f"/settings/ai{path}", data=data, query_string=FORGED)
    assert stored(victim, "i:1") == before
    rows = repr(stored(victim))
    assert "forged" not in rows and "zzzz" not in rows and "k999" not in rows
    assert "00000000-0000-4000" not in rows and "127.0.0.1" not in rows

    if user != "ada":
        assert stored(victim) == all_before
        assert victim.simulator.requests == []


@pytest.mark.case("E8", "F2")
@pytest.mark.parametrize("user", ["ada", "max", None])
@pytest.mark.parametrize(
    ("method", "path", "body"), [call for call in CALLS if call[0] != "GET"]
)
def test_forged_fields_of_a_body(
    victim: Host, method: str, path: str, body: t.Any, user: str | None
) -> None:
    """JSON takes no field that is not of its route: 400, each by itself."""
    visitor = victim.client(user, 2)
    flooded(visitor)
    before = stored(victim)
    expected = {"ada": 400, "max": 403, None: 401}[user]

    for name, value in FORGED.items():
        answer = visitor.call(method, path, {**(body or {}), name: value})
        assert answer.status_code == expected, name
        assert value not in answer.text or len(value) < 4 or value in ("x", "ada")

    assert stored(victim) == before
    assert victim.simulator.requests == []


@pytest.mark.case("E8", "F2")
def test_forged_fields_of_an_address(victim: Host) -> None:
    """What stands in query, headers and cookies chooses no company."""
    eve = victim.client("ada", 2)
    flooded(eve)

    for path in ("/credentials", "/policy", "/usage"):
        plain = victim.client("ada", 2).call("GET", path).json
        assert eve.call("GET", path, query_string=FORGED).json == plain

    saved = eve.call(
        "PUT", "/credentials/OPENAI", {"api_key": OTHER_KEY}, query_string=FORGED
    )
    assert saved.json["credential"]["last4"] == "EfGh"
    assert saved.json["credential"]["created_by"] == "ada"
    assert victim.status(1).credentials[0].last4 == "AbCd"
    assert [c.last4 for c in victim.status(2).credentials] == ["EfGh"]


@pytest.mark.case("E9")
def test_answers_show_what_is_listed_and_no_more(victim: Host) -> None:
    """No answer has the ciphertext, a key's id, a row's id or another's company."""
    ada = victim.client()
    answers = [ada.get(path) for path in PAGES]
    answers += [ada.call("GET", f"/{name}") for name in ("credentials", "policy")]
    answers.append(ada.call("PUT", "/credentials/OPENAI", {"api_key": GOOD_KEY}))
    answers.append(ada.call("POST", "/credentials/OPENAI/test"))
    listed = ada.call("GET", "/credentials").json["credentials"][0]
    assert not {"blob", "key_id", "id", "company_id", "api_key", "hash"} & set(listed)

    with victim.app.app_context():
        sealed = victim.byok.state.store.read_state("i:1").credential("OPENAI")

    for answer in answers:
        assert GOOD_KEY not in answer.text
        assert sealed.id not in answer.text and "k001" not in answer.text
        assert sealed.blob not in answer.data and sealed.blob.hex() not in answer.text


@pytest.fixture
def statements(victim: Host) -> cabc.Iterator[list[str]]:
    """Note every statement SQLite runs for us, its values filled in."""
    with victim.app.app_context():
        engine = victim.byok.state.database.engine

    seen: list[str] = []

    def trace(dbapi_connection: t.Any, *ignored: t.Any) -> None:
        dbapi_connection.set_trace_callback(seen.append)

    sa.event.listen(engine, "checkout", trace)
    yield seen
    sa.event.remove(engine, "checkout", trace)


@pytest.mark.case("F1", "F21")
def test_no_statement_goes_without_the_company(
    victim: Host, statements: list[str]
) -> None:
    """Each statement on keys and policies names the caller's company or its own row."""
    eve = victim.client("ada", 2)
    eve.save(OTHER_KEY)
    everything(eve)
    looked_at = [
        text
        for text in statements
        if "byok_credential" in text or "byok_company" in text
    ]
    assert len(looked_at) > 10
    named = [text for text in looked_at if "'i:2'" in text]
    own = {found for text in named for found in ids(text)}
    assert [s for s in looked_at if "'i:2'" not in s and not own & ids(s)] == []
    assert [s for s in looked_at if "'i:1'" in s or record_of(victim) in s] == []


def ids(text: str) -> set[str]:
    """List the ids of rows in a statement."""
    return set(UUID.findall(text))


@pytest.mark.case("F21")
def test_the_company_is_asked_for_once(victim: Host) -> None:
    """A loader that changes its mind within a request cannot mix two companies."""
    turns = itertools.cycle([2, 1])
    asked: list[int] = []

    @victim.byok.company_loader
    def company() -> int:
        asked.append(next(turns))
        return asked[-1]

    eve, requests = victim.client("ada", 2), 0
    before = stored(victim, "i:1")

    for path, form in CHANGES:
        asked.clear()
        turns = itertools.cycle([2, 1])
        eve.post(path, follow=False, **form)
        requests += 1
        assert asked == [2], path

    for method, path, body in CALLS:
        asked.clear()
        turns = itertools.cycle([2, 1])
        eve.call(method, path, body)
        assert asked == [2], path

    assert stored(victim, "i:1") == before


@pytest.mark.case("E21", "F10")
def test_a_permission_that_goes_in_mid_session(victim: Host) -> None:
    """The check is asked each time: the next use of an open page is refused."""
    ada = victim.client()
    assert ada.get().status_code == 200
    token = ada.token()
    before = stored(victim)

    with ada.client.session_transaction() as session:
        session["user"] = "max"

    assert {answer.status_code for answer in everything(ada)} == {403}
    answer = ada.client.post("/settings/ai/remove/OPENAI", data={"csrf_token": token})
    assert (answer.status_code, state_of(answer)) == (403, "denied")
    assert stored(victim) == before


@pytest.mark.case("F10")
def test_a_company_that_goes_in_mid_session(victim: Host) -> None:
    """Who is in no company any more, or in a deleted one, finds nothing of it."""
    ada = victim.client()
    assert ada.get().status_code == 200

    with victim.app.app_context():
        victim.byok.forget_company(1)

    assert state_of(ada.get()) == "no-key"
    assert ada.call("POST", "/credentials/OPENAI/test").status_code == 404
    victim.save()
    victim.simulator.clear()

    with ada.client.session_transaction() as session:
        session["company"] = None

    assert {answer.status_code for answer in everything(ada)} == {403}

    with victim.app.test_request_context():
        with pytest.raises(errors.NoCompany):
            current_ai_client.chat("hello")

    assert victim.simulator.requests == []


@pytest.mark.case("E21")
@pytest.mark.parametrize("method", ["page", "api"])
def test_a_fresh_log_in_may_be_demanded_for_changes(victim: Host, method: str) -> None:
    """The host's check may abort or redirect for some requests and not for others."""

    @victim.byok.access_check
    def may_manage() -> bool:
        if flask.request.method != "GET":
            flask.abort(flask.redirect("/log-in?fresh=1"))

        return True

    ada, before = victim.client(), stored(victim)
    assert ada.get().status_code == 200
    answer = (
        ada.post("/remove/OPENAI", follow=False)
        if method == "page"
        else ada.call("DELETE", "/credentials/OPENAI")
    )
    assert (answer.status_code, answer.headers["Location"]) == (302, "/log-in?fresh=1")
    assert answer.headers["Cache-Control"] == "no-store"
    assert stored(victim) == before


@pytest.mark.case("F4")
def test_what_members_may_learn(victim: Host) -> None:
    """The client says provider and whose key; it has no field for digits."""
    with victim.app.test_request_context():
        flask.session.update(user="max", company=1)
        shown = " ".join(
            str(getattr(current_ai_client, name))
            for name in dir(current_ai_client)
            if not name.startswith("_")
        )
        assert (current_ai_client.provider, current_ai_client.source) == (
            "OPENAI",
            "company",
        )
        shown += repr(current_ai_client) + str(current_ai_client)

    assert "AbCd" not in shown and "..." not in shown
