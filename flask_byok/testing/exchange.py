"""What passes between the server and the three wires: a call in, an answer out."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import json
import typing as t

Operation = t.Literal["list", "count", "generate", "unknown"]
PieceKind = t.Literal["preamble", "content", "tail", "end"]

#: The built-in ones; a simulator may serve vendors on OPENAI's wire besides.
PROVIDERS = ("OPENAI", "CLAUDE", "GEMINI")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request to a simulated provider.

    :param path: below the provider's prefix and version, without the query.
    :param headers: names in lower case.
    :param credentials: every credential found, in the order the provider looks.
    :param model: the model's id without any ``models/``; empty when none is named.
    :param body: the decoded JSON object, or ``None``.
    :param request_id: what the answer will carry as its id.
    """

    provider: str
    version: str
    method: str
    path: str
    query: cabc.Mapping[str, str]
    headers: cabc.Mapping[str, str]
    credentials: tuple[str, ...]
    model: str
    operation: Operation
    streamed: bool
    body: dict[str, t.Any] | None
    request_id: str

    @property
    def api_key(self) -> str:
        """The credential that counts; empty when there is none."""
        return self.credentials[0] if self.credentials else ""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: cabc.Mapping[str, str]
    body: bytes


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A part of a stream that is written at once.

    :param kind: before the content, a piece of it, behind it, or the mark that says
        the stream is complete.
    """

    kind: PieceKind
    data: bytes


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """An answer that comes in pieces."""

    status: int
    headers: cabc.Mapping[str, str]
    pieces: tuple[Piece, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ErrorRow:
    """One error of one provider.

    Texts may hold ``{model}``, ``{api_key}``, ``{masked_key}``, ``{request_id}``,
    ``{path}`` and ``{scope}``.

    :param scope: which requests it hits.
    :param paths: if any are named, it hits only these.
    """

    status: int
    body: t.Any
    headers: cabc.Mapping[str, str] = dataclasses.field(default_factory=dict)
    scope: t.Literal["all", "generate", "list"] = "all"
    paths: tuple[str, ...] = ()


class Refusal(Exception):
    """A request the provider refuses by itself; carries the row to answer with."""

    def __init__(self, row: ErrorRow) -> None:
        super().__init__(row.status)
        self.row = row


class Wire(t.Protocol):
    """What one provider's wire must be able to do."""

    rows: cabc.Mapping[str, ErrorRow]

    def read(self, call: Call) -> Call:
        """Add what only this wire knows: credentials, model, operation, streaming."""
        ...

    def refuse_strangers(self, call: Call) -> None:
        """Raise a :class:`Refusal` when the credentials are missing or doubled."""
        ...

    def answer(self, call: Call, traits: cabc.Set[str]) -> Answer | Stream:
        """Answer a good request; ``traits`` are words that colour the answer."""
        ...

    def error(self, call: Call, row: ErrorRow) -> Answer:
        """Answer with an error."""
        ...

    def stream_error(self, call: Call, row: ErrorRow, other_form: bool) -> bytes:
        """Write an error into a stream that has begun."""
        ...


#: What a key of OPENAI must be granted, where it is not the Responses scope.
_SCOPES = {"/chat/completions": "model.request", "/embeddings": "model.request"}


def fill(value: t.Any, call: Call) -> t.Any:
    """Put the call's own words into the texts of an error."""
    if isinstance(value, dict):
        return {name: fill(item, call) for name, item in value.items()}

    if isinstance(value, list):
        return [fill(item, call) for item in value]

    if not isinstance(value, str) or "{" not in value:
        return value

    words = {
        "{model}": call.model,
        "{api_key}": call.api_key,
        "{masked_key}": mask(call.api_key),
        "{request_id}": call.request_id,
        "{path}": call.path,
        "{scope}": _SCOPES.get(call.path, "api.responses.write"),
    }

    for word, text in words.items():
        value = value.replace(word, text)

    return value


def mask(api_key: str) -> str:
    """Mask as OPENAI does: a short key stays whole, a long one keeps 8 and 4."""
    if len(api_key) < 20:
        return api_key

    return api_key[:8] + "*" * (len(api_key) - 12) + api_key[-4:]


def compact(value: t.Any) -> str:
    """Write JSON without spaces; text beyond ASCII stays as it is."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
