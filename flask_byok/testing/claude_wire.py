"""The simulated CLAUDE: which requests exist, and which answers they get."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

from .catalog import CLAUDE_MODELS
from .catalog import knows_model
from .catalog import SHUTDOWNS
from .claude_answer import render
from .claude_answer import render_stream
from .claude_answer import write_event
from .claude_messages import read_intent
from .exchange import Answer
from .exchange import Call
from .exchange import compact
from .exchange import ErrorRow
from .exchange import fill
from .exchange import Operation
from .exchange import Refusal
from .exchange import Stream
from .reply import count_tokens
from .reply import reply_to
from .rows_claude import error_body
from .rows_claude import ROWS

VERSIONS = ("2023-06-01", "2026-10-21")

_OPERATIONS: cabc.Mapping[tuple[str, str], Operation] = {
    ("GET", "/models"): "list",
    ("POST", "/messages"): "generate",
    ("POST", "/messages/count_tokens"): "count",
}
_EDITS = ("clear_tool_uses_20250919", "clear_thinking_20251015", "compact_20260112")
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_RATE_HEADERS = ("requests", "tokens", "input-tokens", "output-tokens")


class ClaudeWire:
    """Messages, counted tokens and the paged model list."""

    rows: cabc.Mapping[str, ErrorRow] = ROWS

    def read(self, call: Call) -> Call:
        """Find the key, the model and what is asked for; ``x-api-key`` comes first."""
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        found = (call.headers.get("x-api-key", "").strip(), bearer)
        operation = _OPERATIONS.get((call.method, call.path), "unknown")
        model = str((call.body or {}).get("model") or "")

        if call.method == "GET" and call.path.startswith("/models/"):
            operation, model = "list", call.path.removeprefix("/models/")

        return dataclasses.replace(
            call,
            credentials=tuple(one for one in found if one),
            operation=operation,
            model=model,
            streamed=(call.body or {}).get("stream") is True,
        )

    def refuse_strangers(self, call: Call) -> None:
        """Refuse a request without a key."""
        if not call.credentials:
            message = "x-api-key header is required"
            body = error_body(message, kind="authentication_error")
            raise Refusal(ErrorRow(status=401, body=body))

    def answer(self, call: Call, traits: cabc.Set[str]) -> Answer | Stream:
        """Answer a good request."""
        version = call.headers.get("anthropic-version")

        if version not in VERSIONS:
            message = "anthropic-version: header is required"
            raise _invalid(message if version is None else "anthropic-version: invalid")

        if call.operation == "list":
            return self._models(call)

        if call.operation == "unknown":
            body = error_body("Not found", kind="not_found_error")
            raise Refusal(ErrorRow(status=404, body=body))

        body = self._body(call)
        intent = read_intent(body, version, counting=call.operation == "count")

        if call.operation == "count":
            return _json(call, {"input_tokens": count_tokens(intent.size)})

        reply = reply_to(intent, traits)

        if not call.streamed:
            return _json(call, render(body, reply), traits)

        headers = {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
            **_headers(call, traits),
        }
        return Stream(status=200, headers=headers, pieces=render_stream(body, reply))

    def error(self, call: Call, row: ErrorRow) -> Answer:
        """Answer with an error of CLAUDE."""
        headers = {"content-type": "application/json", "request-id": call.request_id}

        if 400 <= row.status < 500 and row.status not in (408, 409, 429):
            headers["x-should-retry"] = "false"

        return Answer(
            status=row.status,
            headers=headers | fill(dict(row.headers), call),
            body=compact(fill(row.body, call)).encode(),
        )

    def stream_error(self, call: Call, row: ErrorRow, other_form: bool) -> bytes:
        """Write the error event; the other form leaves the request id out."""
        body = fill(row.body, call)

        if other_form:
            body.pop("request_id", None)

        return write_event("error", body)

    def _models(self, call: Call) -> Answer:
        if call.path != "/models":
            if not knows_model("CLAUDE", call.model):
                raise Refusal(ROWS["model_not_found"])

            return _json(call, _model(call.model))

        limit = call.query.get("limit", "20")

        if not limit.isdigit() or not 1 <= int(limit) <= 1000:
            raise _invalid("limit: must be between 1 and 1000")

        after = call.query.get("after_id", "")
        start = CLAUDE_MODELS.index(after) + 1 if after in CLAUDE_MODELS else 0
        page = CLAUDE_MODELS[start : start + int(limit)]
        return _json(
            call,
            {
                "data": [_model(name) for name in page],
                "has_more": start + len(page) < len(CLAUDE_MODELS),
                "first_id": page[0] if page else None,
                "last_id": page[-1] if page else None,
            },
        )

    def _body(self, call: Call) -> dict[str, t.Any]:
        if call.body is None:
            raise _invalid("The request body is not valid JSON")

        if not call.model:
            raise _invalid("model: Field required")

        if not knows_model("CLAUDE", call.model):
            raise Refusal(ROWS["model_not_found"])

        return call.body


def _invalid(message: str) -> Refusal:
    body = error_body(message, kind="invalid_request_error")
    return Refusal(ErrorRow(status=400, body=body))


def _model(name: str) -> dict[str, t.Any]:
    yes = {"supported": True}
    return {
        "type": "model",
        "id": name,
        "display_name": name.replace("-", " ").title(),
        "created_at": "2026-07-24T00:00:00Z",
        "lifecycle": "deprecated" if name in SHUTDOWNS else "active",
        "deprecated_at": "2026-09-01T00:00:00Z" if name in SHUTDOWNS else None,
        "retires_at": f"{SHUTDOWNS[name]}T00:00:00Z" if name in SHUTDOWNS else None,
        "max_input_tokens": 1_000_000,
        "max_tokens": 128_000,
        "capabilities": {
            "batch": yes,
            "citations": yes,
            "code_execution": yes,
            "context_management": yes | {name: yes for name in _EDITS},
            "effort": yes | {name: yes for name in _EFFORTS},
            "image_input": yes,
            "pdf_input": yes,
            "structured_outputs": yes,
            "thinking": yes
            | {"types": {"enabled": {"supported": False}, "adaptive": yes}},
        },
    }


def _headers(call: Call, traits: cabc.Set[str]) -> dict[str, str]:
    headers = {
        "request-id": call.request_id,
        "anthropic-organization-id": "00000000-0000-4000-8000-000000000000",
    }

    if call.operation != "generate":
        return headers

    for name in _RATE_HEADERS:
        headers[f"anthropic-ratelimit-{name}-limit"] = "10000"
        headers[f"anthropic-ratelimit-{name}-remaining"] = "9999"
        headers[f"anthropic-ratelimit-{name}-reset"] = "2026-11-23T12:00:00Z"

    if "retry_after_on_200" in traits:
        headers["retry-after"] = "30"

    return headers


def _json(call: Call, value: t.Any, traits: cabc.Set[str] = frozenset()) -> Answer:
    headers = {"content-type": "application/json", **_headers(call, traits)}
    return Answer(status=200, headers=headers, body=compact(value).encode())
