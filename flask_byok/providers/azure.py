"""Azure OpenAI: one resource, whose deployments are the models.

Facts: Microsoft's pages on the v1 API and on its life cycle; the official SDK.
"""

from __future__ import annotations

import dataclasses
import re
import urllib.parse

from ..errors import ConfigError
from ..secret import Secret
from .base import PAGE_LIMIT
from .compatible import OpenAICompatible
from .deadline import Deadline
from .http import Sender
from .openai_chat import ChatWire
from .types import ModelInfo

_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AzureChatWire(ChatWire):
    """Chat Completions at a deployment's own address, which names an API version."""

    api_version: str

    def build_path(self, model: str, *, stream: bool) -> str:
        """Give the path of a deployment."""
        return deployment_path(model, "/chat/completions", self.api_version)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AzureOpenAI(OpenAICompatible):
    """The models a team deployed in one resource of Azure OpenAI.

    A key opens one resource, and companies never give an address: register one object
    per resource. ``default_models`` names deployments, not models::

        byok.register_provider(
            AzureOpenAI(
                base_url="https://contoso.openai.azure.com/openai/v1",
                default_models={"default": "our-gpt-deployment"},
            )
        )

    The list of a resource names what could be deployed, not what is: a check of a key
    goes straight to the generation, and the names that are offered are yours.

    :param base_url: ends in ``/openai/v1``; with an ``api_version`` in ``/openai``.
    :param api_version: ``None`` for the v1 API, which needs none; else a dated version
        such as ``2024-10-21``, sent as ``api-version`` to the deployment's address.
    """

    id: str = "AZURE"
    label: str = "Azure OpenAI"
    vendor: str = "Microsoft"
    key_page_url: str = "https://portal.azure.com"
    permission_help: str = "A key of the Azure OpenAI resource this app is set up for."
    cap_field: str = "max_completion_tokens"
    auth_header: str = "api-key"
    auth_prefix: str = ""
    list_proves: bool = False
    api_version: str | None = None

    def __post_init__(self) -> None:
        """Check what the operator wrote; only the v1 API is where an SDK looks."""
        super().__post_init__()

        if self.api_version is not None:
            self._set("sdk_kind", None)

    def models(
        self,
        sender: Sender,
        *,
        api_key: Secret,
        deadline: Deadline,
        pages: int = PAGE_LIMIT,
    ) -> tuple[ModelInfo, ...]:
        """Give the deployments the operator named; nothing is sent."""
        return tuple(
            ModelInfo(id=name) for name in dict.fromkeys(self.default_models.values())
        )

    def _embeddings_path(self, model: str) -> str:
        if self.api_version is None:
            return super()._embeddings_path(model)

        return deployment_path(model, "/embeddings", self.api_version)

    def _build_chat_wire(self) -> ChatWire:
        if self.api_version is None:
            return super()._build_chat_wire()

        return AzureChatWire(
            cap_field=self.cap_field,
            system_role=self.system_role,
            asks_for_usage=self.asks_for_usage,
            takes_documents=self.takes_documents,
            api_version=self.api_version,
        )

    def _check(self) -> None:
        super()._check()
        version = self.api_version

        if version is not None and not _API_VERSION.fullmatch(version):
            raise ConfigError(
                f"'{self.id}.api_version' must be a date such as '2024-10-21', or None "
                "for the v1 API."
            )

        if version is not None and self.api == "responses":
            raise ConfigError(
                f"'{self.id}.api' can be 'responses' with the v1 API alone: leave "
                "'api_version' out."
            )


def deployment_path(model: str, path: str, api_version: str) -> str:
    """Give the path of a deployment, and the query with the version."""
    name = urllib.parse.quote(model, safe="")
    return f"/deployments/{name}{path}?api-version={api_version}"
