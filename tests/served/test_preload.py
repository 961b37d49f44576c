"""An app that called before its server forked: each worker begins anew."""

from __future__ import annotations

import collections

import pytest

from flask_byok.testing import Simulator
from tests.served.conftest import config_of
from tests.served.conftest import KINDS
from tests.support.calls import calling
from tests.support.served import ends
from tests.support.served import serving


@pytest.mark.parametrize("kind", KINDS)
def test_workers_forked_after_the_first_call(
    kind: str, postgresql_url: str, simulator: Simulator
) -> None:
    """With ``--preload`` no worker speaks over a connection of its parent's."""
    config = config_of(simulator)
    order = {"company": 1, "prompt": "Say hello."}

    with calling(postgresql_url, simulator, **config) as host:
        host.store()

        with serving(postgresql_url, config, kind=kind, preload=True) as served:
            assert ends(served.meet(order)) == {"company": 40}
            # The first to pay was the one process there was before the fork.
            assert host.paid == "s" + "c" * 40
            owners = collections.defaultdict(set)

            for one in served.meet({}, "whoami"):
                owners[one["connection"]].add(one["pid"])

            assert len(owners) >= 4
            assert all(len(pids) == 1 for pids in owners.values())
