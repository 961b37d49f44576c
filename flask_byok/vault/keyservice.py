"""Suite 2: data keys that a key service wraps, so that the master key stays there.

Each record has a random data key of its own. The service wraps it; what is stored is
the wrap, and only the service can undo it. A data key is never kept: each opening asks
the service.
"""

from __future__ import annotations

import abc
import collections.abc as cabc
import hashlib
import logging
import typing as t

from ..errors import KeyServiceUnavailable
from ..errors import StoredKeyUnreadable
from ..events import log_event
from .format import length_prefixed
from .format import LONGEST_WRAP
from .keyprovider import KeyContext
from .localkey import derive_record
from .localkey import info_start

_log = logging.getLogger(__name__)

#: Bytes of a data key.
DATA_KEY_LENGTH: t.Final = 32

_REFUSED: t.Final = "wrong_key_or_context"
_UNAVAILABLE: t.Final = "key_service_unavailable"
_T = t.TypeVar("_T")


class KeyService(abc.ABC):
    """A key provider on a key service. A subclass makes the two calls.

    :param timeout: seconds one use of the service may take; a call that has less time
        left gives it less.
    """

    def __init__(self, *, timeout: float = 5.0) -> None:
        if not 0 < timeout <= 3600:
            raise ValueError("The timeout of a key service is 0 to 3600 seconds.")

        self.timeout = timeout

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Which key of which kind of service this is; the same in every process.

        Not secret. It makes the check value, so it must not hold what may change while
        the key stays: the address of a server, say.
        """

    @abc.abstractmethod
    def make_data_key(
        self, ids: cabc.Mapping[str, str], timeout: float
    ) -> tuple[bytes, bytes]:
        """Have a new data key wrapped, bound to ``ids``.

        Whatever is raised means that the service did not do it; its text goes nowhere.

        :param ids: purpose, namespace, company, provider and record. No secret.
        :param timeout: seconds until this must be over, one way or the other.
        :return: 32 random bytes, and the wrap: 1 to 4096 bytes.
        """

    @abc.abstractmethod
    def unwrap(
        self, wrap: bytes, ids: cabc.Mapping[str, str], timeout: float
    ) -> bytes | None:
        """Have a stored wrap undone.

        Whatever is raised means that the service did not do it; its text goes nowhere.

        :return: the data key; ``None`` when the service says that this wrap is not of
            its key, or not bound to these ids.
        """

    def new(self, header: bytes, context: KeyContext) -> tuple[bytes, bytes]:
        """Make and wrap a data key, and derive a record's keys from it."""
        made = self._try_new(header, context)

        # Raised here, where no local holds a data key.
        if made is None:
            raise KeyServiceUnavailable

        return made

    def open(self, header: bytes, wrap: bytes, context: KeyContext) -> bytes:
        """Have the data key unwrapped, and derive a record's keys from it."""
        found = self._try_open(header, wrap, context)

        # Raised here, where no local holds a data key.
        if isinstance(found, bytes):
            return found

        if found == _REFUSED:
            raise StoredKeyUnreadable(_REFUSED)

        raise KeyServiceUnavailable

    def check_value(self, key_id: str) -> str:
        """Hash the service key's name; the service is not asked."""
        named = length_prefixed(
            b"flask-byok/v1/kcv-service",
            key_id.encode("ascii"),
            self.name.encode("utf-8"),
        )
        return hashlib.sha256(named).hexdigest()[:32]

    def _try_new(
        self, header: bytes, context: KeyContext
    ) -> tuple[bytes, bytes] | None:
        made = self._try(lambda left: self.make_data_key(context.ids(), left), context)

        if made is None:
            return None

        data_key, wrap = made

        if not _is_data_key(data_key) or not _is_wrap(wrap):
            self._tell("answered with what is no data key")
            return None

        return wrap, _derive(data_key, wrap, header, context)

    def _try_open(self, header: bytes, wrap: bytes, context: KeyContext) -> bytes | str:
        answer = self._try(
            lambda left: [self.unwrap(wrap, context.ids(), left)], context
        )

        if answer is None:
            return _UNAVAILABLE

        data_key = answer[0]

        if data_key is None:
            return _REFUSED

        if not _is_data_key(data_key):
            self._tell("answered with what is no data key")
            return _UNAVAILABLE

        return _derive(data_key, wrap, header, context)

    def _tell(self, what: str) -> None:
        log_event(
            _log,
            logging.WARNING,
            "key_service_failed",
            "%(service)s %(what)s.",
            service=type(self).__name__,
            what=what,
        )

    def _try(self, ask: cabc.Callable[[float], _T], context: KeyContext) -> _T | None:
        """Ask the service; ``None`` when it did not do it. Nothing is raised."""
        left = self.timeout
        left = left if context.timeout is None else min(left, context.timeout)

        if left <= 0:
            return None

        try:
            return ask(left)
        except KeyServiceUnavailable:
            # Who raised it has told the log why.
            return None
        except Exception as error:
            self._tell(f"failed with {type(error).__name__}")
            return None


def _derive(data_key: bytes, wrap: bytes, header: bytes, context: KeyContext) -> bytes:
    salt = hashlib.sha256(wrap).digest()
    return derive_record(data_key, salt, info_start(header) + context.encoded)


def _is_data_key(data_key: object) -> bool:
    return isinstance(data_key, bytes) and len(data_key) == DATA_KEY_LENGTH


def _is_wrap(wrap: object) -> bool:
    return isinstance(wrap, bytes) and 1 <= len(wrap) <= LONGEST_WRAP
