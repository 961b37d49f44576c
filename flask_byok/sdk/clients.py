"""The HTTP clients that are handed to the SDKs: theirs by type, ours by their way."""

from __future__ import annotations

import httpx2

from .relaying import Relay
from .transport import Transport


def build_client(
    relay: Relay, asynchronous: bool
) -> httpx2.Client | httpx2.AsyncClient:
    """Make an HTTP client that asks the engine: no redirects, no environment."""
    return httpx2.Client(
        transport=Transport(relay), trust_env=False, follow_redirects=False
    )
