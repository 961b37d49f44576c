"""Messages and their parts, the same for every provider, to and from plain dicts."""

from __future__ import annotations

import base64
import binascii
import collections.abc as cabc
import dataclasses
import json
import typing as t

Role = t.Literal["system", "user", "assistant", "tool"]

#: What a provider wants back, by its id. It goes back to that provider alone.
State = cabc.Mapping[str, t.Any]

_ROLES: t.Final = t.get_args(Role)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TextPart:
    """A piece of text in a message.

    :param provider_state: opaque data the provider wants back unchanged (a thought
        signature, say), under the id of the provider that gave it. No other provider
        is sent it.
    """

    text: str
    provider_state: State | None = None

    def to_dict(self) -> dict[str, t.Any]:
        """Give it as JSON can hold it."""
        return _with_state({"type": "text", "text": self.text}, self.provider_state)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ImagePart:
    """An image, by its bytes or by a URL the provider fetches itself.

    :param url: a ``data:`` URL is taken for the bytes in it.
    :param media_type: ``image/png``, ``image/jpeg``, …; told by the bytes themselves
        when it is left out.
    """

    data: bytes | None = dataclasses.field(default=None, repr=False)
    url: str | None = None
    media_type: str | None = None

    def to_dict(self) -> dict[str, t.Any]:
        """Give it as JSON can hold it, its bytes as base64."""
        return _media_dict("image", self)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DocumentPart:
    """A document, by its bytes or by a URL the provider fetches itself.

    :param media_type: ``application/pdf``, or a kind of text in UTF-8
        (``text/plain``, ``text/csv``, …).
    :param name: of the file, for the model; no path.
    """

    data: bytes | None = dataclasses.field(default=None, repr=False)
    url: str | None = None
    media_type: str = "application/pdf"
    name: str | None = None

    def to_dict(self) -> dict[str, t.Any]:
        """Give it as JSON can hold it, its bytes as base64."""
        named = {} if self.name is None else {"name": self.name}
        return _media_dict("document", self) | named


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A tool the model wants to be run.

    :param id: pass it back in :class:`ToolResultPart`.
    :param arguments: the decoded JSON object; empty when the model sent none.
    :param provider_state: as in :class:`TextPart`.
    """

    id: str
    name: str
    arguments: cabc.Mapping[str, t.Any]
    provider_state: State | None = None

    def to_dict(self) -> dict[str, t.Any]:
        """Give it as JSON can hold it."""
        call = {"type": "tool_call", "id": self.id, "name": self.name}
        return _with_state(
            {**call, "arguments": dict(self.arguments)}, self.provider_state
        )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ToolResultPart:
    """What the host's tool answered to one :class:`ToolCall`."""

    call_id: str
    name: str
    content: str

    def to_dict(self) -> dict[str, t.Any]:
        """Give it as JSON can hold it."""
        result = {"type": "tool_result", "call_id": self.call_id, "name": self.name}
        return {**result, "content": self.content}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class StatePart:
    """What a provider wants back in its place among the parts, and nobody reads.

    Thinking, mostly, encrypted or signed. Keep it with the message it came in.

    :param provider_state: as in :class:`TextPart`.
    """

    provider_state: State = dataclasses.field(repr=False)

    def to_dict(self) -> dict[str, t.Any]:
        """Give it as JSON can hold it."""
        return _with_state({"type": "state"}, self.provider_state)


Part = TextPart | ImagePart | DocumentPart | ToolCall | ToolResultPart | StatePart

_PARTS: t.Final = t.get_args(Part)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One turn of a conversation.

    :param content: a string, or parts in order.
    """

    role: Role
    content: str | cabc.Sequence[Part]

    def to_dict(self) -> dict[str, t.Any]:
        """Give it as JSON can hold it; ``chat`` takes the dict back, nothing is lost.

        It holds what was said, and what providers want back: keep it like the
        conversation itself.
        """
        content: t.Any = self.content

        if not isinstance(content, str):
            content = [part.to_dict() for part in content]

        return {"role": self.role, "content": content}

    @classmethod
    def from_dict(cls, message: cabc.Mapping[str, t.Any]) -> Message:
        """Make a message of a dict with ``role`` and ``content``.

        :raises TypeError: when it, or one of its parts, is of another shape.
        :raises ValueError: when a value in it cannot be.
        """
        if not isinstance(message, cabc.Mapping):
            raise TypeError(
                "A message is a Message or a dict with 'role' and 'content'."
            )

        if message.get("role") not in _ROLES:
            raise ValueError(f"A message's 'role' must be one of: {', '.join(_ROLES)}.")

        role = t.cast("Role", message["role"])
        content = message.get("content")

        if isinstance(content, str):
            return cls(role=role, content=content)

        if not isinstance(content, cabc.Sequence) or isinstance(content, bytes):
            raise TypeError("A message's 'content' is a string or a list of parts.")

        return cls(role=role, content=tuple(read_part(part) for part in content))


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A tool the model may call.

    :param parameters: a JSON schema of an object.
    """

    name: str
    description: str = ""
    parameters: cabc.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


