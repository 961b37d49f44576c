"""The engine: reads a company once per call, and walks its routes."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ..providers.streams import Pieces
from ..providers.types import Source
from ..vault.types import CompanyState
from .gate import Gate
from .gate import look
from .policy import may_use_system_key
from .reasons import Letter
from .rooms import Call
from .rooms import Perform
from .rooms import Rooms
from .routes import Ask
from .routes import Route
from .streams import OpenStream
from .walk import Arrived
from .walk import Walk
from .watch import CallWatch
from .watch import Observer

T = t.TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """On which route the next call would start; all ``None`` when AI is off.

    :param fallback_active: a company key exists and the call would not start on the
        active one.
    :param reason: why not, a reason word.
    """

    source: Source | None = None
    provider: str | None = None
    model: str | None = None
    fallback_active: bool = False
    reason: str | None = None


class Engine:
    """Runs the calls of one app."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        #: Who looks on; nobody, until somebody else is put here.
        self.observer: Observer = Observer()

    def run(self, call: Call, perform: Perform[T]) -> Arrived[T]:
        """Answer a call; what it used is settled.

        :raises CallError: when no route answered.
        :raises StateUnavailable: when the company's rows cannot be read.
        """
        with self.observer.watch(call) as watch:
            state = self._rooms.store.read_state(call.company)
            arrived = self._walk(state, call, perform, watch)
            arrived.ticket.finish(
                getattr(arrived.value, "usage", None),
                getattr(arrived.value, "request_id", None),
                arrived.latency_ms,
            )
            watch.answered(arrived.value)

        return arrived

    def open_stream(self, call: Call, perform: Perform[Pieces[T]]) -> OpenStream[T]:
        """Answer a call in pieces; the first content has arrived when this returns.

        :raises CallError: when no route came to a first content.
        :raises StateUnavailable: when the company's rows cannot be read.
        """
        with self.observer.watch(call) as watch:
            state = self._rooms.store.read_state(call.company)
            arrived = self._walk(state, call, perform, watch)
            stream = OpenStream(self._rooms, state, arrived, watch)
            watch.opened()

        return stream

    def _walk(
        self, state: CompanyState, call: Call, perform: Perform[T], watch: CallWatch
    ) -> Arrived[T]:
        began = time.monotonic()

        try:
            return Walk(self._rooms, call, state, perform, watch).run()
        finally:
            self._rooms.ended(time.monotonic() - began)

    def outlook(self, company: str) -> Outlook:
        """Tell on which route the next call would start. One query.

        :raises StateUnavailable: when the company's rows cannot be read.
        """
        return self.look_ahead(self._rooms.store.read_state(company))

    def look_ahead(self, state: CompanyState) -> Outlook:
        """Tell the same of a state that was read already."""
        planner, circuits = self._rooms.planner, self._rooms.circuits
        policy = planner.policy(state)
        letters: list[Letter] = ["H"] if planner.is_orphaned(state) else []
        reason = "unreadable" if letters else None

        for position, route in enumerate(planner.routes(state, Ask())):
            if route.credential is None:
                if may_use_system_key(letters, policy):
                    return _start(route, fallback=bool(letters), reason=reason)

                continue

            gate = look(circuits, route.credential, route.model)

            if _is_unreadable(route, self._rooms):
                gate = Gate(reason="unreadable")

            if gate.is_open:
                return _start(route, fallback=position > 0, reason=reason)

            letters.append(gate.letter)
            reason = reason or gate.reason

        return Outlook(fallback_active=bool(letters), reason=reason)


def _start(route: Route, *, fallback: bool, reason: str | None) -> Outlook:
    return Outlook(
        source=route.source,
        provider=route.provider.id,
        model=route.model,
        fallback_active=fallback,
        reason=reason,
    )


def _is_unreadable(route: Route, rooms: Rooms) -> bool:
    """Tell by what was noted, not by opening: looking at a page decrypts nothing."""
    if route.credential is None:
        return False

    return rooms.keyring is None or route.credential.circuit.unreadable_at is not None
