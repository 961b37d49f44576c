"""Clients that leave the simulator in the middle of an answer."""

from __future__ import annotations

import json
import socket
import struct
import urllib.parse

import pytest

from flask_byok.testing import Simulator

#: Closes with a reset, as the socket of a killed process may.
_RESET = struct.pack("ii", 1, 0)


def leave(simulator: Simulator) -> None:
    """Ask for an answer and be gone before it comes."""
    body = json.dumps({"model": "gpt-4o-mini", "input": "Hello."}).encode()
    url = urllib.parse.urlsplit(simulator.urls["OPENAI"])
    head = (
        f"POST {url.path}/responses HTTP/1.1\r\nHost: {url.netloc}\r\n"
        "Authorization: Bearer not-a-real-key-0001\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )

    with simulator.holding() as hold:
        client = socket.create_connection((url.hostname, url.port))
        client.sendall(head.encode() + body)
        hold.wait_for(1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        client.close()


def test_a_client_that_left_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed: the one who runs the tests killed it on purpose."""
    with Simulator() as simulator:
        for _ in range(20):
            leave(simulator)

        assert len(simulator.requests) == 20

    assert capfd.readouterr().err == ""
