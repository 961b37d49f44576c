"""Who may do what, and what every answer carries."""

from __future__ import annotations

import logging
import re
import typing as t

import flask
import pytest
import sqlalchemy as sa
from flask_wtf.csrf import CSRFProtect

from flask_byok.web.blueprint import ROUTES
from tests.web.conftest import GOOD_KEY
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import state_of
from tests.web.conftest import text_of
from tests.web.conftest import Visitor
from tests.web.test_saving import blob_of
from tests.web.test_states import check_sound

PAGES = ("/", "/remove/OPENAI", "/usage.csv")
CHANGES = (
    ("/key", {"action": "save", "provider": "OPENAI", "api_key": GOOD_KEY}),
    ("/key", {"action": "details", "provider": "OPENAI"}),
    ("/test", {"provider": "OPENAI"}),
    ("/policy", {"fallback": "never"}),
    ("/remove/OPENAI", {}),
)
CALLS = (
    ("GET", "/credentials", None),
    ("PUT", "/credentials/OPENAI", {"api_key": GOOD_KEY}),
    ("DELETE", "/credentials/OPENAI", None),
    ("POST", "/credentials/OPENAI/test", None),
    ("GET", "/policy", None),
    ("PATCH", "/policy", {"fallback": "never"}),
    ("GET", "/usage", None),
    ("GET", "/openapi.json", None),
)


def everything(visitor: Visitor) -> list[t.Any]:
    """Use every address once, as a page and as JSON."""
    answers = [visitor.get(path) for path in PAGES]
    answers += [visitor.post(path, follow=False, **form) for path, form in CHANGES]
    answers += [visitor.call(*call) for call in CALLS]
    return answers


def test_every_route_is_used_here() -> None:
    """The lists above hold every address and method there is."""
    used = {("GET", path) for path in PAGES} | {("POST", path) for path, _ in CHANGES}
    used |= {(method, f"/api{path}") for method, path, _ in CALLS}
    there = {
        (method, route.rule.replace("<provider>", "OPENAI"))
        for route in ROUTES
        for method in route.views
    }
    assert there == used


@pytest.mark.case("F4")
def test_members_see_no_digits(host: Host) -> None:
    """A member gets 403 everywhere: provider and status word, nothing more."""
    host.client().save()
    before = blob_of(host)

    for answer in everything(host.client("max")):
        assert answer.status_code == 403
        assert "AbCd" not in answer.text
        assert "gpt-6" not in answer.text
        assert "ada" not in text_of(answer)

    page = host.client("max").get()
    assert state_of(page) == "denied"
    assert (
        "Only administrators of your company can change the AI settings." in page.text
    )
    assert "Your OpenAI key" in text_of(page)
    check_sound(page)
    assert blob_of(host) == before
    assert host.status().policy.fallback == "auto"


def test_the_host_may_name_who_can_help(make_host: MakeHost) -> None:
    """``byok_admin_names`` of the host stands on the members' page."""

    def prepare(app: flask.Flask) -> None:
        @app.context_processor
        def names() -> dict[str, str]:
            return {"byok_admin_names": "Ada and Grace"}

    page = make_host(prepare=prepare).client("max").get()
    assert "Ada and Grace can help." in text_of(page)


@pytest.mark.case("E21", "F10")
def test_the_hosts_own_abort_passes(host: Host) -> None:
    """Who is not signed in gets what the host's access check aborts with."""
    answers = everything(host.client(None))
    assert {answer.status_code for answer in answers} == {401}


@pytest.mark.case("F3")
def test_nobody_without_a_company(host: Host) -> None:
    """A user of no company is told so, and no key of the app serves in silence."""
    answers = everything(host.client("ada", company=None))
    assert {answer.status_code for answer in answers} == {403}
    page = host.client("ada", company=None).get()
    assert state_of(page) == "no-company"
    assert "You are not in a company here" in page.text
    assert state_of(host.client("max", company=None).get()) == "no-company"


