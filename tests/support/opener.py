"""A second opener of byte format v1, written from its description alone.

It shares no code with the package: HKDF and the length prefixes are written by hand.
Only AES-GCM itself comes from a library.
"""

from __future__ import annotations

import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def hkdf(ikm: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """Run HKDF-SHA256 as RFC 5869, sections 2.2 and 2.3, describe it."""
    extracted = hmac.new(salt, ikm, hashlib.sha256).digest()
    block, output, counter = b"", b"", 0

    while len(output) < length:
        counter += 1
        message = block + info + bytes([counter])
        block = hmac.new(extracted, message, hashlib.sha256).digest()
        output += block

    return output[:length]


def encode(*parts: bytes) -> bytes:
    """Write the number of parts, then each with its length before it."""
    output = struct.pack(">H", len(parts))

    for part in parts:
        output += struct.pack(">I", len(part)) + part

    return output


def take_apart(blob: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """Give header, wrap, commitment, nonce and what is left, the ciphertext."""
    header, rest = blob[:6], blob[6:]
    assert header[:2] in (b"\x01\x01", b"\x01\x02")

    if header[1] == 1:
        length = 32
    else:
        (length,) = struct.unpack_from(">H", rest)
        rest = rest[2:]

    wrap, commitment, nonce = struct.unpack_from(f">{length}s32s12s", rest)
    return header, wrap, commitment, nonce, rest[length + 44 :]


def open_blob(
    blob: bytes,
    secret: bytes,
    *,
    namespace: str,
    purpose: str,
    company: str,
    provider: str,
    record: str,
) -> str:
    """Open a sealed key; raise whatever the parts raise when it does not open.

    The secret is the master key of suite 1, the unwrapped data key of suite 2.
    """
    header, wrap, commitment, nonce, ciphertext = take_apart(blob)
    salt = wrap if header[1] == 1 else hashlib.sha256(wrap).digest()
    bound = [part.encode() for part in (purpose, namespace, company, provider, record)]
    okm = hkdf(secret, salt, encode(b"flask-byok/v1/derive", header, *bound), 64)
    assert okm[32:] == commitment
    tagged = encode(b"flask-byok/v1/aad", header, wrap, commitment, *bound)
    return AESGCM(okm[:32]).decrypt(nonce, ciphertext, tagged).decode("ascii")


def check_value(master: bytes, key_id: str) -> str:
    """Make the check value of a master key."""
    info = encode(b"flask-byok/v1/kcv", key_id.encode())
    return hkdf(master, bytes(32), info, 16).hex()


def service_check_value(name: str, key_id: str) -> str:
    """Make the check value of a key of a key service."""
    named = encode(b"flask-byok/v1/kcv-service", key_id.encode(), name.encode())
    return hashlib.sha256(named).hexdigest()[:32]
