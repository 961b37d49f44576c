"""Who breaks things: faults at the providers, dead workers, a database that is gone."""

from __future__ import annotations

import collections
import contextlib
import os
import random
import signal
import threading
import typing as t

from flask_byok.testing import Simulator
from tests.support.chaos.clients import COMPANIES
from tests.support.chaos.server import Server
from tests.support.served import Served

FAULTS: t.Final = (
    *("revoked", "expired", "restricted", "nocredit", "ratelimited", "ratelimited_38s"),
    *("overloaded", "outage", "hang", "cut", "cut_before_content", "cut_body"),
    *("no_end_mark", "reset", "reset_reused", "html_502", "html_200", "empty"),
    *("stream_outage", "late_outage", "late_outage", "bad_request", "slow"),
)

#: Seconds between two kills, and between two crashes of the database, on average.
KILL_EACH: t.Final = 6.0
SHAKE_EACH: t.Final = 25.0

#: What the clock is moved by at most each time: the longest first pause, and more.
LONGEST_JUMP: t.Final = 1200.0


class Monkey:
    """Breaks one thing after the other until it is stopped."""

    def __init__(
        self, simulator: Simulator, served: Served, server: Server, seed: str
    ) -> None:
        self._simulator = simulator
        self._served = served
        self._server = server
        self._draw = random.Random(f"{seed} monkey")
        self._ahead = 0.0
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=what, daemon=True)
            for what in (
                (self._bend, 0.7),
                (self._kill, KILL_EACH),
                (self._shake, SHAKE_EACH),
                (self._jump, 4.0),
            )
        ]
        #: How often each thing was done.
        self.done: collections.Counter[str] = collections.Counter()
        self._failures: list[Exception] = []

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Leave everything as it should be, and fail if something went wrong here."""
        self._stopping.set()

        for thread in self._threads:
            thread.join(60)

        self._simulator.clear_faults()

        for failure in self._failures:
            raise failure

    def _repeat(self, do: t.Callable[[], None], each: float) -> None:
        # The first comes early, so that a short run sees everything.
        pause = each / 5

        while not self._stopping.wait(pause):
            try:
                do()
            except Exception as error:
                self._failures.append(error)
                return

            self.done[do.__name__.strip("_")] += 1
            pause = self._draw.uniform(0.5 * each, 1.5 * each)

    def _bend(self) -> None:
        """Let a provider fail for somebody, for a few requests; or nobody at all."""
        if self._draw.random() < 0.15:
            self._simulator.clear_faults()
            return

        who = [f"-c{company}-" for company in COMPANIES]
        fault = self._draw.choice(FAULTS)
        keys = self._draw.choice([*who, "chaos-key", "system-key"])
        times = self._draw.randint(1, 4)

        with contextlib.suppress(ValueError):  # no provider has it under that name
            self._simulator.set_fault("*", fault, keys, times)

    def _kill(self) -> None:
        """Kill a worker in whatever it is doing; gunicorn starts another."""
        workers = self._served.workers()

        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._draw.choice(workers), signal.SIGKILL)

    def _shake(self) -> None:
        self._server.shake()

    def _jump(self) -> None:
        """Let the pauses of circuits end early."""
        self._ahead += self._draw.uniform(0.0, LONGEST_JUMP)
        self._served.move_clock(self._ahead)
