"""A job's time limit strikes in mid-call: a signal's handler raises."""

from __future__ import annotations

import collections.abc as cabc
import os
import signal
import socket
import time
import traceback

import pytest

from flask_byok.providers.deadline import Deadline
from flask_byok.providers.http import Auth
from flask_byok.providers.http import Sender
from flask_byok.secret import Secret
from tests.providers.replay import build_head
from tests.providers.replay import Request
from tests.providers.replay import Server

Serve = cabc.Callable[..., Server]
CANARY = "not-a-real-provider-key-0001"


class TimeLimit(Exception):
    """As Celery's and RQ's, an ordinary exception."""


@pytest.mark.case("C4", "C6", "C7")
@pytest.mark.parametrize("first", [b"", build_head(200, {"content-length": "9"})])
def test_a_time_limit_is_told_as_what_it_is(
    serve: Serve, sender: Sender, first: bytes
) -> None:
    """Whoever set it catches it by its class, and it shows no header on its way."""

    def strike(number: int, frame: object) -> None:
        raise TimeLimit("too long")

    def behave(conn: socket.socket, request: Request) -> None:
        conn.sendall(first)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.2)

    server = serve(behave)
    old = signal.signal(signal.SIGUSR1, strike)

    try:
        with pytest.raises(TimeLimit, match="too long") as caught:
            sender.send(
                "POST",
                server.url + "/x",
                headers={},
                auth=Auth("x-api-key", Secret(CANARY)),
                body=b"{}",
                deadline=Deadline(5.0),
            )
    finally:
        signal.signal(signal.SIGUSR1, old)

    assert caught.value.__cause__ is None and caught.value.__context__ is None

    for frame, _ in traceback.walk_tb(caught.value.__traceback__):
        if "/tests/" not in frame.f_code.co_filename:
            assert CANARY not in repr(frame.f_locals)
