"""Bodies, headers, tokens, addresses and texts that are meant to do harm."""

from __future__ import annotations

import dataclasses
import io
import json
import time
import typing as t

import flask
import itsdangerous
import pytest
import sqlalchemy as sa

from tests.web.conftest import GOOD_KEY
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import OTHER_KEY
from tests.web.conftest import state_of
from tests.web.conftest import Visitor
from tests.web.test_access import CALLS
from tests.web.test_access import CHANGES
from tests.web.test_access import everything
from tests.web.test_access import with_csrf_protect
from tests.web.test_saving import blob_of
from tests.web.test_states import check_sound
from tests.web.test_tenancy import stored

JSON: t.Final = "application/json"

#: A text that must never come back out of a refusal.
CANARY: t.Final = "CanaryKey-0001-AbCdEfGh"

#: JSON that is no object of ours, or hard to read.
BODIES: t.Final = {
    "twice": b'{"api_key": "%s", "api_key": "x"}',
    "twice, nested": b'{"api_key": {"a": "%s", "a": 1}}',
    "NUL": b'{"api_key": "%s\x00"}',
    "NUL, escaped name": b'{"api_key\\u0000": "%s"}',
    "deep": b'{"api_key": "%s", "a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "huge integer": b'{"api_key": "%s", "generation": ' + b"9" * 30_000 + b"}",
    "huge float": b'{"api_key": "%s", "generation": 1e999}',
    "a float": b'{"api_key": "%s", "generation": 1.0}',
    "infinite": b'{"api_key": "%s", "generation": Infinity}',
    "a list": b'["%s"]',
    "a list as key": b'{"api_key": ["%s"]}',
    "an object as model": b'{"model": {"%s": 1}}',
    "UTF-16": None,
    "a BOM": b'\xef\xbb\xbf{"api_key": "%s"}',
    "bad UTF-8": b'{"api_key": "%s\xff"}',
    "cut": b'{"api_key": "%s',
    "two objects": b'{"api_key": "%s"}{}',
    "a comment": b'{"api_key": "%s" /* */}',
    "single quotes": b"{'api_key': '%s'}",
    "form": b"api_key=%s&csrf_token=x",
}


def filled(name: str) -> bytes:
    """Give a body with the canary in it."""
    body = BODIES[name]

    if body is None:
        return json.dumps({"api_key": CANARY}).encode("utf-16")

    return body.replace(b"%s", CANARY.encode())


@pytest.mark.case("E13", "E15")
@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/credentials/OPENAI"),
        ("PATCH", "/policy"),
        ("POST", "/credentials/OPENAI/test"),
        ("DELETE", "/credentials/OPENAI"),
    ],
)
def test_bodies_nobody_can_read(host: Host, method: str, path: str, name: str) -> None:
    """400 with problem details, whatever the body is; nothing of it comes back."""
    host.save()
    before = blob_of(host)
    answer = host.client().call(method, path, data=filled(name), content_type=JSON)
    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"
    assert {"type", "title", "status", "detail"} == set(answer.json)
    assert CANARY not in answer.text + str(answer.headers)
    assert blob_of(host) == before


@pytest.mark.case("E13")
@pytest.mark.parametrize(
    ("value", "status"),
    [
        ({"generation": -1}, 422),
        ({"generation": 10**30}, 409),
        ({"model": "m" * 201}, 422),
        ({"model": "m\u0000"}, 422),
        ({"model": "\ud800"}, 422),
        ({"expires_on": "2099-13-01"}, 422),
        ({"expires_on": "٢٠٩٩-٠١-٠١"}, 422),
        ({"expires_on": "99999-01-01"}, 422),
        ({"confirm": CANARY}, 422),
        ({"api_key": "\ud800" * 20}, 422),
        ({"api_key": CANARY + "\u0000"}, 422),
    ],
)
def test_values_nobody_can_use(
    host: Host, value: dict[str, t.Any], status: int
) -> None:
    """A value of the right type that means nothing: told by its field, not repeated."""
    host.save()
    body = {"api_key": "not-a-real-revoked-key-0001-AbCd", **value}
    answer = host.client().call("PUT", "/credentials/OPENAI", body)
    assert answer.status_code == status
    assert CANARY not in answer.text and "٢" not in answer.text
    assert "\\ud800" not in answer.text and "mmmmm" not in answer.text


@pytest.mark.case("E13")
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json-patch+json",
        "application/jsonx",
        "text/plain; application/json",
        "application/xml",
        "",
    ],
)
def test_content_types_that_are_not_json(host: Host, content_type: str) -> None:
    """JSON under another name is 415 on each change, with the token in its header."""
    host.save()
    before = stored(host)

    for method, path, body in CALLS:
        if method == "GET":
            continue

        answer = host.client().call(
            method,
            path,
            data=json.dumps(body or {"a": CANARY}),
            content_type=content_type,
        )
        assert answer.status_code == 415
        assert CANARY not in answer.text

    assert stored(host) == before


