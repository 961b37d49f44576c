"""OPENAI. Vendors that speak as it does: :mod:`flask_byok.providers.compatible`."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import re
import types
import typing as t

from ..secret import Secret
from .base import PAGE_LIMIT
from .base import Provider
from .deadline import Deadline
from .endings import OPENAI_ENDS
from .http import Auth
from .http import Sender
from .http import VECTORS_CAP
from .model_lists import read_day
from .openai_chat import ChatWire
from .openai_responses import REASONS
from .openai_responses import ResponsesWire
from .payloads import Json
from .payloads import read_count
from .payloads import read_object
from .payloads import read_objects
from .payloads import read_vector
from .types import AttemptFailed
from .types import ChatAnswer
from .types import ChatRequest
from .types import EmbedAnswer
from .types import Failure
from .types import ModelInfo
from .types import Usage
from .wire import IdCleaner
from .wire import Wire

_CHATS = re.compile(r"(chat)?gpt-|o\d")
_OTHER = re.compile(r"audio|realtime|tts|transcribe|image|instruct|moderation|search")
_ATE_THE_CAP = "could not finish the message because max_tokens"


@dataclasses.dataclass(frozen=True, kw_only=True)
class OpenAIProvider(Provider):
    """The Responses wire by default, Chat Completions where ``stop`` is asked for.

    :param api: ``chat`` never uses Responses.
    :param chat_wire: habits on Chat Completions.
    """

    id: str = "OPENAI"
    label: str = "OpenAI"
    vendor: str = "OpenAI"
    base_url: str = "https://api.openai.com/v1"
    key_page_url: str = "https://platform.openai.com/settings/organization/api-keys"
    permission_help: str = (
        "The key needs access to the models in use (Responses: Write)."
    )
    prefix_hints: tuple[str, ...] = ("sk-svcacct-", "sk-proj-", "sk-")
    mask_prefixes: tuple[str, ...] = ("sk-",)
    default_models: cabc.Mapping[str, str] = dataclasses.field(
        default_factory=lambda: types.MappingProxyType(
            {"default": "gpt-6-sol", "fast": "gpt-6-luna"}
        )
    )
    embedding_model: str | None = "text-embedding-3-small"
    dialect: t.Literal["OPENAI", "CLAUDE", "GEMINI"] = "OPENAI"
    sdk_kind: t.Literal["openai", "anthropic", "google"] | None = "openai"
    model_ends: cabc.Mapping[str, dt.date] = dataclasses.field(
        default_factory=lambda: OPENAI_ENDS
    )
    # Encrypted thoughts are refused by every other organisation.
    binds_state: bool = True
    api: t.Literal["responses", "chat"] = "responses"
    chat_wire: ChatWire = ChatWire()

    def find_unsupported(
        self, request: ChatRequest, *, model: str, counts: bool
    ) -> str | None:
        """Name what a request asks for and this provider, or the model, cannot do."""
        if request.stop and self.api == "responses" and REASONS.match(model):
            return "stop"

        return super().find_unsupported(request, model=model, counts=counts)

    def probe(
        self, sender: Sender, *, model: str, api_key: Secret, deadline: Deadline
    ) -> ChatAnswer:
        """Generate a few tokens; thinking that ate the cap, told as a 400, is fine."""
        failure: Failure

        try:
            return super().probe(
                sender, model=model, api_key=api_key, deadline=deadline
            )
        except AttemptFailed as error:
            failure = error.failure

        if failure.status != 400 or _ATE_THE_CAP not in failure.text:
            raise AttemptFailed(failure)

        return ChatAnswer(
            text="",
            model=model,
            usage=Usage(),
            finish_reason="length",
            request_id=failure.request_id,
        )

    def models(
        self,
        sender: Sender,
        *,
        api_key: Secret,
        deadline: Deadline,
        pages: int = PAGE_LIMIT,
    ) -> tuple[ModelInfo, ...]:
        """List the models; the list has no pages, and kinds are guessed from ids."""
        cleaner = IdCleaner(api_key)
        payload = self._read_list(sender, cleaner, api_key=api_key, deadline=deadline)

        return tuple(
            ModelInfo(
                id=model,
                kinds=_guess_kinds(model),
                shuts_down_on=read_day(entry.get("shutdown_date")),
            )
            for entry in read_objects(payload.get("data"))
            if (model := cleaner.listed_model(entry.get("id"))) is not None
        )

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
        """Turn texts into vectors, in their order."""
        if self.embedding_model is None:
            raise ValueError(f"{self.label} has no embeddings.")

        body = {"model": model, "input": list(texts), "encoding_format": "float"}
        answer = self._send(
            sender,
            "POST",
            self._embeddings_path(model),
            body if dimensions is None else {**body, "dimensions": dimensions},
            api_key=api_key,
            deadline=deadline,
            cap=VECTORS_CAP,
        )
        cleaner = IdCleaner(api_key)
        payload = self._read_object(answer, cleaner)

        return EmbedAnswer(
            vectors=_parse_vectors(payload, len(texts)),
            model=cleaner.model(payload.get("model"), model),
            usage=Usage(
                input_tokens=read_count(
                    read_object(payload.get("usage")).get("prompt_tokens")
                ),
                output_tokens=0,
            ),
            request_id=cleaner.request_id(answer.headers.get("x-request-id")),
        )

    def _choose_wire(self, request: ChatRequest) -> Wire:
        if self.api == "chat" or request.stop:
            return self.chat_wire

        return ResponsesWire()

    def _embeddings_path(self, model: str) -> str:
        return "/embeddings"

    def _build_auth(self, api_key: Secret) -> Auth:
        return Auth("Authorization", api_key, "Bearer ")


def _guess_kinds(model: str) -> frozenset[str]:
    if model.startswith("text-embedding-"):
        return frozenset({"embed"})

    chats = _CHATS.match(model) and not _OTHER.search(model)
    return frozenset({"chat" if chats else "other"})


def _parse_vectors(payload: Json, count: int) -> tuple[tuple[float, ...], ...]:
    entries = read_objects(payload.get("data"))
    by_index = {read_count(entry.get("index")): entry for entry in entries}
    vectors = tuple(
        read_vector(read_object(by_index.get(index)).get("embedding"))
        for index in range(count)
    )

    if not all(vectors):
        raise AttemptFailed(Failure(kind="unreadable_answer", status=200))

    return vectors
