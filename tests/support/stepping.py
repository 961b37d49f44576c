"""A provider that writes the next piece of a stream when a test says so."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import math
import threading
import typing as t

from flask_byok.testing import Simulator

#: Seconds a piece waits for its word: a guard against a hanging suite.
LONGEST: t.Final = 60.0

#: The pace of pieces that wait; no other wait lasts so long.
_STEPPED: t.Final = math.pi


class SteppedSimulator(Simulator):
    """A simulator whose streams can be let go piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self._steps = threading.Semaphore(0)

    @contextlib.contextmanager
    def stepping(self) -> cabc.Iterator[None]:
        """Hold every piece of content inside the block until it is let go."""
        self._steps = threading.Semaphore(0)
        self.pace = _STEPPED

        try:
            yield
        finally:
            self.pace = 0.0
            # More than any stream that still waits has pieces.
            self._steps.release(100_000)

    def let_go(self, pieces: int = 1) -> None:
        """Let so many pieces be written, now or when they come."""
        self._steps.release(pieces)

    def wait(self, seconds: float) -> bool:
        """Wait as always, and for the next step where pieces wait."""
        if seconds != _STEPPED:
            return super().wait(seconds)

        self._steps.acquire(timeout=LONGEST)
        return super().wait(0.0)