@pytest.mark.case("E6", "E13")
def test_json_is_no_form(host: Host) -> None:
    """The page's forms take no JSON: its token is not looked for in there."""
    ada = host.client()
    body = {"csrf_token": ada.token(), "action": "save", "provider": "OPENAI"}

    for headers, status in (({}, 400), ({"X-CSRFToken": ada.token()}, 400)):
        answer = ada.client.post(
            "/settings/ai/key", json={**body, "api_key": GOOD_KEY}, headers=headers
        )
        assert answer.status_code == status

    assert blob_of(host) is None


@pytest.mark.case("E13")
@pytest.mark.parametrize("field", ["api_key", "provider", "action", "csrf_token"])
def test_a_file_in_the_place_of_a_field(host: Host, field: str) -> None:
    """An upload is no text: the form counts as incomplete, and nothing is sent."""
    ada = host.client()
    form: dict[str, t.Any] = {
        "csrf_token": ada.token(),
        "action": "save",
        "provider": "OPENAI",
        "api_key": GOOD_KEY,
    }
    form[field] = (io.BytesIO(GOOD_KEY.encode()), "key.txt")
    answer = ada.client.post("/settings/ai/key", data=form)
    assert answer.status_code in (303, 400)
    assert GOOD_KEY not in answer.text + str(ada.session())
    assert blob_of(host) is None
    assert host.simulator.requests == []


@pytest.mark.case("E13")
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n" * 6000),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 1100,
        ),
        ("application/x-www-form-urlencoded", b"a=1&" * 15_000),
        ("application/x-www-form-urlencoded", b"%ff%00=%zz&csrf_token=\xff\x00"),
        ("application/x-www-form-urlencoded; charset=utf-7", b"action=save"),
    ],
)
def test_forms_nobody_can_read(host: Host, content_type: str, body: bytes) -> None:
    """Broken and crowded forms are refused in our words: no crash, no change."""
    ada = host.client()

    for path, _ in CHANGES:
        answer = ada.client.post(
            f"/settings/ai{path}", data=body, content_type=content_type
        )
        assert answer.status_code in (400, 413)
        assert state_of(answer) in ("stale-form", "too-large")
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.case("E14")
@pytest.mark.parametrize("user", ["ada", "max", None])
def test_sizes(host: Host, user: str | None) -> None:
    """64 KiB are read, one byte more is refused, on every address and for everybody."""
    visitor = host.client(user)
    most = 64 * 1024

    for path, _ in CHANGES:
        answer = visitor.client.post(f"/settings/ai{path}", data=b"x" * (most + 1))
        assert (answer.status_code, state_of(answer)) == (413, "too-large")

    for method, path, _ in CALLS:
        answer = visitor.call(method, path, data=b" " * (most + 1), content_type=JSON)
        assert (answer.status_code, answer.mimetype) == (
            413,
            "application/problem+json",
        )

    token = "x" if user is None else visitor.token()
    body = b'{"fallback": "never"}'.ljust(most)
    answer = visitor.client.patch(
        "/settings/ai/api/policy",
        data=body,
        content_type=JSON,
        headers={"X-CSRFToken": token},
    )
    assert answer.status_code == {"ada": 200, "max": 403, None: 401}[user]


@pytest.mark.case("E7", "E19")
@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "https:evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/%5Cevil.example",
        "/settings/ai/\r\nX-Evil: 1",
    ],
)
@pytest.mark.parametrize("name", ["next", "url", "return_to"])
def test_redirects_lead_to_the_page_alone(host: Host, target: str, name: str) -> None:
    """Each change leads to a path of ours, relative, whatever is asked for."""
    ada = host.client()
    headers = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Original-URL": target.split("\r")[0],
        "Referer": "https://evil.example/",
    }

    for path, form in CHANGES:
        answer = ada.client.post(
            f"/settings/ai{path}",
            query_string={name: target},
            data={**form, name: target, "csrf_token": ada.token()},
        )
        assert "evil" not in str(answer.headers).lower()

        if answer.status_code == 303:
            assert answer.headers["Location"].startswith("/settings/ai/#byok-")

    with ada.client.session_transaction(headers={"Host": "evil.example"}) as session:
        session.update(user="ada", company=1)

    token = ada.client.get("/token", headers=headers).text
    answer = ada.client.post(
        "/settings/ai/policy",
        data={"fallback": "never", "csrf_token": token},
        headers=headers,
    )
    assert answer.headers["Location"] == "/settings/ai/#byok-notice"
    assert "evil" not in ada.client.get("/settings/ai/", headers=headers).text


