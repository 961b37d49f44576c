"""A call on its way along its routes.

At most three requests; company keys first, then system keys, never back; one deadline.
The plaintext of a key exists from :meth:`Walk._open_key` to the end of the one attempt
it was opened for.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ..errors import CallError
from ..errors import NoRoute
from ..errors import StoredKeyUnreadable
from ..errors import SystemBudgetExceeded
from ..errors import SystemKeyRefused
from ..providers.http import Deadline
from ..providers.troubles import is_from_outside
from ..providers.types import Attempt
from ..providers.types import AttemptFailed
from ..providers.types import Failure
from ..secret import Secret
from ..vault.keyring import API_KEY
from ..vault.keyring import SealContext
from ..vault.types import CompanyState
from ..vault.types import Credential
from .changes import Target
from .classify import classify
from .gate import Gate
from .gate import look
from .gate import OPEN
from .gate import try_again
from .lessons import Lessons
from .limits import host_of
from .limits import Limits
from .notes import Notes
from .notes import Step
from .policy import may_try_last
from .policy import may_try_next
from .rooms import Call
from .rooms import Perform
from .rooms import Rooms
from .routes import Route
from .settling import Ticket
from .verdict import Verdict
from .watch import CallWatch

T = t.TypeVar("T")


# Changed by nobody; frozen, it would take twice as long to build.
@dataclasses.dataclass(kw_only=True, slots=True)
class Arrived(t.Generic[T]):
    """An answer, or an opened stream, the way it came, and its line in the ledger.

    :param latency_ms: wall time of the attempt that answered.
    """

    value: T
    route: Route
    target: Target
    ticket: Ticket
    latency_ms: int
    attempts: tuple[Attempt, ...]


class _Failed(t.NamedTuple):
    """One request that brought no answer."""

    failure: Failure
    verdict: Verdict


class Walk(t.Generic[T]):
    """One call. Made for it and thrown away after it."""

    def __init__(
        self,
        rooms: Rooms,
        call: Call,
        state: CompanyState,
        perform: Perform[T],
        watch: CallWatch,
    ) -> None:
        self._rooms = rooms
        self._call = call
        self._state = state
        self._perform = perform
        self._watch = watch
        self._routes = rooms.planner.routes(state, call.ask)
        self._timeout = call.timeout or rooms.settings.timeout
        self._notes = Notes(timeout=self._timeout)

        if rooms.planner.is_orphaned(state):
            self._notes.letters.append("H")

        policy = rooms.planner.policy(state)
        self._limits = Limits(self._routes, policy, self._timeout, self._notes)
        self._lessons = Lessons(rooms, call, state, self._notes, watch)

    def run(self) -> Arrived[T]:
        """Try the routes in order; give the first answer.

        :raises CallError: what the first route said, when none answered.
        """
        for position, route in enumerate(self._routes):
            if self._limits.may_start(route):
                arrived = self._take(route, self._limits.has_next(position))

                if arrived is not None:
                    return arrived

        arrived = self._try_last_resort()

        if arrived is None:
            raise self._give_up()

        return arrived

    def _try_last_resort(self) -> Arrived[T] | None:
        """Try a key that is out for an outage alone, when there is nothing else."""
        if self._notes.sent:
            return None

        for step in self._notes.skipped:
            is_company = step.route.source == "company"
            allowed = is_company or self._limits.may_use_system_key()

            if step.gate.is_circuit and may_try_last(step.gate.letter) and allowed:
                return self._try(step._replace(gate=OPEN), False)

        return None

    def _take(self, route: Route, has_next: bool) -> Arrived[T] | None:
        feature = self._call.find_unsupported(route.provider, route.model)

        if feature is not None:
            self._notes.unsupported(route, feature)
            self._watch.skipped(self._notes.attempts[-1])
            return None

        target = self._target(route)
        gate = look(self._rooms.circuits, target, route.model)

        if not gate.is_open:
            gate = self._try_again(route, target, gate)

        step = Step(route=route, target=target, gate=gate)

        if gate.is_open:
            return self._try(step, has_next)

        self._lessons.skipped(step)
        self._watch.skipped(self._notes.attempts[-1])
        return None

    def _try_again(self, route: Route, target: Target, seen: Gate) -> Gate:
        return try_again(
            self._rooms.circuits,
            target,
            route.model,
            seen,
            self._state.now(),
            self._limits.deadline.left(),
        )

    def _target(self, route: Route) -> Target:
        if route.credential is not None:
            return route.credential

        return self._rooms.circuits.system_key(
            route.provider.id, self._rooms.fingerprints[route.provider.id]
        )

    def _try(self, step: Step, has_next: bool) -> Arrived[T] | None:
        retried = False

        while True:
            outcome = self._attempt(step, has_next, retried)

            if not isinstance(outcome, _Failed):
                return outcome

            delay = None if retried else self._retry_delay(step.route, outcome)

            if delay is None:
                self._conclude(step, outcome)
                return None

            time.sleep(delay)
            retried = True

    def _retry_delay(self, route: Route, failed: _Failed) -> float | None:
        return self._limits.retry_delay(route, failed.failure, failed.verdict)

    def _conclude(self, step: Step, failed: _Failed) -> None:
        """Remember a failure, and end the call if no other route may follow."""
        self._lessons.failed(step, failed.verdict)

        if failed.failure.kind == "unreached":
            self._notes.unreached.add(host_of(step.route))

        if self._ends_the_call(step.route, failed.verdict):
            raise self._give_up()

    def _ends_the_call(self, route: Route, verdict: Verdict) -> bool:
        """Tell whether no other key would help, or might be asked."""
        if not may_try_next(verdict.letter):
            return True

        is_mapped = self._rooms.planner.is_mapped(route.provider, self._call.ask.model)
        is_mistyped = not is_mapped or self._notes.is_model_denied(route.provider.id)
        return verdict.ambiguous and is_mistyped

    def _give_up(self) -> CallError:
        error = self._notes.first or _no_route(self._routes)
        error.attempts = tuple(self._notes.attempts)
        return error

    def _attempt(
        self, step: Step, has_next: bool, retried: bool
    ) -> Arrived[T] | _Failed | None:
        """Make one request; ``None`` when the stored key does not open."""
        # A key service is asked within it, too: the next route keeps its time.
        deadline = self._limits.share(has_next)
        api_key = self._open_key(step, deadline)

        if api_key is None:
            return None

        ticket = self._begin(step)
        self._notes.sent += 1
        began = time.perf_counter()

        try:
            self._watch.sending(step, retried=retried)
            value = self._perform(step.route, self._rooms.sender, api_key, deadline)
        except AttemptFailed as error:
            failure = error.failure
        except BaseException as error:
            self._break_off(step, ticket, error)
            raise
        else:
            return self._arrive(step, ticket, value, _milliseconds(began))

        return self._fail(step.route, ticket, failure, _milliseconds(began), retried)

    def _open_key(self, step: Step, deadline: Deadline) -> Secret | None:
        """Give the plaintext for one attempt; ``None`` for an unreadable key."""
        credential = step.route.credential

        if credential is None:
            return step.route.system_key

        reason = "unknown_key_id"

        try:
            if self._rooms.keyring is not None:
                return self._rooms.keyring.open(
                    credential.blob,
                    seal_context(credential),
                    key_id=credential.key_id,
                    timeout=deadline.left(),
                )
        except StoredKeyUnreadable as error:
            reason = error.reason

        self._lessons.unreadable(step, credential, reason)
        self._watch.skipped(self._notes.attempts[-1])
        return None

    def _begin(self, step: Step) -> Ticket:
        """Record the use of a system key before it happens."""
        refused: SystemBudgetExceeded | SystemKeyRefused | None = None

        try:
            return Ticket.begin(
                self._rooms.ledger,
                self._call,
                step.route,
                self._state.now(),
                self._timeout,
            )
        except (SystemBudgetExceeded, SystemKeyRefused) as error:
            refused = error

        self._lessons.release(step)
        refused.attempts = tuple(self._notes.attempts)

        if isinstance(refused, SystemBudgetExceeded):
            refused.first = self._notes.first

        raise refused

    def _break_off(self, step: Step, ticket: Ticket, error: BaseException) -> None:
        """End an attempt whose caller is leaving, or asked what no wire can carry."""
        if is_from_outside(error):
            ticket.break_off("cancelled", "cancelled", None, None)
        else:
            ticket.break_off("failed", "request", None, None)

        self._lessons.release(step)

    def _fail(
        self,
        route: Route,
        ticket: Ticket,
        failure: Failure,
        latency_ms: int,
        retried: bool,
    ) -> _Failed:
        verdict = classify(
            failure, dialect=route.provider.error_table, now=self._state.now()
        )
        attempt = self._notes.fail(route, verdict, latency_ms)
        self._watch.attempted(attempt)
        # A connection that had died in the pool: the provider never saw the request.
        is_stale = failure.kind == "reset_reused" and not retried
        ticket.fail(verdict, attempt, unseen=is_stale)
        return _Failed(failure=failure, verdict=verdict)

    def _arrive(
        self, step: Step, ticket: Ticket, value: T, latency_ms: int
    ) -> Arrived[T]:
        request_id = getattr(value, "request_id", None)
        self._notes.answer(step.route, request_id, latency_ms)
        self._watch.attempted(self._notes.attempts[-1])
        self._lessons.answered(step)
        return Arrived(
            value=value,
            route=step.route,
            target=step.target,
            ticket=ticket,
            latency_ms=latency_ms,
            attempts=tuple(self._notes.attempts),
        )


def seal_context(credential: Credential) -> SealContext:
    """Say what a stored key is bound to."""
    return SealContext(
        purpose=API_KEY,
        company=credential.company_id,
        provider=credential.provider,
        record=credential.id,
    )


def _milliseconds(began: float) -> int:
    return round((time.perf_counter() - began) * 1000)


def _no_route(routes: list[Route]) -> CallError:
    if routes:
        return NoRoute("No key may answer this call under the company's policy.")

    return NoRoute(
        "This company has no key, and BYOK_SYSTEM_KEYS has none that fits the call. "
        "Save a key on the settings page, or set a system key."
    )
