"""What this process decided about keys and could not write yet.

A database that is busy for a moment must not make a process forget what it has just
learned: the change holds here at once, on top of every row that is read, and leaves
when it has been written.
"""

from __future__ import annotations

import collections
import collections.abc as cabc
import dataclasses
import threading
import time
import typing as t

from ..vault.types import CircuitState

#: Gives the state after a change; the same one where the change does not apply.
Transition = cabc.Callable[[CircuitState], CircuitState]

#: So many changes are kept; the oldest give way.
MOST_PENDING: t.Final = 1000

#: Seconds a change holds here at most, written or lost.
LONGEST_PENDING: t.Final = 600.0


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pending:
    """One change that waits to be written."""

    credential_id: str
    generation: int
    transition: Transition
    since: float


class Overlay:
    """The changes of one process that wait to be written, by key and generation."""

    def __init__(self, clock: cabc.Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Reentrant: the garbage collector may close a stream in the midst of this.
        self._lock = threading.RLock()
        #: The changes that wait, oldest first.
        self.pending: collections.deque[Pending] = collections.deque(
            maxlen=MOST_PENDING
        )

    def add(self, state: CircuitState, transition: Transition) -> Pending:
        """Let a change hold from now on."""
        pending = Pending(
            credential_id=state.id,
            generation=state.generation,
            transition=transition,
            since=self._clock(),
        )

        with self._lock:
            self.pending.append(pending)

        return pending

    def remove(self, pending: Pending) -> None:
        """Forget a change: the row tells it now, or somebody else was first."""
        with self._lock:
            if pending in self.pending:
                self.pending.remove(pending)

    def view(self, state: CircuitState) -> CircuitState:
        """Give a state as it is with the changes that wait."""
        if not self.pending:
            return state

        oldest = self._clock() - LONGEST_PENDING

        with self._lock:
            waiting = [
                pending
                for pending in self.pending.copy()
                if (pending.credential_id, pending.generation)
                == (state.id, state.generation)
                and pending.since > oldest
            ]

        for pending in waiting:
            state = pending.transition(state)

        return state