@pytest.mark.case("E19")
@pytest.mark.parametrize(
    "path",
    [
        "/settings/ai//key",
        "/settings//ai/",
        "//settings/ai/",
        "/settings/ai/api//policy",
    ],
)
def test_slashes_too_many_lead_nowhere(host: Host, path: str) -> None:
    """No redirect that tidies an address up, with a host the request made up."""
    ada = host.client()
    answer = ada.client.get(path, headers={"Host": "evil.example"})
    assert answer.status_code == 404
    assert "Location" not in answer.headers


def old_token(app: flask.Flask, secret: str, seconds: int) -> str:
    """Sign a session's token as it was so long ago."""

    class Signer(itsdangerous.TimestampSigner):
        def get_timestamp(self) -> int:
            return int(time.time()) - seconds

    serializer = itsdangerous.URLSafeTimedSerializer(
        app.secret_key or "", salt="wtf-csrf-token", signer=Signer
    )
    return str(serializer.dumps(secret))


@pytest.mark.case("E6")
@pytest.mark.parametrize("prepare", [None, with_csrf_protect])
def test_tokens_that_do_not_count(make_host: MakeHost, prepare: t.Any) -> None:
    """Old, of another secret, in the address, in a cookie or cut: nothing changes."""
    host = make_host(prepare=prepare)
    ada = host.client()
    ada.save()
    good, raw = ada.token(), ada.session()["csrf_token"]
    assert old_token(host.app, raw, 0).partition(".")[0] == good.partition(".")[0]
    before = stored(host)
    ada.client.set_cookie("csrf_token", good)
    ada.client.set_cookie("X-CSRFToken", good)

    for token in (old_token(host.app, raw, 7200), good[:-1], raw, "", "a.b.c", "\x00"):
        for path, form in CHANGES:
            answer = ada.client.post(
                f"/settings/ai{path}",
                query_string={"csrf_token": good},
                data={**form, "csrf_token": token},
            )
            assert (answer.status_code, state_of(answer)) == (400, "stale-form")

        for method, path, body in CALLS:
            if method == "GET":
                continue

            answer = ada.client.open(
                f"/settings/ai/api{path}",
                method=method,
                json={**(body or {}), "csrf_token": good},
                query_string={"csrf_token": good},
                headers={"X-CSRFToken": token.replace("\x00", "")},
            )
            assert answer.status_code == 400

    assert stored(host) == before


@pytest.mark.case("E5")
@pytest.mark.parametrize(
    "word", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]
)
@pytest.mark.parametrize("override", ["DELETE", "PUT", "POST", "PATCH"])
def test_methods_are_what_they_are(host: Host, word: str, override: str) -> None:
    """No header, field or parameter makes another method of a request."""
    host.save()
    ada = host.client()
    token, before = ada.token(), stored(host)
    headers = {word: override, "X-CSRFToken": token}

    for method, path, body in CALLS:
        address = f"/settings/ai/api{path}"
        query = {"_method": override, "_METHOD": override}

        for used in {"GET", "HEAD", "OPTIONS", "TRACE"} - {method}:
            answer = ada.client.open(
                address, method=used, headers=headers, query_string=query, json=body
            )
            assert answer.status_code in (200, 405)

    for path, form in CHANGES:
        for used in ("GET", "HEAD", "OPTIONS"):
            ada.client.open(
                f"/settings/ai{path}",
                method=used,
                headers=headers,
                query_string={**form, "csrf_token": token, "_method": override},
            )

    assert stored(host) == before


def failing(app: flask.Flask) -> None:
    """A host that answers errors, and one of whose functions fails or redirects."""
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.before_request
    def stop() -> t.Any:
        if "crash" in flask.request.args:
            raise RuntimeError("a host's own mistake")

        if "log-in" in flask.request.args:
            return flask.redirect("/log-in")

        return None


@pytest.mark.case("E3", "E4", "E18")
@pytest.mark.parametrize("host_does", ["crash", "log-in", ""])
def test_headers_of_answers_that_are_not_ours(
    make_host: MakeHost, host_does: str
) -> None:
    """A crash, redirect or refusal of the host on our addresses: our headers, too."""
    host = make_host(prepare=failing)
    query = {host_does: "1"} if host_does else {}
    expected = {"crash": 500, "log-in": 302, "": 401}[host_does]
    visitor = host.client(None)

    for path in (
        "/",
        "/remove/OPENAI",
        "/usage.csv",
        "/api/policy",
        "/api/openapi.json",
    ):
        answer = visitor.get(
            path, query_string=query, headers={"Origin": "https://evil.example"}
        )
        assert answer.status_code == expected
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert not [n for n in answer.headers.keys() if n.startswith("Access-Control")]


