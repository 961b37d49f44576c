"""Our values under the names of OpenTelemetry's GenAI conventions, and under our own.

Source: OpenTelemetry, semantic conventions for generative AI, as of v1.41.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t
from urllib.parse import urlsplit

from ..failover.changes import Change
from ..failover.notes import Step
from ..failover.rooms import Call
from ..providers.types import Attempt
from ..providers.types import Usage

#: The conventions' names of our built-in providers; others go by their own id.
_PROVIDERS: t.Final = {
    "OPENAI": "openai",
    "CLAUDE": "anthropic",
    "GEMINI": "gcp.gemini",
}

Value = str | bool | int | float | list[str]


def provider_name(provider: str) -> str:
    """Name a provider as the conventions do."""
    return _PROVIDERS.get(provider, provider.lower())


def present(values: cabc.Mapping[str, Value | None]) -> dict[str, Value]:
    """Drop what is ``None``: OpenTelemetry has no such value."""
    return {name: value for name, value in values.items() if value is not None}


def of_call(call: Call, company: str | None) -> dict[str, Value]:
    """Describe a call before it has met a route."""
    return present(
        {
            "gen_ai.operation.name": call.operation,
            "gen_ai.request.model": call.ask.model,
            "gen_ai.request.max_tokens": (
                call.output_tokens if call.operation == "chat" else None
            ),
            "gen_ai.request.stream": call.streamed or None,
            "byok.call_id": call.id,
            "byok.company_id": company,
            "byok.label": call.label,
        }
    )


def of_route(attempt: Attempt) -> dict[str, Value]:
    """Describe the route of an attempt."""
    return present(
        {
            "gen_ai.provider.name": provider_name(attempt.provider),
            "gen_ai.request.model": attempt.model,
            "byok.source": attempt.source,
        }
    )


def of_attempt(attempt: Attempt) -> dict[str, Value]:
    """Describe the route of an attempt, and why it did not answer."""
    return {**of_route(attempt), **present({"byok.reason": attempt.reason})}


def of_request(step: Step, kind: str) -> dict[str, Value]:
    """Describe a request that is about to be sent.

    :param kind: ``first``, ``retry`` or ``fallback``.
    """
    provider = step.route.provider
    url = urlsplit(provider.base_url)
    usual = 443 if url.scheme == "https" else 80
    return present(
        {
            "gen_ai.provider.name": provider_name(provider.id),
            "gen_ai.request.model": step.route.model,
            "server.address": url.hostname,
            "server.port": url.port or usual,
            "byok.source": step.route.source,
            "byok.attempt.kind": kind,
            "byok.circuit": _circuit(step),
        }
    )


def of_outcome(attempt: Attempt) -> dict[str, Value]:
    """Describe how a request ended."""
    return present(
        {
            "http.response.status_code": attempt.status,
            "error.type": attempt.reason,
            "byok.code": attempt.code,
            "byok.request_id": attempt.request_id,
        }
    )


def of_answer(answer: object) -> dict[str, Value]:
    """Describe an answer, without a word of it."""
    reason = getattr(answer, "finish_reason", None)
    return present(
        {
            "gen_ai.response.model": getattr(answer, "model", None),
            "gen_ai.response.finish_reasons": None if reason is None else [reason],
        }
    )


def of_usage(usage: Usage | None) -> dict[str, Value]:
    """Describe the tokens of a call."""
    if usage is None:
        return {}

    return present(
        {
            "gen_ai.usage.input_tokens": usage.input_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens or None,
            "gen_ai.usage.cache_creation.input_tokens": (
                usage.cache_write_tokens or None
            ),
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens or None,
        }
    )


def of_change(change: Change) -> dict[str, Value]:
    """Describe what was written about a key."""
    return present(
        {
            "byok.change": change.kind,
            "byok.source": change.source,
            "gen_ai.provider.name": provider_name(change.provider),
            "gen_ai.request.model": change.model,
            "byok.reason": change.reason,
            "byok.episode": change.episode,
        }
    )


def _circuit(step: Step) -> str:
    if step.gate.token is not None or step.gate.tries_block:
        return "half_open"

    return step.target.circuit.circuit
