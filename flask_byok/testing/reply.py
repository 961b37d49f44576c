"""Decide what a simulated model answers, the same for all three wires."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import hashlib
import json
import math
import re
import typing as t

from .sample import build_sample
from .text import compose
from .text import subject_of

Finish = t.Literal["stop", "stop_sequence", "length", "tool_calls", "filtered"]

#: From this many tokens on, part of a prompt counts as cached.
CACHE_FLOOR = 1024


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A tool the caller offers."""

    name: str
    schema: cabc.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Intent:
    """What a request asks for, whatever wire it came by.

    :param prompt: the text of the last user turn.
    :param tool_result: what the tool answered, when the last turn says so.
    :param tool_choice: ``auto``, ``none``, ``required``, or the name of one tool.
    :param schema: a JSON schema the answer must fit; ``{}`` for any JSON object.
    :param documents: how many documents came with it.
    :param size: characters of all the input.
    :param cap: the most tokens the answer may have.
    """

    model: str
    system: str
    prompt: str
    tool_result: str | None
    images: int
    tools: tuple[Tool, ...]
    tool_choice: str
    schema: cabc.Mapping[str, t.Any] | None
    size: int
    cap: int | None
    stop: tuple[str, ...]
    thinking: bool
    documents: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ToolUse:
    """A tool the answer calls."""

    id: str
    name: str
    arguments: cabc.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What the simulated model answers.

    :param input_tokens: cached and written ones included.
    :param written_tokens: of the input, written to the cache.
    :param output_tokens: those of the thinking included.
    :param seal: the mark on the thoughts; see ``thoughts.py``.
    """

    text: str
    thought: str
    tool_uses: tuple[ToolUse, ...]
    finish: Finish
    stop_sequence: str | None
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    seal: str = ""
    written_tokens: int = 0


def count_tokens(text_or_size: str | int) -> int:
    """Count tokens the simple way: four characters each, at least one."""
    size = text_or_size if isinstance(text_or_size, int) else len(text_or_size)
    return max(1, math.ceil(size / 4))


def reply_to(intent: Intent, traits: cabc.Set[str]) -> Reply:
    """Answer an intent; the same intent always gets the same answer.

    :param traits: ``thinking`` (thinks before it speaks), ``thinking_cap`` (thinks
        until the cap is used up), ``refusal`` (declines), ``cached`` (half of the
        input counts as cached, a quarter as written to the cache), ``length`` (stops
        at the cap in mid-sentence).
    """
    thinking = intent.thinking or bool(traits & {"thinking", "thinking_cap"})
    thought = "Looking at what was asked. Choosing a short answer." if thinking else ""
    tool_uses = () if "refusal" in traits else _tool_uses(intent)
    text = "" if tool_uses else _text(intent, traits)
    finish: Finish = "tool_calls" if tool_uses else "stop"
    text, stop_sequence = _stop_early(text, intent.stop)
    reasoning_tokens = count_tokens(thought) if thought else 0
    output_tokens = count_tokens(text) if text else 0

    for use in tool_uses:
        output_tokens += count_tokens(json.dumps(dict(use.arguments))) + 4

    if "refusal" in traits:
        finish = "filtered"
    elif "thinking_cap" in traits:
        text, finish, tool_uses = "", "length", ()
        output_tokens, reasoning_tokens = 0, intent.cap or reasoning_tokens
    elif stop_sequence is not None:
        finish = "stop_sequence"
    elif not tool_uses and (cap := _cap(intent, traits, output_tokens)) is not None:
        text, finish, output_tokens = text[: cap * 4], "length", cap

    input_tokens = count_tokens(intent.size)
    return Reply(
        text=text,
        thought=thought,
        tool_uses=tool_uses,
        finish=finish,
        stop_sequence=stop_sequence,
        input_tokens=input_tokens,
        cached_tokens=_cached(input_tokens, traits),
        written_tokens=input_tokens // 4 if "cached" in traits else 0,
        output_tokens=output_tokens + reasoning_tokens,
        reasoning_tokens=reasoning_tokens,
    )


def split(text: str, words: int = 3) -> list[str]:
    """Cut a text into the small parts a stream carries; joined they are the text."""
    tokens = re.findall(r"\s*\S+\s*", text) or ([text] if text else [])
    return ["".join(tokens[at : at + words]) for at in range(0, len(tokens), words)]


def split_json(text: str) -> list[str]:
    """Cut JSON into fragments that are no JSON by themselves."""
    return [text[at : at + 6] for at in range(0, len(text), 6)]


def vector(text: str, dimensions: int) -> list[float]:
    """Make a vector of length one that depends on the text alone."""
    seed = hashlib.shake_256(text.encode("utf-8", "replace")).digest(dimensions * 2)
    numbers = [
        int.from_bytes(seed[at : at + 2], "big") / 32767.5 - 1
        for at in range(0, len(seed), 2)
    ]
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return [round(number / length, 9) for number in numbers]


def _text(intent: Intent, traits: cabc.Set[str]) -> str:
    if "refusal" in traits:
        return "I'm sorry, but I can't help with that request."

    if intent.schema is not None:
        sample = build_sample(intent.schema, subject_of(intent.prompt))
        return json.dumps(sample or {"answer": compose("", intent.prompt)})

    if intent.tool_result is not None:
        return f"The tool answered: {intent.tool_result}"

    text = compose(intent.system, intent.prompt)

    sent = [_count(intent.images, "image"), _count(intent.documents, "document")]

    if any(sent):
        text = f"You sent {' and '.join(filter(None, sent))}. {text}"

    return text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}" if number else ""


def _tool_uses(intent: Intent) -> tuple[ToolUse, ...]:
    if intent.tool_choice == "none" or not intent.tools:
        return ()

    chosen = [tool for tool in intent.tools if tool.name == intent.tool_choice]

    if not chosen and intent.tool_result is None:
        prompt = intent.prompt.lower()
        chosen = [
            tool
            for tool in intent.tools
            if tool.name.lower() in prompt
            or tool.name.lower().replace("_", " ") in prompt
        ]

    if not chosen and intent.tool_choice == "required":
        chosen = [intent.tools[0]]

    text = subject_of(intent.prompt)
    return tuple(
        ToolUse(
            id=hashlib.sha256(f"{at}{tool.name}{text}".encode()).hexdigest()[:24],
            name=tool.name,
            arguments=build_sample(tool.schema, text) or {},
        )
        for at, tool in enumerate(chosen)
    )


def _stop_early(text: str, stop: tuple[str, ...]) -> tuple[str, str | None]:
    places = sorted((text.find(word), word) for word in stop if word and word in text)

    if not places:
        return text, None

    return text[: places[0][0]], places[0][1]


def _cap(intent: Intent, traits: cabc.Set[str], output_tokens: int) -> int | None:
    """The cap that cuts this answer, or ``None``."""
    if "length" in traits:
        return max(1, output_tokens // 2)

    if intent.cap is not None and output_tokens > intent.cap:
        return intent.cap

    return None


def _cached(input_tokens: int, traits: cabc.Set[str]) -> int:
    if "cached" in traits:
        return input_tokens // 2

    return input_tokens // 128 * 128 if input_tokens >= CACHE_FLOOR else 0
