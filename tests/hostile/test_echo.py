"""A provider that sends back what it was sent, in every place an answer has."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import json
import logging
import random
import socket
import string
import traceback
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok import BYOKError
from flask_byok import ImagePart
from flask_byok import signals
from flask_byok.testing.fixtures import _byok_simulator_server as _byok_simulator_server
from flask_byok.testing.fixtures import byok_simulator as byok_simulator
from tests.hostile import shapes
from tests.providers.replay import build_answer
from tests.providers.replay import Request
from tests.providers.replay import Server
from tests.web.conftest import Host
from tests.web.conftest import make_host as make_host
from tests.web.conftest import MakeHost

Serve = cabc.Callable[..., Server]

PROVIDERS: t.Final = {"OPENAI": "openai", "GEMINI": "gemini", "CLAUDE": "claude"}
HEADERS: t.Final = ("authorization", "x-api-key", "x-goog-api-key")
SIGNALS: t.Final = (
    "circuit_opened",
    "circuit_closed",
    "fallback_used",
    "key_rejected",
    "system_key_failed",
    "our_side_failed",
)


def make_canary(seed: str) -> str:
    draw = random.Random(seed)
    return "".join(draw.choices(string.ascii_letters + string.digits, k=40))


class Lookout:
    """Remembers every text in which six characters of a key stand in a row."""

    def __init__(self, canary: str) -> None:
        windows = {canary[i : i + 6] for i in range(35)}
        self._needles = windows | {w.lower() for w in windows}
        self.leaks: list[str] = []

    def look(self, sink: str, value: object) -> None:
        text = value if isinstance(value, str) else repr(value)
        found = [needle for needle in self._needles if needle in text]

        if found:
            at = text.index(found[0])
            self.leaks.append(f"{sink}: …{text[max(0, at - 60) : at + 10]}…")

    def look_at_error(self, error: BaseException) -> None:
        assert error.__cause__ is None and error.__context__ is None
        trace = traceback.TracebackException.from_exception(error, capture_locals=True)
        frames = trace.stack
        self.look("exception", f"{error} {error!r} {error.args} {vars(error)}")

        for frame in frames:
            if "/tests/" not in frame.filename:
                self.look(f"locals of {frame.name}", repr(frame.locals))

    def look_at_database(self, host: Host) -> None:
        state = host.byok.state
        state.database.flush(force=True)

        with state.database.read() as connection:
            for table in state.tables.all():
                for row in connection.execute(sa.select(table)).mappings():
                    for name, value in row.items():
                        self.look(f"{table.name}.{name}", str(value))


def find_key(request: Request) -> str:
    """Give the key a request carried, by whichever header."""
    carried = next(request.headers[name] for name in HEADERS if name in request.headers)
    return carried.removeprefix("Bearer ")


def echo(status: int, kind: str) -> cabc.Callable[[socket.socket, Request], bool]:
    """Answer with the request's headers in body, reason, headers and Location."""

    def behave(conn: socket.socket, request: Request) -> bool:
        key = find_key(request)
        said = json.dumps(request.headers)
        error = {
            "message": f"Incorrect API key: {key}. Missing scopes: {key}. {said}",
            "type": key,
            "code": key,
            "status": key,
            "param": key,
            "details": [{"@type": key, "reason": key, "retryDelay": key}],
        }
        body: dict[str, t.Any] = {"type": "error", "error": error, "request_id": key}

        if status < 300:
            body = planted(kind, request, key)

        data = json.dumps(body).encode()
        head = (
            f"HTTP/1.1 {status} {key}\r\ncontent-length: {len(data)}\r\n"
            f"location: https://192.0.2.1/?key={key}\r\nx-request-id: {key}\r\n"
            f"request-id: req_{key[:9]}\r\nretry-after: {key}\r\nx-echo: {said}\r\n"
            f"set-cookie: {key}={key}\r\nno colon {key}\r\n\r\n"
        )
        conn.sendall(head.encode() + data)
        return True

    return behave


