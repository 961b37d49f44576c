"""The simulated OPENAI: which requests exist, and which answers they get."""

from __future__ import annotations

import base64
import collections.abc as cabc
import dataclasses
import struct
import typing as t

from . import openai_chat
from . import openai_responses
from . import openai_responses_answer
from .catalog import knows_model
from .catalog import OPENAI_MODELS
from .catalog import SHUTDOWNS
from .exchange import Answer
from .exchange import Call
from .exchange import compact
from .exchange import ErrorRow
from .exchange import fill
from .exchange import Operation
from .exchange import Refusal
from .exchange import Stream
from .openai_common import error_body
from .openai_common import invalid
from .reply import count_tokens
from .reply import reply_to
from .reply import vector
from .rows_openai import ROWS

_OPERATIONS: cabc.Mapping[tuple[str, str], Operation] = {
    ("GET", "/models"): "list",
    ("POST", "/responses"): "generate",
    ("POST", "/chat/completions"): "generate",
    ("POST", "/embeddings"): "generate",
    ("POST", "/responses/input_tokens"): "count",
}
_DIMENSIONS = {"text-embedding-3-large": 3072}


class OpenAIWire:
    """Responses, Chat Completions, Embeddings and the model list."""

    rows: cabc.Mapping[str, ErrorRow] = ROWS

    def knows(self, model: str) -> bool:
        """Tell whether there is such a model."""
        return knows_model("OPENAI", model)

    def list_models(self, call: Call) -> list[dict[str, t.Any]]:
        """Give the entries of the list of models."""
        return [_model(name) for name in OPENAI_MODELS]

    def read(self, call: Call) -> Call:
        """Find the bearer, the model and what is asked for."""
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        bearer = scheme.lower() == "bearer" and token.strip()
        operation = _OPERATIONS.get((call.method, call.path), "unknown")
        model = str((call.body or {}).get("model") or "")

        if call.method == "GET" and call.path.startswith("/models/"):
            operation, model = "list", call.path.removeprefix("/models/")

        return dataclasses.replace(
            call,
            credentials=(token.strip(),) if bearer else (),
            operation=operation,
            model=model,
            streamed=(call.body or {}).get("stream") is True,
        )

    def refuse_strangers(self, call: Call) -> None:
        """Refuse a request without a bearer."""
        if not call.credentials:
            raise Refusal(
                ErrorRow(
                    status=401,
                    body=error_body(
                        "You didn't provide an API key. You need to provide your API "
                        "key in an Authorization header using Bearer auth (i.e. "
                        "Authorization: Bearer YOUR_KEY).",
                        kind="invalid_request_error",
                    ),
                )
            )

    def answer(self, call: Call, traits: cabc.Set[str]) -> Answer | Stream:
        """Answer a good request."""
        if call.operation == "list":
            return self._models(call)

        if call.operation == "unknown":
            raise invalid(
                f"Invalid URL ({call.method} /v1{call.path})",
                code="unknown_url",
                status=404,
            )

        body = self._body(call)

        if call.path == "/embeddings":
            return _json(call, _embeddings(body))

        if call.path == "/responses/input_tokens":
            size = count_tokens(compact(body.get("input")))
            answer = {"object": "response.input_tokens", "input_tokens": size}
            return _json(call, answer)

        return self._generate(call, body, traits)

    def error(self, call: Call, row: ErrorRow) -> Answer:
        """Answer with an error of OPENAI."""
        named = fill(dict(row.headers), call)
        headers = {"content-type": "application/json", **_headers(call), **named}

        if row.status == 401:
            headers.setdefault("www-authenticate", 'Bearer realm="OpenAI API"')

        return Answer(
            status=row.status,
            headers=headers,
            body=compact(fill(row.body, call)).encode(),
        )

    def stream_error(self, call: Call, row: ErrorRow, other_form: bool) -> bytes:
        """Write the error events of Responses, or Chat's error chunk."""
        body = fill(row.body, call)

        if call.path == "/responses":
            return openai_responses_answer.render_error(body["error"], other_form)

        return openai_chat.render_error(body)

    def _generate(
        self, call: Call, body: dict[str, t.Any], traits: cabc.Set[str]
    ) -> Answer | Stream:
        responses = call.path == "/responses"
        reader = openai_responses if responses else openai_chat
        writer = openai_responses_answer if responses else openai_chat
        reply = reply_to(reader.read_intent(body), traits)

        if not call.streamed:
            answer = writer.render(body, reply)

            if responses and "failed" in traits:
                answer |= {
                    "status": "failed",
                    "output": [],
                    "error": {"code": "server_error", "message": "It failed."},
                }

            return _json(call, answer)

        headers = {"content-type": "text/event-stream; charset=utf-8"}
        pieces = writer.render_stream(body, reply)
        return Stream(status=200, headers=headers | _headers(call), pieces=pieces)

    def _models(self, call: Call) -> Answer:
        if call.path == "/models":
            known = self.list_models(call)
            return _json(call, {"object": "list", "data": known})

        if not self.knows(call.model):
            raise Refusal(ROWS["model_not_found"])

        return _json(call, _model(call.model))

    def _body(self, call: Call) -> dict[str, t.Any]:
        if call.body is None:
            raise invalid("We could not parse the JSON body of your request.")

        if not call.model:
            raise invalid(
                "Missing required parameter: 'model'.",
                param="model",
                code="missing_required_parameter",
            )

        if not self.knows(call.model):
            responses = call.path.startswith("/responses")
            raise Refusal(
                ROWS["model_not_found_400" if responses else "model_not_found"]
            )

        return call.body


def _model(name: str) -> dict[str, t.Any]:
    return {
        "id": name,
        "object": "model",
        "created": 1778037177,
        "owned_by": "system",
        "shutdown_date": SHUTDOWNS.get(name),
    }


def _embeddings(body: dict[str, t.Any]) -> dict[str, t.Any]:
    texts = body.get("input")
    texts = [texts] if isinstance(texts, str) else texts

    if not isinstance(texts, list) or not texts:
        raise invalid("'input' is a required property", param="input")

    size = body.get("dimensions") or _DIMENSIONS.get(body["model"], 1536)
    data = []

    for at, text in enumerate(texts):
        numbers: t.Any = vector(str(text), size)

        if body.get("encoding_format") == "base64":
            packed = struct.pack(f"<{size}f", *numbers)
            numbers = base64.b64encode(packed).decode("ascii")

        data.append({"object": "embedding", "index": at, "embedding": numbers})

    tokens = sum(count_tokens(str(text)) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def _headers(call: Call) -> dict[str, str]:
    return {
        "x-request-id": call.request_id,
        "openai-processing-ms": "12",
        "openai-version": "2020-10-01",
        "openai-organization": "org-simulated",
        "openai-project": "proj_simulated",
        "x-ratelimit-limit-requests": "5000",
        "x-ratelimit-limit-tokens": "2000000",
        "x-ratelimit-remaining-requests": "4999",
        "x-ratelimit-remaining-tokens": "1999465",
        "x-ratelimit-reset-requests": "12ms",
        "x-ratelimit-reset-tokens": "1m6.779s",
    }


def _json(call: Call, value: t.Any) -> Answer:
    headers = {"content-type": "application/json", **_headers(call)}
    return Answer(status=200, headers=headers, body=compact(value).encode())