def test_a_company_in_place_of_its_id(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    """Who returns the object, not its id, reads so in the log."""
    host.byok.company_loader(lambda: host)
    assert state_of(host.client("ada").get()) == "no-company"
    assert "A company's id must be an int" in caplog.text
    assert "This Host is not." in caplog.text


@pytest.mark.case("F4")
def test_closed_until_there_is_an_access_check(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """Without an access check nobody gets in, and one line tells the developer."""
    host = make_host()
    host.byok._access_check = None
    page = host.client().get()
    assert page.status_code == 403
    errors = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "@byok.access_check" in errors[0].getMessage()
    assert {a.status_code for a in everything(host.client())} == {403}


@pytest.mark.case("F1")
def test_another_companys_key_is_none_at_all(host: Host) -> None:
    """Company 2 asking for company 1's key gets the bytes of a key nobody has."""
    host.client().save()
    eve = host.client("ada", company=2)
    ids = re.compile(r'name="csrf_token"[^>]+>')

    for path in ("/remove/OPENAI", "/remove/CLAUDE", "/remove/NOPE"):
        assert eve.get(path).status_code == 404

    there = ids.sub("", eve.get("/remove/OPENAI").text)
    absent = ids.sub("", eve.get("/remove/CLAUDE").text)
    assert there == absent
    assert eve.post("/test", provider="OPENAI").status_code == 404
    assert eve.post("/remove/OPENAI").status_code == 404
    assert eve.post("/policy", active_provider="OPENAI").status_code == 404
    assert eve.call("DELETE", "/credentials/OPENAI").status_code == 404
    assert eve.call("POST", "/credentials/OPENAI/test").status_code == 404
    assert eve.call("GET", "/credentials").json["credentials"] == []
    assert blob_of(host) is not None


@pytest.mark.case("E8", "F2")
def test_a_forged_company_is_ignored(host: Host) -> None:
    """The company comes from the host alone, whatever a request says."""
    eve = host.client("ada", company=2)
    eve.get("/?company_id=1&company=1")
    eve.save(company_id="1", company="i:1", key_id="k001", blob="x", last4="zzzz")
    assert host.status(1).credentials == ()
    assert host.status(2).credentials[0].last4 == "AbCd"


@pytest.mark.case("E5")
def test_looking_changes_nothing(host: Host) -> None:
    """GET, HEAD and OPTIONS change no byte; other methods get 405 with Allow."""
    ada = host.client()
    ada.save()
    ada.get()
    before = (blob_of(host), host.status().credentials)

    for route in ROUTES:
        path = "/settings/ai" + route.rule.replace("<provider>", "OPENAI")

        for method in ("GET", "HEAD", "OPTIONS", "TRACE"):
            ada.client.open(path, method=method)

    assert (blob_of(host), host.status().credentials) == before
    answer = ada.client.get("/settings/ai/key")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    answer = ada.client.options("/settings/ai/api/policy")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, PATCH, HEAD")
    assert answer.mimetype == "application/problem+json"
    overridden = ada.client.get(
        "/settings/ai/api/policy", headers={"X-HTTP-Method-Override": "DELETE"}
    )
    assert overridden.status_code == 200


def with_csrf_protect(app: flask.Flask) -> None:
    """A host that protects its own forms, too."""
    CSRFProtect(app)


def switched_off(app: flask.Flask) -> None:
    """A host that switched its protection off, as test set-ups do."""
    app.config["WTF_CSRF_ENABLED"] = False
    CSRFProtect(app)


@pytest.mark.case("E6")
@pytest.mark.parametrize("prepare", [None, with_csrf_protect, switched_off])
@pytest.mark.parametrize("token", [None, "wrong", "foreign"])
def test_no_change_without_the_token(
    make_host: MakeHost, prepare: t.Any, token: str | None
) -> None:
    """A token that is missing, wrong or of another session changes nothing."""
    host = make_host(prepare=prepare)
    ada = host.client()
    ada.save()
    before = blob_of(host)
    foreign = host.client("ada", company=2).token()
    sent = {"foreign": foreign}.get(token or "", token)

    for path, form in CHANGES:
        data = dict(form) if sent is None else {**form, "csrf_token": sent}
        answer = ada.client.post(f"/settings/ai{path}", data=data)
        assert answer.status_code == 400
        assert state_of(answer) == "stale-form"
        assert "Nothing was saved. Paste the key again." in answer.text
        assert answer.headers["Cache-Control"] == "no-store"

    for method, path, body in CALLS:
        if method == "GET":
            continue

        headers = {} if sent is None else {"X-CSRFToken": sent}
        answer = ada.client.open(
            f"/settings/ai/api{path}", method=method, json=body or {}, headers=headers
        )
        assert answer.status_code == 400
        assert answer.json["type"] == "urn:flask-byok:problem:csrf"

    assert blob_of(host) == before
    assert host.status().policy.fallback == "auto"


@pytest.mark.case("E6")
@pytest.mark.parametrize("prepare", [with_csrf_protect, switched_off])
def test_the_way_beside_the_hosts_protection(
    make_host: MakeHost, prepare: t.Any
) -> None:
    """Pages and API work as they are beside the host's own CSRFProtect."""
    ada = make_host(prepare=prepare).client()
    assert state_of(ada.save()) == "saved"
    assert ada.call("PATCH", "/policy", {"fallback": "never"}).status_code == 200
    assert state_of(ada.post("/remove/OPENAI")) == "removed"


def test_beside_a_strict_host_on_https(make_host: MakeHost) -> None:
    """Our Referrer-Policy leaves the host's CSRFProtect the referrer it asks for."""
    ada = make_host(prepare=with_csrf_protect).client()
    assert ada.get().headers["Referrer-Policy"] == "same-origin"


@pytest.mark.case("E3", "E4", "E18")
def test_every_answer_is_kept_out_of_caches_and_frames(host: Host) -> None:
    """Pages, redirects, errors, JSON: the same headers on each."""
    visitors = [host.client(), host.client("max"), host.client(None)]
    answers = [answer for visitor in visitors for answer in everything(visitor)]
    answers.append(host.client().client.open("/settings/ai/key", method="PUT"))
    answers.append(host.client().client.post("/settings/ai/key", data={}))

    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.case("E4")
def test_the_hosts_policy_is_kept(make_host: MakeHost) -> None:
    """A policy the host sets stays whole, even one that waits for a free header."""

    def prepare(app: flask.Flask) -> None:
        @app.after_request
        def add_policy(response: flask.Response) -> flask.Response:
            response.headers.setdefault("Content-Security-Policy", "default-src 'self'")
            return response

    answer = make_host(prepare=prepare).client().get()
    assert answer.headers.getlist("Content-Security-Policy") == [
        "default-src 'self'",
        "frame-ancestors 'none'",
    ]


def test_other_pages_are_left_alone(host: Host) -> None:
    """The host's own pages get none of our headers."""
    answer = host.client().client.get("/token")
    assert "Content-Security-Policy" not in answer.headers
    assert "Cache-Control" not in answer.headers


def test_static_files_are_open_and_cacheable(host: Host) -> None:
    """Style, script and icon need no signing in."""
    for name in ("byok.css", "byok.js", "icon.svg"):
        answer = host.app.test_client().get(f"/settings/ai/static/{name}")
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-cache"
        answer.close()


@pytest.mark.case("E14")
def test_too_large(host: Host) -> None:
    """More than 64 KiB is refused before it is read, stated or not."""
    ada = host.client()
    form = {"csrf_token": ada.token(), "action": "save", "api_key": "k" * 100_000}
    answer = ada.client.post("/settings/ai/key", data=form)
    assert (answer.status_code, state_of(answer)) == (413, "too-large")
    answer = ada.call("PUT", "/credentials/OPENAI", {"api_key": "k" * 100_000})
    assert (answer.status_code, answer.json["status"]) == (413, 413)
    answer = ada.client.post(
        "/settings/ai/key",
        environ_overrides={
            "HTTP_TRANSFER_ENCODING": "chunked",
            "wsgi.input_terminated": True,
        },
    )
    assert answer.status_code == 413
    assert blob_of(host) is None


@pytest.mark.case("E14")
def test_the_hosts_own_size_limit(make_host: MakeHost) -> None:
    """When the host allows even less, our page says so in our words."""
    ada = make_host(MAX_CONTENT_LENGTH=1000).client()
    answer = ada.save("k" * 2000)
    assert (answer.status_code, state_of(answer)) == (413, "too-large")


@pytest.mark.case("E7", "E19")
@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "/%09/evil"])
def test_no_redirect_leads_out(host: Host, path: str) -> None:
    """There is no "next", and a poisoned Host reaches no address of ours."""
    ada = host.client()
    answer = ada.client.post(
        f"/settings/ai/policy?next={path}",
        data={"csrf_token": ada.token(), "fallback": "never", "next": path},
    )
    assert answer.headers["Location"] == "/settings/ai/#byok-notice"
    answer = ada.client.get("/settings/ai/", headers={"Host": "evil.example"})
    assert "evil.example" not in answer.text


