"""What every provider can do, whatever its wire."""

from __future__ import annotations

import abc
import collections.abc as cabc
import dataclasses
import datetime as dt
import re
import types
import typing as t
import urllib.parse

from ..secret import Secret
from .deadline import Deadline
from .failures import find_request_id
from .failures import read_answer
from .failures import read_failure
from .hangup import Hangup
from .http import ANSWER_CAP
from .http import Auth
from .http import HttpAnswer
from .http import HttpStream
from .http import LIST_CAP
from .http import Sender
from .payloads import encode_json
from .payloads import Json
from .relay import RelayRequest
from .streams import ProviderStream
from .types import AttemptFailed
from .types import ChatAnswer
from .types import ChatRequest
from .types import CountAnswer
from .types import EmbedAnswer
from .types import Failure
from .types import Message
from .types import ModelInfo
from .wire import IdCleaner
from .wire import merge_extra
from .wire import Wire

#: What a test of a key sends: nothing of the company, and the smallest cap that all
#: three providers accept.
PROBE = ChatRequest(
    messages=(Message(role="user", content="Reply with OK."),), max_tokens=16
)

#: Pages of a list of models read at most.
PAGE_LIMIT = 20

#: Whose table of errors applies; ``COMPATIBLE`` is that of vendors on OPENAI's wire.
ErrorTable = t.Literal["OPENAI", "CLAUDE", "GEMINI", "COMPATIBLE"]

#: What may be the id of a provider: it stands in settings, rows, addresses and forms.
PROVIDER_ID = re.compile(r"[A-Z0-9_]{1,32}")