def read_part(part: Part | str | cabc.Mapping[str, t.Any]) -> Part:
    """Make a part of a string, or of a dict that names its ``type``.

    :raises TypeError: when it is of another shape.
    :raises ValueError: when a value in it cannot be.
    """
    if isinstance(part, _PARTS):
        return t.cast("Part", part)

    if isinstance(part, str):
        return TextPart(text=part)

    if isinstance(part, cabc.Mapping):
        kind = part.get("type", "text" if "text" in part else None)
        read = _READERS.get(kind) if isinstance(kind, str) else None

        if read is not None:
            return read(part)

    raise TypeError(
        "A part is a string, a dict whose 'type' is one of "
        f"{', '.join(_READERS)}, or a TextPart, ImagePart, DocumentPart, ToolCall, "
        "ToolResultPart or StatePart."
    )


def _with_state(entries: dict[str, t.Any], state: State | None) -> dict[str, t.Any]:
    return {**entries, "provider_state": dict(state)} if state else entries


def _media_dict(kind: str, part: ImagePart | DocumentPart) -> dict[str, t.Any]:
    data = part.data
    told: dict[str, t.Any] = {
        "data": None if data is None else base64.b64encode(data).decode("ascii"),
        "url": part.url,
        "media_type": part.media_type,
    }
    return {"type": kind} | {name: one for name, one in told.items() if one is not None}


def _text(part: cabc.Mapping[str, t.Any], name: str) -> str:
    value = part.get(name)

    if not isinstance(value, str):
        raise TypeError(f"A part of type '{part.get('type', 'text')}' has no '{name}'.")

    return value


def _optional(part: cabc.Mapping[str, t.Any], name: str) -> str | None:
    return None if part.get(name) is None else _text(part, name)


def _state(part: cabc.Mapping[str, t.Any]) -> State | None:
    state = part.get("provider_state")

    if state is not None and not isinstance(state, cabc.Mapping):
        raise TypeError("A part's 'provider_state' goes back as it came: a dict.")

    return state


def _data(part: cabc.Mapping[str, t.Any]) -> bytes | None:
    data = part.get("data")

    if data is None or isinstance(data, bytes):
        return data

    try:
        return base64.b64decode(_text(part, "data"), validate=True)
    except binascii.Error:
        pass

    raise ValueError("A part's 'data' is bytes, or a text in base64.")


def _read_text(part: cabc.Mapping[str, t.Any]) -> Part:
    return TextPart(text=_text(part, "text"), provider_state=_state(part))


def _read_image(part: cabc.Mapping[str, t.Any]) -> Part:
    return ImagePart(
        data=_data(part),
        url=_optional(part, "url"),
        media_type=_optional(part, "media_type"),
    )


def _read_document(part: cabc.Mapping[str, t.Any]) -> Part:
    return DocumentPart(
        data=_data(part),
        url=_optional(part, "url"),
        media_type=_optional(part, "media_type") or "application/pdf",
        name=_optional(part, "name"),
    )


def _read_call(part: cabc.Mapping[str, t.Any]) -> Part:
    arguments = part.get("arguments")

    if arguments is not None and not isinstance(arguments, cabc.Mapping):
        raise TypeError("A tool call's 'arguments' are a dict, decoded.")

    return ToolCall(
        id=_text(part, "id"),
        name=_text(part, "name"),
        arguments=arguments or {},
        provider_state=_state(part),
    )


def _read_result(part: cabc.Mapping[str, t.Any]) -> Part:
    content = part.get("content")
    return ToolResultPart(
        call_id=_text(part, "call_id"),
        name=_optional(part, "name") or "",
        content=content if isinstance(content, str) else json.dumps(content),
    )


def _read_state(part: cabc.Mapping[str, t.Any]) -> Part:
    return StatePart(provider_state=_state(part) or {})


_READERS: t.Final[
    cabc.Mapping[str, cabc.Callable[[cabc.Mapping[str, t.Any]], Part]]
] = {
    "text": _read_text,
    "image": _read_image,
    "document": _read_document,
    "tool_call": _read_call,
    "tool_result": _read_result,
    "state": _read_state,
}