def planted(kind: str, request: Request, key: str) -> dict[str, t.Any]:
    """Make a good answer with the key wherever an id, a name or a word stands."""
    pieces = [key, key[:6], f"m-{key[7:14]}", f"ft:{key}", f"{key} "]

    if request.method == "GET":
        entries = [
            {
                "id": piece,
                "name": f"models/{piece}",
                "display_name": piece,
                "displayName": piece,
                "supportedGenerationMethods": ["generateContent"],
            }
            for piece in pieces
        ]
        named = {"id": "m-1", "name": "models/m-1"}
        entries += [{**named, "display_name": key, "displayName": key[3:11]}]
        return {"data": entries, "models": entries}

    answer: dict[str, t.Any] = json.loads(json.dumps(shapes.ANSWERS[kind]))
    answer |= {"id": key, "model": key, "modelVersion": key, "responseId": key}
    return answer


def use(host: Host, lookout: Lookout, provider: str, canary: str) -> None:
    """Save, test, call, stream and list; whatever is raised is looked at."""
    byok = host.byok

    def save() -> object:
        return byok.save_key(1, provider, canary, actor="ada")

    def chat() -> object:
        answer = byok.client_for(1).chat("hello", label="greeting")
        return answer.model, answer.request_id, answer.attempts, answer.finish_reason

    def stream() -> object:
        with byok.client_for(1).stream("hello") as opened:
            return [chunk.text for chunk in opened if not chunk.text] and None

    for action in (
        save,
        chat,
        stream,
        lambda: byok.test_connection(1, provider),
        lambda: byok.client_for(1).models(),
        lambda: byok.status(1),
        lambda: byok.history(1),
    ):
        try:
            lookout.look("result", action())
        except BYOKError as error:
            lookout.look_at_error(error)


