"""The shape of a wire, and what the three have in common."""

from __future__ import annotations

import abc
import base64
import collections.abc as cabc
import hashlib
import json
import re
import typing as t
import uuid

from ..secret import Secret
from .abilities import Abilities
from .payloads import decode_json
from .payloads import Json
from .payloads import read_count
from .payloads import read_object
from .payloads import read_text
from .types import ChatAnswer
from .types import ChatRequest
from .types import Part
from .types import TextPart

if t.TYPE_CHECKING:
    from .stream_reader import StreamReader

#: Fields of a body that ``extra`` never touches.
PROTECTED = frozenset({"contents", "input", "messages", "model", "stream"})

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_MODEL = re.compile(r"[A-Za-z0-9_.:/@+-]{1,200}")
_LABEL_LIMIT = 200
# What every wire takes as the id of a tool call; another provider's may be longer.
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_-]")
_ID_LIMIT = 64


class Wire(abc.ABC):
    """One format of request, answer and stream."""

    #: Whose error table and whose ``provider_state`` belong to it.
    dialect: str

    @property
    def abilities(self) -> Abilities:
        """What it can carry; everything but counts, where nothing else is known."""
        return Abilities()

    @abc.abstractmethod
    def build_path(self, model: str, *, stream: bool) -> str:
        """Give the path, and the query, behind the base URL."""

    @abc.abstractmethod
    def build_body(self, request: ChatRequest, model: str, *, stream: bool) -> Json:
        """Put a request into this wire's JSON, ``extra`` excepted."""

    def build_count(self, request: ChatRequest, model: str) -> tuple[str, Json]:
        """Give path and body of a question for the number of input tokens.

        :raises ValueError: when the wire cannot count; nothing is sent.
        """
        raise ValueError("This wire does not count tokens.")

    def parse_count(self, payload: Json) -> int | None:
        """Read the number of input tokens; ``None`` when it is not there."""
        return read_count(payload.get("input_tokens"))

    @abc.abstractmethod
    def parse_answer(self, payload: Json, model: str) -> ChatAnswer:
        """Read a whole answer.

        :param model: that was asked for.
        :raises AttemptFailed: when it is an error, or no answer of this wire at all.
        """

    @abc.abstractmethod
    def build_reader(self, model: str) -> StreamReader:
        """Make the reader of one stream."""


class IdCleaner:
    """Take over short strings of a provider's making, never a piece of the key.

    A hostile server may send back what it was sent, also as a request id.
    """

    def __init__(self, api_key: Secret) -> None:
        self._api_key = api_key

    def request_id(self, value: object) -> str | None:
        """Give a request id, or ``None`` when it does not look like one."""
        return self._clean(value, _REQUEST_ID)

    def model(self, value: object, asked: str) -> str:
        """Give the model that answered, else the one that was asked for."""
        return self.listed_model(value) or asked

    def listed_model(self, value: object) -> str | None:
        """Give a model's id, or ``None`` when it does not look like one."""
        return self._clean(value, _MODEL)

    def label(self, value: object) -> str:
        """Give a name for people, cut; empty when it is none."""
        label = read_text(value)[:_LABEL_LIMIT]
        is_fit = label.isprintable() and not self._api_key.appears_in(label)
        return label if is_fit else ""

    def is_shown_in(self, text: str) -> bool:
        """Tell whether a short text shows the key, or a piece of it."""
        return self._api_key.appears_in(text)

    def _clean(self, value: object, pattern: re.Pattern[str]) -> str | None:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            return None

        return None if self._api_key.appears_in(value) else value


def merge_extra(body: Json, extra: cabc.Mapping[str, t.Any]) -> Json:
    """Lay a caller's own fields over a body; objects are merged one level deep."""
    merged = dict(body)

    for name, value in extra.items():
        if name in PROTECTED:
            continue

        ours = merged.get(name)

        if isinstance(ours, cabc.Mapping) and isinstance(value, cabc.Mapping):
            value = {**ours, **value}

        merged[name] = value

    return merged


def as_parts(content: str | cabc.Sequence[Part]) -> list[Part]:
    """Give the content of a message as parts."""
    return [TextPart(text=content)] if isinstance(content, str) else list(content)


def join_system(request: ChatRequest) -> str | None:
    """Join the system text with the messages of role ``system``."""
    texts = [request.system or ""]

    for message in request.messages:
        if message.role == "system":
            texts.extend(
                part.text
                for part in as_parts(message.content)
                if isinstance(part, TextPart)
            )

    return "\n\n".join(filter(None, texts)) or None


def dump_arguments(arguments: cabc.Mapping[str, t.Any]) -> str:
    """Write a tool call's arguments as JSON text."""
    return json.dumps(dict(arguments), ensure_ascii=False, separators=(",", ":"))


def parse_arguments(text: str) -> tuple[Json, Json | None]:
    """Read a tool call's arguments.

    :return: the decoded object, and a ``provider_state``: text that is no JSON object
        is kept there as ``raw_arguments``, beside empty arguments.
    """
    if not text.strip():
        return {}, None

    arguments = decode_json(text)

    if isinstance(arguments, dict):
        return arguments, None

    return {}, {"raw_arguments": text}


def make_call_id() -> str:
    """Make an id for a tool call that came without one."""
    return f"call_{uuid.uuid4().hex}"


def fit_id(call_id: str) -> str:
    """Write a tool call's id, of whatever provider, so that each wire takes it.

    Two different ones stay different, and one is written alike wherever it stands.
    """
    fitted = _NOT_IN_IDS.sub("_", call_id)[:_ID_LIMIT]

    if fitted == call_id:
        return call_id

    mark = hashlib.sha256(call_id.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{fitted[: _ID_LIMIT - 9]}_{mark}"


def encode_bytes(data: bytes) -> str:
    """Write bytes as base64."""
    return base64.b64encode(data).decode("ascii")


def read_state(part: object, dialect: str) -> Json:
    """Give the opaque data this dialect left in a part, empty when another did."""
    return read_object((getattr(part, "provider_state", None) or {}).get(dialect))
