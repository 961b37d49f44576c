"""A provider that means harm, on raw sockets."""

from __future__ import annotations

import collections.abc as cabc
import ssl

import pytest

from flask_byok.providers.http import Sender
from tests.providers.replay import Behaviour
from tests.providers.replay import Server


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
