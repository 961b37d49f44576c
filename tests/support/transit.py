"""A loopback server that speaks as Vault's transit engine does, and fails to order.

Written from Vault's API documentation and from what its source does where that is
silent: a key that is not ``derived`` ignores ``context``; ``associated_data`` binds on
AEAD types and is refused on others; ``encrypt`` and ``decrypt`` answer 400 with a list
of ``errors``, 403 without a good token, 404 for a path nobody mounted, 503 when sealed.
"""

from __future__ import annotations

import base64
import binascii
import collections.abc as cabc
import contextlib
import dataclasses
import http.server
import json
import os
import re
import threading
import typing as t
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

TOKEN: t.Final = "not-a-real-vault-token-0001"

#: Writes an answer of its own in place of the engine's.
Answer = cabc.Callable[["Handler"], None]

_PATH = re.compile(r"/v1/(?:team-a/)?transit/(encrypt|decrypt)/([A-Za-z0-9._-]+)")
_WRAP = re.compile(r"vault:v(\d+):([A-Za-z0-9+/=]+)")


@dataclasses.dataclass
class TransitKey:
    """One named key with all its versions."""

    derived: bool = False
    is_aead: bool = True
    versions: list[bytes] = dataclasses.field(default_factory=lambda: [os.urandom(32)])
    oldest: int = 1


@dataclasses.dataclass
class Request:
    """What arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, *errors: str) -> None:
        super().__init__(status)
        self.status = status
        self.errors = list(errors)


class Transit(http.server.ThreadingHTTPServer):
    """The server, its keys, and what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.keys = {"byok": TransitKey()}
        self.token = TOKEN
        self.sealed = False
        #: Answers in place of the engine when set.
        self.answer: Answer | None = None
        self.requests: list[Request] = []
        #: Set at the end, so that no answer hangs longer than the test.
        self.over = threading.Event()

    @property
    def origin(self) -> str:
        """The address without a path."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        """The URL of the key ``byok``."""
        return f"{self.origin}/v1/transit/keys/byok"

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Say nothing of clients that went away: some tests make them."""

    def use(self, verb: str, name: str, body: dict[str, t.Any]) -> dict[str, object]:
        """Do what a path of the engine does."""
        key = self.keys.get(name)

        if key is None:
            raise Refusal(400, "encryption key not found")

        bound = _decoded(body, "associated_data")

        if bound and not key.is_aead:
            raise Refusal(400, "associated_data provided for non-AEAD cipher suite")

        if verb == "encrypt":
            version = len(key.versions)
            aead = self._aead(key, version, _decoded(body, "context"))
            nonce, plaintext = os.urandom(12), _decoded(body, "plaintext")
            sealed = nonce + aead.encrypt(nonce, plaintext, bound)
            return {
                "ciphertext": f"vault:v{version}:{_encoded(sealed)}",
                "key_version": version,
            }

        return {"plaintext": _encoded(self._decrypt(key, body, bound))}

    def _decrypt(self, key: TransitKey, body: dict[str, t.Any], bound: bytes) -> bytes:
        found = _WRAP.fullmatch(str(body.get("ciphertext", "")))

        if found is None:
            raise Refusal(400, "invalid ciphertext: no prefix")

        version = int(found[1])

        if version > len(key.versions):
            raise Refusal(400, "invalid ciphertext: version is too new")

        if version < key.oldest:
            raise Refusal(
                400, "ciphertext or signature version is disallowed by policy (too old)"
            )

        aead = self._aead(key, version, _decoded(body, "context"))

        try:
            sealed = base64.b64decode(found[2], validate=True)
            return aead.decrypt(sealed[:12], sealed[12:], bound)
        except (InvalidTag, ValueError):
            pass

        raise Refusal(400, "cipher: message authentication failed")

    def _aead(self, key: TransitKey, version: int, context: bytes) -> AESGCM:
        secret = key.versions[version - 1]

        if not key.derived:
            return AESGCM(secret)

        if not context:
            raise Refusal(400, "missing 'context' for key derivation")

        hkdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=context)
        return AESGCM(hkdf.derive(secret))


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Transit

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def do_POST(self) -> None:
        """Answer as the engine does, or as the test says."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append(Request(self.path, headers, body))

        if self.server.answer is not None:
            self.server.answer(self)
            return

        try:
            self.send_json(200, _envelope(self._use(body)))
        except Refusal as refusal:
            self.send_json(refusal.status, {"errors": refusal.errors})

    def _use(self, body: bytes) -> dict[str, object]:
        if self.server.sealed:
            raise Refusal(503, "Vault is sealed")

        if self.headers.get("X-Vault-Token") != self.server.token:
            raise Refusal(403, "permission denied")

        found = _PATH.fullmatch(self.path)

        if found is None:
            raise Refusal(404)

        return self.server.use(found[1], found[2], json.loads(body))

    def send_json(self, status: int, value: object) -> None:
        """Answer with a JSON text."""
        self.send_bytes(status, json.dumps(value).encode())

    def send_bytes(self, status: int, body: bytes, **headers: str) -> None:
        """Answer with any bytes."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")

        for name, value in headers.items():
            self.send_header(name, value)

        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def run_transit() -> cabc.Iterator[Transit]:
    """Run a server while the block lasts."""
    server = Transit()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def hang(handler: Handler) -> None:
    """Never answer."""
    handler.server.over.wait(30)
    handler.close_connection = True


def drip(handler: Handler) -> None:
    """Send a good beginning, and then a byte now and then."""
    handler.send_response(200)
    handler.send_header("Content-Length", "10000")
    handler.end_headers()

    with contextlib.suppress(OSError):
        while not handler.server.over.wait(0.02):
            handler.wfile.write(b" ")


def cut(handler: Handler) -> None:
    """Go away without an answer."""
    handler.close_connection = True


def bomb(handler: Handler) -> None:
    """Send a megabyte; the client may have enough of it earlier."""
    with contextlib.suppress(OSError):
        handler.send_bytes(200, b'{"data": "' + b"x" * 1_000_000 + b'"}')


def sends(status: int, body: bytes, **headers: str) -> Answer:
    """Make an answer of any bytes."""
    return lambda handler: handler.send_bytes(status, body, **headers)


#: What a key service may do wrong, whichever it is.
TROUBLES: t.Final[dict[str, Answer]] = {
    "hangs": hang,
    "drips": drip,
    "cuts": cut,
    "bombs": bomb,
    "redirects": sends(307, b"", Location="http://127.0.0.1:9/"),
    "html": sends(200, b"<html>sign in</html>"),
    "nothing": sends(200, b""),
    "array": sends(200, b"[1]"),
    "deep": sends(200, b"[" * 50_000),
    "numbers": sends(200, b'{"data": 1, "Plaintext": 2, "CiphertextBlob": 3}'),
    "empty": sends(200, b'{"data": {}}'),
    "broken": sends(500, b'{"errors": ["internal error"]}'),
    "busy": sends(429, b"{}"),
}


def _decoded(body: dict[str, t.Any], name: str) -> bytes:
    try:
        return base64.b64decode(str(body.get(name, "")), validate=True)
    except binascii.Error:
        pass

    raise Refusal(400, f"failed to base64-decode {name}")


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _envelope(data: dict[str, object]) -> dict[str, object]:
    return {
        "request_id": str(uuid.uuid4()),
        "lease_id": "",
        "renewable": False,
        "lease_duration": 0,
        "data": data,
        "wrap_info": None,
        "warnings": None,
        "auth": None,
    }
