"""Answers that wait until a test says so: a look at mid-call without sleeping."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import threading

#: Seconds a held answer waits, and a test for it: a guard against a hanging suite.
LONGEST_HOLD = 60.0


class Hold:
    """The answers that wait, of one provider or all; see ``Simulator.holding``."""

    def __init__(self, provider: str, keys: str | None) -> None:
        self._provider = provider
        self._keys = keys
        self._changed = threading.Condition()
        self._held = 0
        self._released = False

    def wait_for(self, number: int = 1) -> None:
        """Wait until so many requests came since the hold began.

        :raises TimeoutError: when fewer came within a minute.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._held >= number, LONGEST_HOLD):
                raise TimeoutError(f"{self._held} of {number} requests came.")

    def release(self) -> None:
        """Let the answers go; those that come later do not wait."""
        with self._changed:
            self._released = True
            self._changed.notify_all()

    def keep(self, provider: str, api_key: str) -> None:
        """Hold one answer, if it is of the kind that waits."""
        if self._provider not in ("*", provider) or (self._keys or "") not in api_key:
            return

        with self._changed:
            self._held += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._released, LONGEST_HOLD)


class Holds:
    """The holds of one simulator; may be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holds: list[Hold] = []

    @contextlib.contextmanager
    def holding(self, provider: str, keys: str | None) -> cabc.Iterator[Hold]:
        """Hold answers inside the ``with`` block, and let all go at its end."""
        hold = Hold(provider, keys)

        with self._lock:
            self._holds.append(hold)

        try:
            yield hold
        finally:
            with self._lock:
                self._holds.remove(hold)

            hold.release()

    def keep(self, provider: str, api_key: str) -> None:
        """Hold one answer for as long as any hold wants it."""
        with self._lock:
            holds = list(self._holds)

        for hold in holds:
            hold.keep(provider, api_key)

    def release(self) -> None:
        """Let everything go, for the end of the simulator."""
        with self._lock:
            holds = list(self._holds)

        for hold in holds:
            hold.release()
