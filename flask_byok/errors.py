"""The error tree.

.. code-block:: text

    BYOKError
    ├── ConfigError                 a setting is wrong; the app does not start
    ├── SetupError                  the app was put together wrongly (no loader, say)
    ├── NoCompany                   nobody knows which company is calling
    ├── VaultClosed                 no key can be saved or opened here, on purpose
    ├── ApiKeyFormatError           a pasted text cannot be an API key (.code)
    ├── CredentialNotFound          this company has no key of that provider
    ├── CredentialChanged           somebody changed the key in between
    ├── PolicyLocked                the operator set the policy for all companies
    ├── UnknownProvider             no provider of that name is registered
    ├── CheckLimited                too many key checks in a minute (.retry_after)
    ├── StateUnavailable            our own rows cannot be read or written
    ├── RotationStopped             a rotation could not go on; what it did stays
    ├── RetireRefused               a master key may not be retired
    └── CallError                   an AI call did not end in an answer (.attempts)
        ├── NoRoute                 neither a company key nor a system key
        ├── CompanyKeyUnavailable   the key is out and nothing else may answer
        ├── StoredKeyUnreadable     the stored key does not open (.reason)
        │   └── KeyServiceUnavailable   the key service does not answer; try again
        ├── SystemBudgetExceeded    the month's allowance is used up
        ├── SystemKeyRefused        the use of the system key cannot be recorded
        ├── UnsupportedByProvider   the provider cannot do it (.feature); nothing sent
        ├── InvalidAnswer           not in the format asked for (.text .usage)
        └── ProviderError           a provider, or the way to it, failed
            ├── KeyRejected         wrong, revoked, expired
            ├── KeyForbidden        the key lacks a permission
            ├── ModelNotFound       the key does not have the model
            ├── QuotaExceeded       no credit, or a cap of its own
            ├── RateLimited         busy for a moment
            ├── ProviderOutage      the provider answered with trouble
            ├── ProviderTimeout     sent, then silence
            ├── RequestRefused      the request itself is wrong
            ├── OurSideError        firewall, proxy, TLS, region of the server
            └── StreamInterrupted   broken after the first content (.partial)

Every message is fixed text of ours. None holds a provider's words, a URL, a header
or a key, and none is chained to an exception that does.
"""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import typing as t

if t.TYPE_CHECKING:
    from .providers.types import Attempt
    from .providers.types import ChatResponse
    from .providers.types import Usage


class BYOKError(Exception):
    """The base of every error this package raises."""

    # Exceptions are made again from their message alone, which most of ours refuse: a
    # pool of processes would break, or wait for ever, over the error of one call.
    def __reduce__(self) -> tuple[t.Any, ...]:
        return _restore, (type(self), self.args), vars(self)


def _restore(error_class: type[BYOKError], arguments: tuple[t.Any, ...]) -> BYOKError:
    """Make an error that comes from another process; its attributes follow."""
    return error_class.__new__(error_class, *arguments)


class ConfigError(BYOKError):
    """A setting is missing, unknown or unusable. Names the setting, not its value."""


class SetupError(BYOKError):
    """The app was put together wrongly; the message says what to call."""


class NoCompany(BYOKError):
    """Nobody knows which company is calling, so no key may be used.

    :param type_name: of what was given for an id and cannot be one; ``None`` when
        nobody is calling.
    """

    def __init__(self, message: str, *, type_name: str | None = None) -> None:
        super().__init__(message)
        #: The type of a value that cannot be an id; ``None`` when there was none.
        self.type_name = type_name


class VaultClosed(BYOKError):
    """The vault is closed (``BYOK_MASTER_KEYS = False``): no key is opened."""


