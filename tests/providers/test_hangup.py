"""Leaving an attempt from another thread, and nobody else's."""

from __future__ import annotations

import collections.abc as cabc
import socket
import threading
import typing as t

from flask_byok.providers.deadline import Deadline
from flask_byok.providers.hangup import Hangup
from flask_byok.providers.http import Auth
from flask_byok.providers.http import HttpStream
from flask_byok.providers.http import Sender
from flask_byok.secret import Secret

from .conftest import CANARY
from .replay import build_answer
from .replay import Request
from .replay import Server

WITHIN: t.Final = 10.0


def begin(sender: Sender, server: Server, path: str, hangup: Hangup) -> HttpStream:
    return sender.stream(
        "POST",
        server.url + path,
        headers={"Accept-Encoding": "identity"},
        auth=Auth("x-api-key", Secret(CANARY)),
        body=b"{}",
        deadline=Deadline(WITHIN),
        hangup=hangup,
    )


def test_a_line_that_was_given_back_is_not_cut(
    serve: cabc.Callable[..., Server], sender: Sender
) -> None:
    """Who leaves late, behind the end of its answer, cuts nobody who came after."""
    arrived, left = threading.Event(), threading.Event()

    def behave(conn: socket.socket, request: Request) -> None:
        if request.path == "/second":
            arrived.set()
            assert left.wait(WITHIN)

        conn.sendall(build_answer(200, request.path.encode()))

    server = serve(behave)
    early, late = Hangup(), Hangup()
    assert begin(sender, server, "/first", early).read(100) == b"/first"

    def leave() -> None:
        arrived.wait(WITHIN)
        early.cut()
        left.set()

    thread = threading.Thread(target=leave)
    thread.start()
    second = begin(sender, server, "/second", late)
    thread.join()

    assert second.reused_connection and second.read(100) == b"/second"
    assert early.is_cut and not late.is_cut
