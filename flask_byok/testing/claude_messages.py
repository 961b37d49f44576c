"""The Messages wire of the simulated CLAUDE: requests read."""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t

from .exchange import compact
from .exchange import ErrorRow
from .exchange import Refusal
from .reply import Intent
from .reply import Tool
from .rows_claude import error_body
from .thoughts import find_foreign_block

_FIELDS = frozenset(
    "cache_control container context_management fallbacks inference_geo max_tokens "
    "mcp_servers messages metadata model output_config output_format service_tier "
    "speed stop_sequences stream system temperature thinking tool_choice tools top_k "
    "top_p user_profile_id".split()
)
_BLOCKS = frozenset(
    "text image document tool_use tool_result thinking redacted_thinking "
    "search_result".split()
)
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_OLD_MODEL = re.compile(r"claude-(3|[a-z]+-4-5)")
_SAMPLING = ("temperature", "top_p", "top_k")
_NO_SAMPLING_MODEL = re.compile(r"claude-([a-z]+-5|opus-4-[7-9])")


def read_intent(body: dict[str, t.Any], version: str, *, counting: bool) -> Intent:
    """Read a request body; raises a refusal as the real one refuses it.

    :param version: of the API, which decides about sampling parameters.
    :param counting: tokens are to be counted, so ``max_tokens`` may be missing.
    """
    _check_fields(body, version, counting)
    messages = body.get("messages")

    if not isinstance(messages, list) or not messages:
        raise _invalid("messages: at least one message is required")

    tools = tuple(
        Tool(name=tool["name"], schema=tool.get("input_schema") or {})
        for tool in body.get("tools") or []
        if tool.get("name")
    )
    prompt, images, tool_result = _read_messages(messages, bool(tools))
    output_format = (body.get("output_config") or {}).get("format") or {}
    _check_closed(output_format.get("schema"))
    thinking = _read_thinking(body)
    foreign = find_foreign_block(messages, str(body["model"]))

    if foreign is not None:
        raise _invalid(
            "messages.{}.content.{}: Invalid `signature` in `thinking` block".format(
                *foreign
            )
        )

    return Intent(
        model=body["model"],
        system=_text(body.get("system")),
        prompt=prompt,
        tool_result=tool_result,
        images=images,
        tools=tools,
        tool_choice=_choice(body.get("tool_choice")),
        schema=output_format.get("schema"),
        size=len(compact([body.get("system"), messages, body.get("tools")])),
        cap=body.get("max_tokens"),
        stop=tuple(body.get("stop_sequences") or ()),
        thinking=thinking != "disabled",
        documents=_count_documents(messages[-1]),
    )


def _count_documents(message: dict[str, t.Any]) -> int:
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    return sum(block.get("type") == "document" for block in blocks)


def _read_thinking(body: dict[str, t.Any]) -> str:
    """Read how to think, and refuse what the model does not know."""
    kind = str((body.get("thinking") or {}).get("type", "disabled"))
    effort = (body.get("output_config") or {}).get("effort")
    is_old = _OLD_MODEL.match(str(body["model"])) is not None

    if effort is not None and effort not in _EFFORTS:
        raise _invalid(
            "output_config.effort: Input should be 'low', 'medium' or 'high'"
        )

    if kind == "adaptive" and is_old:
        raise _invalid("adaptive thinking is not supported on this model")

    if kind == "enabled" and not is_old:
        raise _invalid('"thinking.type.enabled" is not supported for this model.')

    if kind == "enabled" and body["thinking"].get("budget_tokens", 0) < 1024:
        raise _invalid("thinking.enabled.budget_tokens: should be at least 1024")

    if kind != "disabled" and _choice(body.get("tool_choice")) not in ("auto", "none"):
        raise _invalid("Thinking may not be enabled when tool_choice forces tool use.")

    return kind


