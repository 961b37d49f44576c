"""Leaving from another thread: it ends one attempt, and touches no other."""

from __future__ import annotations

import concurrent.futures
import pathlib
import socket
import ssl
import threading

import pytest

from flask_byok.providers.hangup import CallLeft
from flask_byok.providers.hangup import Hangup
from flask_byok.providers.http import ANSWER_CAP
from flask_byok.providers.http import Auth
from flask_byok.providers.http import Deadline
from flask_byok.providers.http import HttpStream
from flask_byok.providers.http import Sender
from flask_byok.providers.types import AttemptFailed
from flask_byok.secret import Secret
from flask_byok.testing import Simulator
from tests.providers.certificates import build_tls_context
from tests.sdk.server import FILE
from tests.sdk.server import serving


def ask(sender: Sender, url: str, hangup: Hangup) -> HttpStream:
    return sender.stream(
        "GET",
        url,
        headers={},
        auth=Auth("Authorization", Secret("not-a-real-key-0001"), "Bearer "),
        deadline=Deadline(30.0),
        hangup=hangup,
    )


def test_a_connection_given_back_is_not_cut() -> None:
    """It carries another call by then, perhaps of another company."""
    sender, first = Sender(5.0), Hangup()

    with serving() as server:
        ask(sender, f"{server.url}/models", first).read(ANSWER_CAP)
        other = ask(sender, f"{server.url}/files/1/content", Hangup())
        first.cut()
        assert other.reused_connection and other.read(ANSWER_CAP) == FILE
        sender.close()


def test_one_who_left_sends_nothing(byok_simulator: Simulator) -> None:
    """Not even when the connection comes to stand afterwards."""
    sender, hangup = Sender(5.0), Hangup()
    hangup.cut()

    with pytest.raises(AttemptFailed):
        ask(sender, f"{byok_simulator.urls['OPENAI']}/models", hangup)

    assert byok_simulator.requests == []

    with pytest.raises(CallLeft):
        hangup.check()


def test_waiting_ends_at_once(byok_simulator: Simulator) -> None:
    """The one who waits for the status line meets the end."""
    sender, hangup = Sender(5.0), Hangup()
    url = f"{byok_simulator.urls['OPENAI']}/models"

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with byok_simulator.holding("OPENAI") as hold:
            waiting = pool.submit(ask, sender, url, hangup)
            hold.wait_for()
            hangup.cut()

            with pytest.raises(AttemptFailed):
                waiting.result(10)

    sender.close()


def test_waiting_ends_under_tls_too(tmp_path: pathlib.Path) -> None:
    """The provider sees the connection end as well."""
    context, asked, hangup = build_tls_context(tmp_path), threading.Event(), Hangup()

    def serve() -> bytes:
        with context.wrap_socket(listener.accept()[0], server_side=True) as line:
            line.recv(65536)
            asked.set()
            return b"" if _is_over(line) else b"more"

    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = Sender(5.0, ca_file=str(tmp_path / "ca.pem"))
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/v1/models"

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            serving_one = pool.submit(serve)
            waiting = pool.submit(ask, sender, url, hangup)
            assert asked.wait(10)
            hangup.cut()

            with pytest.raises(AttemptFailed):
                waiting.result(10)

            assert serving_one.result(10) == b""

        sender.close()


def _is_over(line: ssl.SSLSocket) -> bool:
    """Wait for the other side's end, in whatever way it comes."""
    try:
        return line.recv(1) == b""
    except OSError:
        return True
