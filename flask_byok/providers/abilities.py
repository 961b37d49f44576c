"""What a wire can carry, as data, and the look at a request before it is sent.

What is wrong everywhere is refused where the request is made; what only some providers
take is judged here, so that a call may go on a route that can.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import types
import typing as t

from .schemas import has_open_objects
from .types import ChatRequest
from .types import DocumentPart
from .types import ImagePart
from .types import Part

#: What a provider may not be able to do, in words for people. The words before them
#: stand as codes in the attempts.
FEATURES: t.Final[cabc.Mapping[str, str]] = types.MappingProxyType(
    {
        "image_type": "takes no images of this media type",
        "image_size": "takes no image as large as this one",
        "document_type": "takes no documents of this media type",
        "document_url": "takes no documents by URL",
        "media_size": "takes no request with images and documents as large as these",
        "forced_tool": "cannot be made to call a tool while it reasons",
        "open_objects": "takes no JSON schema whose objects may have any property",
        "count_tokens": "does not count tokens",
        "stop": "has a model here that cannot be told where to stop",
    }
)

_MIB: t.Final = 1024 * 1024


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Abilities:
    """What one wire can carry. ``None`` where no limit is known.

    :param image_types: media types of images by their bytes.
    :param image_mib: of one image, as base64.
    :param media_mib: of all images and documents of a request together, as base64.
    :param has_documents: whether there are documents at all.
    :param has_document_urls: whether the provider fetches documents itself.
    :param forces_tools: whether a tool can be forced while the model reasons.
    :param has_open_objects: whether a schema's objects may have any property.
    :param counts: whether tokens can be counted.
    """

    image_types: frozenset[str] | None = None
    image_mib: int | None = None
    media_mib: int | None = None
    has_documents: bool = True
    has_document_urls: bool = True
    forces_tools: bool = True
    has_open_objects: bool = True
    counts: bool = False

    def find_unsupported(self, request: ChatRequest) -> str | None:
        """Name the first feature of a request the wire lacks, a word of ``FEATURES``.

        :return: ``None`` when it can carry everything.
        """
        size = 0

        for message in request.messages:
            if isinstance(message.content, str):
                continue

            for part in message.content:
                if isinstance(part, ImagePart | DocumentPart):
                    size += _size(part)
                    feature = self._judge(part)

                    if feature is not None:
                        return feature

        if self.media_mib is not None and size > self.media_mib * _MIB:
            return "media_size"

        return self._judge_wishes(request)

    def _judge(self, part: Part) -> str | None:
        if isinstance(part, DocumentPart):
            if not self.has_documents:
                return "document_type"

            is_lost = part.data is None and not self.has_document_urls
            return "document_url" if is_lost else None

        if not isinstance(part, ImagePart) or part.data is None:
            return None

        kinds = self.image_types

        if kinds is not None and (part.media_type or "image/png") not in kinds:
            return "image_type"

        limit = self.image_mib
        return "image_size" if limit and _size(part) > limit * _MIB else None

    def _judge_wishes(self, request: ChatRequest) -> str | None:
        reasons = request.reasoning_effort not in (None, "none")
        is_forced = request.tool_choice not in (None, "auto", "none")

        if reasons and is_forced and not self.forces_tools:
            return "forced_tool"

        schema = request.response_format

        if schema is not None and not self.has_open_objects:
            return "open_objects" if has_open_objects(schema) else None

        return None


def _size(part: ImagePart | DocumentPart) -> int:
    """Count the characters of a part's bytes as base64."""
    return -(-len(part.data or b"") // 3) * 4
