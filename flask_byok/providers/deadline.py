"""Time that is running out."""

from __future__ import annotations

import collections.abc as cabc
import time

Clock = cabc.Callable[[], float]


class Deadline:
    """A point in time that a whole call, or one attempt of it, may not pass.

    :param seconds: from now on.
    :param clock: a monotonic clock, in seconds.
    """

    __slots__ = ("_at", "_clock")

    def __init__(self, seconds: float, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._at = clock() + seconds

    def left(self) -> float:
        """Tell how many seconds are left, never less than 0."""
        return max(0.0, self._at - self._clock())

    def share(self, fraction: float) -> Deadline:
        """Make a deadline for a part of the work.

        :param fraction: of what is left now, between 0 and 1.
        """
        return Deadline(self.left() * fraction, self._clock)

    def expired(self) -> bool:
        """Tell whether nothing is left."""
        return self.left() <= 0.0
