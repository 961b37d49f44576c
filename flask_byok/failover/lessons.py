"""What one call teaches about keys: written to their rows, then told to people."""

from __future__ import annotations

import datetime as dt

from ..vault.types import CompanyState
from ..vault.types import Credential
from .notes import Notes
from .notes import Out
from .notes import Step
from .rooms import Call
from .rooms import Rooms
from .routes import Route
from .verdict import Verdict


class Lessons:
    """Remembers and tells for one call. Times are the database's clock."""

    def __init__(
        self, rooms: Rooms, call: Call, state: CompanyState, notes: Notes
    ) -> None:
        self._circuits = rooms.circuits
        self._teller = rooms.teller
        self._call = call
        self._state = state
        self._notes = notes

    def release(self, step: Step) -> None:
        """Give a claimed probe back: this attempt says nothing of the key."""
        if step.gate.token is not None:
            self._circuits.release(step.target, step.gate.token, self._state.now())

    def unreadable(self, step: Step, credential: Credential, reason: str) -> None:
        """Remember a stored key that does not open here."""
        now = self._state.now()
        self.release(step)
        change = self._circuits.unreadable(step.target, reason, now)
        self._teller.changed(change, now)
        self._notes.unreadable(step, credential, reason)

    def failed(self, step: Step, verdict: Verdict) -> None:
        """Remember a failure as its class demands."""
        now, route = self._state.now(), step.route
        change = self._circuits.failed(
            step.target, verdict, now, model=route.model, token=step.gate.token
        )
        self._teller.changed(change, now)
        self._notes.conclude(step, verdict)

        if route.credential is not None and change is not None:
            self._notes.change(route.credential, change)

        if verdict.letter == "L":
            self._teller.our_side_failed(route.provider.id, verdict)

        if verdict.letter == "G" and route.source == "system" and self._notes.letters:
            self._teller.request_refused(route.provider.id, verdict)

    def answered(self, step: Step) -> None:
        """Remember an answer: it closes a circuit, ends a block, confirms others."""
        now = self._state.now()
        self._succeed(step, now)
        self._confirm_blocks(now)

        if step.route.source == "system":
            self._tell_fallback(step.route, now)

    def _succeed(self, step: Step, now: dt.datetime) -> None:
        circuits, target = self._circuits, step.target

        if circuits.view(target).circuit == "open":
            change = circuits.close(target, now, token=step.gate.token)
            self._teller.changed(change, now)
        elif not self._call.streamed:
            # A stream has succeeded at its end: till then it may still break.
            circuits.succeeded(target, now)

        if step.gate.tries_block:
            change = circuits.unblock(target, step.route.model, now)
            self._teller.changed(change, now)

    def _confirm_blocks(self, now: dt.datetime) -> None:
        """Remember a missing model, now that another route has answered.

        A system key that misses it too has ended the call.
        """
        for step, verdict in self._notes.unconfirmed:
            route = step.route

            # A probe of the whole key says nothing of a model: the next caller probes.
            if route.credential is None or step.gate.token is not None:
                continue

            change = self._circuits.block(step.target, route.model, verdict, now)

            if change is not None:
                self._notes.change(route.credential, change)

    def _tell_fallback(self, route: Route, now: dt.datetime) -> None:
        """Tell, once per episode or block, that the system key serves."""
        out = self._notes.out

        if out is None:
            return

        if self._is_first_to_tell(out):
            self._teller.fell_back(
                self._call.company,
                out.credential.provider,
                out.reason,
                out.episode or 0,
                route.provider.id,
                now,
            )

        if not self._call.streamed:
            self._teller.flash(out.reason, out.credential.provider)

    def _is_first_to_tell(self, out: Out) -> bool:
        """Claim the notice, unless the row that was read says it is taken."""
        circuits, credential = self._circuits, out.credential

        if out.episode is not None:
            is_told = credential.circuit.fallback_episode >= out.episode
            return not is_told and circuits.claim_fallback_notice(
                credential, out.episode
            )

        if out.model is None:
            return False

        block = circuits.find_block(credential, out.model)
        is_told = block is not None and block.told
        return not is_told and circuits.claim_block_notice(credential, out.model)
