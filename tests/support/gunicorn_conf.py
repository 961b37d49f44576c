"""How the workers of ``tests.support.served`` are run; read by gunicorn."""

from __future__ import annotations

import os
import typing as t

from tests.support.served_order import NUMBER
from tests.support.served_order import read_order

_order = read_order()
_taken: dict[int, int] = {}

if _order["kind"] == "gevent":
    # Before anything else is imported: with --preload the app is.
    from gevent import monkey

    monkey.patch_all()

# Imported once, here; each worker makes an app of its own, unless it is preloaded.
import tests.support.served_app  # noqa: E402, F401

bind = f"fd://{_order['socket']}"
worker_class = _order["kind"]
workers = _order["workers"]
threads = _order["threads"]
worker_connections = _order["threads"]
preload_app = _order["preload"]
keepalive = 0
timeout = 60
graceful_timeout = 10
control_socket_disable = True


def pre_fork(server: t.Any, worker: t.Any) -> None:
    """Give the new worker the first free place."""
    free = set(range(1, workers + 2)) - set(_taken.values())
    _taken[worker.age] = min(free)


def post_fork(server: t.Any, worker: t.Any) -> None:
    """Tell the worker its place."""
    os.environ[NUMBER] = str(_taken[worker.age])


def child_exit(server: t.Any, worker: t.Any) -> None:
    """Free the place of a worker that ended."""
    _taken.pop(worker.age, None)
