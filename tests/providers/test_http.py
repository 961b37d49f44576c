from __future__ import annotations

import collections.abc as cabc
import gzip
import http.client
import logging
import os
import pathlib
import signal
import socket
import ssl
import threading
import time
import traceback
import tracemalloc
import typing as t
import zlib

import pytest
import responses

from flask_byok.providers.connections import build_tls_context as build_client_context
from flask_byok.providers.deadline import Deadline
from flask_byok.providers.http import Auth
from flask_byok.providers.http import ERROR_CAP
from flask_byok.providers.http import HttpAnswer
from flask_byok.providers.http import Sender
from flask_byok.providers.types import AttemptFailed
from flask_byok.providers.types import Failure
from flask_byok.secret import Secret

from .certificates import build_tls_context
from .conftest import CANARY
from .replay import answer_with
from .replay import build_answer
from .replay import build_head
from .replay import Request
from .replay import Server
from .replay import stream_with

Serve = cabc.Callable[..., Server]
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "flask-byok"}


def send(
    sender: Sender,
    url: str,
    *,
    seconds: float = 10.0,
    cap: int = 1024 * 1024,
    api_key: str = CANARY,
    body: bytes | None = b"{}",
) -> HttpAnswer:
    return sender.send(
        "POST",
        url + "/x",
        headers=HEADERS,
        auth=Auth("x-api-key", Secret(api_key)),
        body=body,
        deadline=Deadline(seconds),
        cap=cap,
    )


def fail(sender: Sender, url: str, **options: t.Any) -> Failure:
    with pytest.raises(AttemptFailed) as caught:
        send(sender, url, **options)

    assert_clean(caught.value)
    return caught.value.failure


def assert_clean(error: BaseException) -> None:
    """No chain, and no frame of the package with the key in its locals."""
    assert error.__cause__ is None
    assert error.__context__ is None

    for frame, _ in traceback.walk_tb(error.__traceback__):
        if "/tests/" not in frame.f_code.co_filename:
            assert CANARY not in show_deeply(frame.f_locals)


def show_deeply(value: object, depth: int = 5) -> str:
    """Show a value with all it holds, as a curious error reporter would."""
    shown = [repr(value)]

    if depth:
        inner: list[object] = []

        if isinstance(value, dict):
            inner += value.values()
        elif isinstance(value, (list, tuple, set)):
            inner += value

        # A secret is there to be held.
        if not isinstance(value, Secret):
            inner.append(getattr(value, "__dict__", {}))

        shown += [show_deeply(one, depth - 1) for one in inner if one]

    return " ".join(shown)


@pytest.mark.case("D11")
def test_the_request_is_what_was_asked_for(serve: Serve, sender: Sender) -> None:
    """Method, path, headers, key and body arrive; nothing else of weight is added."""
    server = serve(answer_with(200, b'{"a": 1}', {"X-Mine": "yes"}))

    answer = send(sender, server.url, body=b'{"b": 2}')

    request = server.requests[0]
    assert (request.method, request.path, request.body) == ("POST", "/x", b'{"b": 2}')
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}",
        "accept-encoding": "identity",
        "user-agent": "flask-byok",
        "x-api-key": CANARY,
        "content-length": "8",
    }
    assert (answer.status, answer.body) == (200, b'{"a": 1}')
    assert answer.headers["x-mine"] == "yes"


