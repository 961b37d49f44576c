"""Seals API keys for the database and opens them again: byte format v1.

Each record has a key of its own, derived from the master key, a fresh salt and the
record's context (app, company, provider, record), so that sealed bytes moved to another
row do not open there. ``docs/security.md`` has the format byte by byte.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import hmac
import os
import re
import typing as t

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..errors import ApiKeyFormatError
from ..errors import StoredKeyUnreadable
from ..masterkeys import decode
from ..masterkeys import KEY_ID
from ..secret import Secret
from .company import company_value

#: What a stored key is sealed for. Anything else ever sealed takes its own purpose.
API_KEY: t.Final = "api-key"

_LOCAL: t.Final = b"\x01\x01"  # version 1, suite 1: a master key of the local ring
_SERVICE: t.Final = b"\x01\x02"  # version 1, suite 2: a key service, not built here

_SALT_AT: t.Final = 6
_COMMITMENT_AT: t.Final = 38
_NONCE_AT: t.Final = 70
_CIPHERTEXT_AT: t.Final = 82
_SHORTEST_BLOB: t.Final = 98
_LONGEST_BLOB: t.Final = 4096
_LONGEST_SERVICE_BLOB: t.Final = 8192

_SALT_LENGTH: t.Final = 32
_NONCE_LENGTH: t.Final = 12
_RECORD_KEY_LENGTH: t.Final = 32
_OKM_LENGTH: t.Final = 64
_CHECK_VALUE_LENGTH: t.Final = 16

_PLAINTEXT: t.Final = re.compile(rb"[\x21-\x7e]{8,2048}")
_PURPOSE: t.Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_PROVIDER: t.Final = re.compile(r"[A-Z0-9_]{1,32}")
_RECORD: t.Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SealContext:
    """What a sealed key is bound to, besides the app's namespace."""

    #: ``api-key`` for a stored key.
    purpose: str
    #: The typed text of the company's id, such as ``i:42``.
    company: str
    #: The provider's id in capitals, such as ``OPENAI``.
    provider: str
    #: The credential's id, ``str(uuid4())``, made before the row is inserted.
    record: str


def length_prefixed(*parts: bytes) -> bytes:
    """Encode byte strings so that two different lists never give the same bytes."""
    return _count(len(parts)) + _prefixed(*parts)


def _count(parts: int) -> bytes:
    return parts.to_bytes(2, "big")


def _prefixed(*parts: bytes) -> bytes:
    return b"".join([len(part).to_bytes(4, "big") + part for part in parts])


class _MasterKey:
    """One master key with the parts of its encodings that never change."""

    __slots__ = ("_aad_start", "_info_start", "_master_bytes", "header", "key_id")

    def __init__(self, key_id: str, master_key: Secret) -> None:
        self.key_id = key_id
        self.header = _LOCAL + key_id.encode("ascii")
        self._master_bytes = decode(master_key)
        self._info_start = _count(7) + _prefixed(b"flask-byok/v1/derive", self.header)
        self._aad_start = _count(9) + _prefixed(b"flask-byok/v1/aad", self.header)

    def derive(self, salt: bytes, context: bytes) -> tuple[bytes, bytes]:
        """Derive a record's AES key and its commitment; ``context`` is encoded."""
        okm = self.hkdf(salt, self._info_start + context, _OKM_LENGTH)
        return okm[:_RECORD_KEY_LENGTH], okm[_RECORD_KEY_LENGTH:]

    def associated_data(self, salt: bytes, commitment: bytes, context: bytes) -> bytes:
        """Encode what the tag covers besides the ciphertext."""
        return self._aad_start + _prefixed(salt, commitment) + context

    def hkdf(self, salt: bytes | None, info: bytes, length: int) -> bytes:
        """Run HKDF-SHA256 (RFC 5869), extract and expand."""
        hkdf = HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info)
        return hkdf.derive(self._master_bytes)


