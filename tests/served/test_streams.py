"""Many streams at once on one worker with greenlets: none is lost."""

from __future__ import annotations

import typing as t

from flask_byok.testing import Simulator
from tests.served.conftest import config_of
from tests.support.calls import calling
from tests.support.many_streams import stream_all
from tests.support.served import serving

STREAMS: t.Final = 60


def test_sixty_streams_on_one_worker(sqlite_url: str, simulator: Simulator) -> None:
    """Each comes whole to its reader; ``benchmarks/bench_streams.py`` opens 200."""
    config = config_of(simulator)
    simulator.pace = 0.01

    with calling(sqlite_url, simulator, **config):
        with serving(
            sqlite_url, config, kind="gevent", workers=1, threads=STREAMS
        ) as served:
            assert stream_all(served, simulator, STREAMS).whole == STREAMS