class ApiKeyFormatError(BYOKError):
    """A pasted text cannot be an API key; it was not sent anywhere.

    :param code: one of ``empty``, ``masked``, ``space``, ``character``, ``short``,
        ``long``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        #: Which rule refused the text.
        self.code = code


class CredentialNotFound(BYOKError):
    """This company has no stored key of that provider."""


class CredentialChanged(BYOKError):
    """Somebody saved or removed the key since it was looked at."""


class PolicyLocked(BYOKError):
    """The operator set the fallback policy for all companies."""


class UnknownProvider(BYOKError):
    """No provider of that name is registered with this app."""


class CheckLimited(BYOKError):
    """Too many key checks; nothing was sent.

    :param retry_after: seconds until the next check is allowed; ``None`` when the
        store that counts the checks cannot be reached.
    """

    def __init__(self, message: str, retry_after: float | None) -> None:
        super().__init__(message)
        #: Seconds to wait; ``None`` when the counter itself is out of reach.
        self.retry_after = retry_after


class StateUnavailable(BYOKError):
    """Our own rows cannot be read or written, so no key and no policy is known."""


class RotationStopped(BYOKError):
    """A rotation could not go on. What it moved stays moved; run it again."""


class RetireRefused(BYOKError):
    """A master key may not be retired; the message says why and what comes first."""


class CallError(BYOKError):
    """An AI call that did not end in an answer."""

    def __init__(self, message: str, *, attempts: cabc.Sequence[Attempt] = ()) -> None:
        super().__init__(message)
        #: Every route tried or skipped, in order.
        self.attempts: tuple[Attempt, ...] = tuple(attempts)


class NoRoute(CallError):
    """Neither a company key nor a system key can serve this call."""


class CompanyKeyUnavailable(CallError):
    """The company key is out and nothing else may answer; nothing was sent."""

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        until: dt.datetime | None,
        attempts: cabc.Sequence[Attempt] = (),
    ) -> None:
        super().__init__(message, attempts=attempts)
        #: Why it is out: a reason word.
        self.reason = reason
        #: When it is tried again, UTC; ``None`` when unknown.
        self.until = until


class StoredKeyUnreadable(CallError):
    """A stored key does not open. It is kept as it is, and nothing is guessed.

    :param reason: ``malformed``, ``unsupported_format``, ``header_mismatch``,
        ``unknown_key_id``, ``wrong_key_or_context``, ``tampered`` or
        ``key_service_unavailable``.
    """

    def __init__(
        self,
        reason: str,
        *,
        record_id: str | None = None,
        key_id: str | None = None,
        stored_format: tuple[int, int] | None = None,
        attempts: cabc.Sequence[Attempt] = (),
    ) -> None:
        message = _UNREADABLE.get(reason, "The stored key does not open.")

        if stored_format is not None:
            message += " It is version {}, suite {}.".format(*stored_format)

        super().__init__(message, attempts=attempts)
        #: Which check refused it.
        self.reason = reason
        #: The credential's id; ``None`` when it is not known here.
        self.record_id = record_id
        #: The id of the master key that sealed it; ``None`` when unreadable.
        self.key_id = key_id
        #: Version and suite of a format this version does not know.
        self.stored_format = stored_format


_UNREADABLE = {
    "malformed": "The stored key does not open: the stored bytes are not a sealed key.",
    "unsupported_format": "The stored key does not open: this version does not know "
    "its format.",
    "header_mismatch": "The stored key does not open: its column and its header name "
    "different master keys.",
    "unknown_key_id": "The stored key does not open: its master key is not in "
    "BYOK_MASTER_KEYS of this process. Add that key id to the ring.",
    "wrong_key_or_context": "The stored key does not open: it belongs to another row, "
    "or the master key under its id has other bytes.",
    "tampered": "The stored key does not open: its ciphertext was changed.",
    "key_service_unavailable": "The key service that protects the stored keys gave no "
    "usable answer in time. Nothing was changed; try again.",
}


class KeyServiceUnavailable(StoredKeyUnreadable):
    """A key service gave no usable answer in time. It passes by itself: try again.

    Raised where a stored key is to be opened, and where one is to be saved: then
    nothing was stored. Its ``reason`` is ``key_service_unavailable``.
    """

    def __init__(
        self,
        *,
        record_id: str | None = None,
        key_id: str | None = None,
        attempts: cabc.Sequence[Attempt] = (),
    ) -> None:
        super().__init__(
            "key_service_unavailable",
            record_id=record_id,
            key_id=key_id,
            attempts=attempts,
        )


def is_passing(reason: str | None) -> bool:
    """Tell whether what keeps a stored key from opening passes by itself."""
    return reason == "key_service_unavailable"


def build_unreadable(
    reason: str,
    *,
    record_id: str | None,
    key_id: str | None,
    stored_format: tuple[int, int] | None = None,
) -> StoredKeyUnreadable:
    """Make the error of a stored key that does not open, in the class of its reason."""
    if is_passing(reason):
        return KeyServiceUnavailable(record_id=record_id, key_id=key_id)

    return StoredKeyUnreadable(
        reason, record_id=record_id, key_id=key_id, stored_format=stored_format
    )


class SystemBudgetExceeded(CallError):
    """The company's monthly allowance on the system key is used up."""

    def __init__(
        self,
        message: str,
        *,
        resets_on: dt.date,
        first: CallError | None = None,
        attempts: cabc.Sequence[Attempt] = (),
    ) -> None:
        super().__init__(message, attempts=attempts)
        #: The first day of the next month, UTC.
        self.resets_on = resets_on
        #: What the company key said, when it was tried first.
        self.first = first


