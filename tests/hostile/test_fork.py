"""Two threads of a forked worker begin at the same moment."""

from __future__ import annotations

import collections.abc as cabc
import os
import threading
import typing as t

import pytest
import requests.adapters

from flask_byok.providers.deadline import Deadline
from flask_byok.providers.http import Auth
from flask_byok.providers.http import HttpAnswer
from flask_byok.providers.http import Sender
from flask_byok.secret import Secret
from tests.providers.replay import answer_with
from tests.providers.replay import Server

Serve = cabc.Callable[..., Server]
LIMIT = 10.0


def send(sender: Sender, url: str) -> HttpAnswer:
    return sender.send(
        "POST",
        url + "/x",
        headers={},
        auth=Auth("x-api-key", Secret("not-a-real-provider-key-0001")),
        body=b"{}",
        deadline=Deadline(LIMIT),
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.case("B19", "D32", "F5")
def test_no_thread_of_a_child_meets_its_parents_connection(serve: Serve) -> None:
    """Not while another one is still making the child's own: answers would mix."""
    sender = Sender(5.0)
    server = serve(answer_with())
    send(sender, server.url)
    reads, writes = os.pipe()
    child = os.fork()

    if child == 0:
        try:
            os.write(writes, _send_while_another_begins(sender, server.url))
        finally:
            os._exit(0)

    os.close(writes)
    os.waitpid(child, 0)
    assert os.read(reads, 9) == b"own"
    os.close(reads)
    sender.close()


def _send_while_another_begins(sender: Sender, url: str) -> bytes:
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
    first = threading.Thread(target=send, args=(sender, url))
    first.start()
    inside.wait(LIMIT)
    answer = send(sender, url)
    done.set()
    first.join(LIMIT)
    return b"kept" if answer.reused_connection else b"own"
