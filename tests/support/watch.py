"""What one test saw of a fault, beside what its marker says."""

from __future__ import annotations

import collections
import collections.abc as cabc
import contextlib
import itertools
import logging
import threading
import typing as t

from flask_byok import signals
from flask_byok.testing import Simulator
from flask_byok.testing.records import RecordedRequest
from tests.support.fault_list import WORDS

#: Counts the lines of the history by action.
ReadHistory = cabc.Callable[[], "collections.Counter[str]"]


def read_words(text: str) -> collections.Counter[str]:
    """Read what was seen as a marker says it: words, ``×2`` behind what came twice.

    :raises ValueError: for a word nobody knows.
    """
    found: collections.Counter[str] = collections.Counter()

    for part in text.split() if text != "nothing" else ():
        word, _, times = part.partition("×")

        if word not in WORDS:
            raise ValueError(f"People see nothing that is called {word!r}.")

        found[word] += int(times or 1)

    return found


def write_words(seen: collections.Counter[str]) -> str:
    """Write what was seen as a marker says it."""
    words = [
        f"{word}×{seen[word]}" if seen[word] > 1 else word
        for word in [*WORDS, *sorted(set(seen) - set(WORDS))]
        if seen[word] > 0
    ]
    return " ".join(words) or "nothing"


class Watch(logging.Handler):
    """Watches from :meth:`begin` on: answers, requests, and all that people see."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(logging.WARNING)
        self._simulator = simulator
        self._guard = threading.Lock()
        self._outcomes: list[str] = []
        self._requests: collections.Counter[str] = collections.Counter()
        self._seen: collections.Counter[str] = collections.Counter()
        self._history: collections.Counter[str] = collections.Counter()
        self._is_aside = False
        #: Keys of the operator's; whoever else pays is a company.
        self.system_keys: set[str] = set()
        self.read_history: ReadHistory = collections.Counter

    def begin(self) -> None:
        """Forget what was seen: the fault begins now."""
        history = self.read_history()

        with self._guard:
            self._outcomes.clear()
            self._requests.clear()
            self._seen.clear()
            self._history = history

    def note(self, outcome: str) -> None:
        """Note what a call got: ``answer``, or the name of its error's class."""
        with self._guard:
            self._outcomes.append(outcome)

    def see(self, word: str, times: int = 1) -> None:
        """Note what somebody saw."""
        with self._guard:
            self._seen[word] += times

    def emit(self, record: logging.LogRecord) -> None:
        """Count a line of the operator's log."""
        # How long a call took is up to the machine: it has tests of its own.
        if getattr(record, "byok_event", None) == "open_transaction":
            return

        self.see(f"log:{record.levelname}")

    def _count(self, request: RecordedRequest) -> None:
        is_ours = request.api_key in self.system_keys
        payer = "s" if is_ours else "c"

        if request.provider == "ELSEWHERE":
            payer = "elsewhere"

        with self._guard:
            if not self._is_aside:
                self._requests[payer] += 1

    @contextlib.contextmanager
    def aside(self) -> cabc.Iterator[None]:
        """Leave out the requests that check a key for a person."""
        self._is_aside = True

        try:
            yield
        finally:
            self._is_aside = False

    @contextlib.contextmanager
    def watching(self, app: t.Any) -> cabc.Iterator[None]:
        """Watch an app's signals."""

        def keep(name: str) -> cabc.Callable[..., None]:
            return lambda sender, **payload: self.see(name)

        with contextlib.ExitStack() as stack:
            for name in WORDS:
                signal = getattr(signals, name, None)

                if signal is not None:
                    stack.enter_context(signal.connected_to(keep(name), sender=app))

            yield

    @contextlib.contextmanager
    def open(self) -> cabc.Iterator[None]:
        """Read the log of the package and the record of the simulator."""
        logger = logging.getLogger("flask_byok")
        logger.addHandler(self)

        try:
            with self._simulator.log.watching(self._count):
                yield
        finally:
            logger.removeHandler(self)

    @property
    def got(self) -> str:
        """What the caller got, call by call; the same again is told once."""
        with self._guard:
            return ", ".join(
                outcome for outcome, _ in itertools.groupby(self._outcomes)
            )

    @property
    def served(self) -> str:
        """How many requests ran on company keys and on system keys."""
        with self._guard:
            counts = {"c": 0, "s": 0, **self._requests}

        return " ".join(f"{payer}{count}" for payer, count in counts.items())

    @property
    def seen(self) -> str:
        """What people saw."""
        history = self.read_history()

        with self._guard:
            seen = self._seen.copy()
            seen.update(
                {f"history:{a}": n for a, n in (history - self._history).items()}
            )

        return write_words(seen)

    def hold_against(self, said: cabc.Mapping[str, str]) -> None:
        """Fail where something else happened than a marker says.

        :param said: its ``got`` and ``served``, and ``seen`` where anything was.
        """
        seen = write_words(read_words(said.get("seen", "nothing")))
        wanted = {"got": said["got"], "served": said["served"], "seen": seen}
        happened = {"got": self.got, "served": self.served, "seen": self.seen}
        assert happened == wanted
