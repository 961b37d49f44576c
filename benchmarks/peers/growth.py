"""How cost grows: with the number of companies, and with the number of workers."""

from __future__ import annotations

import concurrent.futures
import functools
import sys

from shared.timing import interleave

from .processes import Client
from .processes import closing_all
from .setting import Results
from .setting import Setting


def measure_growth(setting: Setting) -> Results:
    """Measure finding a key among many, and calling from many processes."""
    return _companies(setting) | _workers(setting)


def _companies(setting: Setting) -> Results:
    kind = setting.databases.kinds[-1]
    sizes = setting.pick((1, 1000, 1_000_000), (1, 1000, 20_000))
    clients = {
        str(size): Client(
            "ours_resolve",
            setting.url,
            sys.executable,
            BENCH_DATABASE=setting.databases.make(kind),
            BENCH_COMPANIES=str(size),
        )
        for size in sizes
    }

    with closing_all(clients):
        took = interleave(
            {
                f"{what} {size}": functools.partial(
                    client.ask, what, "OPENAI", setting.pick(200, 50)
                )
                for size, client in clients.items()
                for what in ("resolve", "bare")
            },
            setting.pick(21, 2),
        )

    one, some, many = map(str, sizes)
    return {
        "resolve": (took[f"resolve {many}"] / took[f"bare {many}"],),
        "resolve, some": (took[f"resolve {some}"] / took[f"resolve {one}"],),
        "resolve, many": (took[f"resolve {many}"] / took[f"resolve {some}"],),
    }


def _workers(setting: Setting) -> Results:
    """Compare a call of one process with one of each of many at the same time."""
    kind = setting.databases.kinds[-1]
    database = setting.databases.make(kind)
    numbers = setting.pick((1, 4, 16), (1, 4))
    # One after the other: each makes sure that the tables and the companies are there.
    clients = [setting.ours(database=database) for _ in range(numbers[-1])]

    def together(number: int) -> float:
        ask = functools.partial(Client.ask)

        with concurrent.futures.ThreadPoolExecutor(number) as pool:
            asked = [
                pool.submit(ask, client, "call", "OPENAI", setting.pick(40, 5))
                for client in clients[:number]
            ]
            return sum(one.result() for one in asked) / number

    with closing_all({str(at): client for at, client in enumerate(clients)}):
        took = interleave(
            {str(number): functools.partial(together, number) for number in numbers},
            setting.pick(5, 1),
        )

    return {
        f"workers, {number}": (took[str(number)] / took["1"],) for number in numbers[1:]
    }
