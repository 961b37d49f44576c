"""Takes an SDK's request to the engine, and the engine's answer back."""

from __future__ import annotations

import dataclasses
import typing as t

from ..errors import BYOKError
from ..failover.engine import Engine
from ..failover.rooms import Perform
from ..failover.routes import Route
from ..providers.base import Provider
from ..providers.deadline import Deadline
from ..providers.hangup import Hangup
from ..providers.http import HttpStream
from ..providers.http import Sender
from ..providers.http import VECTORS_CAP
from ..providers.payloads import Json
from ..providers.payloads import read_count
from ..providers.payloads import read_object
from ..providers.relay import read_generated
from ..providers.relay import read_relayed
from ..providers.relay import RelayAnswer
from ..providers.relay import RelayBytes
from ..providers.relay import RelayStream
from ..providers.streams import Pieces
from ..providers.types import AttemptFailed
from ..providers.types import FinishReason
from ..providers.types import Usage
from ..providers.wire import IdCleaner
from ..secret import Secret
from .outgoing import Incoming
from .outgoing import Outgoing
from .replies import build_reply
from .replies import Reply

T = t.TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Relay:
    """Answers the requests of one SDK client. Holds no key and no state.

    :param company: the typed text of the company's id.
    :param provider: the one whose wire the SDK speaks; asked for by id each time.
    :param timeout: seconds for a whole call; ``None`` for ``BYOK_TIMEOUT``.
    :param label: the host's name of the AI feature.
    :param fallback: ``False`` keeps each call on its first route.
    """

    engine: Engine
    company: str
    provider: Provider
    timeout: float | None = None
    label: str | None = None
    fallback: bool = True

    def send(self, incoming: Incoming, hangup: Hangup) -> Reply:
        """Answer one request; an error of ours is an answer, too.

        :param hangup: by which the caller leaves from another thread.
        :raises CallLeft: when it has.
        """
        outgoing = Outgoing(incoming, self.provider)
        call = outgoing.call(
            self.company,
            timeout=self.timeout,
            label=self.label,
            fallback=self.fallback,
        )
        failure: BYOKError

        try:
            if outgoing.is_read_whole:
                whole = leaving(hangup, _whole(outgoing, hangup))
                answered = self.engine.run(call, whole)
                return _reply(answered.value, answered.route)

            pieces = leaving(hangup, _pieces(outgoing, hangup))
            opened = self.engine.open_stream(call, pieces)
        except BYOKError as error:
            failure = error
        else:
            status, headers = opened.head
            return Reply(
                status=status,
                headers={**headers, **_source(opened.route)},
                stream=opened,
            )

        return build_reply(failure, self.provider.dialect)


def _reply(answer: RelayAnswer, route: Route) -> Reply:
    return Reply(
        status=answer.status,
        headers={**answer.headers, **_source(route)},
        body=answer.body,
    )


def _source(route: Route) -> dict[str, str]:
    """Tell who paid, and where."""
    return {"x-byok-source": route.source, "x-byok-provider": route.provider.id}


def leaving(hangup: Hangup, perform: Perform[T]) -> Perform[T]:
    """Let an attempt that failed because its caller left be no failure."""

    def watched(route: Route, sender: Sender, api_key: Secret, deadline: Deadline) -> T:
        try:
            return perform(route, sender, api_key, deadline)
        except AttemptFailed as error:
            failure = error.failure

        hangup.check()
        raise AttemptFailed(failure)

    return watched


def _relay(
    outgoing: Outgoing,
    hangup: Hangup,
    route: Route,
    sender: Sender,
    api_key: Secret,
    deadline: Deadline,
) -> HttpStream:
    hangup.check()
    return route.provider.relay(
        sender,
        outgoing.for_route(route),
        api_key=api_key,
        deadline=deadline,
        hangup=hangup,
    )


def _whole(outgoing: Outgoing, hangup: Hangup) -> Perform[RelayAnswer]:
    def perform(
        route: Route, sender: Sender, api_key: Secret, deadline: Deadline
    ) -> RelayAnswer:
        def read(payload: Json) -> tuple[Usage, FinishReason | None]:
            return _read(outgoing, route, payload)

        return read_relayed(
            _relay(outgoing, hangup, route, sender, api_key, deadline),
            IdCleaner(api_key),
            dialect=route.provider.error_table,
            read=read,
            cap=VECTORS_CAP,
        )

    return perform


def _pieces(outgoing: Outgoing, hangup: Hangup) -> Perform[Pieces[bytes]]:
    def perform(
        route: Route, sender: Sender, api_key: Secret, deadline: Deadline
    ) -> Pieces[bytes]:
        http = _relay(outgoing, hangup, route, sender, api_key, deadline)
        cleaner = IdCleaner(api_key)
        wire = outgoing.purpose.wire

        if wire is None:
            return RelayBytes(http, cleaner, hangup)

        return RelayStream(
            http,
            wire.build_reader(route.model),
            cleaner,
            hangup,
            drops_usage=outgoing.adds_usage,
        )

    return perform


def _read(
    outgoing: Outgoing, route: Route, payload: Json
) -> tuple[Usage, FinishReason | None]:
    """Read what an answer used."""
    purpose = outgoing.purpose

    if purpose.wire is not None:
        return read_generated(purpose.wire.build_reader(route.model), payload)

    if purpose.reading == "free":
        return Usage(input_tokens=0, output_tokens=0), None

    usage = read_object(payload.get("usage") or payload.get("usageMetadata"))
    tokens = usage.get("prompt_tokens", usage.get("promptTokenCount"))
    return Usage(input_tokens=read_count(tokens), output_tokens=0), None
