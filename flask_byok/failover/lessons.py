"""What one call teaches about keys: written to their rows, then told to people."""

from __future__ import annotations

import datetime as dt
import typing as t

from ..vault.types import CompanyState
from ..vault.types import Credential
from .changes import Change
from .fallback import Fallback
from .key_writer import Note
from .notes import Notes
from .notes import Out
from .notes import Step
from .rooms import Call
from .rooms import Rooms
from .routes import Route
from .verdict import Verdict
from .watch import CallWatch

#: What these ask for may be allowed, or forbidden, whatever holds of generation.
_BESIDE: t.Final = ("count_tokens", "list_models", "request")


class Lessons:
    """Remembers and tells for one call. Times are the database's clock."""

    def __init__(
        self,
        rooms: Rooms,
        call: Call,
        state: CompanyState,
        notes: Notes,
        watch: CallWatch,
    ) -> None:
        self._circuits = rooms.circuits
        self._teller = rooms.teller
        self._call = call
        self._state = state
        self._notes = notes
        self._watch = watch

    def release(self, step: Step) -> None:
        """Give a claimed probe back: this attempt says nothing of the key."""
        if step.gate.token is not None:
            self._circuits.release(step.target, step.gate.token, self._state.now())

    def skipped(self, step: Step) -> None:
        """Note a key that is out and was not tried; its people may be told by now."""
        self._notes.skip(step)
        self._look_for_notice(step)

    def unreadable(self, step: Step, credential: Credential, reason: str) -> None:
        """Remember a stored key that does not open here."""
        now = self._state.now()
        self.release(step)
        change = self._circuits.marks.unreadable(step.target, reason, now)
        self._tell(change, now)

        if change is None:
            self._look_for_notice(step)

        self._notes.unreadable(step, credential, reason)

    def failed(self, step: Step, verdict: Verdict) -> None:
        """Remember a failure as its class demands."""
        now, route = self._state.now(), step.route
        change = self._remember(step, verdict, now)
        self._tell(change, now)
        self._notes.conclude(step, verdict)

        if route.credential is not None and change is not None:
            self._notes.change(route.credential, change)

        if verdict.letter == "L":
            self._teller.our_side_failed(route.provider.id, verdict)

        if verdict.letter == "G" and route.source == "system" and self._notes.letters:
            self._teller.request_refused(route.provider.id, verdict)

    def _remember(
        self, step: Step, verdict: Verdict, now: dt.datetime
    ) -> Change | None:
        """Write a failure to the key's row, as far as it says something of the key.

        Keys are granted some things and not others: one that may make no vectors, or
        no lists, may generate. Rates have limits of their own there, and a model that
        is missing is not the route's.
        """
        if verdict.letter in "BDM" and self._call.operation in _BESIDE:
            self.release(step)
            return None

        if verdict.letter == "B" and self._call.operation == "embeddings":
            verdict = verdict._replace(model_scoped=True)

        return self._circuits.failed(
            step.target, verdict, now, model=step.route.model, token=step.gate.token
        )

    def answered(self, step: Step) -> None:
        """Remember an answer: it closes a circuit, ends a block, confirms others."""
        now = self._state.now()

        if self._call.operation in _BESIDE:
            # A list of models never proves that the key may generate, or has money.
            self.release(step)
        else:
            self._succeed(step, now)
            self._confirm_blocks(now)

        if self._notes.out is None:
            return

        if step.route.source == "system":
            self._tell_fallback(self._notes.out, step.route, now)
        else:
            self._note_own_key(self._notes.out, step.route, now)

    def _succeed(self, step: Step, now: dt.datetime) -> None:
        circuits, target = self._circuits, step.target

        if circuits.view(target).circuit == "open":
            change = circuits.close(target, now, token=step.gate.token)
            self._tell(change, now)
        elif not self._call.streamed:
            # A stream has succeeded at its end: till then it may still break.
            self._tell(circuits.marks.succeeded(target, now), now)
            self._look_for_notice(step, works=True)

        if step.gate.tries_block:
            change = circuits.blocks.unblock(target, step.route.model, now)
            self._tell(change, now)

    def _look_for_notice(self, step: Step, *, works: bool = False) -> None:
        """Tell the company's people what nobody has told them yet."""
        credential = step.route.credential

        if credential is not None:
            now, state = self._state.now(), self._circuits.view(step.target)
            self._teller.notices.look(credential, state, now, works=works)

    def _confirm_blocks(self, now: dt.datetime) -> None:
        """Remember a missing model, now that another route has answered.

        A system key that misses it too has ended the call.
        """
        for step, verdict in self._notes.unconfirmed:
            route = step.route

            # A probe of the whole key says nothing of a model: the next caller probes.
            if route.credential is None or step.gate.token is not None:
                continue

            change = self._circuits.blocks.block(step.target, route.model, verdict, now)
            self._watch.changed(change)

            if change is not None:
                self._notes.change(route.credential, change)

    def _tell(self, change: Change | None, now: dt.datetime) -> None:
        self._teller.changed(change, now)
        self._watch.changed(change)

    def _tell_fallback(self, out: Out, route: Route, now: dt.datetime) -> None:
        """Tell, once per episode or block, that the system key serves."""
        fallback = self._fallback(out, route, now)

        if self._is_first_to_tell(out, fallback):
            self._teller.fell_back(fallback)

        if not self._call.streamed:
            self._teller.flash(out.reason, out.credential.provider)

    def _note_own_key(self, out: Out, route: Route, now: dt.datetime) -> None:
        """Note, once per episode or block, that another key of the company serves."""
        answering, failing = route.credential, out.credential

        # A key that is out may answer all the same, as the last resort.
        if answering is None or answering.id == failing.id:
            return

        fallback = self._fallback(out, route, now)

        if out.episode is not None:
            note = self._note_of(fallback)
            self._circuits.marks.note_own_key(failing, out.episode, note)
        elif out.model is not None:
            self._claim_block_notice(failing, out.model, fallback)

    def _fallback(self, out: Out, route: Route, now: dt.datetime) -> Fallback:
        return Fallback(
            company_id=self._call.company,
            provider=out.credential.provider,
            credential_id=out.credential.id,
            reason=out.reason,
            episode=out.episode or 0,
            to_provider=route.provider.id,
            source=route.source,
            at=now,
        )

    def _note_of(self, fallback: Fallback) -> Note:
        return lambda conn: self._teller.note_fallback(conn, fallback)

    def _is_first_to_tell(self, out: Out, fallback: Fallback) -> bool:
        """Claim the notice, unless the row that was read says it is taken."""
        credential = out.credential

        if out.episode is not None:
            is_told = credential.circuit.fallback_episode >= out.episode
            return not is_told and self._circuits.marks.claim_fallback_notice(
                credential, out.episode, self._note_of(fallback)
            )

        return out.model is not None and self._claim_block_notice(
            credential, out.model, fallback
        )

    def _claim_block_notice(
        self, credential: Credential, model: str, fallback: Fallback
    ) -> bool:
        """Claim a block's notice, unless the row that was read says it is taken."""
        block = self._circuits.blocks.find(credential, model)

        if block is not None and block.is_told(fallback.source):
            return False

        return self._circuits.blocks.claim_notice(
            credential, model, self._note_of(fallback), source=fallback.source
        )
