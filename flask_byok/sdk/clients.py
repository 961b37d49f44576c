"""The HTTP clients that are handed to the SDKs: theirs by type, ours by their way."""

from __future__ import annotations

import httpx2

from .relaying import Relay
from .transport import AsyncTransport
from .transport import Transport


def build_client(relay: Relay) -> httpx2.Client:
    """Make an HTTP client that asks the engine: no redirects, no environment."""
    return httpx2.Client(
        transport=Transport(relay), trust_env=False, follow_redirects=False
    )


def build_async_client(relay: Relay) -> httpx2.AsyncClient:
    """Make an async HTTP client that asks the engine."""
    return httpx2.AsyncClient(
        transport=AsyncTransport(relay), trust_env=False, follow_redirects=False
    )
