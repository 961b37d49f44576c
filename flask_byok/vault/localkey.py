"""A master key of the local ring: the key provider whose wrap is a salt."""

from __future__ import annotations

import os
import typing as t

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..masterkeys import decode
from ..secret import Secret
from .format import count
from .format import length_prefixed
from .format import LOCAL
from .format import prefixed
from .format import SALT_LENGTH
from .keyprovider import KeyContext

_SHA256: t.Final = hashes.SHA256()
_OKM_LENGTH: t.Final = 64
_CHECK_VALUE_LENGTH: t.Final = 16
_FINGERPRINT_KEY_LENGTH: t.Final = 32


def info_start(header: bytes) -> bytes:
    """Encode how INFO begins under a header."""
    return count(7) + prefixed(b"flask-byok/v1/derive", header)


def derive(secret: bytes, salt: bytes | None, info: bytes, length: int) -> bytes:
    """Run HKDF-SHA256 (RFC 5869), extract and expand."""
    hkdf = HKDF(algorithm=_SHA256, length=length, salt=salt, info=info)
    return hkdf.derive(secret)


def derive_record(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """Derive the 64 bytes of one record."""
    return derive(secret, salt, info, _OKM_LENGTH)


def fingerprint_key(secret: bytes, namespace: bytes) -> bytes:
    """Derive the key under which system keys are marked."""
    info = length_prefixed(b"flask-byok/v1/fingerprint", namespace)
    return derive(secret, None, info, _FINGERPRINT_KEY_LENGTH)


class LocalKey:
    """One master key with the part of INFO that never changes."""

    __slots__ = ("_info_start", "_master_bytes")

    def __init__(self, key_id: str, master_key: Secret) -> None:
        self._master_bytes = decode(master_key)
        self._info_start = info_start(LOCAL + key_id.encode("ascii"))

    # Both, as in Secret: the slots would be handed out, the master key among them.
    def __getstate__(self) -> t.NoReturn:
        raise TypeError("A master key is not pickled or copied.")

    def __reduce_ex__(self, protocol: t.SupportsIndex) -> t.NoReturn:
        raise TypeError("A master key is not pickled or copied.")

    def new(self, header: bytes, context: KeyContext) -> tuple[bytes, bytes]:
        """Draw a salt and derive a record's keys with it."""
        salt = os.urandom(SALT_LENGTH)
        return salt, self.open(header, salt, context)

    def open(self, header: bytes, wrap: bytes, context: KeyContext) -> bytes:
        """Derive a record's keys with the salt that is stored."""
        info = self._info_start + context.encoded
        return HKDF(_SHA256, _OKM_LENGTH, wrap, info).derive(self._master_bytes)

    def check_value(self, key_id: str) -> str:
        """Give a number from which nothing about the key can be learned."""
        info = length_prefixed(b"flask-byok/v1/kcv", key_id.encode("ascii"))
        return derive(self._master_bytes, None, info, _CHECK_VALUE_LENGTH).hex()

    def fingerprint_key(self, namespace: bytes) -> bytes:
        """Derive the key under which system keys are marked."""
        return fingerprint_key(self._master_bytes, namespace)
