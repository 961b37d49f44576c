"""The keyring's own ways to HKDF and AES-GCM, for vectors that others publish.

Nothing here computes anything: whoever rearranges the keyring points these three at
the functions that seal and open use then.
"""

from __future__ import annotations

from flask_byok.vault import keyring
from flask_byok.vault import localkey


def hkdf(secret: bytes, salt: bytes | None, info: bytes, length: int) -> bytes:
    """Derive as a record's key is derived, from a secret of any length."""
    return localkey.derive(secret, salt, info, length)


def encrypt(key: bytes, nonce: bytes, plaintext: bytes, tagged: bytes) -> bytes:
    """Encrypt as a key is sealed; the tag is at the end."""
    return keyring.AESGCM(key).encrypt(nonce, plaintext, tagged)


def decrypt(key: bytes, nonce: bytes, ciphertext: bytes, tagged: bytes) -> bytes | None:
    """Decrypt as a blob is opened; ``None`` when the tag does not fit."""
    return keyring._decrypt(key, nonce, ciphertext, tagged)
