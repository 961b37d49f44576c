"""Waiting for what another thread or process does."""

from __future__ import annotations

import collections.abc as cabc
import time


def wait_until(is_so: cabc.Callable[[], bool], what: str) -> None:
    """Look again and again, for half a minute.

    :param what: is waited for, for the message.
    """
    until = time.monotonic() + 30

    while not is_so():
        assert time.monotonic() < until, f"In vain: {what}."
        time.sleep(0.01)
