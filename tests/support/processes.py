"""Worker processes that start quickly and share nothing with the tests' own."""

from __future__ import annotations

import functools
import multiprocessing.context

_PRELOADED = ["tests.support.circuit_room", "tests.support.ledger_room"]


@functools.cache
def worker_context() -> multiprocessing.context.ForkServerContext:
    """Give the way to start workers: forked from a server without threads.

    The server imports what they need once; a fork of the test process itself would
    inherit its threads' locks and its open connections.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context