@contextlib.contextmanager
def listening(lookout: Lookout) -> cabc.Iterator[None]:
    """Hear every log record and every signal."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lookout.look("log", f"{record.getMessage()} {vars(record)}")

    def keep(sender: object, **payload: object) -> None:
        lookout.look("signal", payload)

    handler, root = Handler(logging.DEBUG), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)

    with contextlib.ExitStack() as stack:
        for name in SIGNALS:
            stack.enter_context(getattr(signals, name).connected_to(keep))

        yield

    root.removeHandler(handler)
    root.setLevel(before)


@pytest.mark.case("D1", "D2", "D3", "D11", "D23", "F15")
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 429, 500])
def test_what_is_echoed_reaches_nobody(
    make_host: MakeHost, serve: Serve, provider: str, status: int
) -> None:
    """No error, log, row, signal or page holds six characters of the key."""
    canary = make_canary(f"{provider} {status}")
    kind = PROVIDERS[provider]
    good = build_answer(200, json.dumps(shapes.ANSWERS[kind]).encode())
    server = serve(lambda conn, request: conn.sendall(good))
    host = make_host(
        BYOK_PROVIDER_URLS={provider: server.url + "/v1"},
        BYOK_SYSTEM_KEYS={},
        BYOK_RATE_LIMIT={},
    )
    lookout = Lookout(canary)
    visitor = host.client()

    with listening(lookout), host.app.app_context():
        assert host.byok.save_key(1, provider, canary).saved
        server.behave = echo(status, kind)
        use(host, lookout, provider, canary)
        lookout.look_at_database(host)

    for page in (visitor.get("/"), visitor.post("/test", provider=provider)):
        assert page.status_code == 200
        lookout.look("page", f"{page.text} {page.headers}")

    lookout.look("JSON", visitor.call("GET", "/credentials").text)
    assert not lookout.leaks, "\n".join(lookout.leaks[:10])
    assert all("cookie" not in request.headers for request in server.requests)
    assert all(canary not in request.path for request in server.requests)


@pytest.mark.case("D1")
def test_the_lookout_finds_what_is_planted(make_host: MakeHost, serve: Serve) -> None:
    """Self-test: a piece of six characters is found in each place it looks at."""
    canary = make_canary("planted")
    lookout = Lookout(canary)
    lookout.look("text", f"…{canary[3:9]}…")
    lookout.look("value", {"a": canary[-6:]})
    lookout.look_at_error(BYOKError(canary[:6].lower()))
    host = make_host(BYOK_PROVIDER_URLS={"OPENAI": serve(lambda *_: None).url + "/v1"})

    with host.app.app_context():
        table = host.byok.state.tables.company

        with host.byok.state.database.write() as connection:
            row = {"company_id": canary[:8], "use_other_keys": False}
            now = host.byok.state.database.now(connection)
            connection.execute(sa.insert(table), {**row, "updated_at": now})

        lookout.look_at_database(host)

    lookout.look("the last four", f"sk-...{canary[-4:]}")
    assert len(lookout.leaks) == 4


@pytest.mark.case("D3", "D4")
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nothing_follows_a_redirect(
    make_host: MakeHost, serve: Serve, provider: str, status: int
) -> None:
    """To another host or port, for every kind of request: the other hears nothing."""
    other = serve(lambda conn, request: conn.sendall(build_answer()))
    elsewhere = other.url.replace("127.0.0.1", "localhost")
    places = [other.url, elsewhere, f"//127.0.0.1:{other.port}"]
    sent: list[str] = []

    def behave(conn: socket.socket, request: Request) -> None:
        sent.append(places[len(sent) % 3])
        location = {"location": sent[-1] + request.path}
        conn.sendall(build_answer(status, b"", location))

    server = serve(behave)
    host = make_host(BYOK_PROVIDER_URLS={provider: server.url + "/v1"})

    with host.app.app_context():
        result = host.byok.save_key(1, provider, make_canary("redirect"))
        assert (result.saved, result.verdict) == (True, "could_not_ask")

        for call in ("chat", "stream"):
            with pytest.raises(BYOKError):
                getattr(host.byok.client_for(1), call)("hello")

        host.byok.test_connection(1, provider)

    assert len(sent) >= 4
    assert other.connections == 0


@pytest.mark.case("D22", "D30", "F13")
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_request_carries_one_key_and_no_name(
    make_host: MakeHost, serve: Serve, provider: str
) -> None:
    """A check sends nothing of the company; the system key travels alone.

    Organisation and project ids a provider told with a company's key do not come back
    with the system key either.
    """
    kind = PROVIDERS[provider]
    good = json.dumps(shapes.ANSWERS[kind]).encode()
    tags = {
        "openai-organization": "org-of-acme",
        "openai-project": "proj-of-acme",
        "anthropic-organization-id": "org-of-acme",
        "set-cookie": "tenant=acme",
    }
    system = "not-a-real-system-key-0009-SySt"

    canary = make_canary("acme")
    words = {"type": "authentication_error", "code": "invalid_api_key"}
    error = {**words, "status": "UNAUTHENTICATED", "message": "No."}
    refused = json.dumps({"type": "error", "error": error}).encode()
    is_refusing = False

    def behave(conn: socket.socket, request: Request) -> None:
        if is_refusing and canary in repr(request.headers):
            conn.sendall(build_answer(401, refused, tags))
        else:
            conn.sendall(build_answer(200, good, tags))

    server = serve(behave)
    host = make_host(
        BYOK_PROVIDER_URLS={provider: server.url + "/v1"},
        BYOK_SYSTEM_KEYS={provider: system},
    )

    with host.app.app_context():
        company = "acme-gmbh-and-sons"
        host.byok.save_key(company, provider, canary, actor="ada@acme.example")

        for request in server.requests:
            said = f"{request.path} {request.headers} {request.body!r}"
            assert "acme" not in said and "ada" not in said

        server.requests.clear()
        is_refusing = True
        answer = host.byok.client_for(company).chat("hello")

    own, ours = server.requests
    assert answer.source == "system" and canary in repr(own.headers)
    assert canary not in repr(ours.headers) and "acme" not in repr(ours)
    assert set(ours.headers) == set(own.headers) and find_key(ours) == system
    assert set(ours.headers) - set(HEADERS) <= {
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
        "content-type",
        "content-length",
        "anthropic-version",
    }


@pytest.mark.case("D33", "D34")
@pytest.mark.parametrize("provider", PROVIDERS)
def test_extra_is_body_and_an_image_is_not_fetched(
    make_host: MakeHost, serve: Serve, provider: str
) -> None:
    """Names of headers, addresses and keys in ``extra`` are body fields; no URL opens.

    An image by URL is passed on: whoever answers fetches it.
    """
    good = build_answer(200, json.dumps(shapes.ANSWERS[PROVIDERS[provider]]).encode())
    server = serve(lambda conn, request: conn.sendall(good))
    pictures = serve(lambda conn, request: conn.sendall(build_answer()))
    host = make_host(BYOK_PROVIDER_URLS={provider: server.url + "/v1"})
    names = (
        "headers",
        "extra_headers",
        "base_url",
        "url",
        "api_key",
        "auth",
        "proxies",
    )
    extra = {name: {"x-api-key": "evil", "host": pictures.url} for name in names}
    extra |= {"Authorization": "evil", "x-goog-api-key": "evil", "model": "evil"}
    canary = make_canary("extra")

    with host.app.app_context():
        host.byok.save_key(1, provider, canary)
        server.requests.clear()
        image = ImagePart(url=pictures.url + "/i.png", media_type="image/png")
        text = {"text": "What is it?"}
        messages = [{"role": "user", "content": [text, image]}]
        host.byok.client_for(1).chat(messages, extra=extra)

    (request,) = server.requests
    assert find_key(request) == canary and "evil" not in repr(request.headers)
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert "evil" not in request.path and request.json.get("model") != "evil"
    assert request.json["base_url"] == extra["base_url"]
    assert pictures.url in request.body.decode() and pictures.connections == 0


#: What nobody but the operator may choose.
ADDRESSES: t.Final = (
    "base_url",
    "url",
    "api_base",
    "endpoint",
    "host",
    "proxy",
    "headers",
    "auth_header",
    "organization",
    "provider_url",
    "BYOK_PROVIDER_URLS",
)


@pytest.mark.case("D25", "D26", "D27", "D28", "D29", "D31")
def test_no_company_sets_an_address(make_host: MakeHost, serve: Serve) -> None:
    """No form, JSON field, model name, command or policy turns a request aside."""
    good = build_answer(200, json.dumps(shapes.ANSWERS["openai"]).encode())
    server = serve(lambda conn, request: conn.sendall(good))
    evil = serve(lambda conn, request: conn.sendall(build_answer()))
    host = make_host(BYOK_PROVIDER_URLS={"OPENAI": server.url + "/v1"})
    visitor, canary = host.client(), make_canary("address")
    fields = {name: evil.url for name in ADDRESSES}
    visitor.save(canary, **fields)
    visitor.post("/test", provider="OPENAI", **fields)
    visitor.post("/policy", fallback="auto", **fields)
    visitor.save("", model=evil.url)
    visitor.save("", model=f"@127.0.0.1:{evil.port}/x")
    visitor.call("PUT", "/credentials/OPENAI", {"api_key": canary, **fields})

    for name in ADDRESSES:
        body = {"api_key": canary, name: evil.url}
        assert visitor.call("PUT", "/credentials/OPENAI", body).status_code == 400
        assert visitor.call("PATCH", "/policy", {name: evil.url}).status_code == 400

    commands = host.app.cli.commands["byok"]
    options = {
        name
        for command in t.cast("t.Any", commands).commands.values()
        for parameter in command.params
        if command.name != "simulator"
        for name in parameter.opts
    }
    assert not [o for o in options if any(w in o for w in ("url", "host", "header"))]

    with host.app.app_context():
        host.byok.test_connection(1)
        host.byok.client_for(1).chat("hello")
        host.byok.client_for(1).chat("hello", model=f"{evil.url}/v1/models/x")

    assert evil.connections == 0
    assert {r.headers["host"] for r in server.requests} == {f"127.0.0.1:{server.port}"}
    assert {r.path for r in server.requests} == {"/v1/models", "/v1/responses"}
    assert all(find_key(r) == canary for r in server.requests)


@pytest.mark.case("D25")
def test_a_model_stays_one_segment(make_host: MakeHost, serve: Serve) -> None:
    """GEMINI has the model in its path: none leads out of it, or into the query."""
    good = build_answer(200, json.dumps(shapes.ANSWERS["gemini"]).encode())
    server = serve(lambda conn, request: conn.sendall(good))
    host = make_host(BYOK_PROVIDER_URLS={"GEMINI": server.url + "/v1beta"})
    names = ("../../evil", "m?key=evil", "m#evil", "m:evil?x", "http://evil/", "m%2f..")

    with host.app.app_context():
        host.byok.save_key(1, "GEMINI", make_canary("segment"))
        server.requests.clear()

        for name in names:
            host.byok.client_for(1).chat("hello", model=name)

    for request in server.requests:
        assert request.path.startswith("/v1beta/models/")
        assert request.path.endswith(":generateContent")
        assert request.path.count("/") == 3 and "?" not in request.path
