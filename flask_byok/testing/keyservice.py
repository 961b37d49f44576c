"""A key service for tests: it wraps for real, records who asked, and fails to order."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import json
import os
import threading
import typing as t

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..vault.keyservice import KeyService

#: How it can fail: no answer at all, an answer that never comes, a wrap of 5,000 bytes,
#: a data key that is too short, the data key of another record.
ServiceFault = t.Literal["down", "slow", "oversized", "short", "other"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ServiceRequest:
    """What the service was asked.

    :param ids: purpose, namespace, company, provider and record, as a service's own
        log would show them.
    :param timeout: seconds it was given.
    """

    verb: t.Literal["make", "unwrap"]
    ids: cabc.Mapping[str, str]
    timeout: float


class FakeKeyService(KeyService):
    """A key service in this process; put it into ``BYOK_MASTER_KEYS`` of a test app.

    It wraps data keys with AES-256-GCM under a random key of its own and binds them to
    their ids, so that what another one wrapped, or for another record, is refused.

    :param key: which key it says it is; two of one name are two services all the same.
    :param timeout: seconds one use may take.
    """

    def __init__(self, key: str = "one", *, timeout: float = 5.0) -> None:
        super().__init__(timeout=timeout)
        self._key = key
        self._aead = AESGCM(AESGCM.generate_key(256))
        self._fault: ServiceFault | None = None
        #: Every question, in order.
        self.requests: list[ServiceRequest] = []

    @property
    def name(self) -> str:
        """The name it was given."""
        return f"fake:{self._key}"

    def fail(self, fault: ServiceFault) -> None:
        """Fail from now on, each time."""
        self._fault = fault

    def recover(self) -> None:
        """Work again."""
        self._fault = None

    def make_data_key(
        self, ids: cabc.Mapping[str, str], timeout: float
    ) -> tuple[bytes, bytes]:
        """Draw a data key and wrap it."""
        self._note("make", ids, timeout)
        data_key, nonce = os.urandom(32), os.urandom(12)
        wrap = nonce + self._aead.encrypt(nonce, data_key, _bound(ids))

        if self._fault == "oversized":
            wrap = wrap.ljust(5000, b"\0")

        return (data_key[:16] if self._fault == "short" else data_key), wrap

    def unwrap(
        self, wrap: bytes, ids: cabc.Mapping[str, str], timeout: float
    ) -> bytes | None:
        """Undo a wrap of this service that was made for these ids."""
        self._note("unwrap", ids, timeout)

        try:
            data_key = self._aead.decrypt(wrap[:12], wrap[12:], _bound(ids))
        except (InvalidTag, ValueError):
            return None

        if self._fault == "other":
            return bytes(32)

        if self._fault == "oversized":
            return data_key.ljust(5000, b"\0")

        return data_key[:16] if self._fault == "short" else data_key

    def _note(
        self,
        verb: t.Literal["make", "unwrap"],
        ids: cabc.Mapping[str, str],
        timeout: float,
    ) -> None:
        request = ServiceRequest(verb=verb, ids=dict(ids), timeout=timeout)
        self.requests.append(request)

        if self._fault == "down":
            raise ConnectionError

        if self._fault == "slow":
            threading.Event().wait(timeout)
            raise TimeoutError


def _bound(ids: cabc.Mapping[str, str]) -> bytes:
    return json.dumps(dict(ids), sort_keys=True).encode("ascii")
