"""Puts a call to one route, and its answer into the shape the caller sees."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import functools
import hashlib
import typing as t

from .failover.rooms import Perform
from .failover.routes import Route
from .failover.walk import Arrived
from .providers.base import Provider
from .providers.http import Deadline
from .providers.http import Sender
from .providers.state import fit_messages
from .providers.state import mark_parts
from .providers.state import Origin
from .providers.stream_reader import find_calls
from .providers.streams import ProviderStream
from .providers.types import Attempt
from .providers.types import ChatAnswer
from .providers.types import ChatRequest
from .providers.types import ChatResponse
from .providers.types import CountAnswer
from .providers.types import EmbedAnswer
from .providers.types import Embeddings
from .providers.types import ModelInfo
from .providers.types import TokenCount
from .secret import Secret

T = t.TypeVar("T")
T_co = t.TypeVar("T_co", covariant=True)

#: What is meant for one provider's models: another provider is not sent it.
DROPPABLE = ("temperature",)


def find_droppable(request: ChatRequest) -> tuple[str, ...]:
    """Name what the caller set and another provider would not be sent."""
    return tuple(name for name in DROPPABLE if getattr(request, name) is not None)


def fit_request(request: ChatRequest, route: Route) -> ChatRequest:
    """Give the request as this route is sent it: nothing meant for others is in it."""
    messages = fit_messages(request.messages, _origin(route))

    if messages is request.messages and not route.dropped:
        return request

    dropped = set(route.dropped)
    return dataclasses.replace(
        request,
        messages=messages,
        temperature=None if "temperature" in dropped else request.temperature,
    )


def build_response(
    answer: ChatAnswer, route: Route, latency_ms: int, attempts: tuple[Attempt, ...]
) -> ChatResponse:
    """Put what a route answered into a response; its state says where it is from."""
    parts = mark_parts(answer.said, _origin(route))
    return ChatResponse(
        text=answer.text,
        model=answer.model,
        usage=answer.usage,
        finish_reason=answer.finish_reason,
        tool_calls=find_calls(parts),
        parts=parts,
        request_id=answer.request_id,
        raw=answer.raw,
        provider=route.provider.id,
        source=route.source,
        latency_ms=latency_ms,
        attempts=attempts,
    )


def build_embeddings(arrived: Arrived[EmbedAnswer]) -> Embeddings:
    """Put the vectors a route gave into the shape the caller sees."""
    answer = arrived.value
    return Embeddings(
        vectors=answer.vectors,
        model=answer.model,
        usage=answer.usage,
        provider=arrived.route.provider.id,
        source=arrived.route.source,
        latency_ms=arrived.latency_ms,
        attempts=arrived.attempts,
    )


def build_count(arrived: Arrived[CountAnswer]) -> TokenCount:
    """Put the tokens a route counted into the shape the caller sees."""
    answer = arrived.value
    return TokenCount(
        input_tokens=answer.input_tokens,
        model=answer.model,
        provider=arrived.route.provider.id,
        source=arrived.route.source,
        latency_ms=arrived.latency_ms,
        attempts=arrived.attempts,
    )


def chat(request: ChatRequest) -> Perform[ChatAnswer]:
    """Ask for one answer."""
    return _put(request, lambda provider: provider.chat)


def stream(request: ChatRequest) -> Perform[ProviderStream]:
    """Ask for one answer in pieces."""
    return _put(request, lambda provider: provider.open_stream)


def count(request: ChatRequest) -> Perform[CountAnswer]:
    """Ask how many tokens of input a request would be."""
    return _put(request, lambda provider: provider.count_tokens)


class _Method(t.Protocol[T_co]):
    """A method of providers that takes a request."""

    def __call__(
        self,
        sender: Sender,
        request: ChatRequest,
        *,
        model: str,
        api_key: Secret,
        deadline: Deadline,
    ) -> T_co: ...


def _put(
    request: ChatRequest, method_of: cabc.Callable[[Provider], _Method[T]]
) -> Perform[T]:
    """Put a request to whatever route the call comes to, fitted to each."""

    def perform(route: Route, sender: Sender, api_key: Secret, deadline: Deadline) -> T:
        ask = method_of(route.provider)
        return ask(
            sender,
            fit_request(request, route),
            model=route.model,
            api_key=api_key,
            deadline=deadline,
        )

    return perform


def embed(texts: tuple[str, ...], dimensions: int | None) -> Perform[EmbedAnswer]:
    """Ask for vectors."""

    def perform(
        route: Route, sender: Sender, api_key: Secret, deadline: Deadline
    ) -> EmbedAnswer:
        # A provider of the host's own need not know of lengths.
        more = {} if dimensions is None else {"dimensions": dimensions}
        return route.provider.embed(
            sender,
            texts,
            model=route.model,
            api_key=api_key,
            deadline=deadline,
            **more,
        )

    return perform


def list_models(
    route: Route, sender: Sender, api_key: Secret, deadline: Deadline
) -> tuple[ModelInfo, ...]:
    """Ask what the key may use."""
    return route.provider.models(sender, api_key=api_key, deadline=deadline)


def _origin(route: Route) -> Origin:
    provider = route.provider
    return Origin(
        provider=provider.id,
        dialect=provider.dialect,
        model=route.model,
        account=functools.partial(_account, route) if provider.binds_state else None,
    )


def _account(route: Route) -> str:
    """Name whose account a route's key belongs to, as far as we know.

    A key that was replaced may be of another account. The name goes into conversations
    that the host stores: it says nothing of the key.
    """
    credential = route.credential

    if credential is None:
        return "system"

    stored = f"{credential.id}:{credential.generation}"
    return hashlib.sha256(stored.encode("ascii")).hexdigest()[:16]