class Keyring:
    """The master keys of one app: seals under the primary, opens under all of them.

    Keeps nothing of what it seals or opens, so threads and forks may share it.
    """

    __slots__ = ("_master_keys", "_namespace", "_namespace_bytes", "_primary")

    def __init__(
        self, master_keys: cabc.Mapping[str, Secret], primary: str, namespace: str
    ) -> None:
        """Take any 32 bytes per id; how good they are was judged with the settings.

        :param master_keys: by id; base64url text of 32 bytes each.
        :param primary: the id that seals.
        :param namespace: ``BYOK_NAMESPACE``, bound into every sealed key.
        :raises ValueError: for an id or a key of the wrong shape, or a primary that
            is not there.
        """
        if not all(map(KEY_ID.fullmatch, master_keys)):
            raise ValueError("A key id is four characters of a-z and 0-9.")

        if primary not in master_keys:
            raise ValueError("The primary key id is not in the ring.")

        self._master_keys = {
            key_id: _MasterKey(key_id, master_key)
            for key_id, master_key in master_keys.items()
        }
        self._primary = primary
        self._namespace = namespace
        self._namespace_bytes = namespace.encode("utf-8")

    def __repr__(self) -> str:
        return f"<Keyring {', '.join(self.key_ids)}; primary {self._primary}>"

    def __getstate__(self) -> t.NoReturn:
        raise TypeError("A Keyring is not pickled or copied.")

    def __reduce_ex__(self, protocol: t.SupportsIndex) -> t.NoReturn:
        raise TypeError("A Keyring is not pickled or copied.")

    @property
    def primary(self) -> str:
        """The id of the master key that seals."""
        return self._primary

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of all master keys, as the settings order them."""
        return tuple(self._master_keys)

    @property
    def service_ids(self) -> tuple[str, ...]:
        """The ids behind which a key service stands: using them takes network."""
        return ()

    @property
    def namespace(self) -> str:
        """The namespace bound into every sealed key."""
        return self._namespace

    def seal(self, api_key: Secret, context: SealContext) -> bytes:
        """Encrypt an API key under the primary master key.

        The same key sealed twice gives different bytes: salt and nonce come fresh from
        the operating system and cannot be handed in.

        :return: 98 bytes more than the key has.
        :raises ApiKeyFormatError: when it is not 8 to 2048 visible ASCII characters.
        :raises ValueError: when a part of the context does not have its form.
        """
        refuse_bad_context(context)
        refuse_unsealable(api_key)
        return self._seal_with(
            os.urandom(_SALT_LENGTH), os.urandom(_NONCE_LENGTH), api_key, context
        )

    def _seal_with(
        self, salt: bytes, nonce: bytes, api_key: Secret, context: SealContext
    ) -> bytes:
        master_key = self._master_keys[self._primary]
        encoded = self._encode(context)
        record_key, commitment = master_key.derive(salt, encoded)
        ciphertext = AESGCM(record_key).encrypt(
            nonce,
            api_key.reveal().encode("ascii"),
            master_key.associated_data(salt, commitment, encoded),
        )
        return master_key.header + salt + commitment + nonce + ciphertext

    def open(self, blob: bytes, context: SealContext, *, key_id: str) -> Secret:
        """Decrypt a stored key.

        The master key is looked up by the id in the blob and by nothing else: no other
        key is tried, whatever the reason of a failure.

        :param blob: as :meth:`seal` made it.
        :param context: of the row the blob was read from.
        :param key_id: of the same row; must be the one inside the blob.
        :raises StoredKeyUnreadable: with the first of its reasons that applies.
        """
        opened = self._try_open(blob, context, key_id)

        # Raised here, where no local holds a derived key or plaintext.
        if not isinstance(opened, Secret):
            raise _unreadable(opened, blob, context)

        return opened

    def _try_open(self, blob: bytes, context: SealContext, key_id: str) -> Secret | str:
        """Open the blob, or tell the reason why it does not open."""
        trouble = _judge_header(blob, key_id)

        if trouble is not None:
            return trouble

        master_key = self._master_keys.get(key_id)

        if master_key is None:
            return "unknown_key_id"

        return self._unseal(master_key, blob, context)

    def _unseal(
        self, master_key: _MasterKey, blob: bytes, context: SealContext
    ) -> Secret | str:
        encoded = self._try_encode(context)

        if encoded is None:
            return "wrong_key_or_context"

        salt = blob[_SALT_AT:_COMMITMENT_AT]
        stored = blob[_COMMITMENT_AT:_NONCE_AT]
        record_key, commitment = master_key.derive(salt, encoded)

        # Before GCM: its tag alone can be made to fit two keys.
        if not hmac.compare_digest(commitment, stored):
            return "wrong_key_or_context"

        associated_data = master_key.associated_data(salt, commitment, encoded)
        plaintext = _decrypt(record_key, blob, associated_data)

        if plaintext is None:
            return "tampered"

        if not _PLAINTEXT.fullmatch(plaintext):
            return "malformed"

        return Secret(plaintext.decode("ascii"))

    def _encode(self, context: SealContext) -> bytes:
        return _prefixed(
            context.purpose.encode("utf-8"),
            self._namespace_bytes,
            context.company.encode("utf-8"),
            context.provider.encode("utf-8"),
            context.record.encode("utf-8"),
        )

    def _try_encode(self, context: SealContext) -> bytes | None:
        """Encode the context of a row; ``None`` when somebody edited it beyond text."""
        try:
            return self._encode(context)
        except UnicodeEncodeError:
            return None

    def check_value(self, key_id: str) -> str:
        """Give a public number that tells whether two rings mean the same master key.

        :return: 32 lower-case hex digits; nothing about the key can be learned from it.
        :raises KeyError: when the ring has no such id.
        """
        info = length_prefixed(b"flask-byok/v1/kcv", key_id.encode("ascii"))
        return self._master_keys[key_id].hkdf(None, info, _CHECK_VALUE_LENGTH).hex()

    def fingerprint(self, api_key: Secret) -> str:
        """Give a mark by which a changed system key is noticed.

        :return: 32 hex digits of an HMAC under a key derived from the primary and the
            namespace; without that master key no guess can be checked against it.
        """
        info = length_prefixed(b"flask-byok/v1/fingerprint", self._namespace_bytes)
        mac_key = self._master_keys[self._primary].hkdf(None, info, 32)
        plaintext = api_key.reveal().encode("utf-8", "surrogatepass")
        return hmac.new(mac_key, plaintext, "sha256").hexdigest()[:32]


def refuse_bad_context(context: SealContext) -> None:
    """Stop before sealing for a context that no row can have.

    :raises ValueError: naming the part, not what it holds.
    """
    if not _PURPOSE.fullmatch(context.purpose):
        raise ValueError("The purpose of a sealed key is a word such as 'api-key'.")

    if not _PROVIDER.fullmatch(context.provider):
        raise ValueError("The provider of a sealed key is an id such as 'OPENAI'.")

    if not _RECORD.fullmatch(context.record):
        raise ValueError("The record of a sealed key is 'str(uuid4())'.")

    company_value(context.company)


def refuse_unsealable(api_key: Secret) -> None:
    """Stop before sealing a text that could not be opened again.

    :raises ApiKeyFormatError: ``short``, ``long`` or ``character``.
    """
    code = _judge_plaintext(api_key)

    if code is not None:
        raise ApiKeyFormatError(
            code, "An API key has 8 to 2048 visible ASCII characters, without spaces."
        )


def _judge_plaintext(api_key: Secret) -> str | None:
    plaintext = api_key.reveal().encode("utf-8", "surrogatepass")

    if _PLAINTEXT.fullmatch(plaintext):
        return None

    if len(plaintext) < 8:
        return "short"

    return "long" if len(plaintext) > 2048 else "character"


def _judge_header(blob: object, key_id: str) -> str | None:
    """Check what can be checked without a key; give the reason, or ``None``."""
    if not isinstance(blob, bytes):
        return "malformed"

    start = blob[:2]
    longest = _LONGEST_SERVICE_BLOB if start == _SERVICE else _LONGEST_BLOB

    if not _SHORTEST_BLOB <= len(blob) <= longest:
        return "malformed"

    if start != _LOCAL:
        return "unsupported_format"

    # latin-1 reads any byte, so a damaged id compares instead of raising.
    if blob[2:_SALT_AT].decode("latin-1") != key_id:
        return "header_mismatch"

    return None


def _decrypt(record_key: bytes, blob: bytes, associated_data: bytes) -> bytes | None:
    nonce = blob[_NONCE_AT:_CIPHERTEXT_AT]

    try:
        return AESGCM(record_key).decrypt(nonce, blob[_CIPHERTEXT_AT:], associated_data)
    except InvalidTag:
        return None


def _unreadable(reason: str, blob: object, context: SealContext) -> StoredKeyUnreadable:
    """Build the error from what may be told: ids and the number of the format."""
    start = blob[:_SALT_AT] if isinstance(blob, bytes) else b""
    key_id = start[2:].decode("latin-1") if start[:2] == _LOCAL else ""
    return StoredKeyUnreadable(
        reason,
        record_id=context.record,
        key_id=key_id if KEY_ID.fullmatch(key_id) else None,
        stored_format=(start[0], start[1]) if reason == "unsupported_format" else None,
    )
