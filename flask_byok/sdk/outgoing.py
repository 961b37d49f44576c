"""A request of an SDK, read once: what it asks for, and what goes out of it."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import re
import typing as t
import urllib.parse

from ..failover.rooms import Call
from ..failover.routes import Ask
from ..failover.routes import DEFAULT
from ..failover.routes import Route
from ..failover.routes import THOUGHTS
from ..messages import CHARACTERS_OF_A_TOKEN
from ..providers.base import Provider
from ..providers.bound import is_account_bound
from ..providers.bound import may_be_bound
from ..providers.foreign import drop_thoughts
from ..providers.foreign import find_keeper
from ..providers.foreign import Keeper
from ..providers.gemini_wire import quote_model
from ..providers.openai_chat import ChatWire
from ..providers.payloads import decode_json
from ..providers.payloads import encode_json
from ..providers.payloads import Json
from ..providers.payloads import read_count
from ..providers.payloads import read_object
from ..providers.relay import RelayRequest
from .kinds import kind_of
from .paths import find_purpose
from .paths import Purpose

#: What an SDK may say for itself. No header of another name goes out: neither the
#: placeholder it holds for a key, nor an organisation, nor a cookie.
_SENT: t.Final = frozenset(
    {
        b"accept",
        b"anthropic-beta",
        b"anthropic-version",
        b"content-type",
        b"idempotency-key",
        b"openai-beta",
        b"user-agent",
        b"x-client-request-id",
        b"x-goog-api-client",
        b"x-server-timeout",
    }
)
_SENT_FAMILY: t.Final = re.compile(rb"x-stainless-[a-z0-9-]{1,68}")
_SENT_VALUE: t.Final = re.compile(rb"[ -~]{0,2048}")
_MODEL_IN_PATH: t.Final = re.compile(r"(/models/)([^/:]+)(:\w+)")
# Few lines stand in the head of a part: in a file there may be any number that look so.
_MODEL_IN_FORM: t.Final = re.compile(
    rb'(name="model"[^\r\n]*\r\n(?:[^\r\n]+\r\n){0,4}\r\n)([^\r\n]{1,200})'
)
_CAPS: t.Final = ("max_completion_tokens", "max_output_tokens", "max_tokens")

#: Input tokens guessed of a body that is no text: an image, a sound, a file.
_FLAT: t.Final = 1000
#: Characters of one string; a longer one without a space is no text.
_LONG: t.Final = 4096


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """A request as the SDK's HTTP client hands it over.

    :param path: behind the base URL, with its query.
    :param headers: only what may go out; names in lower case.
    :param timeout: seconds the caller asked for; ``None`` when it did not.
    """

    method: str
    path: str
    headers: cabc.Mapping[str, str] = dataclasses.field(repr=False)
    body: bytes = dataclasses.field(repr=False)
    timeout: float | None = None


class Outgoing:
    """What one request of an SDK asks for, and how it looks on each route."""

    def __init__(self, incoming: Incoming, provider: Provider) -> None:
        self._incoming = incoming
        self._bare = incoming.path.partition("?")[0]
        self._provider = provider
        self._payload: Json = self._read_payload()
        self.purpose: Purpose = find_purpose(
            kind_of(provider).name, incoming.method, self._bare
        )
        #: The model asked for: an id, or a name of the app; ``None`` for none.
        self.model: str | None = self._read_model()
        #: The answer is asked for in events that are read along.
        self.is_streamed: bool = self.purpose.reading == "text" and (
            self._payload.get("stream") is True
            or self._bare.endswith(":streamGenerateContent")
        )
        #: The usage is asked for by us: the caller did not, and is not shown it.
        self.adds_usage: bool = self._wants_usage()

    @property
    def is_read_whole(self) -> bool:
        """Whether the answer is read to its end before anything is passed on."""
        return self.purpose.reading != "bytes" and not self.is_streamed

    @property
    def is_bound(self) -> bool:
        """Whether only one account can answer, so that no second key is tried."""
        if self.purpose.is_bound or self._is_unread:
            return True

        return may_be_bound(self._incoming.body) and is_account_bound(self._payload)

    @property
    def _is_unread(self) -> bool:
        """Whether there is a body that could not be looked into: neither form nor JSON.

        It may point to anything.
        """
        kind = self._incoming.headers.get("content-type", "")
        is_form = kind.startswith("multipart/form-data")
        return bool(self._incoming.body) and not self._payload and not is_form

    def call(
        self, company: str, *, timeout: float | None, label: str | None, fallback: bool
    ) -> Call:
        """Tell the engine what is asked for."""
        embeds = self.purpose.operation == "embeddings"
        model = None if embeds and self.model == DEFAULT else self.model
        return Call(
            company=company,
            ask=Ask(
                model=model,
                one_provider=True,
                fallback=fallback and not self.is_bound,
                embeds=embeds,
                provider=self._provider.id,
                keeper=self._find_keeper(),
            ),
            timeout=self._incoming.timeout or timeout,
            label=label,
            input_tokens=self._guess_input(),
            output_tokens=self._output_cap(),
            streamed=not self.is_read_whole,
            operation=self.purpose.operation,
        )

    def for_route(self, route: Route) -> RelayRequest:
        """Write the request for one route.

        Its model takes the place of the name that was asked for.
        """
        path, body = self._incoming.path, self._incoming.body or None
        model, payload = route.model, self._payload

        if THOUGHTS in route.dropped:
            payload = drop_thoughts(self._provider.dialect, payload, model)
            body = encode_json(payload)

        if self.model is not None and model != self.model:
            path, body = self._with_model(model, payload, body)

        if self.adds_usage:
            body = encode_json(
                {
                    **payload,
                    "model": model,
                    "stream_options": {
                        **read_object(payload.get("stream_options")),
                        "include_usage": True,
                    },
                }
            )

        return RelayRequest(
            method=self._incoming.method,
            path=path,
            headers=self._incoming.headers,
            body=body,
        )

    def _find_keeper(self) -> Keeper | None:
        if self.purpose.reading != "text":
            return None

        dialect, body = self._provider.dialect, self._incoming.body
        return find_keeper(dialect, body, self._payload)

    def _with_model(
        self, model: str, payload: Json, body: bytes | None
    ) -> tuple[str, bytes | None]:
        path = self._incoming.path

        if self._provider.dialect == "GEMINI":
            written = quote_model(model)
            path = _MODEL_IN_PATH.sub(rf"\g<1>{written}\g<3>", path, count=1)

            if isinstance(payload.get("requests"), list):
                body = encode_json(_with_models(payload, model))
        elif payload:
            body = encode_json({**payload, "model": model})
        elif body is not None:
            body = _MODEL_IN_FORM.sub(
                lambda found: found[1] + model.encode(), body, count=1
            )

        return path, body

    def _read_payload(self) -> Json:
        kind = self._incoming.headers.get("content-type", "")

        if not self._incoming.body or not kind.startswith("application/json"):
            return {}

        return read_object(decode_json(self._incoming.body))

    def _read_model(self) -> str | None:
        found = _MODEL_IN_PATH.search(self._bare)

        if self._provider.dialect == "GEMINI":
            return None if found is None else urllib.parse.unquote(found[2])

        model = self._payload.get("model")

        if model is None and not self._payload:
            form = _MODEL_IN_FORM.search(self._incoming.body[:65536])
            model = None if form is None else form[2].decode("utf-8", "replace")

        return model if isinstance(model, str) and model else None

    def _wants_usage(self) -> bool:
        wire = self.purpose.wire

        if not self.is_streamed or not isinstance(wire, ChatWire):
            return False

        # Some vendors refuse to be asked.
        habits = getattr(self._provider, "chat_wire", wire)
        options = read_object(self._payload.get("stream_options"))
        return not options.get("include_usage") and bool(habits.asks_for_usage)

    def _guess_input(self) -> int:
        if not self._payload:
            return _FLAT if self._incoming.body else 0

        if len(self._incoming.body) < _LONG:
            return len(self._incoming.body) // CHARACTERS_OF_A_TOKEN

        return _count_characters(self._payload) // CHARACTERS_OF_A_TOKEN

    def _output_cap(self) -> int | None:
        if self.purpose.reading in ("counted", "free"):
            return 1

        config = read_object(self._payload.get("generationConfig"))
        caps = [read_count(self._payload.get(name)) for name in _CAPS]
        cap = next(filter(None, [*caps, read_count(config.get("maxOutputTokens"))]), 0)
        answers = read_count(self._payload.get("n")) or 1
        return cap * answers or None


def keep_headers(headers: cabc.Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Give the headers of an SDK that may go out; names in lower case."""
    kept: dict[str, str] = {}

    for raw_name, value in headers:
        name = raw_name.lower()
        may_go = name in _SENT or _SENT_FAMILY.fullmatch(name)

        if may_go and _SENT_VALUE.fullmatch(value):
            kept[name.decode("ascii")] = value.decode("ascii")

    return kept


def _with_models(payload: Json, model: str) -> Json:
    """Write the model into each of several requests in one."""
    name = f"models/{model.removeprefix('models/')}"
    return {
        **payload,
        "requests": [
            {**entry, "model": name} if isinstance(entry, dict) else entry
            for entry in payload["requests"]
        ],
    }


def _count_characters(payload: Json) -> int:
    """Count what is text in a body; of what is none, a flat amount."""
    total = 0
    waiting: list[object] = [payload]

    while waiting:
        one = waiting.pop()

        if isinstance(one, str):
            is_text = len(one) < _LONG or " " in one[:_LONG]
            total += len(one) if is_text else _FLAT * CHARACTERS_OF_A_TOKEN
        elif isinstance(one, cabc.Mapping):
            total += sum(map(len, one))
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)

    return total
