"""generateContent of the simulated GEMINI: requests read."""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t

from .exchange import compact
from .exchange import ErrorRow
from .exchange import Refusal
from .reply import Intent
from .reply import Tool
from .rows_gemini import error_body
from .thoughts import NO_SIGNATURE
from .thoughts import sign

_FIELDS = frozenset(
    "contents systemInstruction tools toolConfig safetySettings generationConfig "
    "cachedContent model serviceTier store".split()
)
_CONFIG_FIELDS = frozenset(
    "temperature topP topK candidateCount maxOutputTokens stopSequences "
    "responseMimeType responseSchema responseJsonSchema responseModalities "
    "presencePenalty frequencyPenalty seed responseLogprobs logprobs thinkingConfig "
    "mediaResolution speechConfig imageConfig enableEnhancedCivicAnswers".split()
)

_LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
_NEEDS_SIGNATURE = re.compile(r"gemini-[3-9]")


def read_intent(body: dict[str, t.Any], model: str) -> Intent:
    """Read a request body, in camel or snake case; raises a refusal."""
    body = {camel(name): value for name, value in body.items()}
    config = {
        camel(name): value
        for name, value in (body.get("generationConfig") or {}).items()
    }
    _refuse_unknown(body, _FIELDS, "")
    _refuse_unknown(config, _CONFIG_FIELDS, " at 'generation_config'")
    contents = read_contents(body.get("contents"))
    _check_signatures(contents, model)
    prompt, images, tool_result, documents = _read_turns(contents)
    thinking = {
        camel(name): value
        for name, value in (config.get("thinkingConfig") or {}).items()
    }
    level = thinking.get("thinkingLevel")

    if level is not None and str(level).upper() not in _LEVELS:
        raise invalid(f"Invalid value at 'thinking_level': {level}")

    return Intent(
        model=model,
        system=_joined((body.get("systemInstruction") or {}).get("parts") or []),
        prompt=prompt,
        tool_result=tool_result,
        images=images,
        tools=_tools(body.get("tools") or []),
        tool_choice=_choice(body.get("toolConfig") or {}),
        schema=_schema(config),
        size=len(compact([body.get("systemInstruction"), contents, body.get("tools")])),
        cap=config.get("maxOutputTokens"),
        stop=tuple(config.get("stopSequences") or ()),
        thinking=bool(thinking.get("includeThoughts")),
        documents=documents,
    )


def read_contents(contents: t.Any) -> list[dict[str, t.Any]]:
    """Check that there are turns, each with a known role and with parts."""
    if not isinstance(contents, list) or not contents:
        raise invalid("* GenerateContentRequest.contents: contents is not specified\n")

    turns = []

    for at, turn in enumerate(contents):
        if turn.get("role", "user") not in ("user", "model", "function"):
            raise invalid("Please use a valid role: user, model.")

        if not turn.get("parts"):
            raise invalid(
                f"* GenerateContentRequest.contents[{at}].parts: contents.parts must "
                "not be empty.\n"
            )

        parts = [
            {camel(name): value for name, value in part.items()}
            for part in turn["parts"]
        ]
        turns.append({"role": turn.get("role", "user"), "parts": parts})

    return turns


def invalid(message: str) -> Refusal:
    """Make the refusal of a bad request."""
    body = error_body(400, "INVALID_ARGUMENT", message)
    return Refusal(ErrorRow(status=400, body=body))


def camel(name: str) -> str:
    """Write a name the way GEMINI answers; it reads both."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def _refuse_unknown(
    body: cabc.Mapping[str, t.Any], known: cabc.Set[str], place: str
) -> None:
    for name in body:
        if name not in known:
            raise invalid(
                f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot '
                "find field."
            )


def _check_signatures(contents: list[dict[str, t.Any]], model: str) -> None:
    """Refuse a tool call of this turn that came back without its signature."""
    if not _NEEDS_SIGNATURE.match(model):
        return

    known = (None, sign(model), NO_SIGNATURE)

    for turn in contents:
        if any(part.get("thoughtSignature") not in known for part in turn["parts"]):
            raise invalid("Corrupted thought signature.")

    for turn in reversed(contents):
        if turn["role"] == "user" and any("text" in part for part in turn["parts"]):
            return

        calls = [part for part in turn["parts"] if "functionCall" in part]

        if calls and not calls[0].get("thoughtSignature"):
            name = calls[0]["functionCall"].get("name")
            raise invalid(
                "Function call is missing a thought_signature in functionCall parts. "
                f"This is required for tools to work correctly: {name}."
            )


def _read_turns(
    contents: list[dict[str, t.Any]],
) -> tuple[str, int, str | None, int]:
    parts = [turn["parts"] for turn in contents if turn["role"] != "model"]
    last = parts[-1] if parts else []
    # Words behind a tool's answer are a new question.
    answers = [] if _joined(last) else last
    results = [
        part["functionResponse"] for part in answers if "functionResponse" in part
    ]
    media = [part.get("inlineData") or part.get("fileData") for part in last]
    kinds = [_media_type(one) for one in media if one]
    images = sum(not _is_document(kind) for kind in kinds)
    documents = len(kinds) - images
    prompts = [text for group in parts if (text := _joined(group))]

    if not results:
        return (prompts[-1] if prompts else ""), images, None, documents

    answer = results[-1].get("response") or {}
    said = next(iter(answer.values()), "") if isinstance(answer, dict) else answer
    return (prompts[-1] if prompts else ""), images, str(said), documents


def _media_type(media: dict[str, t.Any]) -> str:
    return str({camel(name): one for name, one in media.items()}.get("mimeType", ""))


def _is_document(media_type: str) -> bool:
    return media_type == "application/pdf" or media_type.startswith("text/")


def _joined(parts: list[dict[str, t.Any]]) -> str:
    return "\n".join(str(part["text"]) for part in parts if part.get("text"))


def _tools(groups: list[dict[str, t.Any]]) -> tuple[Tool, ...]:
    found = []

    for group in groups:
        named = {camel(name): value for name, value in group.items()}

        for tool in named.get("functionDeclarations") or []:
            known = {camel(name): value for name, value in tool.items()}
            schema = known.get("parametersJsonSchema") or known.get("parameters") or {}
            found.append(Tool(name=known["name"], schema=schema))

    return tuple(found)


def _choice(tool_config: dict[str, t.Any]) -> str:
    holder = {camel(name): value for name, value in tool_config.items()}
    config = {
        camel(name): value
        for name, value in (holder.get("functionCallingConfig") or {}).items()
    }
    mode = str(config.get("mode", "AUTO")).upper()

    if mode == "ANY" and config.get("allowedFunctionNames"):
        return str(config["allowedFunctionNames"][0])

    return {"ANY": "required", "NONE": "none"}.get(mode, "auto")


def _schema(config: dict[str, t.Any]) -> cabc.Mapping[str, t.Any] | None:
    schema = config.get("responseJsonSchema") or config.get("responseSchema")

    if config.get("responseMimeType") == "application/json":
        return schema or {}

    if schema:
        raise invalid(
            "Function calling config is set without response_mime_type: "
            "response_schema needs 'application/json'."
        )

    return None