class SystemKeyRefused(CallError):
    """The use of the system key cannot be recorded, so it is not used."""


class UnsupportedByProvider(CallError):
    """The provider cannot do what the request asks for; it was sent nothing.

    Raised when no other route may answer, or can. The request decides, not the key.
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        feature: str,
        attempts: cabc.Sequence[Attempt] = (),
    ) -> None:
        super().__init__(message, attempts=attempts)
        #: ``OPENAI``, ``GEMINI``, ``CLAUDE`` or a registered id.
        self.provider = provider
        #: What it cannot do, a word of ours: ``image_size``, ``document_url``, …
        self.feature = feature


class InvalidAnswer(CallError):
    """An answer that is not in the format the caller asked for. It was billed.

    Its text and usage are kept here, whole: the error's own sentence holds neither.
    """

    def __init__(self, message: str, *, problem: str, response: ChatResponse) -> None:
        super().__init__(message, attempts=response.attempts)
        #: What does not fit, and where, in names of the format alone.
        self.problem = problem
        #: The whole answer; its ``parsed`` is ``None``.
        self.response = response

    @property
    def text(self) -> str:
        """What the model answered."""
        return self.response.text

    @property
    def usage(self) -> Usage:
        """The tokens that were used, and paid."""
        return self.response.usage


class ProviderError(CallError):
    """A provider, or the way to it, failed.

    ``str()`` of it is a fixed sentence; the provider's own words are never kept.
    """

    #: The class of failure, a word (``auth``, ``quota``, ``outage`` …).
    reason: str

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        source: str,
        reason: str,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        attempts: cabc.Sequence[Attempt] = (),
    ) -> None:
        super().__init__(message, attempts=attempts)
        #: ``OPENAI``, ``GEMINI``, ``CLAUDE`` or a registered id.
        self.provider = provider
        #: ``"company"`` or ``"system"``: whose key it was.
        self.source = source
        self.reason = reason
        #: The HTTP status; ``None`` when there was no answer.
        self.status = status
        #: A code from our own table of provider codes; ``None`` for any other.
        self.code = code
        #: The provider's request id, for its support; ``None`` when it gave none.
        self.request_id = request_id
        #: Seconds the provider asks us to wait; ``None`` when it did not say.
        self.retry_after = retry_after


class KeyRejected(ProviderError):
    """The provider does not accept the key: wrong, revoked or expired."""


class KeyForbidden(ProviderError):
    """The provider knows the key but does not permit this with it."""


class ModelNotFound(ProviderError):
    """This key does not have the model that was asked for."""


class QuotaExceeded(ProviderError):
    """The account behind the key is out of credit or at its own limit."""


class RateLimited(ProviderError):
    """The provider limits this key for a moment."""


class ProviderOutage(ProviderError):
    """The provider answered with trouble, or could not be reached."""


class ProviderTimeout(ProviderError):
    """The request was sent and no answer came in time; it may have been billed."""


class RequestRefused(ProviderError):
    """The provider refused the request itself; another key would not help."""


class OurSideError(ProviderError):
    """The way from this server to the provider is closed; no key is the cause."""


class StreamInterrupted(ProviderError):
    """A stream broke after its first content. It is never continued elsewhere."""

    def __init__(
        self,
        message: str,
        *,
        partial: str,
        usage: Usage | None,
        provider: str,
        source: str,
        reason: str,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        attempts: cabc.Sequence[Attempt] = (),
    ) -> None:
        super().__init__(
            message,
            provider=provider,
            source=source,
            reason=reason,
            status=status,
            code=code,
            request_id=request_id,
            retry_after=retry_after,
            attempts=attempts,
        )
        #: The text received before the break.
        self.partial = partial
        #: The last usage the provider stated; ``None`` when it stated none.
        self.usage = usage