@pytest.mark.case("D11")
def test_head_and_body_leave_together(sender: Sender) -> None:
    """A short request is one packet: the server's first read finds all of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        first = []

        def answer() -> None:
            taken, _ = listener.accept()

            with taken:
                first.append(taken.recv(65536))
                taken.sendall(build_answer(200, b"{}"))

        thread = threading.Thread(target=answer)
        thread.start()
        send(sender, f"http://127.0.0.1:{listener.getsockname()[1]}", body=b'{"b": 2}')
        thread.join()

    assert first[0].startswith(b"POST /x HTTP/1.1\r\n")
    assert first[0].endswith(b'\r\n\r\n{"b": 2}')


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 2 * 1024 * 1024])
def test_bodies_of_all_sizes_arrive_whole(
    serve: Serve, sender: Sender, size: int
) -> None:
    """Also on a kept connection, whatever went before."""
    server = serve(answer_with(200, b"{}"))

    for body in (b"x" * size, None, b"y" * size):
        send(sender, server.url, body=body)

    assert [request.body for request in server.requests] == [
        b"x" * size,
        b"",
        b"y" * size,
    ]


@pytest.mark.case("D11", "D32")
def test_a_connection_is_kept_and_carries_nothing_over(
    serve: Serve, sender: Sender
) -> None:
    """The second call re-uses the connection, without the cookie of the first."""
    server = serve(answer_with(200, b"{}", {"Set-Cookie": "a=b; Path=/"}))

    first = send(sender, server.url)
    second = send(sender, server.url, api_key="not-a-real-other-key-0002")

    assert (first.reused_connection, second.reused_connection) == (False, True)
    assert server.connections == 1
    assert "cookie" not in server.requests[1].headers
    assert server.requests[1].headers["x-api-key"] == "not-a-real-other-key-0002"


@pytest.mark.case("D5")
def test_the_environment_has_no_say(
    serve: Serve,
    sender: Sender,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
) -> None:
    """Proxies, a netrc file and a CA bundle of the environment are not looked at."""
    server = serve(answer_with())
    proxy = serve(answer_with(502))
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)

    send(sender, server.url)

    assert "authorization" not in server.requests[0].headers
    assert not proxy.requests


@pytest.mark.case("D3", "D4")
@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
def test_no_redirect_is_followed(serve: Serve, sender: Sender, status: int) -> None:
    """Any 3xx is a failure, and the other host hears nothing."""
    other = serve(answer_with())
    server = serve(answer_with(status, b"", {"Location": other.url + "/x"}))

    failure = fail(sender, server.url)

    assert (failure.kind, failure.status) == ("redirect", status)
    assert not other.requests


@pytest.mark.case("C8", "C9", "D12", "D13", "D15")
@pytest.mark.parametrize(
    "api_key",
    [
        "short",
        "with blank-000000",
        "line\r\nx-other: 1-0000",
        "nul\x00-0000000",
        "del\x7f-0000000",
        "umlaut-ä-000000",
        "wide-\u200b-000000",
        "x" * 2049,
    ],
)
def test_a_key_that_is_no_header_is_not_sent(
    serve: Serve, sender: Sender, api_key: str
) -> None:
    """Characters and lengths no key has stop the attempt before anything is sent."""
    server = serve(answer_with())

    failure = fail(sender, server.url, api_key=api_key)

    assert (failure.kind, failure.sent) == ("not_sendable", False)
    assert failure.reasons == ("api_key",)
    assert server.connections == 0


@pytest.mark.case("D7")
@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1",
        "http://localhost.example",
        "http://127.0.0.1.example",
        "ftp://127.0.0.1",
        "http://[::2]",
    ],
)
def test_without_tls_a_key_stays_on_this_machine(sender: Sender, url: str) -> None:
    """Plain http goes to loopback only."""
    failure = fail(sender, url)

    assert (failure.kind, failure.reasons) == ("not_sendable", ("request",))


def test_nobody_there_is_unreached(sender: Sender) -> None:
    """A refused connection and an unknown name say that nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    for url in (f"http://127.0.0.1:{port}", "https://nowhere.invalid"):
        failure = fail(sender, url)
        assert (failure.kind, failure.sent) == ("unreached", False)


