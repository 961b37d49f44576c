"""Many streams at once through one worker: what was lost, and what they weigh."""

from __future__ import annotations

import concurrent.futures
import pathlib
import typing as t

from flask_byok.testing import Simulator
from tests.support.served import Served

#: How many words each stream is long.
WORDS: t.Final = 60


class Outcome(t.NamedTuple):
    """What came of them.

    :param whole: streams that came to their end with every word, in order, once.
    :param bytes_each: by which the worker grew while all were open, for each of them.
    """

    whole: int
    bytes_each: float


def stream_all(served: Served, simulator: Simulator, number: int) -> Outcome:
    """Open so many streams at once in the one worker there is, and read them."""
    served.read_stream(company=1, prompt="Reply with: warm")
    (pid,) = served.workers()
    before = memory_of(pid)

    with concurrent.futures.ThreadPoolExecutor(number) as pool:
        with simulator.holding() as hold:
            reading = [pool.submit(_read_one, served, n) for n in range(number)]
            hold.wait_for(number)

        # All of them are answered from here on, a word at a time each.
        peak = before

        while not all(one.done() for one in reading):
            concurrent.futures.wait(reading, timeout=0.1)
            peak = max(peak, memory_of(pid))

        whole = sum(one.result() for one in reading)

    return Outcome(whole, (peak - before) / number)


def _read_one(served: Served, number: int) -> bool:
    text = " ".join(f"n{number}w{at}" for at in range(WORDS))
    told = served.read_stream(company=1, prompt=f"Reply with: {text}", timeout=120)
    came = "".join(piece.get("text", "") for piece in told)
    return told[-1].get("end") == "done" and came == text


def memory_of(pid: int) -> int:
    """Read the bytes a process has in memory."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024
