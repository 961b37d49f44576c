"""The AI client of one company: chat, stream, embed, models."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from . import asking
from .chat_stream import ChatStream as ChatStream
from .failover.engine import Engine
from .failover.rooms import Call
from .failover.rooms import Operation
from .failover.routes import Ask
from .formats.answer import read_format
from .formats.answer import ResponseFormat
from .messages import build_request
from .messages import CHARACTERS_OF_A_TOKEN
from .messages import estimate_tokens
from .messages import Messages
from .messages import Tools
from .providers.bound import is_account_bound
from .providers.types import ChatRequest
from .providers.types import ChatResponse
from .providers.types import Effort
from .providers.types import Embeddings
from .providers.types import ModelInfo
from .providers.types import Source
from .providers.types import TokenCount
from .vault.company import CompanyId


class SdkMaker(t.Protocol):
    """Makes the client of an official SDK for a company."""

    def __call__(
        self,
        company: str,
        kind: str | None,
        *,
        asynchronous: bool,
        timeout: float | None,
        label: str | None,
        fallback: bool,
    ) -> t.Any:
        """Make it."""
        ...


class AIClient:
    """Runs a company's AI requests on its key, and on the system key when it fails.

    Made by ``current_ai_client`` and ``byok.client_for()``. It holds no key and no
    state: every call reads what is true at that moment.
    """

    __slots__ = ("_company", "_engine", "_make_sdk", "company_id")

    def __init__(
        self,
        engine: Engine,
        company: str,
        company_id: CompanyId,
        make_sdk: SdkMaker,
    ) -> None:
        self._engine = engine
        self._make_sdk = make_sdk
        self._company = company
        #: The company this client works for, as the host names it.
        self.company_id: CompanyId = company_id

    def __repr__(self) -> str:
        return f"<AIClient {self._company}>"

    @property
    def provider(self) -> str | None:
        """The provider the next call would start on; ``None`` when AI is off."""
        return self._engine.outlook(self._company).provider

    @property
    def model(self) -> str | None:
        """The model the next call would use by default; ``None`` when AI is off."""
        return self._engine.outlook(self._company).model

    @property
    def source(self) -> Source | None:
        """Whose key the next call would start on; ``None`` when AI is off."""
        return self._engine.outlook(self._company).source

    @property
    def fallback_active(self) -> bool:
        """Whether a company key exists and the next call would not start on it."""
        return self._engine.outlook(self._company).fallback_active

    def chat(
        self,
        messages: Messages,
        *,
        system: str | None = None,
        model: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        stop: str | cabc.Sequence[str] | None = None,
        tools: Tools | None = None,
        tool_choice: str | None = None,
        response_format: ResponseFormat | None = None,
        reasoning_effort: Effort | None = None,
        timeout: float | None = None,
        label: str | None = None,
        fallback: bool = True,
        extra: cabc.Mapping[str, t.Any] | None = None,
    ) -> ChatResponse:
        """Ask for one answer.

        :param messages: a string, or a list of ``{"role", "content"}`` dicts or
            :class:`Message` objects.
        :param system: the instruction that stands above the conversation.
        :param model: a name of ``BYOK_MODELS`` (``"fast"``) or a provider's model id;
            ``None`` for the default. An id keeps the call with its provider.
        :param max_tokens: the most tokens of output, thinking included.
        :param temperature: sent only when given; several models refuse it. A route
            to another provider than the first is not sent it.
        :param stop: a text, or texts, before which the answer ends.
        :param tools: :class:`Tool` objects or dicts with ``name``, ``description`` and
            ``parameters`` (a JSON schema).
        :param tool_choice: ``"auto"``, ``"none"``, ``"required"`` or a tool's name.
        :param response_format: how the answer must look: a JSON schema of an object, a
            dataclass or a pydantic model class. What came is ``.parsed``.
        :param reasoning_effort: ``"none"``, ``"minimal"``, ``"low"``, ``"medium"``,
            ``"high"`` or ``"max"``: how much the model thinks first. Each provider
            takes its nearest step.
        :param timeout: seconds for the whole call; ``BYOK_TIMEOUT`` when not given.
        :param label: the host's name of the AI feature, for the usage.
        :param fallback: ``False`` keeps the call on its first route. It may only
            tighten the company's policy.
        :param extra: body fields passed to the provider as they are; they keep the
            call with its provider, and on its first key when they point to what an
            account keeps (``previous_response_id``, a file's id).
        :raises ProviderError: what the first route said, when no route answered; the
            subclass tells the kind, ``.attempts`` every route.
        :raises InvalidAnswer: when the answer is not in ``response_format``; it keeps
            the text and the usage.
        :raises UnsupportedByProvider: when the provider cannot do what is asked for,
            and no other route may or can.
        :raises CallError: when no request could be made at all.
        :raises StateUnavailable: when the company's keys cannot be read.
        :raises ValueError: for what cannot be asked; ``TypeError`` for a wrong type.
        """
        answer_format = read_format(response_format)
        request = build_request(
            messages,
            system=system,
            max_tokens=max_tokens,
            temperature=temperature,
            stop=stop,
            tools=tools,
            tool_choice=tool_choice,
            answer_format=answer_format,
            reasoning_effort=reasoning_effort,
            extra=extra,
        )
        call = self._call(request, model, timeout, label, fallback)
        arrived = self._engine.run(call, asking.chat(request))
        response = asking.build_response(
            arrived.value, arrived.route, arrived.latency_ms, arrived.attempts
        )
        return response if answer_format is None else answer_format.parse(response)

    def stream(
        self,
        messages: Messages,
        *,
        system: str | None = None,
        model: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        stop: str | cabc.Sequence[str] | None = None,
        tools: Tools | None = None,
        tool_choice: str | None = None,
        response_format: ResponseFormat | None = None,
        reasoning_effort: Effort | None = None,
        timeout: float | None = None,
        label: str | None = None,
        fallback: bool = True,
        extra: cabc.Mapping[str, t.Any] | None = None,
    ) -> ChatStream:
        """Ask for an answer in pieces; the first piece has arrived when this returns.

        Parameters and errors as for :meth:`chat`. Before the first content the call
        falls back like any other, after it never: a stream that breaks later raises
        :exc:`StreamInterrupted` from the iteration.

        :param timeout: seconds until the first content; later pieces may take 30 s
            each and 15 minutes together, counted only while waiting for the provider.
        """
        answer_format = read_format(response_format)
        request = build_request(
            messages,
            system=system,
            max_tokens=max_tokens,
            temperature=temperature,
            stop=stop,
            tools=tools,
            tool_choice=tool_choice,
            answer_format=answer_format,
            reasoning_effort=reasoning_effort,
            extra=extra,
        )
        call = self._call(request, model, timeout, label, fallback, streamed=True)
        opened = self._engine.open_stream(call, asking.stream(request))
        return ChatStream(opened, answer_format)

    def embed(
        self,
        texts: str | cabc.Sequence[str],
        *,
        model: str | None = None,
        dimensions: int | None = None,
        timeout: float | None = None,
        label: str | None = None,
        fallback: bool = True,
    ) -> Embeddings:
        """Turn texts into vectors, in their order.

        Never falls back to another provider or model: vectors of two models do not
        compare. A company whose provider has no embeddings starts on the first route
        that has. Other parameters and errors as for :meth:`chat`.

        :param texts: one or more, none of them empty.
        :param model: a name of ``BYOK_MODELS`` or a model id; ``None`` for
            ``"embedding"`` of ``BYOK_MODELS``, else the provider's usual one.
        :param dimensions: how long each vector shall be; ``None`` for the model's own
            length. Not every model can shorten its vectors.
        :raises NoRoute: when no key of this company or app can embed.
        """
        wanted = (texts,) if isinstance(texts, str) else tuple(texts)

        if not wanted or not all(isinstance(text, str) and text for text in wanted):
            raise ValueError("'texts' must be a text or a list of texts, none empty.")

        if dimensions is not None and dimensions < 1:
            raise ValueError("'dimensions' must be at least 1.")

        call = Call(
            company=self._company,
            ask=Ask(model=model, fallback=fallback, embeds=True),
            timeout=_read_timeout(timeout),
            label=_read_label(label),
            input_tokens=sum(map(len, wanted)) // CHARACTERS_OF_A_TOKEN,
            output_tokens=1,
            operation="embeddings",
        )
        arrived = self._engine.run(call, asking.embed(wanted, dimensions))
        return asking.build_embeddings(arrived)

    def count_tokens(
        self,
        messages: Messages,
        *,
        system: str | None = None,
        model: str | None = None,
        tools: Tools | None = None,
        response_format: ResponseFormat | None = None,
        timeout: float | None = None,
        label: str | None = None,
        fallback: bool = True,
    ) -> TokenCount:
        """Ask the provider how many tokens of input a request would be.

        Parameters and errors as for :meth:`chat`. Nothing is generated; it is one
        request of the key all the same.
        """
        request = build_request(
            messages,
            system=system,
            max_tokens=None,
            temperature=None,
            stop=None,
            tools=tools,
            tool_choice=None,
            answer_format=read_format(response_format),
            reasoning_effort=None,
            extra=None,
        )
        call = self._call(
            request, model, timeout, label, fallback, operation="count_tokens"
        )
        return asking.build_count(self._engine.run(call, asking.count(request)))

    def models(self) -> list[ModelInfo]:
        """List the models the key of the next call may use.

        Errors as for :meth:`chat`.
        """
        call = Call(
            company=self._company,
            ask=Ask(one_provider=True),
            output_tokens=1,
            operation="list_models",
        )
        return list(self._engine.run(call, asking.list_models).value)

    def sdk(
        self,
        kind: str | None = None,
        *,
        asynchronous: bool = False,
        timeout: float | None = None,
        label: str | None = None,
        fallback: bool = True,
    ) -> t.Any:
        """Give an official SDK's own client, on this company's keys.

        Each of its requests takes the routes of its provider as they are then: the
        company key first, the system key when that fails. The client holds no key.

        :param kind: ``"openai"``, ``"anthropic"``, ``"google"``, or a provider's id;
            ``None`` for the provider the next call would start on.
        :param asynchronous: the SDK's async client; the one of Google is both.
        :param timeout: seconds for each whole call; ``BYOK_TIMEOUT`` when not given.
        :param label: as in :meth:`chat`.
        :param fallback: ``False`` keeps each request on its first route.
        :return: ``openai.OpenAI``, ``anthropic.Anthropic``, ``google.genai.Client``
            or their async forms.
        :raises SetupError: when the SDK is missing or too old: install the extra.
        :raises NoRoute: for ``kind=None`` when AI is off for this company.
        """
        return self._make_sdk(
            self._company,
            kind,
            asynchronous=asynchronous,
            timeout=_read_timeout(timeout),
            label=_read_label(label),
            fallback=fallback,
        )

    def _call(
        self,
        request: ChatRequest,
        model: str | None,
        timeout: float | None,
        label: str | None,
        fallback: bool,
        *,
        streamed: bool = False,
        operation: Operation = "chat",
    ) -> Call:
        counts = operation == "count_tokens"
        return Call(
            company=self._company,
            ask=Ask(
                model=model,
                one_provider=bool(request.extra),
                fallback=fallback and not is_account_bound(request.extra),
                droppable=asking.find_droppable(request),
            ),
            timeout=_read_timeout(timeout),
            label=_read_label(label),
            input_tokens=0 if counts else estimate_tokens(request),
            output_tokens=1 if counts else request.max_tokens,
            streamed=streamed,
            operation=operation,
            find_unsupported=lambda provider, model: provider.find_unsupported(
                request, model=model, counts=counts
            ),
        )


def _read_timeout(timeout: float | None) -> float | None:
    if timeout is not None and not timeout > 0:
        raise ValueError("'timeout' must be more than 0 seconds.")

    return timeout


def _read_label(label: str | None) -> str | None:
    """Refuse what no column takes: it would keep every later record waiting."""
    if label is not None and not isinstance(label, str):
        raise TypeError("'label' must be a text.")

    # A lone surrogate goes into no database.
    return None if label is None else label.encode("utf-8", "replace").decode("utf-8")