def test_a_host_that_does_not_answer_the_knock_costs_the_connect_timeout() -> None:
    """A full backlog ends within the connect timeout, not the deadline."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        fillers = [socket.socket() for _ in range(4)]

        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())

        started = time.monotonic()
        failure = fail(Sender(0.3), url, seconds=10.0)

        assert failure.kind == "unreached"
        assert time.monotonic() - started < 2.0

        for filler in fillers:
            filler.close()


def drip(first: bytes, *, every: float = 0.05) -> cabc.Callable[..., None]:
    """Send a beginning, then a byte now and then for as long as anybody listens."""

    def behave(conn: socket.socket, request: Request) -> None:
        conn.sendall(first)
        stop = threading.Event()

        while not stop.wait(every):
            conn.sendall(b"x")

    return behave


@pytest.mark.case("D8")
@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"HTTP/1.1 200 ",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        build_head(200, {"content-length": "1000"}),
        build_head(200, {"transfer-encoding": "chunked"}) + b"fff\r\n",
        build_head(200, {"transfer-encoding": "chunked"}) + b"1\r\na\r\n0\r\nX: ",
        build_head(500, {"content-length": "1000"}),
    ],
    ids=["status", "reason", "header", "body", "chunk", "trailer", "error"],
)
def test_a_dripping_server_is_cut_at_the_deadline(
    serve: Serve, sender: Sender, first: bytes
) -> None:
    """A byte now and then, wherever in the answer, does not stretch the deadline."""
    server = serve(drip(first))
    started = time.monotonic()

    failure = fail(sender, server.url, seconds=0.5)

    assert failure.kind == "timeout"
    assert failure.sent
    assert 0.4 < time.monotonic() - started < 1.5


@pytest.mark.case("D10")
def test_endless_interim_answers_are_cut_at_the_deadline(
    serve: Serve, sender: Sender
) -> None:
    """A server that says 100 for ever is cut as any other."""

    def behave(conn: socket.socket, request: Request) -> None:
        while True:
            conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    assert fail(sender, serve(behave).url, seconds=0.5).kind == "timeout"


@pytest.mark.case("D8")
def test_silence_is_a_timeout(serve: Serve, sender: Sender) -> None:
    """Sent, then nothing: the deadline ends it."""
    release = threading.Event()
    server = serve(lambda conn, request: release.wait(5))

    assert fail(sender, server.url, seconds=0.3).kind == "timeout"
    release.set()


@pytest.mark.case("D9")
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_cut_at_the_cap(serve: Serve, sender: Sender, encoding: str) -> None:
    """The cap counts decoded bytes, and no more than that is ever decoded."""
    plain = b"0" * (64 * 1024 * 1024)
    packed = gzip.compress(plain) if encoding == "gzip" else zlib.compress(plain)
    server = serve(answer_with(200, packed, {"content-encoding": encoding}))

    failure = fail(sender, server.url, cap=100_000)

    assert (failure.kind, failure.status) == ("too_large", 200)


@pytest.mark.case("D9")
def test_a_bomb_takes_no_memory(serve: Serve, sender: Sender) -> None:
    """Of 64 MiB in one small piece only what the cap allows is ever unpacked."""
    packed = gzip.compress(b"0" * (64 * 1024 * 1024))
    server = serve(answer_with(200, packed, {"content-encoding": "gzip"}))
    tracemalloc.start()

    try:
        fail(sender, server.url, cap=100_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 8 * 1024 * 1024


@pytest.mark.case("D11", "D32")
def test_a_connection_with_bytes_behind_the_end_is_not_kept(
    serve: Serve, sender: Sender
) -> None:
    """An answer nobody asked for yet must not become the next caller's."""
    planted = build_answer(200, b"planted")

    def behave(conn: socket.socket, request: Request) -> None:
        head = build_head(200, {"transfer-encoding": "chunked"})
        conn.sendall(head + b"2\r\n{}\r\n0\r\n\r\n" + planted)

    server = serve(behave)

    for _ in range(2):
        answer = send(sender, server.url)
        assert (answer.body, answer.reused_connection) == (b"{}", False)


def test_compressed_answers_are_read_although_not_asked_for(
    serve: Serve, sender: Sender
) -> None:
    """A server that compresses regardless is understood; what it cuts off is not."""
    packed = gzip.compress(b'{"a": 1}' * 100)
    server = serve(answer_with(200, packed, {"content-encoding": "gzip"}))
    cut = serve(answer_with(200, packed[:-9], {"content-encoding": "gzip"}))
    other = serve(answer_with(200, b"abc", {"content-encoding": "br"}))

    assert send(sender, server.url).body == b'{"a": 1}' * 100
    assert fail(sender, cut.url).kind == "unreadable_answer"
    assert fail(sender, other.url).kind == "unreadable_answer"


