"""Bring Your Own Key for the AI features of a multi-tenant Flask app.

A name is loaded from its room when it is first asked for: importing this package costs
next to nothing, and an app that never uses a part does not wait for it.
"""

import importlib
import types
import typing as t

if t.TYPE_CHECKING:
    from .chat_stream import ChatStream as ChatStream
    from .client import AIClient as AIClient
    from .config import Settings as Settings
    from .errors import ApiKeyFormatError as ApiKeyFormatError
    from .errors import BYOKError as BYOKError
    from .errors import CallError as CallError
    from .errors import CheckLimited as CheckLimited
    from .errors import CompanyKeyUnavailable as CompanyKeyUnavailable
    from .errors import ConfigError as ConfigError
    from .errors import CredentialChanged as CredentialChanged
    from .errors import CredentialNotFound as CredentialNotFound
    from .errors import InvalidAnswer as InvalidAnswer
    from .errors import KeyForbidden as KeyForbidden
    from .errors import KeyRejected as KeyRejected
    from .errors import KeyServiceUnavailable as KeyServiceUnavailable
    from .errors import ModelNotFound as ModelNotFound
    from .errors import NoCompany as NoCompany
    from .errors import NoRoute as NoRoute
    from .errors import OurSideError as OurSideError
    from .errors import PolicyLocked as PolicyLocked
    from .errors import ProviderError as ProviderError
    from .errors import ProviderOutage as ProviderOutage
    from .errors import ProviderTimeout as ProviderTimeout
    from .errors import QuotaExceeded as QuotaExceeded
    from .errors import RateLimited as RateLimited
    from .errors import RequestRefused as RequestRefused
    from .errors import SetupError as SetupError
    from .errors import StateUnavailable as StateUnavailable
    from .errors import StoredKeyUnreadable as StoredKeyUnreadable
    from .errors import StreamInterrupted as StreamInterrupted
    from .errors import SystemBudgetExceeded as SystemBudgetExceeded
    from .errors import SystemKeyRefused as SystemKeyRefused
    from .errors import UnknownProvider as UnknownProvider
    from .errors import UnsupportedByProvider as UnsupportedByProvider
    from .errors import VaultClosed as VaultClosed
    from .extension import BYOK as BYOK
    from .keyservices.aws import AwsKms as AwsKms
    from .keyservices.transit import VaultTransit as VaultTransit
    from .ledger.audit import HistoryEntry as HistoryEntry
    from .ledger.counting import UsageRow as UsageRow
    from .providers.azure import AzureOpenAI as AzureOpenAI
    from .providers.base import Provider as Provider
    from .providers.compatible import OpenAICompatible as OpenAICompatible
    from .providers.types import Attempt as Attempt
    from .providers.types import ChatChunk as ChatChunk
    from .providers.types import ChatResponse as ChatResponse
    from .providers.types import DocumentPart as DocumentPart
    from .providers.types import Embeddings as Embeddings
    from .providers.types import ImagePart as ImagePart
    from .providers.types import Message as Message
    from .providers.types import ModelInfo as ModelInfo
    from .providers.types import StatePart as StatePart
    from .providers.types import TextPart as TextPart
    from .providers.types import TokenCount as TokenCount
    from .providers.types import Tool as Tool
    from .providers.types import ToolCall as ToolCall
    from .providers.types import ToolCallDelta as ToolCallDelta
    from .providers.types import ToolResultPart as ToolResultPart
    from .providers.types import Usage as Usage
    from .proxies import current_ai_client as current_ai_client
    from .redaction import ApiKeyFilter as ApiKeyFilter
    from .sdk.causes import find_byok_error as find_byok_error
    from .service.types import Allowance as Allowance
    from .service.types import CompanyStatus as CompanyStatus
    from .service.types import ConnectionReport as ConnectionReport
    from .service.types import HealthReport as HealthReport
    from .service.types import PolicyInfo as PolicyInfo
    from .service.types import SaveResult as SaveResult
    from .vault.keyprovider import KeyContext as KeyContext
    from .vault.keyprovider import KeyProvider as KeyProvider
    from .vault.keyservice import KeyService as KeyService
    from .vault.models import CredentialMixin as CredentialMixin
    from .vault.types import CredentialInfo as CredentialInfo

# The room of each public name: the same as above, for the running program.
_HOMES: t.Final[t.Mapping[str, str]] = types.MappingProxyType(
    {
        "ChatStream": "chat_stream",
        "AIClient": "client",
        "Settings": "config",
        "ApiKeyFormatError": "errors",
        "BYOKError": "errors",
        "CallError": "errors",
        "CheckLimited": "errors",
        "CompanyKeyUnavailable": "errors",
        "ConfigError": "errors",
        "CredentialChanged": "errors",
        "CredentialNotFound": "errors",
        "InvalidAnswer": "errors",
        "KeyForbidden": "errors",
        "KeyRejected": "errors",
        "KeyServiceUnavailable": "errors",
        "ModelNotFound": "errors",
        "NoCompany": "errors",
        "NoRoute": "errors",
        "OurSideError": "errors",
        "PolicyLocked": "errors",
        "ProviderError": "errors",
        "ProviderOutage": "errors",
        "ProviderTimeout": "errors",
        "QuotaExceeded": "errors",
        "RateLimited": "errors",
        "RequestRefused": "errors",
        "SetupError": "errors",
        "StateUnavailable": "errors",
        "StoredKeyUnreadable": "errors",
        "StreamInterrupted": "errors",
        "SystemBudgetExceeded": "errors",
        "SystemKeyRefused": "errors",
        "UnknownProvider": "errors",
        "UnsupportedByProvider": "errors",
        "VaultClosed": "errors",
        "BYOK": "extension",
        "AwsKms": "keyservices.aws",
        "VaultTransit": "keyservices.transit",
        "HistoryEntry": "ledger.audit",
        "UsageRow": "ledger.counting",
        "AzureOpenAI": "providers.azure",
        "Provider": "providers.base",
        "OpenAICompatible": "providers.compatible",
        "Attempt": "providers.types",
        "ChatChunk": "providers.types",
        "ChatResponse": "providers.types",
        "DocumentPart": "providers.types",
        "Embeddings": "providers.types",
        "ImagePart": "providers.types",
        "Message": "providers.types",
        "ModelInfo": "providers.types",
        "StatePart": "providers.types",
        "TextPart": "providers.types",
        "TokenCount": "providers.types",
        "Tool": "providers.types",
        "ToolCall": "providers.types",
        "ToolCallDelta": "providers.types",
        "ToolResultPart": "providers.types",
        "Usage": "providers.types",
        "current_ai_client": "proxies",
        "ApiKeyFilter": "redaction",
        "find_byok_error": "sdk.causes",
        "Allowance": "service.types",
        "CompanyStatus": "service.types",
        "ConnectionReport": "service.types",
        "HealthReport": "service.types",
        "PolicyInfo": "service.types",
        "SaveResult": "service.types",
        "KeyContext": "vault.keyprovider",
        "KeyProvider": "vault.keyprovider",
        "KeyService": "vault.keyservice",
        "CredentialMixin": "vault.models",
        "CredentialInfo": "vault.types",
    }
)

# Hidden from type checkers, to whom every misspelt name would be a good one.
if not t.TYPE_CHECKING:
    __all__ = [*_HOMES]

    def __getattr__(name: str) -> object:
        home = _HOMES.get(name)

        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

        found = getattr(importlib.import_module(f".{home}", __name__), name)
        # From now on it is found without coming here.
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *_HOMES})
