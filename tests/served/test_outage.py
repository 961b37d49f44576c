"""A minute of outage, eight workers, one company key: what is wasted on it."""

from __future__ import annotations

import time
import typing as t

from flask_byok.testing import Simulator
from tests.served.conftest import config_of
from tests.support.calls import calling
from tests.support.served import ends
from tests.support.served import serving

WORKERS: t.Final = 8
THREADS: t.Final = 4


def test_an_outage_wastes_two_requests_and_one_per_pause(
    postgresql_url: str, simulator: Simulator
) -> None:
    """Two open the circuit; then one of all workers tries when a pause is over.

    Every five seconds, by the database's clock, 32 calls come at the same moment.
    """
    config = config_of(simulator)
    order = {"company": 1, "prompt": "Say hello."}
    tried: list[float] = []

    with calling(postgresql_url, simulator, **config) as host:
        host.store()
        host.fail("outage")

        with serving(
            postgresql_url, config, kind="gthread", workers=WORKERS, threads=THREADS
        ) as served:
            for _ in range(2):
                assert served.ask("chat", **order)["source"] == "system"

            assert host.paid == "cscs"
            opened = time.monotonic()

            for second in range(5, 61, 5):
                served.move_clock(second)
                assert ends(served.meet(order)) == {"system": WORKERS * THREADS}
                # The clock goes on meanwhile, more so on a busy machine.
                passed = second + time.monotonic() - opened
                tried += [passed] * host.paid.count("c")

                if passed > 80:
                    break

    # The first pause takes 30 s, ten percent more or less; the second one takes 60.
    assert len(tried) == 1
    assert tried[0] > 27