@pytest.mark.case("D9")
def test_a_large_answer_is_refused_and_a_large_error_is_cut(
    serve: Serve, sender: Sender
) -> None:
    """An error's status is worth more than its missing end."""
    good = serve(answer_with(200, b"a" * 2000))
    bad = serve(answer_with(500, b"a" * (ERROR_CAP * 2)))

    failure = fail(sender, good.url, cap=1999)
    assert (failure.kind, failure.status) == ("too_large", 200)
    assert send(sender, good.url, cap=2000).body == b"a" * 2000
    assert send(sender, bad.url).body == b"a" * ERROR_CAP


@pytest.mark.case("D10")
@pytest.mark.parametrize(
    "headers", [{"content-length": "100"}, {"transfer-encoding": "chunked"}]
)
def test_a_body_that_breaks_off_is_unreadable(
    serve: Serve, sender: Sender, headers: dict[str, str]
) -> None:
    """Fewer bytes than announced are no answer; of an error the status remains."""

    def cut(status: int) -> cabc.Callable[..., bool]:
        def behave(conn: socket.socket, request: Request) -> bool:
            conn.sendall(build_head(status, headers) + b"a\r\n{")
            return True

        return behave

    failure = fail(sender, serve(cut(200)).url)
    assert (failure.kind, failure.status) == ("unreadable_answer", 200)
    assert send(sender, serve(cut(429)).url).status == 429


