"""What both generating wires of the simulated OPENAI share: refusals and tools."""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t

from .exchange import ErrorRow
from .exchange import Refusal
from .reply import Tool

_REASONING_MODEL = re.compile(r"(o\d|gpt-[5-9])")


def error_body(
    message: str, *, kind: str, param: str | None = None, code: str | None = None
) -> dict[str, t.Any]:
    """Put an error into OPENAI's envelope."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return {"error": error}


def invalid(
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    status: int = 400,
) -> Refusal:
    """Make the refusal of a bad request."""
    body = error_body(message, kind="invalid_request_error", param=param, code=code)
    return Refusal(ErrorRow(status=status, body=body))


def refuse_unknown(body: dict[str, t.Any], known: cabc.Set[str]) -> None:
    """Refuse a parameter this endpoint does not have."""
    for name in body:
        if name not in known:
            raise invalid(
                f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter"
            )


def refuse_unsupported(body: dict[str, t.Any], names: cabc.Iterable[str]) -> None:
    """Refuse what reasoning models do not take, and a temperature out of range."""
    if (body.get("temperature") or 0) < 0:
        raise invalid(
            "Invalid 'temperature': decimal below minimum value. Expected a value >= "
            f"0, but got {body['temperature']} instead.",
            param="temperature",
            code="decimal_below_min_value",
        )

    if not _REASONING_MODEL.match(str(body.get("model"))):
        return

    for name in names:
        if body.get(name) is not None:
            hint = (
                " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
            )
            raise invalid(
                f"Unsupported parameter: '{name}' is not supported with this model."
                f"{hint}",
                param=name,
                code="unsupported_parameter",
            )


def count_parts(content: t.Any, kind: str) -> int:
    """Count the parts of one type in a message's content."""
    parts = content if isinstance(content, list) else []
    return sum(part.get("type") == kind for part in parts)


def check_strict(schema: t.Any, holder: cabc.Mapping[str, t.Any]) -> None:
    """Refuse a strict schema that leaves room for further properties."""
    if not holder.get("strict") or not isinstance(schema, dict):
        return

    if schema.get("additionalProperties") is not False:
        name = holder.get("name", "response")
        raise invalid(
            f"Invalid schema for '{name}': In context=(), 'additionalProperties' is "
            "required to be supplied and to be false.",
            param="schema",
            code="invalid_json_schema",
        )


def read_tools(
    tools: t.Any, choice: t.Any, *, nested: bool
) -> tuple[tuple[Tool, ...], str]:
    """Read the tools, flat (Responses) or nested in ``function`` (Chat)."""
    found = []

    if choice is not None and not tools:
        raise invalid(
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when "
            "'tools' are specified.",
            param="tool_choice",
        )

    for at, tool in enumerate(tools or []):
        holder = tool.get("function") if nested else tool

        if not isinstance(holder, dict) or not holder.get("name"):
            param = f"tools[{at}].function" if nested else f"tools[{at}].name"
            raise invalid(
                f"Missing required parameter: '{param}'.",
                param=param,
                code="missing_required_parameter",
            )

        check_strict(holder.get("parameters"), holder)
        found.append(Tool(name=holder["name"], schema=holder.get("parameters") or {}))

    if isinstance(choice, dict):
        choice = (choice.get("function") if nested else choice) or {}
        return tuple(found), str(choice.get("name", "auto"))

    return tuple(found), str(choice or "auto")
