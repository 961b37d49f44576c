"""GEMINI, by Google."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import types
import typing as t

from ..secret import Secret
from .base import PAGE_LIMIT
from .base import Provider
from .deadline import Deadline
from .endings import GEMINI_ENDS
from .gemini_wire import GenerateWire
from .gemini_wire import quote_model
from .http import Auth
from .http import Sender
from .http import VECTORS_CAP
from .model_lists import collect_models
from .model_lists import read_gemini_model
from .model_lists import read_pages
from .payloads import Json
from .payloads import read_count
from .payloads import read_object
from .payloads import read_objects
from .payloads import read_text
from .payloads import read_vector
from .types import AttemptFailed
from .types import ChatRequest
from .types import EmbedAnswer
from .types import Failure
from .types import ModelInfo
from .types import Usage
from .wire import IdCleaner
from .wire import Wire


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeminiProvider(Provider):
    """The generateContent wire."""

    id: str = "GEMINI"
    label: str = "Gemini"
    vendor: str = "Google"
    base_url: str = "https://generativelanguage.googleapis.com/v1beta"
    key_page_url: str = "https://aistudio.google.com/apikey"
    permission_help: str = (
        "The key's project needs the Generative Language API switched on."
    )
    prefix_hints: tuple[str, ...] = ("AIza", "AQ.")
    mask_prefixes: tuple[str, ...] = ("AIza", "AQ.")
    default_models: cabc.Mapping[str, str] = dataclasses.field(
        default_factory=lambda: types.MappingProxyType(
            {"default": "gemini-3.8-flash", "fast": "gemini-3.5-flash-lite"}
        )
    )
    embedding_model: str | None = "gemini-embedding-2"
    dialect: t.Literal["OPENAI", "CLAUDE", "GEMINI"] = "GEMINI"
    sdk_kind: t.Literal["openai", "anthropic", "google"] | None = "google"
    model_ends: cabc.Mapping[str, dt.date] = dataclasses.field(
        default_factory=lambda: GEMINI_ENDS
    )

    def models(
        self,
        sender: Sender,
        *,
        api_key: Secret,
        deadline: Deadline,
        pages: int = PAGE_LIMIT,
    ) -> tuple[ModelInfo, ...]:
        """List the models, page by page."""
        cleaner = IdCleaner(api_key)

        def ask(mark: cabc.Mapping[str, str]) -> Json:
            query = {"pageSize": "1000", **mark}
            return self._read_list(
                sender, cleaner, query, api_key=api_key, deadline=deadline
            )

        return collect_models(
            read_gemini_model(entry, cleaner)
            for page in read_pages(ask, _find_next, pages)
            for entry in read_objects(page.get("models"))
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
        """Turn texts into vectors, in their order, by one request."""
        answer = self._send(
            sender,
            "POST",
            f"/models/{quote_model(model)}:batchEmbedContents",
            _build_embedding(texts, model, dimensions),
            api_key=api_key,
            deadline=deadline,
            cap=VECTORS_CAP,
        )
        cleaner = IdCleaner(api_key)
        payload = self._read_object(answer, cleaner)
        entries = read_objects(payload.get("embeddings"))
        vectors = tuple(read_vector(entry.get("values")) for entry in entries)

        if len(vectors) != len(texts) or not all(vectors):
            raise AttemptFailed(Failure(kind="unreadable_answer", status=200))

        usage = read_object(payload.get("usageMetadata"))
        return EmbedAnswer(
            vectors=vectors,
            model=model.removeprefix("models/"),
            usage=Usage(
                input_tokens=read_count(usage.get("promptTokenCount")), output_tokens=0
            ),
        )

    def _choose_wire(self, request: ChatRequest) -> Wire:
        return GenerateWire()

    def _build_auth(self, api_key: Secret) -> Auth:
        return Auth("x-goog-api-key", api_key)


def _find_next(page: Json) -> dict[str, str]:
    token = read_text(page.get("nextPageToken"))
    return {"pageToken": token} if token else {}


def _build_embedding(
    texts: cabc.Iterable[str], model: str, dimensions: int | None
) -> Json:
    """Give one entry per text: several parts in one would give a single vector."""
    shared: dict[str, t.Any] = {"model": f"models/{model.removeprefix('models/')}"}

    if dimensions is not None:
        shared["outputDimensionality"] = dimensions

    return {
        "requests": [
            {**shared, "content": {"parts": [{"text": text}]}} for text in texts
        ]
    }
