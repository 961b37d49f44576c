"""generateContent of the simulated GEMINI: requests read, answers written."""

from __future__ import annotations

import collections.abc as cabc
import json
import re
import typing as t
import uuid

from .exchange import compact
from .exchange import ErrorRow
from .exchange import Piece
from .exchange import PieceKind
from .exchange import Refusal
from .reply import Intent
from .reply import Reply
from .reply import split
from .reply import Tool
from .rows_gemini import error_body

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
_SIGNATURE = "c2ltdWxhdGVkLXNpZ25hdHVyZQ=="
_NEEDS_SIGNATURE = re.compile(r"gemini-[3-9]")
_FINISH = {
    "stop_sequence": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "filtered": "SAFETY",
    "stop": "STOP",
}


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
    prompt, images, tool_result = _read_turns(contents)
    thinking = {
        camel(name): value
        for name, value in (config.get("thinkingConfig") or {}).items()
    }
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


def render(reply: Reply, model: str) -> dict[str, t.Any]:
    """Write the whole answer as one object."""
    thoughts = [{"text": reply.thought, "thought": True}] if reply.thought else []
    parts = [*thoughts, *_answer_parts(reply)]
    content = {"parts": parts, "role": "model"} if parts else {"role": "model"}

    if reply.finish == "filtered":
        content = {}

    return _chunk(reply, model, content, last=True) | _ids(model)


def render_stream(reply: Reply, model: str) -> tuple[Piece, ...]:
    """Write the answer as chunks; there is no end mark but a finish reason."""
    ids = _ids(model)
    pieces: list[Piece] = []

    def add(kind: PieceKind, content: dict[str, t.Any], last: bool) -> None:
        value = _chunk(reply, model, content, last=last) | ids
        data = b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\r\n\r\n"
        pieces.append(Piece(kind=kind, data=data))

    for text in split(reply.thought):
        part = {"text": text, "thought": True}
        add("preamble", {"parts": [part], "role": "model"}, last=False)

    if reply.finish == "filtered":
        add("end", {}, last=True)
        return tuple(pieces)

    for text in split(reply.text):
        add("content", {"parts": [{"text": text}], "role": "model"}, last=False)

    for part in [part for part in _answer_parts(reply) if "functionCall" in part]:
        add("content", {"parts": [part], "role": "model"}, last=False)

    final = {"text": "", "thoughtSignature": _SIGNATURE}
    add("end", {"parts": [final], "role": "model"}, last=True)
    return tuple(pieces)


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


def _read_turns(contents: list[dict[str, t.Any]]) -> tuple[str, int, str | None]:
    parts = [turn["parts"] for turn in contents if turn["role"] != "model"]
    last = parts[-1] if parts else []
    results = [part["functionResponse"] for part in last if "functionResponse" in part]
    images = sum("inlineData" in part or "fileData" in part for part in last)
    prompts = [text for group in parts if (text := _joined(group))]

    if not results:
        return (prompts[-1] if prompts else ""), images, None

    answer = results[-1].get("response") or {}
    said = next(iter(answer.values()), "") if isinstance(answer, dict) else answer
    return (prompts[-1] if prompts else ""), images, str(said)


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


def _answer_parts(reply: Reply) -> list[dict[str, t.Any]]:
    if reply.finish == "filtered":
        return []

    parts: list[dict[str, t.Any]] = []

    if reply.text:
        parts.append({"text": reply.text, "thoughtSignature": _SIGNATURE})

    for at, use in enumerate(reply.tool_uses):
        call = {"name": use.name, "args": dict(use.arguments), "id": use.id[:8]}
        part: dict[str, t.Any] = {"functionCall": call}

        if at == 0:
            part["thoughtSignature"] = _SIGNATURE

        parts.append(part)

    return parts


def _chunk(
    reply: Reply, model: str, content: dict[str, t.Any], *, last: bool
) -> dict[str, t.Any]:
    candidate: dict[str, t.Any] = {"content": content}

    if last:
        candidate["finishReason"] = _FINISH[reply.finish]

    candidate["index"] = 0

    if last and reply.tool_uses:
        candidate["finishMessage"] = "Model generated function call(s)."

    return {"candidates": [candidate], "usageMetadata": _usage(reply, last)}


def _usage(reply: Reply, last: bool) -> dict[str, t.Any]:
    """Count; here alone thoughts stand outside of the output."""
    total = reply.input_tokens + (reply.output_tokens if last else 0)
    usage: dict[str, t.Any] = {
        "promptTokenCount": reply.input_tokens,
        "totalTokenCount": total,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": reply.input_tokens}],
        "serviceTier": "standard",
    }

    if last:
        usage["candidatesTokenCount"] = reply.output_tokens - reply.reasoning_tokens
        usage["thoughtsTokenCount"] = reply.reasoning_tokens

    if reply.cached_tokens:
        usage["cachedContentTokenCount"] = reply.cached_tokens

    return usage


def _ids(model: str) -> dict[str, str]:
    return {"modelVersion": model, "responseId": uuid.uuid4().hex[:22]}
