"""A server that takes its time before it answers: knocking, handshake, reading."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import pathlib
import socket
import threading
import time

import pytest

from flask_byok.providers.deadline import Deadline
from flask_byok.providers.http import Auth
from flask_byok.providers.http import Sender
from flask_byok.providers.types import AttemptFailed
from flask_byok.providers.types import Failure
from flask_byok.secret import Secret
from tests.providers.certificates import build_tls_context

SECONDS = 0.6


@contextlib.contextmanager
def listening(serve: cabc.Callable[[socket.socket], None]) -> cabc.Iterator[int]:
    """Accept one connection and do with it as told; give the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # A window that a few records fill.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

        def run() -> None:
            with contextlib.suppress(OSError):
                conn, _ = listener.accept()

                with conn:
                    serve(conn)

        thread = threading.Thread(target=run)
        thread.start()
        yield listener.getsockname()[1]
        listener.close()
        thread.join(30)


def fail(sender: Sender, url: str, body: bytes) -> Failure:
    """Send within the deadline and see that it held."""
    began = time.monotonic()

    with pytest.raises(AttemptFailed) as caught:
        sender.send(
            "POST",
            url + "/x",
            headers={},
            auth=Auth("x-api-key", Secret("not-a-real-provider-key-0001")),
            body=body,
            deadline=Deadline(SECONDS),
        )

    assert time.monotonic() - began < 5 * SECONDS
    assert caught.value.__context__ is None
    return caught.value.failure


@pytest.mark.case("D8")
def test_a_slow_reader_over_tls_is_cut_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """A record taken now and then does not stretch the sending of a large image."""
    context = build_tls_context(tmp_path)
    monkeypatch.setattr("certifi.where", lambda: str(tmp_path / "ca.pem"))
    pause = threading.Event()

    def serve(conn: socket.socket) -> None:
        with context.wrap_socket(conn, server_side=True) as secure:
            # No single record takes the whole of the deadline.
            while secure.recv(256 * 1024):
                pause.wait(SECONDS / 8)

    sender = Sender(5.0)

    with listening(serve) as port:
        failure = fail(sender, f"https://127.0.0.1:{port}", b"x" * (32 * 1024 * 1024))
        sender.close()

    assert failure.kind == "timeout" and failure.sent


@pytest.mark.case("D8")
def test_a_dripping_handshake_is_cut_at_the_deadline() -> None:
    """A handshake that goes on byte by byte ends, and no request was sent."""
    pause = threading.Event()

    def serve(conn: socket.socket) -> None:
        conn.recv(65536)
        conn.sendall(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb\x03\x03")

        while not pause.wait(0.05):
            conn.sendall(b"x")

    sender = Sender(5.0)

    with listening(serve) as port:
        failure = fail(sender, f"https://127.0.0.1:{port}", b"{}")
        sender.close()

    assert not failure.sent


@pytest.mark.case("D8")
def test_all_addresses_of_a_name_share_the_connect_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Eight deaf addresses take as long as one."""
    with contextlib.ExitStack() as stack:
        found = []

        for last in range(2, 10):
            deaf = stack.enter_context(socket.socket())
            deaf.bind((f"127.0.0.{last}", 0))
            deaf.listen(0)
            found.append(
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", deaf.getsockname())
            )

            for _ in range(4):
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(deaf.getsockname())

        monkeypatch.setattr(socket, "getaddrinfo", lambda *args: found)
        began = time.monotonic()

        with pytest.raises(AttemptFailed) as caught:
            Sender(0.3).send(
                "POST",
                "http://localhost:9/x",
                headers={},
                auth=Auth("x-api-key", Secret("not-a-real-provider-key-0001")),
                deadline=Deadline(30.0),
            )

        assert caught.value.failure.kind == "unreached"
        assert time.monotonic() - began < 4 * 0.3
