"""What one call has met on its way: who was asked, what was said, who is out."""

from __future__ import annotations

import dataclasses
import typing as t

from ..errors import build_unreadable
from ..errors import CallError
from ..errors import CompanyKeyUnavailable
from ..errors import is_passing
from ..errors import NoRoute
from ..errors import UnsupportedByProvider
from ..providers.abilities import FEATURES
from ..providers.types import Attempt
from ..vault.types import Credential
from .changes import Change
from .changes import Target
from .gate import Gate
from .raising import build_error
from .reasons import Letter
from .routes import Route
from .verdict import Verdict


class Step(t.NamedTuple):
    """A route, the key that stands for it, and whether that key may be tried."""

    route: Route
    target: Target
    gate: Gate


class Out(t.NamedTuple):
    """Why the company's first key does not serve this call.

    :param episode: of its circuit; ``None`` when the circuit is not the cause.
    :param model: the one that is blocked; ``None`` when no block is the cause.
    """

    credential: Credential
    reason: str
    episode: int | None = None
    model: str | None = None


@dataclasses.dataclass(slots=True)
class Notes:
    """Notes of one call. It writes nothing to any row and tells nobody.

    :param timeout: seconds of the whole call.
    :param attempts: every route tried or skipped, in order.
    :param letters: how the company's keys fared, tried or skipped.
    :param skipped: keys that were not tried because they are out.
    :param unconfirmed: models that may be missing, or mistyped.
    :param unreached: hosts there is no way to.
    :param sent: how many requests were made.
    :param first: what the first route said.
    :param out: why the company's first key does not serve; ``None`` while it might.
    """

    timeout: float
    attempts: list[Attempt] = dataclasses.field(default_factory=list)
    letters: list[Letter] = dataclasses.field(default_factory=list)
    skipped: list[Step] = dataclasses.field(default_factory=list)
    unconfirmed: list[tuple[Step, Verdict]] = dataclasses.field(default_factory=list)
    unreached: set[str] = dataclasses.field(default_factory=set)
    sent: int = 0
    first: CallError | None = None
    out: Out | None = None

    def skip(self, step: Step) -> None:
        """Note a key that is out and was not tried."""
        route, gate = step.route, step.gate
        reason = gate.reason or "state"
        self.attempts.append(_unsent(route, reason, gate.code))
        self.skipped.append(step)
        self._count(route, _unavailable(route, gate), gate.letter)

        if route.credential is not None:
            episode = step.target.circuit.episode if gate.is_circuit else None
            model = None if gate.is_circuit else route.model
            self._be_out(route.credential, reason, episode, model)

    def unreadable(self, step: Step, credential: Credential, reason: str) -> None:
        """Note a stored key that does not open."""
        error = build_unreadable(
            reason, record_id=credential.id, key_id=credential.key_id
        )
        self.attempts.append(_unsent(step.route, "unreadable", None))
        self._count(step.route, error, "H")
        # Who reads why must not be told to add a key again that is safe.
        why = reason if is_passing(reason) else "unreadable"
        self._be_out(credential, why, None, None)

    def unsupported(self, route: Route, feature: str) -> None:
        """Note a provider that cannot do what is asked for; its key is not to blame.

        The system key may answer then as for a model that a company key lacks.
        """
        error = UnsupportedByProvider(
            f"{route.provider.label} {FEATURES.get(feature, 'cannot do that')}; "
            "nothing was sent to it.",
            provider=route.provider.id,
            feature=feature,
        )
        self.attempts.append(_unsent(route, "unsupported", feature))
        self._count(route, error, "M")

    def fail(self, route: Route, verdict: Verdict, latency_ms: int) -> Attempt:
        """Note a request that brought no answer."""
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
            dropped=route.dropped,
        )
        self.attempts.append(attempt)
        return attempt

    def conclude(self, step: Step, verdict: Verdict) -> None:
        """Note that a route failed for good, its retries included."""
        error = build_error(verdict, step.route, (), timeout=self.timeout)
        self._count(step.route, error, verdict.letter)

        if verdict.ambiguous:
            self.unconfirmed.append((step, verdict))

    def is_model_denied(self, provider: str) -> bool:
        """Tell whether both a company key and a system key were told: no such model."""
        missing = [step.route for step, _ in self.unconfirmed]
        sources = {route.source for route in missing if route.provider.id == provider}
        return len(sources) == 2

    def answer(self, route: Route, request_id: str | None, latency_ms: int) -> None:
        """Note the request that was answered."""
        self.attempts.append(
            Attempt(
                source=route.source,
                provider=route.provider.id,
                model=route.model,
                request_id=request_id,
                latency_ms=latency_ms,
                dropped=route.dropped,
            )
        )

    def change(self, credential: Credential, change: Change) -> None:
        """Note that a failure of this call has put a company key out."""
        reason = change.reason or ""

        if change.kind in ("opened", "reopened"):
            self._be_out(credential, reason, change.episode, None)
        elif change.kind == "blocked":
            self._be_out(credential, reason, None, change.model)

    def _count(self, route: Route, error: CallError, letter: Letter) -> None:
        if self.first is None:
            self.first = error

        if route.source == "company":
            self.letters.append(letter)

    def _be_out(
        self,
        credential: Credential,
        reason: str,
        episode: int | None,
        model: str | None,
    ) -> None:
        if self.out is None:
            self.out = Out(
                credential=credential, reason=reason, episode=episode, model=model
            )


def _unsent(route: Route, reason: str, code: str | None) -> Attempt:
    return Attempt(
        source=route.source,
        provider=route.provider.id,
        model=route.model,
        reason=reason,
        code=code,
        sent=False,
    )


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