def _check_closed(schema: t.Any) -> None:
    """Refuse a schema with an object that is not closed, wherever it stands."""
    if isinstance(schema, list):
        for one in schema:
            _check_closed(one)

    if not isinstance(schema, dict):
        return

    if (
        schema.get("type") == "object"
        and schema.get("additionalProperties") is not False
    ):
        raise _invalid(
            "output_config.format.schema: For 'object' type, 'additionalProperties' "
            "must be explicitly set to false"
        )

    for one in schema.values():
        _check_closed(one)


def _check_fields(body: dict[str, t.Any], version: str, counting: bool) -> None:
    for name in body:
        if name not in _FIELDS:
            raise _invalid(f"{name}: Extra inputs are not permitted")

    if not counting and not isinstance(body.get("max_tokens"), int):
        raise _invalid("max_tokens: Field required")

    if not counting and body["max_tokens"] < 1:
        raise _invalid("max_tokens: must be greater than or equal to 1")

    if body.get("tool_choice") and not body.get("tools"):
        raise _invalid("tool_choice may only be specified while providing tools")

    new = version >= "2026-10-21"

    for name in _SAMPLING:
        if name in body and (new or _NO_SAMPLING_MODEL.match(str(body["model"]))):
            raise _invalid(f"{name}: Extra inputs are not permitted")


def _invalid(message: str) -> Refusal:
    body = error_body(message, kind="invalid_request_error")
    return Refusal(ErrorRow(status=400, body=body))


def _read_messages(
    messages: list[dict[str, t.Any]], has_tools: bool
) -> tuple[str, int, str | None]:
    prompt, images, result = "", 0, None
    known_uses: set[str] = set()

    for at, message in enumerate(messages):
        if message.get("role") not in ("user", "assistant"):
            raise _invalid(f"messages.{at}.role: Input should be 'user' or 'assistant'")

        blocks = _message_blocks(message.get("content"), at)
        known_uses.update(one["id"] for one in blocks if one["type"] == "tool_use")
        _check_tool_blocks(blocks, at, known_uses, has_tools)

        if message["role"] == "user":
            results = [_text(one["content"]) for one in blocks if "tool_use_id" in one]
            texts = [one["text"] for one in blocks if one["type"] == "text"]
            images = sum(one["type"] == "image" for one in blocks)
            prompt = "\n".join(texts)
            result = None if texts else "\n".join(results)

    return prompt, images, result or None


def _message_blocks(content: t.Any, at: int) -> list[dict[str, t.Any]]:
    blocks = content

    if isinstance(content, str):
        blocks = [{"type": "text", "text": content}]

    for number, block in enumerate(blocks or []):
        if block.get("type") not in _BLOCKS:
            raise _invalid(f"messages.{at}.content.{number}.type: Input tag is unknown")

        if block["type"] == "text" and not block.get("text"):
            raise _invalid("messages: text content blocks must be non-empty")

    return blocks or []


def _check_tool_blocks(
    blocks: list[dict[str, t.Any]], at: int, known: cabc.Set[str], has_tools: bool
) -> None:
    kinds = [block["type"] for block in blocks]

    if not has_tools and ("tool_use" in kinds or "tool_result" in kinds):
        raise _invalid(
            "Requests which have `tool_use` or `tool_result` blocks in `messages` must "
            "define tools."
        )

    if "tool_result" in kinds and sorted(kinds, key="tool_result".__ne__) != kinds:
        raise _invalid(f"messages.{at}: `tool_result` blocks must come first")

    for block in blocks:
        if block["type"] == "tool_result" and block.get("tool_use_id") not in known:
            raise _invalid(
                f"messages.{at}.content.0: unexpected `tool_use_id` found in "
                f"`tool_result` blocks: {block.get('tool_use_id')}."
            )


def _text(content: t.Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(block.get("text", "")) for block in content)

    return str(content or "")


def _choice(choice: t.Any) -> str:
    kind = str((choice or {}).get("type", "auto"))
    return (
        str(choice["name"]) if kind == "tool" else {"any": "required"}.get(kind, kind)
    )
