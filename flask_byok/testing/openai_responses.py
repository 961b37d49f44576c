"""The Responses wire of the simulated OPENAI: requests read."""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t

from .exchange import compact
from .openai_common import check_strict
from .openai_common import count_parts
from .openai_common import invalid
from .openai_common import read_tools
from .openai_common import refuse_unknown
from .openai_common import refuse_unsupported
from .reply import Intent
from .thoughts import encrypt

MINIMUM_CAP = 16

_FIELDS = frozenset(
    "background context_management conversation include input instructions "
    "max_output_tokens max_tool_calls metadata model moderation parallel_tool_calls "
    "previous_response_id prompt prompt_cache_key prompt_cache_retention reasoning "
    "safety_identifier service_tier store stream stream_options temperature text "
    "tool_choice tools top_logprobs top_p truncation user verbosity".split()
)
_COUNTED_FIELDS = frozenset(
    "conversation input instructions model parallel_tool_calls personality "
    "previous_response_id reasoning text tool_choice tools truncation".split()
)
_THOUGHTS = "reasoning.encrypted_content"
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_THINKS = re.compile(r"(o\d|gpt-[5-9])")
_PARTS = {
    "user": ("input_text", "input_image", "input_file"),
    "system": ("input_text",),
    "developer": ("input_text",),
    "assistant": ("output_text", "refusal"),
}


def check_count(body: dict[str, t.Any]) -> None:
    """Refuse what the count of tokens does not take."""
    refuse_unknown(body, _COUNTED_FIELDS)


def read_intent(body: dict[str, t.Any], api_key: str) -> Intent:
    """Read a request body; raises a refusal as the real one refuses it.

    :param api_key: names the account whose thoughts may come back.
    """
    refuse_unknown(body, _FIELDS)
    refuse_unsupported(body, ("temperature", "top_p"))
    _check_cap(body.get("max_output_tokens"))
    _check_thinking(body)
    items = _items(body.get("input"))
    _check_thoughts(items, api_key)
    prompt, images, tool_result, documents = _read_items(items)
    text_format = (body.get("text") or {}).get("format") or {}
    check_strict(text_format.get("schema"), text_format)
    tools, choice = read_tools(body.get("tools"), body.get("tool_choice"), nested=False)
    return Intent(
        model=body["model"],
        system=str(body.get("instructions") or _system_text(items)),
        prompt=prompt,
        tool_result=tool_result,
        images=images,
        tools=tools,
        tool_choice=choice,
        schema=_schema(text_format),
        size=len(compact([body.get("instructions"), items, body.get("tools")])),
        cap=body.get("max_output_tokens"),
        stop=(),
        thinking=(body.get("reasoning") or {}).get("effort") not in (None, "none"),
        documents=documents,
    )


def _check_thinking(body: dict[str, t.Any]) -> None:
    effort = (body.get("reasoning") or {}).get("effort")
    wanted = _THOUGHTS in (body.get("include") or ())

    if effort is not None and effort not in _EFFORTS:
        raise invalid(
            f"Invalid value: '{effort}'.",
            param="reasoning.effort",
            code="invalid_value",
        )

    if (wanted or effort is not None) and not _THINKS.match(str(body.get("model"))):
        what = "Encrypted content" if wanted else "Reasoning"
        raise invalid(
            f"{what} is not supported with this model.",
            param="include" if wanted else "reasoning.effort",
        )


def _check_thoughts(items: list[dict[str, t.Any]], api_key: str) -> None:
    """Refuse thoughts that were encrypted for another account."""
    for item in items:
        content = item.get("encrypted_content")

        if item.get("type") == "reasoning" and content != encrypt(api_key):
            raise invalid(
                f"The encrypted content {str(content)[:4]}... could not be verified. "
                "Reason: Encrypted content organization_id did not match the target "
                "organization.",
                code="invalid_encrypted_content",
            )


def _check_cap(cap: t.Any) -> None:
    if cap is not None and cap < MINIMUM_CAP:
        raise invalid(
            "Invalid 'max_output_tokens': integer below minimum value. "
            f"Expected a value >= {MINIMUM_CAP}, but got {cap} instead.",
            param="max_output_tokens",
            code="integer_below_min_value",
        )


def _items(given: t.Any) -> list[dict[str, t.Any]]:
    if isinstance(given, str):
        return [{"role": "user", "content": given}]

    if not isinstance(given, list) or not given:
        raise invalid(
            "Missing required parameter: 'input'.",
            param="input",
            code="missing_required_parameter",
        )

    return given


def _read_items(items: list[dict[str, t.Any]]) -> tuple[str, int, str | None, int]:
    prompt, images, documents, result = "", 0, 0, None
    known_calls = {
        item.get("call_id") for item in items if item.get("type") == "function_call"
    }

    for item in items:
        if item.get("type") == "function_call_output":
            if item.get("call_id") not in known_calls:
                raise invalid(
                    "No tool call found for function call output with call_id "
                    f"{item.get('call_id')}.",
                    param="input",
                )

            result = str(item.get("output"))

        if "role" in item:
            text, images = _content(item["content"], item["role"])
            documents = count_parts(item["content"], "input_file")

            if item["role"] == "user":
                prompt, result = text, None

    return prompt, images, result, documents


def _content(content: t.Any, role: str) -> tuple[str, int]:
    if isinstance(content, str):
        return content, 0

    allowed = _PARTS.get(role, _PARTS["user"])

    for at, part in enumerate(content):
        if part.get("type") not in allowed:
            names = " and ".join(f"'{name}'" for name in allowed)
            raise invalid(
                f"Invalid value: '{part.get('type')}'. Supported values are: {names}.",
                param=f"input[0].content[{at}]",
                code="invalid_value",
            )

    texts = [str(part.get("text", part.get("refusal", ""))) for part in content]
    images = sum(part["type"] == "input_image" for part in content)
    return "\n".join(text for text in texts if text), images


def _system_text(items: list[dict[str, t.Any]]) -> str:
    for item in items:
        if item.get("role") in ("system", "developer"):
            return _content(item["content"], item["role"])[0]

    return ""


def _schema(text_format: dict[str, t.Any]) -> cabc.Mapping[str, t.Any] | None:
    if text_format.get("type") == "json_schema":
        return t.cast("cabc.Mapping[str, t.Any]", text_format.get("schema") or {})

    return {} if text_format.get("type") == "json_object" else None
