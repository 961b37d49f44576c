"""Vendors and servers that speak OPENAI's Chat Completions, as one object each."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import re
import types
import typing as t

from .._readers import base_url as read_base_url
from ..errors import ConfigError
from ..secret import Secret
from .base import ErrorTable
from .base import PAGE_LIMIT
from .base import PROVIDER_ID
from .deadline import Deadline
from .http import Auth
from .http import HttpAnswer
from .http import LIST_CAP
from .http import Sender
from .model_lists import read_compatible_model
from .openai import OpenAIProvider
from .openai_chat import ChatWire
from .payloads import decode_json
from .payloads import Json
from .payloads import read_objects
from .types import ModelInfo
from .wire import IdCleaner

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_HINT = re.compile(r"[\x21-\x7e]{2,16}")
_MODEL = re.compile(r"[\x21-\x7e]{1,200}")
_PREFIX = re.compile(r"([\x21-\x7e]+ )?")
#: Headers that mean something else to a server than whose key this is.
_NOT_FOR_KEYS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type"}
    | {"cookie", "expect", "host", "te", "transfer-encoding", "upgrade", "user-agent"}
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OpenAICompatible(OpenAIProvider):
    """A vendor, or a server of your own, that speaks OPENAI's Chat Completions.

    The operator registers it; companies never give an address::

        byok.register_provider(
            OpenAICompatible(
                id="ACME",
                label="Acme",
                base_url="https://api.acme.example/v1",
                key_page_url="https://acme.example/keys",
                default_models={"default": "acme-large", "fast": "acme-small"},
            )
        )

    :param id: one to 32 of ``A-Z``, ``0-9`` and ``_``; stands in rows and settings.
    :param label: for people, of the product.
    :param base_url: with the version segment; https, or http on this machine.
    :param default_models: ``default`` and, if there is one, ``fast``. May be left to
        ``BYOK_MODELS``.
    :param vendor: the company behind it; the label when it is left out.
    :param key_page_url: where people make a key; empty when there is no such page.
    :param mask_prefixes: as ``prefix_hints`` when they are left out.
    :param cap_field: the name of the parameter that limits the answer.
    :param system_role: the role of the system text.
    :param asks_for_usage: whether streams send ``stream_options``.
    :param takes_documents: ``False`` where Chat Completions carries texts and images
        alone: a request with a document is then not sent there.
    :param auth_header: the header that carries the key.
    :param auth_prefix: what stands before the key there.
    :param list_proves: ``False`` where everybody may read the list of models.
    :param plain_http: also allow http to an address of a private network.
    :param api: ``responses`` where the vendor has that wire, too.
    :raises ConfigError: for an id, address or header that cannot be one.
    """

    id: str = dataclasses.field()
    label: str = dataclasses.field()
    base_url: str = dataclasses.field()
    vendor: str = ""
    key_page_url: str = ""
    permission_help: str = "The key needs access to the models in use."
    prefix_hints: tuple[str, ...] = ()
    mask_prefixes: tuple[str, ...] = ()
    default_models: cabc.Mapping[str, str] = dataclasses.field(
        default_factory=lambda: types.MappingProxyType({})
    )
    embedding_model: str | None = None
    # The Chat Completions wire carries no state between turns; the newer one does.
    binds_state: bool = False
    errors: ErrorTable | None = "COMPATIBLE"
    model_ends: cabc.Mapping[str, dt.date] = dataclasses.field(
        default_factory=lambda: types.MappingProxyType({})
    )
    api: t.Literal["responses", "chat"] = "chat"
    chat_wire: ChatWire = dataclasses.field(init=False, default=ChatWire())
    cap_field: str = "max_tokens"
    system_role: str = "system"
    asks_for_usage: bool = True
    takes_documents: bool = True
    auth_header: str = "Authorization"
    auth_prefix: str = "Bearer "
    plain_http: bool = False

    def __post_init__(self) -> None:
        """Check what the operator wrote, and fill in what was left out."""
        self._check()
        self._set("base_url", self.base_url.rstrip("/"))
        self._set("vendor", self.vendor or self.label)
        masks = self.mask_prefixes or self.prefix_hints
        self._set("prefix_hints", _longest_first(self.prefix_hints))
        self._set("mask_prefixes", _longest_first(masks))
        self._set("default_models", types.MappingProxyType({**self.default_models}))
        self._set("model_ends", types.MappingProxyType({**self.model_ends}))
        self._set("chat_wire", self._build_chat_wire())

        if self.api == "responses":
            self._set("binds_state", True)

    def models(
        self,
        sender: Sender,
        *,
        api_key: Secret,
        deadline: Deadline,
        pages: int = PAGE_LIMIT,
    ) -> tuple[ModelInfo, ...]:
        """List the models; what the list says of them differs by vendor."""
        answer = self._send(
            sender, "GET", "/models", api_key=api_key, deadline=deadline, cap=LIST_CAP
        )
        cleaner = IdCleaner(api_key)
        found = (
            read_compatible_model(entry, cleaner)
            for entry in self._read_entries(answer, cleaner)
        )
        return tuple(info for info in found if info is not None)

    def _read_entries(self, answer: HttpAnswer, cleaner: IdCleaner) -> list[Json]:
        listed = decode_json(answer.body) if answer.status < 400 else None

        # Some vendors answer with the list itself.
        if isinstance(listed, list):
            return read_objects(listed)

        return read_objects(self._read_object(answer, cleaner).get("data"))

    def _build_auth(self, api_key: Secret) -> Auth:
        return Auth(self.auth_header, api_key, self.auth_prefix, self.plain_http)

    def _build_chat_wire(self) -> ChatWire:
        return ChatWire(
            cap_field=self.cap_field,
            system_role=self.system_role,
            asks_for_usage=self.asks_for_usage,
            takes_documents=self.takes_documents,
        )

    def _check(self) -> None:
        if not PROVIDER_ID.fullmatch(self.id):
            raise ConfigError(
                "A provider's 'id' has one to 32 characters of A-Z, 0-9 and '_'."
            )

        if not self.label.strip():
            raise ConfigError(f"The provider {self.id} needs a 'label' for people.")

        read_base_url(f"{self.id}.base_url", self.base_url, private=self.plain_http)

        # An empty one would fit every key, and every model's name.
        if not all(map(_HINT.fullmatch, (*self.prefix_hints, *self.mask_prefixes))):
            raise ConfigError(
                f"'{self.id}.prefix_hints' and 'mask_prefixes' are tuples of how keys "
                "begin: 2 to 16 characters each."
            )

        if not all(map(_MODEL.fullmatch, self.default_models.values())):
            raise ConfigError(
                f"'{self.id}.default_models' must map names to model ids without "
                "spaces, such as 'default'."
            )

        if self.key_page_url and not self.key_page_url.startswith("https://"):
            raise ConfigError(f"'{self.id}.key_page_url' must be an https URL.")

        header = self.auth_header

        if not _HEADER.fullmatch(header) or header.lower() in _NOT_FOR_KEYS:
            raise ConfigError(
                f"'{self.id}.auth_header' must name a header that can carry a key."
            )

        if not _PREFIX.fullmatch(self.auth_prefix):
            raise ConfigError(
                f"'{self.id}.auth_prefix' must be a word and a space, or empty."
            )

    def _set(self, name: str, value: object) -> None:
        # The dataclass is frozen for everybody but its own beginning.
        object.__setattr__(self, name, value)


def _longest_first(prefixes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(prefixes, key=len, reverse=True))
