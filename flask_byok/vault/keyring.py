"""Seals API keys for the database and opens them again.

Each record has a key of its own, derived for the record's context (app, company,
provider, record), so that sealed bytes moved to another row do not open there. Behind
each id of the ring stands a key provider: a master key of the settings, or a key
service.
"""

from __future__ import annotations

import collections.abc as cabc
import hmac
import os
import typing as t
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..masterkeys import KEY_ID
from ..secret import Secret
from .entry import Entry
from .format import API_KEY as API_KEY
from .format import DRAFT as DRAFT
from .format import encode_context
from .format import join
from .format import judge_header
from .format import length_prefixed as length_prefixed
from .format import NONCE_LENGTH
from .format import Parts
from .format import prefixed
from .format import refuse_bad_context
from .format import SealContext as SealContext
from .format import split
from .format import unreadable
from .keyprovider import KeyContext
from .keyprovider import KeyProvider
from .localkey import fingerprint_key
from .localkey import LocalKey
from .plaintext import encode
from .plaintext import read_plaintext
from .plaintext import refuse_unsealable

_RECORD_KEY_LENGTH: t.Final = 32


class Keyring:
    """The keys of one app: seals under the primary, opens under all of them.

    Keeps nothing of what it seals or opens, so threads and forks may share it.
    """

    __slots__ = (
        "_app_secret",
        "_entries",
        "_namespace",
        "_namespace_bytes",
        "_namespace_part",
        "_primary",
    )

    def __init__(
        self,
        master_keys: cabc.Mapping[str, Secret | KeyProvider],
        primary: str,
        namespace: str,
        *,
        app_secret: Secret | None = None,
    ) -> None:
        """Take any 32 bytes per id; how good they are was judged with the settings.

        :param master_keys: by id; base64url text of 32 bytes, or a key service.
        :param primary: the id that seals.
        :param namespace: ``BYOK_NAMESPACE``, bound into every sealed key.
        :param app_secret: marks system keys where the ring has key services alone.
        :raises ValueError: for an id or a key of the wrong shape, or a primary that
            is not there.
        """
        if not all(map(KEY_ID.fullmatch, master_keys)):
            raise ValueError("A key id is four characters of a-z and 0-9.")

        if primary not in master_keys:
            raise ValueError("The primary key id is not in the ring.")

        self._entries = {
            key_id: Entry(key_id, each) for key_id, each in master_keys.items()
        }
        self._primary = primary
        self._namespace = namespace
        self._namespace_bytes = namespace.encode("utf-8")
        self._namespace_part = prefixed(self._namespace_bytes)
        self._app_secret = app_secret

    def __repr__(self) -> str:
        return f"<Keyring {', '.join(self.key_ids)}; primary {self._primary}>"

    def __getstate__(self) -> t.NoReturn:
        raise TypeError("A Keyring is not pickled or copied.")

    def __reduce_ex__(self, protocol: t.SupportsIndex) -> t.NoReturn:
        raise TypeError("A Keyring is not pickled or copied.")

    @property
    def primary(self) -> str:
        """The id of the key that seals."""
        return self._primary

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of all keys, as the settings order them."""
        return tuple(self._entries)

    @property
    def service_ids(self) -> tuple[str, ...]:
        """The ids behind which a key service stands: using them takes network."""
        return tuple(
            key_id for key_id, entry in self._entries.items() if entry.is_service
        )

    @property
    def namespace(self) -> str:
        """The namespace bound into every sealed key."""
        return self._namespace

    def seal(
        self, api_key: Secret, context: SealContext, *, timeout: float | None = None
    ) -> bytes:
        """Encrypt an API key under the primary.

        The same key sealed twice gives different bytes: salt or data key and nonce are
        fresh for each seal and cannot be handed in.

        :param timeout: seconds a key service may take; ``None`` leaves it its own.
        :return: 98 bytes more than the key has; with a key service the wrap and 68.
        :raises ApiKeyFormatError: when it is not 8 to 2048 visible ASCII characters.
        :raises ValueError: when a part of the context does not have its form.
        :raises KeyServiceUnavailable: when the key service gives no usable answer.
        """
        refuse_bad_context(context)
        refuse_unsealable(api_key)
        sealed = self._try_seal(api_key, context, timeout)

        # Raised here, where no local holds a derived key.
        if not isinstance(sealed, bytes):
            raise unreadable(sealed, self._entries[self._primary].header, context)

        return sealed

    def _try_seal(
        self, api_key: Secret, context: SealContext, timeout: float | None
    ) -> bytes | str:
        entry = self._entries[self._primary]
        encoded = encode_context(self._namespace_part, context)

        if encoded is None:
            return "wrong_key_or_context"

        made = entry.make(KeyContext(context, self._namespace, encoded, timeout))

        if made is None:
            return "key_service_unavailable"

        wrap, okm = made
        return _encrypt(entry, api_key, encoded, wrap, okm, os.urandom(NONCE_LENGTH))

    def open(
        self,
        blob: bytes,
        context: SealContext,
        *,
        key_id: str,
        timeout: float | None = None,
    ) -> Secret:
        """Decrypt a stored key.

        The key is looked up by the id in the blob and by nothing else: no other is
        tried, whatever the reason of a failure. With a key service this takes network:
        hold no connection of the database meanwhile.

        :param blob: as :meth:`seal` made it.
        :param context: of the row the blob was read from.
        :param key_id: of the same row; must be the one inside the blob.
        :param timeout: seconds a key service may take; ``None`` leaves it its own.
        :raises StoredKeyUnreadable: with the first of its reasons that applies;
            :exc:`KeyServiceUnavailable` for the one that passes by itself.
        """
        opened = self._try_open(blob, context, key_id, timeout)

        # Raised here, where no local holds a derived key or plaintext.
        if not isinstance(opened, Secret):
            raise unreadable(opened, blob, context)

        return opened

    def _try_open(
        self, blob: bytes, context: SealContext, key_id: str, timeout: float | None
    ) -> Secret | str:
        """Open the blob, or tell the reason why it does not open."""
        trouble = judge_header(blob, key_id)

        if trouble is not None:
            return trouble

        entry = self._entries.get(key_id)

        if entry is None:
            return "unknown_key_id"

        encoded = encode_context(self._namespace_part, context)

        # A master key where a key service should stand is another key under this id.
        if encoded is None or not blob.startswith(entry.header):
            return "wrong_key_or_context"

        keys = KeyContext(context, self._namespace, encoded, timeout)
        return _unseal(entry, split(blob), keys)

    def probe(self, key_id: str) -> str | None:
        """Let a key service wrap and unwrap a data key that protects nothing.

        :return: ``None`` when it did, else the reason a stored key would not open for.
        :raises KeyError: when the ring has no such id.
        """
        context = SealContext(
            purpose="probe",
            company="s:flask-byok",
            provider="PROBE",
            record=str(uuid.uuid4()),
        )
        encoded = encode_context(self._namespace_part, context) or b""
        keys = KeyContext(context, self._namespace, encoded)
        return self._entries[key_id].probe(keys)

    def check_value(self, key_id: str) -> str:
        """Give a public number that tells whether two rings mean the same key.

        :return: 32 lower-case hex digits; nothing about the key can be learned from it.
        :raises KeyError: when the ring has no such id.
        """
        return self._entries[key_id].provider.check_value(key_id)

    def fingerprint(self, api_key: Secret) -> str:
        """Give a mark by which a changed system key is noticed.

        :return: 32 hex digits of an HMAC under a key derived from the primary and the
            namespace; without that master key no guess can be checked against it. With
            a key service as primary, another master key of the ring takes its place,
            else the app's secret; ``unmarked`` without any of them.
        """
        mac_key = self._fingerprint_key()

        if mac_key is None:
            return "unmarked"

        return hmac.new(mac_key, encode(api_key), "sha256").hexdigest()[:32]

    def _fingerprint_key(self) -> bytes | None:
        # By id, so that the order in which a worker lists its keys does not matter.
        for key_id in (self._primary, *sorted(self._entries)):
            provider = self._entries[key_id].provider

            if isinstance(provider, LocalKey):
                return provider.fingerprint_key(self._namespace_bytes)

        if self._app_secret is None:
            return None

        return fingerprint_key(encode(self._app_secret), self._namespace_bytes)


def _encrypt(
    entry: Entry,
    api_key: Secret,
    encoded: bytes,
    wrap: bytes,
    okm: bytes,
    nonce: bytes,
) -> bytes:
    record_key, commitment = okm[:_RECORD_KEY_LENGTH], okm[_RECORD_KEY_LENGTH:]
    ciphertext = AESGCM(record_key).encrypt(
        nonce,
        encode(api_key),
        entry.associated_data(wrap, commitment, encoded),
    )
    return join(entry.header, (wrap, commitment, nonce, ciphertext))


def _unseal(entry: Entry, parts: Parts, keys: KeyContext) -> Secret | str:
    wrap, stored, nonce, ciphertext = parts
    okm = entry.derive(wrap, keys)

    if isinstance(okm, str):
        return okm

    record_key, commitment = okm[:_RECORD_KEY_LENGTH], okm[_RECORD_KEY_LENGTH:]

    # Before GCM: its tag alone can be made to fit two keys.
    if not hmac.compare_digest(commitment, stored):
        return "wrong_key_or_context"

    associated_data = entry.associated_data(wrap, commitment, keys.encoded)
    plaintext = _decrypt(record_key, nonce, ciphertext, associated_data)

    if plaintext is None:
        return "tampered"

    return read_plaintext(plaintext) or "malformed"


def _decrypt(
    record_key: bytes, nonce: bytes, ciphertext: bytes, associated_data: bytes
) -> bytes | None:
    try:
        return AESGCM(record_key).decrypt(nonce, ciphertext, associated_data)
    except InvalidTag:
        return None
