"""The simulated GEMINI: which requests exist, and which answers they get."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import json
import typing as t

from .catalog import GEMINI_MODELS
from .catalog import knows_model
from .exchange import Answer
from .exchange import Call
from .exchange import compact
from .exchange import ErrorRow
from .exchange import fill
from .exchange import Operation
from .exchange import Piece
from .exchange import Refusal
from .exchange import Stream
from .gemini_answer import colour
from .gemini_answer import render
from .gemini_answer import render_stream
from .gemini_content import camel
from .gemini_content import invalid
from .gemini_content import read_contents
from .gemini_content import read_intent
from .reply import count_tokens
from .reply import reply_to
from .reply import vector
from .rows_gemini import error_body
from .rows_gemini import ROWS

_OPERATIONS: cabc.Mapping[str, Operation] = {
    "generateContent": "generate",
    "streamGenerateContent": "generate",
    "embedContent": "generate",
    "batchEmbedContents": "generate",
    "countTokens": "count",
}
_DIMENSIONS = 3072
_TYPE = "application/json; charset=UTF-8"


class GeminiWire:
    """generateContent, embeddings, counted tokens and the paged model list."""

    rows: cabc.Mapping[str, ErrorRow] = ROWS

    def read(self, call: Call) -> Call:
        """Find the credentials, the model and what is asked for."""
        authorization = call.headers.get("authorization", "").partition(" ")[2].strip()
        found = (
            call.headers.get("x-goog-api-key", "").strip(),
            call.query.get("key", ""),
            authorization,
        )
        model, _, action = call.path.removeprefix("/models/").partition(":")
        operation = _OPERATIONS.get(action, "unknown")
        named = call.path.startswith("/models/")

        if call.method == "GET" and (call.path == "/models" or (named and not action)):
            operation = "list"

        return dataclasses.replace(
            call,
            credentials=tuple(one for one in found if one),
            operation=operation,
            model=model if named else "",
            streamed=action == "streamGenerateContent",
        )

    def refuse_strangers(self, call: Call) -> None:
        """Refuse no credential, two of them, and a key sent as a bearer."""
        if len(call.credentials) > 1:
            raise Refusal(ROWS["multiple_credentials"])

        if "authorization" in call.headers and call.credentials:
            raise Refusal(ROWS["token_type_unsupported"])

        if not call.credentials:
            body = error_body(
                403,
                "PERMISSION_DENIED",
                "Method doesn't allow unregistered callers (callers without "
                "established identity). Please use API Key or other form of API "
                "consumer identity to call this API.",
            )
            raise Refusal(ErrorRow(status=403, body=body))

    def answer(self, call: Call, traits: cabc.Set[str]) -> Answer | Stream:
        """Answer a good request."""
        if call.operation == "unknown" or not knows_model(
            "GEMINI", call.model or GEMINI_MODELS[0]
        ):
            raise Refusal(ROWS["model_not_found"])

        if call.operation == "list":
            return self._models(call)

        if call.body is None:
            raise invalid("Invalid JSON payload received.")

        action = call.path.rpartition(":")[2]

        if action == "countTokens":
            return _json(call, _count(call.body))

        if action.lower().endswith(("embedcontent", "embedcontents")):
            return _json(call, _embed(call.body, action))

        reply = reply_to(read_intent(call.body, call.model), traits)
        # What is asked of a model past its end is answered by the next one.
        model = GEMINI_MODELS[3] if "other_model" in traits else call.model

        if not call.streamed:
            return _json(call, colour(render(reply, model), traits))

        pieces = render_stream(reply, model, traits)
        headers = _headers(call)

        if call.query.get("alt") != "sse":
            headers["content-type"] = _TYPE
            return Stream(status=200, headers=headers, pieces=_as_array(pieces))

        headers["content-type"] = "text/event-stream"  # and no charset
        headers["content-disposition"] = "attachment"
        return Stream(status=200, headers=headers, pieces=pieces)

    def error(self, call: Call, row: ErrorRow) -> Answer:
        """Answer with an error; a stream's type is kept, without SSE it is listed."""
        body = fill(row.body, call)
        named = fill(dict(row.headers), call)
        headers = {"content-type": _TYPE, **_headers(call), **named}

        if call.streamed and call.query.get("alt") == "sse":
            headers["content-type"] = "text/event-stream"
        elif call.streamed:
            body = [body]

        text = json.dumps(body, indent=2).encode()
        return Answer(status=row.status, headers=headers, body=text)

    def stream_error(self, call: Call, row: ErrorRow, other_form: bool) -> bytes:
        """Write raw JSON over several lines; in the other form, a proper chunk."""
        body = fill(row.body, call)

        if other_form:
            return f"data: {compact(body)}\r\n\r\n".encode()

        return json.dumps(body, indent=2).encode() + b"\n"

    def _models(self, call: Call) -> Answer:
        if call.path != "/models":
            return _json(call, _model(call.model))

        size = call.query.get("pageSize", "50")
        token = call.query.get("pageToken") or "page-0"

        if not token.removeprefix("page-").isdigit():
            raise invalid("The page token is invalid.")

        start = int(token.removeprefix("page-"))
        end = start + min(int(size) if size.isdigit() else 50, 1000)
        answer: dict[str, t.Any] = {
            "models": [_model(name) for name in GEMINI_MODELS[start:end]]
        }

        if end < len(GEMINI_MODELS):
            answer["nextPageToken"] = f"page-{end}"

        return _json(call, answer)