_LAST_FOUR = re.compile(r"[A-Za-z0-9_-]{20,}")
_DATE_AT_END = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2}|latest)$")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Provider(abc.ABC):
    """One provider: its facts, and its way over the wire. Immutable.

    :param id: ``OPENAI``, ``GEMINI``, ``CLAUDE`` or a registered one; ``[A-Z0-9_]``.
    :param label: for people, of the product; ``vendor`` of the company behind it.
    :param base_url: with the version segment, without a slash at the end.
    :param key_page_url: where people make a key.
    :param permission_help: one sentence: what the key must be allowed to do.
    :param prefix_hints: how keys begin, longest first; advice, never a refusal.
    :param mask_prefixes: public prefixes that may stand in a mask, longest first.
    :param default_models: ``default`` and ``fast``.
    :param embedding_model: ``None`` when the provider has none.
    :param dialect: whose wire it speaks.
    :param default_output_cap: output tokens assumed of a call that sets no limit.
    :param binds_state: what the provider wants back goes to the account alone that it
        was given to.
    :param errors: whose error table applies; ``None`` for the one of the dialect.
    :param sdk_kind: whose official SDK speaks this wire; ``None`` for none.
    :param list_proves: whether a list of models that is given proves the key. Where it
        is public, a check goes straight to the generation.
    :param model_ends: the day a model shuts down, UTC, where it is known without a
        list; models by their id, without a date at its end.
    """

    id: str
    label: str
    vendor: str
    base_url: str
    key_page_url: str
    permission_help: str
    prefix_hints: tuple[str, ...] = ()
    mask_prefixes: tuple[str, ...] = ()
    default_models: cabc.Mapping[str, str]
    embedding_model: str | None = None
    dialect: t.Literal["OPENAI", "CLAUDE", "GEMINI"]
    default_output_cap: int = 4096
    binds_state: bool = False
    errors: ErrorTable | None = None
    sdk_kind: t.Literal["openai", "anthropic", "google"] | None = None
    list_proves: bool = True
    model_ends: cabc.Mapping[str, dt.date] = dataclasses.field(
        default_factory=lambda: types.MappingProxyType({})
    )

    @property
    def error_table(self) -> ErrorTable:
        """Whose error table applies to what it answers."""
        return self.errors or self.dialect

    def ends_on(self, model: str) -> dt.date | None:
        """Tell the day a model shuts down, UTC; ``None`` when it is not known.

        :param model: an id; a date at its end does not matter.
        """
        return self.model_ends.get(model) or self.model_ends.get(undated(model))

    def with_base_url(self, url: str) -> Provider:
        """Give a copy that speaks to another address.

        :param url: with the version segment; a slash at the end is dropped.
        """
        return dataclasses.replace(self, base_url=url.rstrip("/"))

    def chat(
        self,
        sender: Sender,
        request: ChatRequest,
        *,
        model: str,
        api_key: Secret,
        deadline: Deadline,
    ) -> ChatAnswer:
        """Ask once and read the whole answer.

        :raises AttemptFailed: when no answer came of it.
        """
        wire = self._choose_wire(request)
        answer = self._send(
            sender,
            "POST",
            wire.build_path(model, stream=False),
            merge_extra(wire.build_body(request, model, stream=False), request.extra),
            api_key=api_key,
            deadline=deadline,
        )
        parsed, failure = self._read_chat(wire, answer, model, IdCleaner(api_key))

        if parsed is None:
            raise AttemptFailed(failure or Failure(kind="unreadable_answer"))

        return parsed

    def open_stream(
        self,
        sender: Sender,
        request: ChatRequest,
        *,
        model: str,
        api_key: Secret,
        deadline: Deadline,
    ) -> ProviderStream:
        """Ask once and wait for the first content, or for a clean end without any.

        :param deadline: until that first content; from then on the stream has limits of
            its own, which count only while it waits.
        :raises AttemptFailed: when it failed before any content.
        """
        wire = self._choose_wire(request)
        body = merge_extra(wire.build_body(request, model, stream=True), request.extra)
        http = sender.stream(
            "POST",
            self.base_url + wire.build_path(model, stream=True),
            headers=self._build_headers("text/event-stream"),
            auth=self._build_auth(api_key),
            body=encode_json(body),
            deadline=deadline,
        )
        cleaner = IdCleaner(api_key)
        self._refuse_error(http, cleaner)
        return ProviderStream(
            http,
            wire.build_reader(model),
            cleaner,
            find_request_id(http.headers, cleaner),
        )

    def relay(
        self,
        sender: Sender,
        request: RelayRequest,
        *,
        api_key: Secret,
        deadline: Deadline,
        hangup: Hangup | None = None,
    ) -> HttpStream:
        """Pass on a request that an official SDK put together; the body is unread.

        What this provider sends of itself stands below what the SDK sends.

        :raises AttemptFailed: when no good answer came of it.
        """
        own = self._build_headers().items()
        headers = {**{name.lower(): value for name, value in own}, **request.headers}

        if request.body is None:
            headers.pop("content-type", None)

        http = sender.stream(
            request.method,
            self.base_url + request.path,
            headers=headers,
            auth=self._build_auth(api_key),
            body=request.body,
            deadline=deadline,
            hangup=hangup,
        )
        self._refuse_error(http, IdCleaner(api_key))
        return http

    def _refuse_error(self, http: HttpStream, cleaner: IdCleaner) -> None:
        if http.status >= 400:
            raise AttemptFailed(
                read_failure(
                    http.status,
                    http.headers,
                    http.read(ANSWER_CAP),
                    dialect=self.error_table,
                    cleaner=cleaner,
                )
            )

    def probe(
        self, sender: Sender, *, model: str, api_key: Secret, deadline: Deadline
    ) -> ChatAnswer:
        """Generate a few tokens, to learn what the key is good for.

        Every finish reason is a success: the key was allowed to generate.

        :raises AttemptFailed: when it was not, or nobody could be asked.
        """
        return self.chat(sender, PROBE, model=model, api_key=api_key, deadline=deadline)

    def find_unsupported(
        self, request: ChatRequest, *, model: str, counts: bool
    ) -> str | None:
        """Name what a request asks for and this provider, or the model, cannot do.

        :param counts: only the tokens of the request are to be counted.
        :return: a word of ``abilities.FEATURES``; ``None`` when it can do everything.
        """
        abilities = self._choose_wire(request).abilities

        if counts and not abilities.counts:
            return "count_tokens"

        return abilities.find_unsupported(request)

    def count_tokens(
        self,
        sender: Sender,
        request: ChatRequest,
        *,
        model: str,
        api_key: Secret,
        deadline: Deadline,
    ) -> CountAnswer:
        """Ask how many tokens of input a request would be.

        :raises ValueError: when the provider cannot count; nothing is sent.
        :raises AttemptFailed: when no answer came of it.
        """
        wire = self._choose_wire(request)
        path, body = wire.build_count(request, model)
        answer = self._send(
            sender, "POST", path, body, api_key=api_key, deadline=deadline
        )
        cleaner = IdCleaner(api_key)
        count = wire.parse_count(self._read_object(answer, cleaner))

        if count is None:
            raise AttemptFailed(Failure(kind="unreadable_answer", status=answer.status))

        return CountAnswer(
            input_tokens=count,
            model=model,
            request_id=find_request_id(answer.headers, cleaner),
        )

    @abc.abstractmethod
    def models(
        self,
        sender: Sender,
        *,
        api_key: Secret,
        deadline: Deadline,
        pages: int = PAGE_LIMIT,
    ) -> tuple[ModelInfo, ...]:
        """List the models this key may see.

        :param pages: read at most so many pages of the list.
        :raises AttemptFailed: when the list cannot be read.
        """

    @abc.abstractmethod
    def embed(
        self,
        sender: Sender,
        texts: cabc.Sequence[str],
        *,
        model: str,
        api_key: Secret,
        deadline: Deadline,
        dimensions: int | None = None,
    ) -> EmbedAnswer:
        """Turn texts into vectors, in their order.

        :param dimensions: how long the vectors shall be; ``None`` for the model's own.
        :raises ValueError: when the provider has no embeddings; nothing is sent.
        :raises AttemptFailed: when no answer came of it.
        """

    def mask(self, api_key: Secret) -> tuple[str, str]:
        """Give what may be shown of a key: its public prefix and its last four.

        :return: either part is empty when it would say too much or does not apply.
        """
        plain = api_key.reveal()
        prefix = next((p for p in self.mask_prefixes if plain.startswith(p)), "")
        return prefix, plain[-4:] if _LAST_FOUR.fullmatch(plain) else ""

    @abc.abstractmethod
    def _choose_wire(self, request: ChatRequest) -> Wire: ...

    @abc.abstractmethod
    def _build_auth(self, api_key: Secret) -> Auth: ...

    def _build_headers(self, accept: str = "application/json") -> dict[str, str]:
        # Identity: a compressed answer would cost a decoder and invite bombs.
        return {
            "User-Agent": "flask-byok",
            "Accept": accept,
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
        }

    def _send(
        self,
        sender: Sender,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        api_key: Secret,
        deadline: Deadline,
        cap: int = ANSWER_CAP,
    ) -> HttpAnswer:
        return sender.send(
            method,
            self.base_url + path,
            headers=self._build_headers(),
            auth=self._build_auth(api_key),
            body=None if body is None else encode_json(body),
            deadline=deadline,
            cap=cap,
        )

    def _read_list(
        self,
        sender: Sender,
        cleaner: IdCleaner,
        query: cabc.Mapping[str, str] | None = None,
        *,
        api_key: Secret,
        deadline: Deadline,
    ) -> Json:
        """Ask for a list of models, or for one page of it.

        :raises AttemptFailed: when it is no JSON object.
        """
        path = f"/models?{urllib.parse.urlencode(query)}" if query else "/models"
        answer = self._send(
            sender, "GET", path, api_key=api_key, deadline=deadline, cap=LIST_CAP
        )
        return self._read_object(answer, cleaner)

    def _read_object(self, answer: HttpAnswer, cleaner: IdCleaner) -> Json:
        """Give the JSON object of a good answer.

        :raises AttemptFailed: when it is an error, by its status or by its body.
        """
        payload, failure = read_answer(
            answer.status,
            answer.headers,
            answer.body,
            dialect=self.error_table,
            cleaner=cleaner,
        )

        if failure is not None:
            raise AttemptFailed(failure)

        return payload

    def _read_chat(
        self, wire: Wire, answer: HttpAnswer, model: str, cleaner: IdCleaner
    ) -> tuple[ChatAnswer | None, Failure | None]:
        """Give the answer, or why there is none.

        That is for the caller to raise: the frames here hold what a provider wrote.
        """
        request_id = find_request_id(answer.headers, cleaner)

        try:
            parsed = wire.parse_answer(self._read_object(answer, cleaner), model)
        except AttemptFailed as error:
            failure = error.failure
            return None, dataclasses.replace(
                failure, request_id=request_id or failure.request_id
            )

        return dataclasses.replace(
            parsed,
            model=cleaner.model(parsed.model, model),
            request_id=request_id or cleaner.request_id(parsed.request_id),
        ), None


def undated(model: str) -> str:
    """Give the id of a model without the date, or the ``latest``, at its end."""
    return _DATE_AT_END.sub("", model)
