"""Tells whether a provider's address can be reached, without a key and a request."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

import certifi


def reach(base_url: str, timeout: float) -> str | None:
    """Open and close one connection, with TLS where the address says so.

    :param timeout: seconds for connecting and for the handshake, each.
    :return: ``None`` when it works, else in a word what failed: ``dns``, ``tls`` or
        ``connect``.
    """
    url = urlsplit(base_url)
    host = url.hostname or ""
    port = url.port or (443 if url.scheme == "https" else 80)

    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            if url.scheme == "https":
                _shake_hands(connection, host)
    except socket.gaierror:
        return "dns"
    except ssl.SSLError:
        return "tls"
    except OSError:
        return "connect"

    return None


def _shake_hands(connection: socket.socket, host: str) -> None:
    # The same certificates the sender trusts, whatever the environment says.
    context = ssl.create_default_context(cafile=certifi.where())

    with context.wrap_socket(connection, server_hostname=host):
        pass