def _as_array(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Turn events into the elements of one JSON array."""
    turned = []

    for at, piece in enumerate(pieces):
        text = piece.data.removeprefix(b"data: ").strip()
        lead = b"[" if at == 0 else b",\r\n"
        tail = b"]" if at == len(pieces) - 1 else b""
        turned.append(dataclasses.replace(piece, data=lead + text + tail))

    return tuple(turned)


def _count(body: dict[str, t.Any]) -> dict[str, t.Any]:
    named = {camel(name): value for name, value in body.items()}
    inner = named.get("generateContentRequest") or named
    contents = read_contents(inner.get("contents"))
    tokens = count_tokens(compact(contents))
    details = [{"modality": "TEXT", "tokenCount": tokens}]
    return {"totalTokens": tokens, "promptTokensDetails": details}


def _embed(body: dict[str, t.Any], action: str) -> dict[str, t.Any]:
    if action == "embedContent":
        return {"embedding": _one_embedding(body)}

    requests = body.get("requests")

    if not isinstance(requests, list) or not requests:
        raise invalid("* BatchEmbedContentsRequest.requests: is not specified\n")

    return {"embeddings": [_one_embedding(request) for request in requests]}


def _one_embedding(request: dict[str, t.Any]) -> dict[str, t.Any]:
    """Make ONE vector of all the parts, as GEMINI does."""
    named = {camel(name): value for name, value in request.items()}
    parts = (named.get("content") or {}).get("parts") or []

    if not parts:
        raise invalid("content is empty")

    text = "\n".join(str(part.get("text", "")) for part in parts)
    return {"values": vector(text, named.get("outputDimensionality") or _DIMENSIONS)}


def _model(name: str) -> dict[str, t.Any]:
    embeds = "embedding" in name
    methods = ["generateContent", "countTokens", "createCachedContent"]
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name.replace("-", " ").title(),
        "description": "A simulated model.",
        "inputTokenLimit": 8192 if embeds else 1_048_576,
        "outputTokenLimit": 1 if embeds else 65_536,
        "supportedGenerationMethods": ["embedContent"] if embeds else methods,
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
        "thinking": not embeds,
    }


def _headers(call: Call) -> dict[str, str]:
    headers = {
        "vary": "Origin, Referer, X-Origin",
        "server-timing": "gfet4t7; dur=12",
        "x-content-type-options": "nosniff",
    }

    if call.operation == "generate" and not call.streamed:
        headers["x-gemini-service-tier"] = "standard"

    return headers


def _json(call: Call, value: t.Any) -> Answer:
    text = json.dumps(value, indent=2, ensure_ascii=False).encode()
    return Answer(
        status=200, headers={"content-type": _TYPE, **_headers(call)}, body=text
    )