@pytest.mark.case("E15")
def test_without_the_tables(host: Host) -> None:
    """When the rows cannot be read, the page and the API say that nothing changed."""
    with host.app.app_context():
        engine = host.app.extensions["sqlalchemy"].engine

        with engine.begin() as conn:
            for table in ("byok_credential", "byok_company"):
                conn.execute(sa.text(f"DROP TABLE {table}"))

    ada = host.client()
    page = ada.get()
    assert (page.status_code, state_of(page)) == (503, "unavailable")
    assert "This page cannot be shown now. Nothing was changed." in page.text
    check_sound(page)
    assert ada.save().status_code == 503
    answer = ada.call("GET", "/credentials")
    assert (answer.status_code, answer.json["detail"]) == (503, "Nothing was changed.")
    assert host.client("max").get().status_code == 403


def test_no_company_loader(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a company loader the page is closed and the log says what to call."""
    host = make_host()
    host.byok._company_loader = None
    assert host.client().get().status_code == 503
    assert "@byok.company_loader" in caplog.text


@pytest.mark.parametrize("form", [{}, {"action": "nope"}, {"action": "draft_keep"}])
def test_a_form_nobody_knows(host: Host, form: dict[str, str]) -> None:
    """A form of another make is refused with a way back."""
    answer = host.client().post("/key", **form)
    assert (answer.status_code, state_of(answer)) == (400, "bad-request")
    assert 'href="/settings/ai/"' in answer.text


@pytest.mark.case("F3")
def test_a_failing_company_loader_leaves_a_refusal(host: Host) -> None:
    """Who may not manage is told so, also where the host cannot name a company."""

    @host.byok.company_loader
    def company() -> int:
        raise AttributeError("somebody who is not signed in")

    assert host.client("max").get().status_code == 403


@pytest.mark.case("E19")
def test_a_missing_slash_leads_nowhere(host: Host) -> None:
    """The page opens without its last slash: no redirect to a forged host."""
    assert host.client().get("").status_code == 200
    answer = host.client().get("", headers={"Host": "evil.example"})
    # Signed in on this host alone.
    assert answer.status_code == 401 and "Location" not in answer.headers


@pytest.mark.parametrize(
    ("path", "status"), [("/", 200), ("/usage.csv", 400), ("/api/usage", 422)]
)
def test_the_end_of_time(host: Host, path: str, status: int) -> None:
    """The last day there is has no day after it: no range of days, no crash."""
    answer = host.client().get(f"{path}?since=9999-12-01&until=9999-12-31")
    assert answer.status_code == status


def test_without_a_session_the_log_says_what_to_set(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    """An app without SECRET_KEY gets a sentence, not a crash."""
    host.byok.access_check(lambda: True)
    host.byok.company_loader(lambda: 1)
    host.app.secret_key = None
    answer = host.app.test_client().get("/settings/ai/")
    assert answer.status_code == 503
    assert "set SECRET_KEY" in caplog.text
