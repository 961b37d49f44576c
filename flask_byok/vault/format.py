"""Byte format v1: what a stored key consists of, and how its context is encoded.

Nothing secret is known here: no function of this file sees a key of any kind.
``docs/security.md`` has the format byte by byte.
"""

from __future__ import annotations

import re
import struct
import typing as t

from ..errors import build_unreadable
from ..errors import StoredKeyUnreadable
from ..masterkeys import KEY_ID
from .company import company_value

#: What a stored key is sealed for. Anything else ever sealed takes its own purpose.
API_KEY: t.Final = "api-key"

#: What a key is sealed for that somebody pasted and has not saved yet.
DRAFT: t.Final = "api-key-draft"

#: Version 1, suite 1: a master key of the local ring. The wrap is a salt.
LOCAL: t.Final = b"\x01\x01"

#: Version 1, suite 2: a data key that a key service has wrapped.
SERVICE: t.Final = b"\x01\x02"

HEADER_LENGTH: t.Final = 6
SALT_LENGTH: t.Final = 32
COMMITMENT_LENGTH: t.Final = 32
NONCE_LENGTH: t.Final = 12
LONGEST_WRAP: t.Final = 4096

_TAG_LENGTH: t.Final = 16
_WRAP_AT: t.Final = 8
_BEHIND_WRAP: t.Final = COMMITMENT_LENGTH + NONCE_LENGTH + _TAG_LENGTH
_SHORTEST_LOCAL: t.Final = HEADER_LENGTH + SALT_LENGTH + _BEHIND_WRAP
_LONGEST_LOCAL: t.Final = 4096
_SHORTEST_SERVICE: t.Final = _WRAP_AT + 1 + _BEHIND_WRAP
_LONGEST_SERVICE: t.Final = 8192

_PURPOSE: t.Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_PROVIDER: t.Final = re.compile(r"[A-Z0-9_]{1,32}")
_RECORD: t.Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)


class SealContext(t.NamedTuple):
    """What a sealed key is bound to, besides the app's namespace."""

    #: ``api-key`` for a stored key, ``api-key-draft`` for one that is not saved yet.
    purpose: str
    #: The typed text of the company's id, such as ``i:42``.
    company: str
    #: The provider's id in capitals, such as ``OPENAI``.
    provider: str
    #: The credential's id, ``str(uuid4())``, made before the row is inserted.
    record: str


#: Wrap (the salt of suite 1, the wrapped data key of suite 2), commitment, nonce, and
#: the ciphertext with the tag at its end.
Parts = tuple[bytes, bytes, bytes, bytes]

_four_bytes: t.Final = struct.Struct(">I").pack
_LOCAL_COMMITMENT_AT: t.Final = HEADER_LENGTH + SALT_LENGTH
_LOCAL_NONCE_AT: t.Final = _LOCAL_COMMITMENT_AT + COMMITMENT_LENGTH
_LOCAL_CIPHERTEXT_AT: t.Final = _LOCAL_NONCE_AT + NONCE_LENGTH


def length_prefixed(*parts: bytes) -> bytes:
    """Encode byte strings so that two different lists never give the same bytes."""
    return count(len(parts)) + prefixed(*parts)


def count(parts: int) -> bytes:
    """Encode how many parts follow."""
    return parts.to_bytes(2, "big")


def prefixed(*parts: bytes) -> bytes:
    """Encode parts, each behind its length."""
    return b"".join([_four_bytes(len(part)) + part for part in parts])


def encode_context(namespace: bytes, context: SealContext) -> bytes | None:
    """Encode what ends INFO and AAD alike: five parts, each behind its length.

    :param namespace: encoded by :func:`prefixed` already; it never changes.
    :return: ``None`` for a row that somebody edited beyond text.
    """
    try:
        purpose = context.purpose.encode("utf-8")
        company = context.company.encode("utf-8")
        provider = context.provider.encode("utf-8")
        record = context.record.encode("utf-8")
    except UnicodeEncodeError:
        return None

    # Written out: a loop over five parts takes as long as a tenth of an opening.
    return b"%b%b%b%b%b%b%b%b%b" % (
        _four_bytes(len(purpose)),
        purpose,
        namespace,
        _four_bytes(len(company)),
        company,
        _four_bytes(len(provider)),
        provider,
        _four_bytes(len(record)),
        record,
    )


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


def judge_header(blob: object, key_id: str) -> str | None:
    """Check what can be checked without a key; give the reason, or ``None``."""
    if not isinstance(blob, bytes):
        return "malformed"

    if blob.startswith(SERVICE):
        if not _is_service_shaped(blob):
            return "malformed"
    elif not _SHORTEST_LOCAL <= len(blob) <= _LONGEST_LOCAL:
        return "malformed"
    elif not blob.startswith(LOCAL):
        return "unsupported_format"

    # latin-1 reads any byte, so a damaged id compares instead of raising.
    if blob[2:HEADER_LENGTH].decode("latin-1") != key_id:
        return "header_mismatch"

    return None


def _is_service_shaped(blob: bytes) -> bool:
    """Tell whether a blob of suite 2 has room for the wrap it announces."""
    if not _SHORTEST_SERVICE <= len(blob) <= _LONGEST_SERVICE:
        return False

    length = _wrap_length(blob)
    return 1 <= length <= min(LONGEST_WRAP, len(blob) - _WRAP_AT - _BEHIND_WRAP)


def _wrap_length(blob: bytes) -> int:
    return int.from_bytes(blob[HEADER_LENGTH:_WRAP_AT], "big")


def split(blob: bytes) -> Parts:
    """Take a blob apart that :func:`judge_header` found well."""
    if blob.startswith(LOCAL):
        return (
            blob[HEADER_LENGTH:_LOCAL_COMMITMENT_AT],
            blob[_LOCAL_COMMITMENT_AT:_LOCAL_NONCE_AT],
            blob[_LOCAL_NONCE_AT:_LOCAL_CIPHERTEXT_AT],
            blob[_LOCAL_CIPHERTEXT_AT:],
        )

    commitment_at = _WRAP_AT + _wrap_length(blob)
    nonce_at = commitment_at + COMMITMENT_LENGTH
    ciphertext_at = nonce_at + NONCE_LENGTH
    return (
        blob[_WRAP_AT:commitment_at],
        blob[commitment_at:nonce_at],
        blob[nonce_at:ciphertext_at],
        blob[ciphertext_at:],
    )


def join(header: bytes, parts: Parts) -> bytes:
    """Put a blob together; the length of a salt is known and not written."""
    wrap, commitment, nonce, ciphertext = parts
    length = b"" if header.startswith(LOCAL) else count(len(wrap))
    return header + length + wrap + commitment + nonce + ciphertext


def unreadable(reason: str, blob: object, context: SealContext) -> StoredKeyUnreadable:
    """Build the error from what may be told: ids and the number of the format."""
    start = blob[:HEADER_LENGTH] if isinstance(blob, bytes) else b""
    is_known = start[:2] in (LOCAL, SERVICE)
    key_id = start[2:].decode("latin-1") if is_known else ""
    return build_unreadable(
        reason,
        record_id=context.record,
        key_id=key_id if KEY_ID.fullmatch(key_id) else None,
        stored_format=(start[0], start[1]) if reason == "unsupported_format" else None,
    )
