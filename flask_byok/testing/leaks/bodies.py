"""Bodies and cookies as they are meant: decompressed, decoded, taken apart."""

from __future__ import annotations

import base64
import binascii
import collections.abc as cabc
import gzip
import http.cookies
import typing as t
import urllib.parse
import zlib


class Undecodable(Exception):
    """A body cannot be looked into; the message says what is missing."""


def unpack(body: bytes, encoding: str) -> bytes:
    """Decompress a body.

    :param encoding: the ``Content-Encoding``, perhaps several in a row.
    :raises Undecodable: when it is damaged, or nothing here can decode it.
    """
    for name in reversed([part.strip().lower() for part in encoding.split(",")]):
        body = _unpack_one(body, name) if body else body

    return body


def _unpack_one(body: bytes, name: str) -> bytes:
    if name in ("", "identity"):
        return body

    decode = _DECODERS.get(name)
    trouble = f"a body in the encoding {name!r} cannot be decoded here"

    try:
        if decode is not None:
            return decode(body)
    except ImportError as error:
        trouble = f"a body is encoded as {name!r}: install '{error.name}' to look"
    except Exception as error:
        trouble = f"a body in {name!r} is damaged ({type(error).__name__})"

    raise Undecodable(trouble)


def _inflate(body: bytes) -> bytes:
    """Take both forms that go by the name of deflate."""
    try:
        return zlib.decompress(body)
    except zlib.error:
        return zlib.decompress(body, -zlib.MAX_WBITS)


def _unbrotli(body: bytes) -> bytes:
    import brotli

    return t.cast("bytes", brotli.decompress(body))


_DECODERS: t.Final[cabc.Mapping[str, cabc.Callable[[bytes], bytes]]] = {
    "gzip": gzip.decompress,
    "x-gzip": gzip.decompress,
    "deflate": _inflate,
    "br": _unbrotli,
}


def open_cookie(header: str) -> cabc.Iterator[bytes]:
    """Give what a ``Set-Cookie`` holds: as sent, unquoted, and its parts decoded.

    A session cookie of Flask's is base64, perhaps compressed; nothing is needed to
    read it.
    """
    yield header.encode("utf-8", "replace")
    first = header.partition(";")[0].partition("=")[2]
    plain, _ = http.cookies.SimpleCookie().value_decode(first.strip())
    value = urllib.parse.unquote(plain)
    yield value.encode("utf-8", "replace")

    for part in value.replace("!", ".").split("."):
        decoded = _unbase64(part)
        yield decoded
        yield _try_inflate(decoded)


def _unbase64(text: str) -> bytes:
    padded = text + "=" * (-len(text) % 4)

    try:
        return base64.urlsafe_b64decode(padded)
    except (binascii.Error, ValueError):
        return b""


def _try_inflate(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error:
        return b""
