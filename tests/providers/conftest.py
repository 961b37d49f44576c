from __future__ import annotations

import collections.abc as cabc
import ssl

import pytest

from flask_byok.providers.http import Sender
from flask_byok.secret import Secret

from .replay import Behaviour
from .replay import Server

CANARY = "not-a-real-provider-key-0001-AbCd"


@pytest.fixture
def api_key() -> Secret:
    return Secret(CANARY)


@pytest.fixture
def sender() -> cabc.Iterator[Sender]:
    sender = Sender(5.0)
    yield sender
    sender.close()


@pytest.fixture
def serve() -> cabc.Iterator[cabc.Callable[..., Server]]:
    """Start servers by behaviour; all are stopped at the end."""
    servers = []

    def start(behave: Behaviour, tls: ssl.SSLContext | None = None) -> Server:
        server = Server(behave, tls)
        servers.append(server)
        return server

    yield start

    for server in servers:
        server.close()
