"""From what people write to a :class:`ChatRequest`: strings and dicts become types.

Mistakes are the caller's own and raise ``TypeError`` or ``ValueError`` before anything
is sent.
"""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t

from .formats.answer import AnswerFormat
from .providers.media import fit_media
from .providers.types import ChatRequest
from .providers.types import DocumentPart
from .providers.types import Effort
from .providers.types import Message
from .providers.types import Part
from .providers.types import StatePart
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

#: Characters a document is taken for that is no text, or is fetched by the provider.
_DOCUMENT: t.Final = 30_000

_EFFORTS: t.Final = t.get_args(Effort)

#: What every provider takes as a tool's name.
_TOOL_NAME: t.Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


def build_request(
    messages: Messages,
    *,
    system: str | None,
    max_tokens: int | None,
    temperature: float | None,
    stop: str | cabc.Sequence[str] | None,
    tools: Tools | None,
    tool_choice: str | None,
    answer_format: AnswerFormat | None,
    reasoning_effort: Effort | None,
    extra: cabc.Mapping[str, t.Any] | None,
) -> ChatRequest:
    """Check what the caller passed and put it into one request."""
    if max_tokens is not None and max_tokens < 1:
        raise ValueError("'max_tokens' must be at least 1.")

    if reasoning_effort is not None and reasoning_effort not in _EFFORTS:
        raise ValueError(f"'reasoning_effort' must be one of: {', '.join(_EFFORTS)}.")

    read_tools = _read_tools(tools, tool_choice)
    return ChatRequest(
        messages=read_messages(messages),
        system=system,
        max_tokens=max_tokens,
        temperature=temperature,
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        tools=read_tools,
        # Without tools there is nothing to choose, and providers refuse the word.
        tool_choice=tool_choice if read_tools else None,
        response_format=None if answer_format is None else answer_format.schema,
        reasoning_effort=reasoning_effort,
        extra=dict(extra or {}),
    )


def read_messages(messages: Messages) -> tuple[Message, ...]:
    """Make messages of a string, or of dicts and :class:`Message` objects."""
    if isinstance(messages, str):
        messages = [Message(role="user", content=messages)]

    if not isinstance(messages, cabc.Iterable) or isinstance(messages, cabc.Mapping):
        raise TypeError(
            "'messages' must be a text or a list of messages, and is a "
            f"{type(messages).__name__}."
        )

    found = tuple(
        fit_media(
            message if isinstance(message, Message) else Message.from_dict(message)
        )
        for message in messages
    )

    if not found:
        raise ValueError("'messages' is empty; there is nothing to ask.")

    return found


def _read_tools(tools: Tools | None, choice: str | None) -> tuple[Tool, ...]:
    """Read the tools, and see that the one that is chosen is among them."""
    found = tuple(_read_tool(tool) for tool in tools or ())
    names = {tool.name for tool in found}

    if len(names) < len(found):
        raise ValueError("Two of the 'tools' have the same name.")

    if choice not in (None, "auto", "none", "required") and choice not in names:
        raise ValueError(
            "'tool_choice' is 'auto', 'none', 'required' or the name of one of 'tools'."
        )

    if choice == "required" and not found:
        raise ValueError("'tool_choice' is 'required', but there are no 'tools'.")

    return found


def _read_tool(tool: Tool | cabc.Mapping[str, t.Any]) -> Tool:
    if not isinstance(tool, Tool):
        tool = _make_tool(tool)

    if not _TOOL_NAME.fullmatch(tool.name):
        raise ValueError(
            "A tool's 'name' has up to 64 letters, digits, '_' and '-', and begins "
            "with a letter or '_'."
        )

    if tool.parameters and tool.parameters.get("type") != "object":
        raise ValueError("A tool's 'parameters' are a JSON schema of type 'object'.")

    return tool


def _make_tool(tool: cabc.Mapping[str, t.Any]) -> Tool:
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

    if isinstance(part, TextPart):
        return len(str(part.text))

    if isinstance(part, DocumentPart):
        is_text = part.media_type.startswith("text/") and part.data is not None
        return len(part.data or b"") if is_text else _DOCUMENT

    return 0 if isinstance(part, StatePart) else _IMAGE


def _characters_of_tool(tool: Tool) -> int:
    return len(tool.name) + len(tool.description) + len(str(tool.parameters))