@pytest.mark.case("E4", "E18")
@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ("default-src 'self'", ["default-src 'self'", "frame-ancestors 'none'"]),
        ("frame-ancestors 'self'", ["frame-ancestors 'self'"]),
    ],
)
def test_who_may_frame_the_page(
    make_host: MakeHost, policy: str, kept: list[str]
) -> None:
    """Nobody, unless the host itself says who."""

    def prepare(app: flask.Flask) -> None:
        @app.after_request
        def add_policy(response: flask.Response) -> flask.Response:
            response.headers["Content-Security-Policy"] = policy
            return response

    answer = make_host(prepare=prepare).client().get()
    assert answer.headers.getlist("Content-Security-Policy") == kept


@pytest.mark.case("E18")
def test_no_other_origin_is_let_in(host: Host) -> None:
    """A preflight of another site is a plain 405 without one word of permission."""
    for method, path, _ in CALLS:
        answer = host.client().client.options(
            f"/settings/ai/api{path}",
            headers={
                "Origin": "https://evil.example",
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": "x-csrftoken",
            },
        )
        assert answer.status_code == 405
        assert not [n for n in answer.headers.keys() if n.startswith("Access-Control")]


@pytest.mark.case("E3", "E20")
def test_the_only_cookie_is_the_hosts_session(host: Host) -> None:
    """We set no cookie of our own; what we keep in the session is words of ours."""
    ada = host.client()
    answers = everything(ada)
    cookies = [c for answer in answers for c in answer.headers.getlist("Set-Cookie")]
    assert {cookie.partition("=")[0] for cookie in cookies} == {"session"}
    mine = {name for name in ada.session() if name.startswith("byok")}
    assert mine <= {"byok_outcome", "byok_form", "byok_flashed_at"}
    assert "Cookie" in ada.get().headers["Vary"]


#: Markup, templates, formats and handlers, as one text.
NASTY: t.Final = "<script>alert(1)</script>{{12345*6789}}{0}%s${1}\"'><b onx=1>"


@pytest.mark.case("E12", "E23")
def test_texts_with_markup_are_shown_as_texts(make_host: MakeHost) -> None:
    """App name, provider, model, person and last four: escaped, and never run."""
    host = make_host(BYOK_APP_NAME=NASTY)
    openai = None

    with host.app.app_context():
        openai = host.byok.registry.get("OPENAI")
        host.byok.register_provider(
            dataclasses.replace(
                openai, label=f"L{NASTY}", vendor=f"V{NASTY}", permission_help=NASTY
            )
        )

    host.save(
        model="gpt-6-luna<i>{{54321*9876}}</i>", confirm="other_model", actor=NASTY
    )

    with host.app.app_context():
        state = host.byok.state

        with state.database.write() as conn:
            table = state.tables.credential
            conn.execute(sa.update(table).values(last4="<b>&", prefix="<i>"))

    ada = host.client()
    pages = [ada.get(), ada.get("/remove/OPENAI"), host.client("max").get()]
    pages.append(ada.post("/test", provider="OPENAI"))
    pages.append(ada.save("not-a-real-revoked-key-0001-AbCd", generation="OPENAI:1"))
    pages.append(ada.save(OTHER_KEY, generation="OPENAI:9"))

    for page in pages:
        assert "<script>alert" not in page.text and "<b onx" not in page.text
        assert "<i>" not in page.text and "<b>&" not in page.text
        assert "83810205" not in page.text and "536474196" not in page.text
        check_sound(page)

    assert "{{12345*6789}}{0}%s${1}" in pages[0].text
    assert "&lt;script&gt;alert(1)" in pages[0].text


@pytest.mark.case("E10", "E11")
@pytest.mark.parametrize("way", ["page", "api"])
def test_the_mask_and_the_empty_field_keep_the_key(host: Host, way: str) -> None:
    """The shown form posted back is refused with a hint; an empty field is no key."""
    host.save()
    before, ada = blob_of(host), host.client()

    for pasted in ("...AbCd", "sk-...AbCd", "••••AbCd", "", "   "):
        answer = _send(ada, way, pasted)
        hint = "hidden form" if pasted.strip() else "Enter an API key."
        assert hint in answer.text
        assert blob_of(host) == before


def _send(visitor: Visitor, way: str, pasted: str) -> t.Any:
    if way == "page":
        return visitor.save(pasted)

    return visitor.call("PUT", "/credentials/OPENAI", {"api_key": pasted})
