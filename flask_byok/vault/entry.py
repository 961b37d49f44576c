"""One id of the ring and the key provider behind it, whose failures end here."""

from __future__ import annotations

import hmac
import logging
import typing as t

from ..errors import StoredKeyUnreadable
from ..events import log_event
from ..secret import Secret
from .format import count
from .format import LOCAL
from .format import LONGEST_WRAP
from .format import prefixed
from .format import SERVICE
from .keyprovider import KeyContext
from .keyprovider import KeyProvider
from .localkey import LocalKey

_log = logging.getLogger(__name__)

_OKM_LENGTH: t.Final = 64


class Entry:
    """One id of the ring, with the parts of its encodings that never change."""

    __slots__ = ("_aad_start", "header", "is_service", "provider")

    def __init__(self, key_id: str, master_key: Secret | KeyProvider) -> None:
        self.provider: KeyProvider = _build_provider(key_id, master_key)
        self.is_service: bool = not isinstance(self.provider, LocalKey)
        suite = SERVICE if self.is_service else LOCAL
        self.header: bytes = suite + key_id.encode("ascii")
        self._aad_start = count(9) + prefixed(b"flask-byok/v1/aad", self.header)

    def associated_data(self, wrap: bytes, commitment: bytes, encoded: bytes) -> bytes:
        """Encode what the tag covers besides the ciphertext."""
        start, bound = self._aad_start, prefixed(wrap, commitment)
        return b"%b%b%b" % (start, bound, encoded)

    def make(self, keys: KeyContext) -> tuple[bytes, bytes] | None:
        """Make a record's keys; ``None`` when the provider did not, or not rightly."""
        try:
            wrap, okm = self.provider.new(self.header, keys)
        except Exception as error:
            _note_failure(error)
            return None

        if not _is_bytes(wrap, 1, LONGEST_WRAP) or not _is_okm(okm):
            return None

        return wrap, okm

    def derive(self, wrap: bytes, keys: KeyContext) -> bytes | str:
        """Derive a record's keys again, or tell the reason why not."""
        try:
            okm = self.provider.open(self.header, wrap, keys)
        except StoredKeyUnreadable as error:
            return error.reason
        except Exception as error:
            _note_failure(error)
            return "key_service_unavailable"

        return okm if _is_okm(okm) else "key_service_unavailable"

    def probe(self, keys: KeyContext) -> str | None:
        """Make keys that protect nothing and derive them again; tell why not."""
        made = self.make(keys)

        if made is None:
            return "key_service_unavailable"

        derived = self.derive(made[0], keys)

        if isinstance(derived, str):
            return derived

        same = hmac.compare_digest(derived, made[1])
        return None if same else "wrong_key_or_context"


def _is_bytes(value: object, shortest: int, longest: int) -> bool:
    return isinstance(value, bytes) and shortest <= len(value) <= longest


def _is_okm(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == _OKM_LENGTH


def _build_provider(key_id: str, master_key: Secret | KeyProvider) -> KeyProvider:
    if isinstance(master_key, Secret):
        return LocalKey(key_id, master_key)

    return master_key


def _note_failure(error: Exception) -> None:
    # Its text may hold anything; an error of ours was explained where it arose.
    if not isinstance(error, StoredKeyUnreadable):
        log_event(
            _log,
            logging.WARNING,
            "key_provider_failed",
            "A key provider failed with %(error)s.",
            error=type(error).__name__,
        )
