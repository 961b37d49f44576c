"""Images and documents as callers give them, made into what each provider takes."""

from __future__ import annotations

import base64
import binascii
import collections.abc as cabc
import dataclasses
import typing as t

from .content import DocumentPart
from .content import ImagePart
from .content import Message
from .content import Part

_MEDIA: t.Final = (ImagePart, DocumentPart)
#: What a URL begins with; the provider fetches it, save the last kind.
_SCHEMES: t.Final = ("https://", "http://", "gs://", "data:")
#: How an image's bytes begin, beside PNG's.
_BEGINNINGS: t.Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)


def fit_media(message: Message) -> Message:
    """Give a message whose images and documents any provider can be sent.

    :raises ValueError: for one that no provider could be sent.
    """
    content = message.content

    if isinstance(content, str) or not any(isinstance(p, _MEDIA) for p in content):
        return message

    return dataclasses.replace(message, content=tuple(_fit_parts(content)))


def _fit_parts(parts: cabc.Iterable[Part]) -> cabc.Iterator[Part]:
    for part in parts:
        if not isinstance(part, ImagePart | DocumentPart):
            yield part
            continue

        _check(part)
        read = _read_data_url(part)

        if isinstance(read, DocumentPart):
            _check_document(read)
            yield read
        else:
            yield _name_type(read)


def _check(part: ImagePart | DocumentPart) -> None:
    noun = "An image" if isinstance(part, ImagePart) else "A document"

    if (part.data is None) == (part.url is None):
        raise ValueError(f"{noun} has either 'data' or 'url'.")

    if part.data == b"" or part.url == "":
        raise ValueError(f"{noun} is empty.")

    if part.url is not None and not part.url.startswith(_SCHEMES):
        raise ValueError(
            f"{noun} has a 'url' that begins with 'https://', for the provider fetches "
            "it, or with 'data:'. Give a file of your own as 'data'."
        )


_Media = t.TypeVar("_Media", bound=ImagePart | DocumentPart)


def _read_data_url(part: _Media) -> _Media:
    """Give what a ``data:`` URL holds as bytes: only OPENAI takes it for a URL."""
    if part.url is None or not part.url.startswith("data:"):
        return part

    head, _, data = part.url.removeprefix("data:").partition(",")
    data_bytes = b""

    if head.endswith(";base64"):
        try:
            data_bytes = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            pass

    if not data_bytes:
        raise ValueError("A 'data:' URL holds its bytes in base64.")

    kind = head.partition(";")[0] or part.media_type or "image/png"
    return dataclasses.replace(part, data=data_bytes, url=None, media_type=kind)


def _name_type(part: ImagePart) -> ImagePart:
    """Name the media type of bytes that came without: a wrong one is refused."""
    if part.data is None or part.media_type is not None:
        return part

    kinds = (kind for start, kind in _BEGINNINGS if part.data.startswith(start))
    return dataclasses.replace(part, media_type=next(kinds, "image/png"))


def _check_document(part: DocumentPart) -> None:
    if part.media_type == "application/pdf":
        return

    if not part.media_type.startswith("text/"):
        raise ValueError(
            "A document's 'media_type' is 'application/pdf' or begins with 'text/'."
        )

    try:
        (part.data or b"").decode("utf-8")
        return
    except UnicodeDecodeError:
        pass

    raise ValueError("A document of text must be in UTF-8.")
