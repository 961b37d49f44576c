"""A call on its way along its routes.

At most three requests; company keys first, then system keys, never back; one deadline.
The plaintext of a key exists from :meth:`Walk._open_key` to the end of the one attempt
it was opened for.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
import typing as t
from urllib.parse import urlsplit

from ..errors import CallError
from ..errors import CompanyKeyUnavailable
from ..errors import NoRoute
from ..errors import StoredKeyUnreadable
from ..errors import SystemBudgetExceeded
from ..errors import SystemKeyRefused
from ..ledger.usage import EndState
from ..providers.http import Deadline
from ..providers.types import Attempt
from ..providers.types import AttemptFailed
from ..providers.types import Failure
from ..secret import Secret
from ..vault.keyring import API_KEY
from ..vault.keyring import SealContext
from ..vault.types import CompanyState
from ..vault.types import Credential
from .changes import Change
from .changes import Target
from .classify import classify
from .gate import enter
from .gate import Gate
from .policy import inline_delay
from .policy import may_try_last
from .policy import may_use_system_key
from .raising import build_error
from .reasons import class_of
from .reasons import Letter
from .rooms import Call
from .rooms import Perform
from .rooms import Rooms
from .routes import Route
from .settling import Ticket
from .verdict import Verdict

T = t.TypeVar("T")

#: HTTP requests of one call, retries included.
MOST_REQUESTS: t.Final = 3

#: Of them, requests on company keys while a system key may still answer.
MOST_COMPANY_REQUESTS: t.Final = 2

#: The part of the time left that an attempt gets when another route stands behind it.
SHARE: t.Final = 0.75

#: A new route starts only with so many seconds left, or this part of the timeout.
LEAST_SECONDS: t.Final = 5.0
LEAST_PART: t.Final = 0.2


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Arrived(t.Generic[T]):
    """An answer, or an opened stream, and what is left to be settled about it."""

    value: T
    route: Route
    target: Target
    ticket: Ticket
    latency_ms: int
    attempts: tuple[Attempt, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Out:
    """Why the company's first key does not serve this call."""

    credential: Credential
    reason: str
    episode: int | None = None
    model: str | None = None