def reset(conn: socket.socket) -> bool:
    """Close a connection the hard way."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return True


def test_a_reset_tells_a_fresh_connection_from_a_kept_one(
    serve: Serve, sender: Sender
) -> None:
    """Only a reset of a kept connection, before a byte, is no verdict."""

    def behave(conn: socket.socket, request: Request) -> bool:
        if len(server.requests) in (1, 3):
            conn.sendall(build_answer())
            return False

        return reset(conn)

    server = serve(behave)

    assert not send(sender, server.url).reused_connection
    assert fail(sender, server.url).kind == "reset_reused"
    assert not send(sender, server.url).reused_connection
    fresh = serve(lambda conn, request: reset(conn))
    assert fail(sender, fresh.url).kind == "reset"


def test_a_reset_after_the_first_byte_is_a_reset_on_any_connection(
    serve: Serve, sender: Sender
) -> None:
    """With a byte of the answer read, the request was seen."""

    def behave(conn: socket.socket, request: Request) -> bool:
        if len(server.requests) == 1:
            conn.sendall(build_answer())
            return False

        conn.sendall(b"HTTP/1.1 2")
        return reset(conn)

    server = serve(behave)
    send(sender, server.url)

    failure = fail(sender, server.url)
    assert failure.kind in ("reset", "unreadable_answer")
    assert failure.kind != "reset_reused"


def test_a_kept_connection_that_was_closed_is_not_used(
    serve: Serve, sender: Sender
) -> None:
    """A connection the server closed in between is replaced without a failure."""
    closed = threading.Event()

    def behave(conn: socket.socket, request: Request) -> bool:
        conn.sendall(build_answer())
        conn.shutdown(socket.SHUT_RDWR)
        closed.set()
        return True

    server = serve(behave)
    send(sender, server.url)
    assert closed.wait(5)

    assert not send(sender, server.url).reused_connection


@pytest.mark.case("D10")
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "unreadable_answer"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "unreadable_answer"),
        (b"HTTP/1.1 103 Early\r\n\r\n", "unreadable_answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", "too_large"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n", "unreadable_answer"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "unreadable_answer",
        ),
    ],
)
def test_nonsense_is_unreadable(
    serve: Serve, sender: Sender, answer: bytes, kind: str
) -> None:
    """What is no HTTP answer, or one of absurd size, is told as such."""

    def behave(conn: socket.socket, request: Request) -> bool:
        conn.sendall(answer)
        return True

    assert fail(sender, serve(behave).url).kind == kind


@pytest.mark.case("C10", "D2")
def test_a_hostile_header_does_not_reach_the_log(
    serve: Serve, sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    """Headers that cannot be parsed are dropped, not logged with what they hold."""

    def behave(conn: socket.socket, request: Request) -> None:
        echo = request.headers["x-api-key"].encode()
        conn.sendall(
            b"HTTP/1.1 200 " + echo + b"\r\ncontent-length: 2\r\n"
            b"no colon " + echo + b"\r\nLocation: " + echo + b"\r\n\r\n{}"
        )

    caplog.set_level(logging.DEBUG)
    server = serve(behave)
    send(sender, server.url)

    assert CANARY not in caplog.text


@pytest.mark.case("C11")
def test_printing_of_headers_stays_off(
    serve: Serve,
    sender: Sender,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A host that switched on http.client's debug output does not print keys."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    server = serve(answer_with())
    send(sender, server.url)

    assert capsys.readouterr().out == ""


@pytest.mark.case("D6")
@pytest.mark.parametrize("flaw", ["self_signed", "wrong_name", "expired", "old_tls"])
def test_a_certificate_that_does_not_hold_is_refused(
    serve: Serve,
    sender: Sender,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
    flaw: str,
) -> None:
    """Self-signed, another name, out of date, TLS 1.1: no request is sent."""
    context = build_tls_context(tmp_path, flaw=flaw)

    if flaw != "self_signed":
        monkeypatch.setattr("certifi.where", lambda: str(tmp_path / "ca.pem"))

    server = serve(answer_with(), context)
    failure = fail(sender, server.url)

    assert (failure.kind, failure.sent) == ("tls", False)
    assert not server.requests


def test_over_tls_all_is_the_same(
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
    sender: Sender,
) -> None:
    """A good certificate is accepted, connections are kept, drips are cut."""
    context = build_tls_context(tmp_path)
    monkeypatch.setattr("certifi.where", lambda: str(tmp_path / "ca.pem"))
    server = serve(answer_with(200, b"{}"), context)
    slow = serve(drip(b"HTTP/1.1 200 OK\r\nX: "), context)

    assert not send(sender, server.url).reused_connection
    assert send(sender, server.url).reused_connection
    assert fail(sender, slow.url, seconds=0.5).kind == "timeout"


def test_a_server_that_speaks_no_tls_is_a_tls_failure(
    serve: Serve, sender: Sender
) -> None:
    """An https address on a plain port never sees a request."""

    def behave(conn: socket.socket) -> None:
        conn.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as plain:

        def run() -> None:
            conn, _ = plain.accept()

            with conn:
                conn.recv(1)
                behave(conn)
                conn.recv(65536)

        thread = threading.Thread(target=run)
        thread.start()
        failure = fail(sender, f"https://127.0.0.1:{plain.getsockname()[1]}")
        thread.join()

    assert failure.kind == "tls"


@pytest.mark.case("D6")
def test_the_tls_context_is_strict() -> None:
    """Certificates and names are checked, and old versions are off."""
    context = build_client_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.keylog_filename is None


@pytest.mark.case("D32", "F5")
def test_threads_share_one_sender(serve: Serve, sender: Sender) -> None:
    """Many calls at once do not mix up their answers."""

    def behave(conn: socket.socket, request: Request) -> None:
        conn.sendall(build_answer(200, request.body))

    server = serve(behave)
    results: dict[int, bytes] = {}

    def run(number: int) -> None:
        for _ in range(5):
            body = b'{"n": %d}' % number
            results[number] = send(sender, server.url, body=body).body

    threads = [threading.Thread(target=run, args=(n,)) for n in range(12)]

    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join()

    assert results == {n: b'{"n": %d}' % n for n in range(12)}


class TimeLimit(Exception):
    """What job queues raise out of a signal's handler is an ordinary exception."""


