"""Rounds in which everything takes turns, so that a busy machine is unfair to none."""

from __future__ import annotations

import collections.abc as cabc
import time

#: Does something so often and gives what one time costs.
Spend = cabc.Callable[[], float]


def spending(run: cabc.Callable[[], object], times: int) -> Spend:
    """Give what tells the CPU microseconds of one run, of so many."""

    def spend() -> float:
        began = time.process_time()

        for _ in range(times):
            run()

        return (time.process_time() - began) / times * 1e6

    return spend


def interleave(spends: cabc.Mapping[str, Spend], rounds: int) -> dict[str, float]:
    """Give what each costs in a quiet round, the tenth percentile.

    A busy machine adds to a round and never takes away. What comes first in a round
    changes from round to round; the first round warms up and is not counted.
    """
    spent: dict[str, list[float]] = {name: [] for name in spends}
    order = list(spends)

    for number in range(rounds + 1):
        shift = number % len(order)

        for name in order[shift:] + order[:shift]:
            found = spends[name]()

            if number:
                spent[name].append(found)

    return {name: sorted(found)[len(found) // 10] for name, found in spent.items()}
