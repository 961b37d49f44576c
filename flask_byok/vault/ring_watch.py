"""Says early when a ring meets a database that was written under another one."""

from __future__ import annotations

import collections.abc as cabc
import logging
import os

from ..errors import StateUnavailable
from ..events import log_event
from .check_values import KeyringProblem

_log = logging.getLogger(__name__)


class RingWatch:
    """Looks once per process, at its first use of the database.

    Not when the app is made: migrations make it, too, before there are tables.
    """

    def __init__(self, look: cabc.Callable[[], list[KeyringProblem]]) -> None:
        self._look = look
        self._processes: set[int] = set()

    def look_once(self) -> None:
        """Write an ERROR for each problem that stops sealing. Never raises."""
        pid = os.getpid()

        if pid in self._processes:
            return

        # Before the look, so that one thread takes it and no other waits.
        self._processes.add(pid)

        try:
            problems = self._look()
        except StateUnavailable:
            self._processes.discard(pid)
            return

        for problem in problems:
            if problem.stops_sealing:
                log_event(
                    _log,
                    logging.ERROR,
                    "ring_refused",
                    "%(sentence)s",
                    sentence=problem.sentence,
                )