@pytest.mark.case("C4", "C6", "C7")
@pytest.mark.parametrize("stop", [SystemExit, TimeLimit])
@pytest.mark.parametrize("first", [b"", build_head(200, {"content-length": "9"})])
def test_an_interrupt_passes_without_the_frames_that_hold_the_key(
    serve: Serve, sender: Sender, first: bytes, stop: type[BaseException]
) -> None:
    """What stops a caller in mid-call goes on up, but shows no header on its way."""
    over = threading.Event()

    def interrupt(number: int, frame: object) -> None:
        raise stop("too long")

    def behave(conn: socket.socket, request: Request) -> None:
        conn.sendall(first)
        os.kill(os.getpid(), signal.SIGUSR1)
        over.wait(10)

    server = serve(behave)
    old = signal.signal(signal.SIGUSR1, interrupt)

    try:
        with pytest.raises(stop, match="too long") as caught:
            send(sender, server.url, seconds=5.0)
    finally:
        signal.signal(signal.SIGUSR1, old)
        over.set()

    assert_clean(caught.value)


@pytest.mark.case("C6", "C7", "C15")
def test_a_mistake_of_ours_is_told_by_its_type_alone(
    serve: Serve, sender: Sender
) -> None:
    """An exception nobody expected is replaced, for its frames hold the headers."""
    server = serve(answer_with())
    wrong: t.Any = {"X": object()}

    with pytest.raises(RuntimeError, match="TypeError|AttributeError") as caught:
        sender.send(
            "POST",
            server.url + "/x",
            headers=wrong,
            auth=Auth("x-api-key", Secret(CANARY)),
            deadline=Deadline(5),
        )

    assert_clean(caught.value)


def test_a_stream_counts_only_its_own_waiting(serve: Serve, sender: Sender) -> None:
    """A consumer may take its time; the gap between two events may not."""
    goes_on = threading.Event()
    release = threading.Event()

    def behave(conn: socket.socket, request: Request) -> None:
        conn.sendall(build_head(200, {"transfer-encoding": "chunked"}))
        conn.sendall(b"3\r\nabc\r\n")
        goes_on.wait(5)
        conn.sendall(b"3\r\ndef\r\n")
        release.wait(5)

    server = serve(behave)
    stream = sender.stream(
        "POST",
        server.url + "/x",
        headers=HEADERS,
        auth=Auth("x-api-key", Secret(CANARY)),
        body=b"{}",
        deadline=Deadline(10),
    )
    stream.limit_gaps(0.3)
    stream.limit_total(5.0)
    pieces = stream.read_chunks()
    assert next(pieces) == b"abc"
    goes_on.set()
    time.sleep(0.4)
    assert next(pieces) == b"def"

    with pytest.raises(AttemptFailed) as caught:
        next(pieces)

    assert caught.value.failure.kind == "timeout"
    assert_clean(caught.value)
    release.set()


def test_a_finished_stream_gives_its_connection_back(
    serve: Serve, sender: Sender
) -> None:
    """Behind the end mark only the coding's last bytes are read; then it is kept."""
    server = serve(stream_with([b"abc"]))

    def open_stream() -> t.Any:
        return sender.stream(
            "POST",
            server.url + "/x",
            headers=HEADERS,
            auth=Auth("x-api-key", Secret(CANARY)),
            body=b"{}",
            deadline=Deadline(10),
        )

    stream = open_stream()
    next(stream.read_chunks())
    stream.finish()
    again = open_stream()
    assert again.reused_connection
    again.close()
    assert not open_stream().reused_connection


def test_a_host_may_put_responses_in_the_adapters_place(sender: Sender) -> None:
    """The usual stand-in for requests works for hosts' own tests too."""
    with responses.RequestsMock() as stand_in:
        stand_in.post("https://api.example/v1/x", body=b'{"a": 1}', status=201)
        answer = send(sender, "https://api.example/v1")

    assert (answer.status, answer.body) == (201, b'{"a": 1}')
