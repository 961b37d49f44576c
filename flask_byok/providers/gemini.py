"""GEMINI, by Google."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import types
import typing as t
import urllib.parse

from ..secret import Secret
from .base import PAGE_LIMIT
from .base import Provider
from .deadline import Deadline
from .endings import GEMINI_ENDS
from .gemini_wire import GenerateWire
from .gemini_wire import quote_model
from .http import Auth
from .http import LIST_CAP
from .http import Sender
from .http import VECTORS_CAP
from .model_lists import read_gemini_model
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
        found: dict[str, ModelInfo] = {}
        token = ""

        for _ in range(pages):
            query = {"pageSize": "1000"} | ({"pageToken": token} if token else {})
            answer = self._send(
                sender,
                "GET",
                f"/models?{urllib.parse.urlencode(query)}",
                api_key=api_key,
                deadline=deadline,
                cap=LIST_CAP,
            )
            cleaner = IdCleaner(api_key)
            payload = self._read_object(answer, cleaner)

            for entry in read_objects(payload.get("models")):
                info = read_gemini_model(entry, cleaner)

                if info is not None:
                    found[info.id] = info

            following = read_text(payload.get("nextPageToken"))

            if following in ("", token):
                break

            token = following

        return tuple(found.values())

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
        """Turn texts into vectors, in their order: one entry per text, in one request.

        Several parts in one entry would give a single vector.
        """
        name = model.removeprefix("models/")
        more = {} if dimensions is None else {"outputDimensionality": dimensions}
        answer = self._send(
            sender,
            "POST",
            f"/models/{quote_model(model)}:batchEmbedContents",
            {
                "requests": [
                    {
                        "model": f"models/{name}",
                        "content": {"parts": [{"text": text}]},
                        **more,
                    }
                    for text in texts
                ]
            },
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
            model=name,
            usage=Usage(
                input_tokens=read_count(usage.get("promptTokenCount")), output_tokens=0
            ),
        )

    def _choose_wire(self, request: ChatRequest) -> Wire:
        return GenerateWire()

    def _build_auth(self, api_key: Secret) -> Auth:
        return Auth("x-goog-api-key", api_key)
