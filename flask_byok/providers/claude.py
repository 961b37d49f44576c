"""CLAUDE, by Anthropic."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import types
import typing as t

from ..secret import Secret
from .base import PAGE_LIMIT
from .base import Provider
from .claude_wire import MessagesWire
from .deadline import Deadline
from .endings import CLAUDE_ENDS
from .http import Auth
from .http import Sender
from .model_lists import collect_models
from .model_lists import read_claude_model
from .model_lists import read_pages
from .payloads import Json
from .payloads import read_objects
from .payloads import read_text
from .types import ChatRequest
from .types import EmbedAnswer
from .types import ModelInfo
from .wire import IdCleaner
from .wire import Wire


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClaudeProvider(Provider):
    """The Messages wire.

    :param version: sent as ``anthropic-version``; ``2026-10-21`` refuses sampling
        parameters.
    """

    id: str = "CLAUDE"
    label: str = "Claude"
    vendor: str = "Anthropic"
    base_url: str = "https://api.anthropic.com/v1"
    key_page_url: str = "https://platform.claude.com/settings/keys"
    permission_help: str = "The key needs access to the Messages API."
    prefix_hints: tuple[str, ...] = ("sk-ant-api03-", "sk-ant-")
    mask_prefixes: tuple[str, ...] = ("sk-ant-",)
    default_models: cabc.Mapping[str, str] = dataclasses.field(
        default_factory=lambda: types.MappingProxyType(
            {"default": "claude-sonnet-5-5", "fast": "claude-haiku-5-5"}
        )
    )
    dialect: t.Literal["OPENAI", "CLAUDE", "GEMINI"] = "CLAUDE"
    sdk_kind: t.Literal["openai", "anthropic", "google"] | None = "anthropic"
    model_ends: cabc.Mapping[str, dt.date] = dataclasses.field(
        default_factory=lambda: CLAUDE_ENDS
    )
    version: str = "2023-06-01"

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
            query = {"limit": "1000", **mark}
            return self._read_list(
                sender, cleaner, query, api_key=api_key, deadline=deadline
            )

        return collect_models(
            read_claude_model(entry, cleaner)
            for page in read_pages(ask, _find_next, pages)
            for entry in read_objects(page.get("data"))
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
        """Refuse: this provider has no embeddings."""
        raise ValueError(f"{self.label} has no embeddings.")

    def _choose_wire(self, request: ChatRequest) -> Wire:
        return MessagesWire(default_cap=self.default_output_cap)

    def _build_auth(self, api_key: Secret) -> Auth:
        return Auth("x-api-key", api_key)

    def _build_headers(self, accept: str = "application/json") -> dict[str, str]:
        return {**super()._build_headers(accept), "anthropic-version": self.version}


def _find_next(page: Json) -> dict[str, str]:
    last = read_text(page.get("last_id"))
    return {"after_id": last} if page.get("has_more") is True and last else {}