class Walk(t.Generic[T]):
    """One call. Made for it and thrown away after it."""

    def __init__(
        self, rooms: Rooms, call: Call, state: CompanyState, perform: Perform[T]
    ) -> None:
        self._rooms = rooms
        self._call = call
        self._state = state
        self._perform = perform
        self._routes = rooms.planner.routes(state, call.ask)
        self._policy = rooms.planner.policy(state)
        self._timeout = call.timeout or rooms.settings.timeout
        self._deadline = Deadline(self._timeout)
        self._attempts: list[Attempt] = []
        self._letters: list[Letter] = []
        self._skipped: list[tuple[Route, Target, Gate]] = []
        self._unconfirmed: list[tuple[Route, Target, Verdict]] = []
        self._unreached: set[str] = set()
        self._sent = 0
        self._first: CallError | None = None
        self._out: _Out | None = None

    def run(self) -> Arrived[T]:
        """Try the routes in order; give the first answer.

        :raises CallError: what the first route said, when none answered.
        """
        for position, route in enumerate(self._routes):
            if self._may_start(route):
                arrived = self._take(route, self._has_next(position))

                if arrived is not None:
                    return arrived

        arrived = self._try_last_resort()

        if arrived is None:
            raise self._give_up()

        return arrived

    def _may_start(self, route: Route) -> bool:
        if self._sent >= self._most_requests(route):
            return False

        if _host(route) in self._unreached:
            return False

        if self._sent and self._deadline.left() < self._least_seconds():
            return False

        return route.source == "company" or self._may_use_system_key()

    def _may_use_system_key(self) -> bool:
        return may_use_system_key(self._letters, self._policy)

    def _most_requests(self, route: Route) -> int:
        """Keep the third request for a system key, where one may answer."""
        if route.source == "system" or not self._letters:
            return MOST_REQUESTS

        has_system_route = any(r.source == "system" for r in self._routes)
        kept = has_system_route and self._may_use_system_key()
        return MOST_COMPANY_REQUESTS if kept else MOST_REQUESTS

    def _least_seconds(self) -> float:
        return min(LEAST_SECONDS, self._timeout * LEAST_PART)

    def _has_next(self, position: int) -> bool:
        """Tell whether a route behind this one might still be taken."""
        behind = self._routes[position + 1 :]

        if self._routes[position].source == "system":
            return bool(behind)

        return any(r.source == "company" or self._policy != "never" for r in behind)

    def _take(self, route: Route, has_next: bool) -> Arrived[T] | None:
        target = self._target(route)
        now = self._state.now()
        gate = enter(
            self._rooms.circuits, target, route.model, now, self._deadline.left()
        )

        if not gate.is_open:
            self._skip(route, target, gate)
            return None

        return self._try(route, target, gate, has_next)

    def _target(self, route: Route) -> Target:
        if route.credential is not None:
            return route.credential

        return self._rooms.circuits.system_key(
            route.provider.id, self._rooms.fingerprints[route.provider.id]
        )

    def _skip(self, route: Route, target: Target, gate: Gate) -> None:
        reason = gate.reason or "state"
        self._attempts.append(
            Attempt(
                source=route.source,
                provider=route.provider.id,
                model=route.model,
                reason=reason,
                code=gate.code,
                sent=False,
            )
        )
        self._skipped.append((route, target, gate))
        self._note_first(_unavailable(route, gate))
        self._note_letter(route, class_of(reason).letter)

        if route.credential is not None:
            episode = target.circuit.episode if gate.is_circuit else None
            model = None if gate.is_circuit else route.model
            self._note_out(route.credential, reason, episode, model)

    def _try(
        self, route: Route, target: Target, gate: Gate, has_next: bool
    ) -> Arrived[T] | None:
        retried = False

        while True:
            outcome = self._attempt(route, target, gate, has_next)

            if not isinstance(outcome, tuple):
                return outcome

            failure, verdict = outcome
            delay = None if retried else self._retry_delay(route, failure, verdict)

            if delay is None:
                self._judge(route, target, gate, failure, verdict)
                return None

            time.sleep(delay)
            retried = True

    def _retry_delay(
        self, route: Route, failure: Failure, verdict: Verdict
    ) -> float | None:
        """Tell after how many seconds the same route is asked once more, if at all."""
        letters = [*self._letters, verdict.letter] if route.credential else []
        kept = (
            route.source == "company"
            and any(r.source == "system" for r in self._routes)
            and may_use_system_key(letters, self._policy)
        )

        if self._sent >= (MOST_COMPANY_REQUESTS if kept else MOST_REQUESTS):
            return None

        if failure.kind == "reset_reused":
            return 0.0

        delay = inline_delay(verdict)
        return delay if delay is not None and delay < self._deadline.left() else None

    def _attempt(
        self, route: Route, target: Target, gate: Gate, has_next: bool
    ) -> Arrived[T] | tuple[Failure, Verdict] | None:
        api_key = self._open_key(route, target, gate)

        if api_key is None:
            return None

        ticket = self._begin(route, target, gate)
        deadline = self._deadline.share(SHARE) if has_next else self._deadline
        failure = None
        self._sent += 1
        began = time.perf_counter()

        try:
            value = self._perform(route, self._rooms.sender, api_key, deadline)
        except AttemptFailed as error:
            failure = error.failure
        except BaseException as error:
            # Our caller is leaving, or wrote a request no wire can carry.
            state: EndState = "failed" if isinstance(error, Exception) else "cancelled"
            ticket.break_off(state, "cancelled", None, None)
            self._release(target, gate)
            raise

        latency_ms = round((time.perf_counter() - began) * 1000)

        if failure is None:
            return self._arrive(route, target, gate, ticket, value, latency_ms)

        return failure, self._fail(route, ticket, failure, latency_ms)

    def _open_key(self, route: Route, target: Target, gate: Gate) -> Secret | None:
        """Give the plaintext for one attempt; ``None`` for an unreadable key."""
        if route.system_key is not None:
            return route.system_key

        credential = t.cast("Credential", route.credential)
        reason = "unknown_key_id"

        try:
            if self._rooms.keyring is not None:
                return self._rooms.keyring.open(
                    credential.blob, seal_context(credential), key_id=credential.key_id
                )
        except StoredKeyUnreadable as error:
            reason = error.reason

        self._be_unreadable(route, target, gate, credential, reason)
        return None

    def _be_unreadable(
        self,
        route: Route,
        target: Target,
        gate: Gate,
        credential: Credential,
        reason: str,
    ) -> None:
        now = self._state.now()
        self._release(target, gate)
        change = self._rooms.circuits.unreadable(target, reason, now)
        self._rooms.teller.changed(change, now)
        self._attempts.append(
            Attempt(
                source=route.source,
                provider=route.provider.id,
                model=route.model,
                reason="unreadable",
                sent=False,
            )
        )
        self._note_first(
            StoredKeyUnreadable(
                reason, record_id=credential.id, key_id=credential.key_id
            )
        )
        self._note_letter(route, "H")
        self._note_out(credential, "unreadable", None, None)

    def _begin(self, route: Route, target: Target, gate: Gate) -> Ticket:
        """Record the use of a system key before it happens."""
        refused: SystemBudgetExceeded | SystemKeyRefused | None = None

        try:
            return Ticket.begin(
                self._rooms.ledger,
                self._call,
                route,
                self._state.now(),
                self._timeout,
            )
        except (SystemBudgetExceeded, SystemKeyRefused) as error:
            refused = error

        self._release(target, gate)
        refused.attempts = tuple(self._attempts)

        if isinstance(refused, SystemBudgetExceeded):
            refused.first = self._first

        raise refused

    def _release(self, target: Target, gate: Gate) -> None:
        if gate.token is not None:
            self._rooms.circuits.release(target, gate.token, self._state.now())

    def _fail(
        self, route: Route, ticket: Ticket, failure: Failure, latency_ms: int
    ) -> Verdict:
        verdict = classify(
            failure, dialect=route.provider.dialect, now=self._state.now()
        )
        attempt = Attempt(
            source=route.source,
            provider=route.provider.id,
            model=route.model,
            reason=verdict.reason,
            status=verdict.status,
            code=verdict.code,
            request_id=verdict.request_id,
            latency_ms=latency_ms,
            sent=verdict.sent,
        )
        self._attempts.append(attempt)
        ticket.fail(verdict, attempt)
        return verdict

    def _judge(
        self,
        route: Route,
        target: Target,
        gate: Gate,
        failure: Failure,
        verdict: Verdict,
    ) -> None:
        """Remember a failure, tell of it, and end the call if no route may follow."""
        now = self._state.now()
        change = self._rooms.circuits.failed(
            target, verdict, now, model=route.model, token=gate.token
        )
        self._rooms.teller.changed(change, now)
        self._note_first(build_error(verdict, route, ()))
        self._note_letter(route, verdict.letter)

        if route.credential is not None and change is not None:
            self._note_change(route.credential, change)

        if failure.kind == "unreached":
            self._unreached.add(_host(route))

        if verdict.ambiguous:
            self._unconfirmed.append((route, target, verdict))

        if verdict.letter == "L":
            self._rooms.teller.our_side_failed(route.provider.id, verdict)

        if self._ends_the_call(route, verdict):
            raise self._give_up()

    def _ends_the_call(self, route: Route, verdict: Verdict) -> bool:
        """Tell whether no other key would help, or might be asked."""
        if "auto" not in verdict.failure_class.policies:
            return True

        is_mapped = self._rooms.planner.is_mapped(route.provider, self._call.ask.model)
        return verdict.ambiguous and not is_mapped

    def _note_first(self, error: CallError) -> None:
        if self._first is None:
            self._first = error

    def _note_letter(self, route: Route, letter: Letter) -> None:
        if route.source == "company":
            self._letters.append(letter)

    def _note_change(self, credential: Credential, change: Change) -> None:
        if change.kind in ("opened", "reopened"):
            reason = change.reason or ""
            self._note_out(credential, reason, change.episode, None)
        elif change.kind == "blocked":
            self._note_out(credential, change.reason or "", None, change.model)

    def _note_out(
        self,
        credential: Credential,
        reason: str,
        episode: int | None,
        model: str | None,
    ) -> None:
        if self._out is None:
            self._out = _Out(
                credential=credential, reason=reason, episode=episode, model=model
            )

    def _give_up(self) -> CallError:
        error = self._first or _no_route(self._routes)
        error.attempts = tuple(self._attempts)
        return error

    def _arrive(
        self,
        route: Route,
        target: Target,
        gate: Gate,
        ticket: Ticket,
        value: T,
        latency_ms: int,
    ) -> Arrived[T]:
        now = self._state.now()
        attempt = Attempt(
            source=route.source,
            provider=route.provider.id,
            model=route.model,
            request_id=getattr(value, "request_id", None),
            latency_ms=latency_ms,
        )
        self._attempts.append(attempt)
        self._note_success(route, target, gate, now)
        self._confirm_blocks(now)

        if route.source == "system":
            self._tell_fallback(route, now)

        return Arrived(
            value=value,
            route=route,
            target=target,
            ticket=ticket,
            latency_ms=latency_ms,
            attempts=tuple(self._attempts),
        )

    def _note_success(
        self, route: Route, target: Target, gate: Gate, now: dt.datetime
    ) -> None:
        circuits = self._rooms.circuits
        change = None

        if circuits.view(target).circuit == "open":
            change = circuits.close(target, now, token=gate.token)
        else:
            circuits.succeeded(target, now)

        self._rooms.teller.changed(change, now)

        if gate.tries_block:
            circuits.unblock(target, route.model, now)

    def _confirm_blocks(self, now: dt.datetime) -> None:
        """Remember a missing model, now that another route has answered."""
        denied = {
            r.provider.id for r, _, _ in self._unconfirmed if r.source == "system"
        }

        for route, target, verdict in self._unconfirmed:
            if route.credential is None or route.provider.id in denied:
                continue

            change = self._rooms.circuits.block(target, route.model, verdict, now)

            if change is not None:
                self._note_change(route.credential, change)

    def _tell_fallback(self, route: Route, now: dt.datetime) -> None:
        """Tell, once per episode or block, that the system key serves."""
        out = self._out

        if out is None:
            return

        circuits, episode = self._rooms.circuits, out.episode or 0
        is_first = (
            circuits.claim_fallback_notice(out.credential, episode)
            if out.episode is not None
            else out.model is not None
            and circuits.claim_block_notice(out.credential, out.model)
        )

        if is_first:
            self._rooms.teller.fell_back(
                self._call.company,
                out.credential.provider,
                out.reason,
                episode,
                route.provider.id,
                now,
            )

        if not self._call.streamed:
            self._rooms.teller.flash(out.reason, out.credential.provider)

    def _try_last_resort(self) -> Arrived[T] | None:
        """Try a key that is out for an outage alone, when there is nothing else."""
        if self._sent:
            return None

        for route, target, gate in self._skipped:
            letter = class_of(gate.reason or "state").letter
            allowed = route.source == "company" or self._may_use_system_key()

            if gate.is_circuit and may_try_last(letter) and allowed:
                return self._try(route, target, Gate(), has_next=False)

        return None


def seal_context(credential: Credential) -> SealContext:
    """Say what a stored key is bound to."""
    return SealContext(
        purpose=API_KEY,
        company=credential.company_id,
        provider=credential.provider,
        record=credential.id,
    )


def _host(route: Route) -> str:
    return urlsplit(route.provider.base_url).netloc


def _unavailable(route: Route, gate: Gate) -> CallError:
    if route.source == "company":
        return CompanyKeyUnavailable(
            f"The company's key of {route.provider.label} is out ({gate.reason}) and "
            "no other key may answer.",
            reason=gate.reason or "state",
            until=gate.until,
        )

    return NoRoute(
        f"The system key of {route.provider.label} is out ({gate.reason}) and no other "
        "key may answer."
    )


def _no_route(routes: list[Route]) -> CallError:
    if routes:
        return NoRoute("No key may answer this call under the company's policy.")

    return NoRoute(
        "This company has no key, and BYOK_SYSTEM_KEYS has none that fits the call. "
        "Save a key on the settings page, or set a system key."
    )
