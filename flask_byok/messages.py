"""From what people write to a :class:`ChatRequest`: strings and dicts become types.

Mistakes are the caller's own and raise ``TypeError`` or ``ValueError`` before anything
is sent.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from .providers.types import ChatRequest
from .providers.types import ImagePart
from .providers.types import Message
from .providers.types import Part
from .providers.types import Role
from .providers.types import TextPart
from .providers.types import Tool
from .providers.types import ToolCall
from .providers.types import ToolResultPart

#: What ``chat`` and ``stream`` take as messages.
Messages = str | cabc.Sequence[Message | cabc.Mapping[str, t.Any]]

#: What they take as tools.
Tools = cabc.Sequence[Tool | cabc.Mapping[str, t.Any]]

#: In estimates alone; what is really used is told by the provider.
CHARACTERS_OF_A_TOKEN: t.Final = 3

#: Characters an image is taken for in estimates, whatever its size.
_IMAGE: t.Final = 3000

_ROLES: t.Final = t.get_args(Role)
_PARTS: t.Final = (TextPart, ImagePart, ToolCall, ToolResultPart)


def build_request(
    messages: Messages,
    *,
    system: str | None,
    max_tokens: int | None,
    temperature: float | None,
    stop: str | cabc.Sequence[str] | None,
    tools: Tools | None,
    tool_choice: str | None,
    response_format: cabc.Mapping[str, t.Any] | None,
    extra: cabc.Mapping[str, t.Any] | None,
) -> ChatRequest:
    """Check what the caller passed and put it into one request."""
    if max_tokens is not None and max_tokens < 1:
        raise ValueError("'max_tokens' must be at least 1.")

    return ChatRequest(
        messages=read_messages(messages),
        system=system,
        max_tokens=max_tokens,
        temperature=temperature,
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        tools=tuple(_read_tool(tool) for tool in tools or ()),
        tool_choice=tool_choice,
        response_format=response_format,
        extra=dict(extra or {}),
    )


def read_messages(messages: Messages) -> tuple[Message, ...]:
    """Make messages of a string, or of dicts and :class:`Message` objects."""
    if isinstance(messages, str):
        messages = [Message(role="user", content=messages)]

    found = tuple(_read_message(message) for message in messages)

    if not found:
        raise ValueError("'messages' is empty; there is nothing to ask.")

    return found


def is_bound(request: ChatRequest) -> bool:
    """Tell whether the request only makes sense to the provider it was made for."""
    if request.extra:
        return True

    return any(
        getattr(part, "provider_state", None)
        for message in request.messages
        if not isinstance(message.content, str)
        for part in message.content
    )


def _read_message(message: Message | cabc.Mapping[str, t.Any]) -> Message:
    if isinstance(message, Message):
        return message

    if not isinstance(message, cabc.Mapping):
        raise TypeError("A message is a Message or a dict with 'role' and 'content'.")

    role = message.get("role")

    if role not in _ROLES:
        raise ValueError(f"A message's 'role' must be one of: {', '.join(_ROLES)}.")

    role = t.cast("Role", role)
    content = message.get("content")

    if isinstance(content, str):
        return Message(role=role, content=content)

    if not isinstance(content, cabc.Sequence) or isinstance(content, bytes):
        raise TypeError("A message's 'content' is a string or a list of parts.")

    return Message(role=role, content=tuple(_read_part(part) for part in content))


def _read_part(part: Part | str | cabc.Mapping[str, t.Any]) -> Part:
    if isinstance(part, _PARTS):
        return part

    if isinstance(part, str):
        return TextPart(text=part)

    if isinstance(part, cabc.Mapping) and isinstance(part.get("text"), str):
        return TextPart(text=part["text"])

    raise TypeError(
        "A part is a string, a dict with 'text', or a TextPart, ImagePart, ToolCall "
        "or ToolResultPart."
    )


def _read_tool(tool: Tool | cabc.Mapping[str, t.Any]) -> Tool:
    if isinstance(tool, Tool):
        return tool

    if not isinstance(tool, cabc.Mapping) or not isinstance(tool.get("name"), str):
        raise TypeError(
            "A tool is a Tool or a dict with 'name', 'description' and 'parameters'."
        )

    return Tool(
        name=tool["name"],
        description=str(tool.get("description") or ""),
        parameters=tool.get("parameters") or {},
    )


def estimate_tokens(request: ChatRequest) -> int:
    """Guess the input tokens of a request: a third of all characters that are sent."""
    characters = len(request.system or "") + len(str(request.response_format or ""))
    characters += sum(_characters_of_content(one.content) for one in request.messages)
    characters += sum(_characters_of_tool(tool) for tool in request.tools)
    return characters // CHARACTERS_OF_A_TOKEN


def _characters_of_content(content: str | cabc.Sequence[Part]) -> int:
    if isinstance(content, str):
        return len(content)

    return sum(map(_characters_of_part, content))


def _characters_of_part(part: Part) -> int:
    if isinstance(part, ToolCall):
        return len(part.name) + len(str(part.arguments))

    if isinstance(part, ToolResultPart):
        return len(str(part.content))

    return len(str(part.text)) if isinstance(part, TextPart) else _IMAGE


def _characters_of_tool(tool: Tool) -> int:
    return len(tool.name) + len(tool.description) + len(str(tool.parameters))
