"""What a request of an SDK asks for, told by its method and path.

What stands here belongs to no account: the same bytes may be sent again with another
key. Everything else stays on one key.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import re
import typing as t

from ..failover.rooms import Operation
from ..providers.claude_wire import MessagesWire
from ..providers.gemini_wire import GenerateWire
from ..providers.openai_chat import ChatWire
from ..providers.openai_responses import ResponsesWire
from ..providers.wire import Wire

#: How an answer is read along: on a wire for text; as JSON with or without a count of
#: its own; or not at all.
Reading = t.Literal["text", "counted", "free", "bytes"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Purpose:
    """What a request asks for.

    :param wire: whose answers and streams are read along; ``None`` for none.
    :param is_bound: it speaks of what one account holds, so no other key may answer.
    """

    operation: Operation
    reading: Reading
    wire: Wire | None = None
    is_bound: bool = False


_CHAT: t.Final = Purpose(operation="chat", reading="text", wire=ChatWire())
_RESPONSES: t.Final = Purpose(operation="chat", reading="text", wire=ResponsesWire())
_MESSAGES: t.Final = Purpose(
    operation="chat", reading="text", wire=MessagesWire(default_cap=1)
)
_GENERATE: t.Final = Purpose(operation="chat", reading="text", wire=GenerateWire())
_EMBED: t.Final = Purpose(operation="embeddings", reading="counted")
_FREE: t.Final = Purpose(operation="request", reading="free")
_LIST: t.Final = Purpose(operation="list_models", reading="free")
_MEDIA: t.Final = Purpose(operation="request", reading="bytes")
_BOUND: t.Final = Purpose(operation="request", reading="bytes", is_bound=True)

_TABLE: t.Final[cabc.Mapping[str, cabc.Sequence[tuple[str, str, Purpose]]]] = {
    "openai": (
        ("POST", r"/chat/completions", _CHAT),
        ("POST", r"/responses", _RESPONSES),
        ("POST", r"/embeddings", _EMBED),
        ("POST", r"/moderations|/responses/input_tokens", _FREE),
        ("GET", r"/models(/[^/]+)?", _LIST),
        (
            "POST",
            r"/completions|/images/(generations|edits|variations)"
            r"|/audio/(speech|transcriptions|translations)",
            _MEDIA,
        ),
    ),
    "anthropic": (
        ("POST", r"/messages", _MESSAGES),
        ("POST", r"/messages/count_tokens", _FREE),
        ("GET", r"/models(/[^/]+)?", _LIST),
    ),
    "google": (
        ("POST", r"/models/[^/:]+:(generateContent|streamGenerateContent)", _GENERATE),
        ("POST", r"/models/[^/:]+:(embedContent|batchEmbedContents)", _EMBED),
        ("POST", r"/models/[^/:]+:countTokens", _FREE),
        ("POST", r"/models/[^/:]+:predict", _MEDIA),
        ("GET", r"/models(/[^/]+)?", _LIST),
    ),
}

_PATTERNS: t.Final = {
    kind: tuple((verb, re.compile(path), found) for verb, path, found in rows)
    for kind, rows in _TABLE.items()
}


def find_purpose(kind: str, method: str, path: str) -> Purpose:
    """Tell what a request asks for; what is not known is bound to its account.

    :param kind: of the SDK that asks.
    :param path: behind the base URL, without a query.
    """
    for verb, pattern, purpose in _PATTERNS[kind]:
        if verb == method and pattern.fullmatch(path):
            return purpose

    return _BOUND
