"""What stands behind an id of the ring: something that derives a record's keys."""

from __future__ import annotations

import typing as t

from .format import SealContext


class KeyContext(t.NamedTuple):
    """What one record's keys are derived for, and how long that may take."""

    #: Purpose, company, provider and record.
    record: SealContext
    #: ``BYOK_NAMESPACE``.
    namespace: str
    #: The five texts above as they end INFO: length-prefixed UTF-8.
    encoded: bytes
    #: Seconds the caller has left; ``None`` when nobody is waiting for a deadline.
    timeout: float | None = None

    def ids(self) -> dict[str, str]:
        """Give the five texts by name: what a key service may see, and log."""
        return {
            "purpose": self.record.purpose,
            "namespace": self.namespace,
            "company": self.record.company,
            "provider": self.record.provider,
            "record": self.record.record,
        }


@t.runtime_checkable
class KeyProvider(t.Protocol):
    """Derives the 64 bytes of one record: 32 of its AES key, 32 of its commitment.

    A master key of the local ring is one, whose ``wrap`` is a salt. For a key service
    build on :class:`KeyService`, which leaves you the two calls of the service. An
    implementation is shared by threads, keeps no derived key and no data key, and
    raises nothing but the errors named here.
    """

    def new(self, header: bytes, context: KeyContext) -> tuple[bytes, bytes]:
        """Make fresh keys for a record that is about to be sealed.

        :param header: version, suite and key id: the first 6 bytes of the blob.
        :return: the wrap to store, 1 to 4096 bytes, and the 64 bytes.
        :raises KeyServiceUnavailable: when it cannot be done in time.
        """
        ...

    def open(self, header: bytes, wrap: bytes, context: KeyContext) -> bytes:
        """Derive the same 64 bytes from a stored wrap.

        :raises KeyServiceUnavailable: when it cannot be done in time.
        :raises StoredKeyUnreadable: ``wrong_key_or_context`` when the wrap was made
            by another key, or for another record.
        """
        ...

    def check_value(self, key_id: str) -> str:
        """Give a public number that tells whether two processes mean the same key.

        Asks nobody, and is the same in every process.

        :return: 32 lower-case hex digits.
        """
        ...
