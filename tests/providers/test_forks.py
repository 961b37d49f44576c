"""The sender in a process that was forked: what it kept is its parent's."""

from __future__ import annotations

import collections.abc as cabc
import os
import threading
import typing as t

import pytest
import requests.adapters

from flask_byok.providers.deadline import Deadline
from flask_byok.providers.http import Auth
from flask_byok.providers.http import Sender
from flask_byok.secret import Secret
from tests.providers.replay import answer_with
from tests.providers.replay import Server

Serve = cabc.Callable[..., Server]
LIMIT = 10.0

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def reuses(sender: Sender, url: str) -> bool:
    """Send, and tell whether a kept connection served."""
    answer = sender.send(
        "POST",
        url + "/x",
        headers={},
        auth=Auth("x-api-key", Secret("not-a-real-provider-key-0001")),
        body=b"{}",
        deadline=Deadline(LIMIT),
    )
    return answer.reused_connection


def in_child(look: cabc.Callable[[], bool]) -> bool | None:
    """Fork, and give what the child sees; ``None`` when it fails."""
    child = os.fork()

    if child == 0:
        status = 2

        try:
            status = int(look())
        finally:
            os._exit(status)

    _, status = os.waitpid(child, 0)
    return {0: False, 1: True}.get(os.waitstatus_to_exitcode(status))


@pytest.mark.case("B19", "D32")
def test_a_forked_child_makes_its_own_connections(serve: Serve) -> None:
    """Parent and child never share a connection."""
    sender = Sender(LIMIT)
    server = serve(answer_with())
    reuses(sender, server.url)
    assert in_child(lambda: reuses(sender, server.url)) is False
    assert reuses(sender, server.url)
    sender.close()


@pytest.mark.case("B19", "D32", "F5")
def test_no_thread_of_a_child_meets_its_parents_connection(serve: Serve) -> None:
    """Not while another one is still making the child's own: answers would mix."""
    sender = Sender(LIMIT)
    server = serve(answer_with())
    reuses(sender, server.url)
    assert in_child(lambda: _reuses_while_another_begins(sender, server.url)) is False
    sender.close()


def _reuses_while_another_begins(sender: Sender, url: str) -> bool:
    """Send in mid-making of the adapter, which is stopped in the library's part."""
    inside, done = threading.Event(), threading.Event()
    make = requests.adapters.HTTPAdapter.__init__

    def make_slowly(self: t.Any, *args: t.Any, **options: t.Any) -> None:
        if not inside.is_set():
            inside.set()
            done.wait(LIMIT)

        make(self, *args, **options)

    # A child of its own: nobody else sees the change.
    requests.adapters.HTTPAdapter.__init__ = make_slowly  # type: ignore[method-assign]
    first = threading.Thread(target=reuses, args=(sender, url))
    first.start()
    inside.wait(LIMIT)
    is_kept = reuses(sender, url)
    done.set()
    first.join(LIMIT)
    return is_kept
