"""Leaving from another thread: it ends one attempt, and touches no other."""

from __future__ import annotations

import concurrent.futures

import pytest

from flask_byok.providers.hangup import CallLeft
from flask_byok.providers.hangup import Hangup
from flask_byok.providers.http import ANSWER_CAP
from flask_byok.providers.http import Auth
from flask_byok.providers.http import Deadline
from flask_byok.providers.http import HttpStream
from flask_byok.providers.http import Sender
from flask_byok.providers.types import AttemptFailed
from flask_byok.secret import Secret
from flask_byok.testing import Simulator
from tests.sdk.server import FILE
from tests.sdk.server import serving


def ask(sender: Sender, url: str, hangup: Hangup) -> HttpStream:
    return sender.stream(
        "GET",
        url,
        headers={},
        auth=Auth("Authorization", Secret("not-a-real-key-0001"), "Bearer "),
        deadline=Deadline(30.0),
        hangup=hangup,
    )


def test_a_connection_given_back_is_not_cut() -> None:
    """It carries another call by then, perhaps of another company."""
    sender, first = Sender(5.0), Hangup()

    with serving() as server:
        ask(sender, f"{server.url}/models", first).read(ANSWER_CAP)
        other = ask(sender, f"{server.url}/files/1/content", Hangup())
        first.cut()
        assert other.reused_connection and other.read(ANSWER_CAP) == FILE
        sender.close()


def test_one_who_left_sends_nothing(byok_simulator: Simulator) -> None:
    """Not even when the connection comes to stand afterwards."""
    sender, hangup = Sender(5.0), Hangup()
    hangup.cut()

    with pytest.raises(AttemptFailed):
        ask(sender, f"{byok_simulator.urls['OPENAI']}/models", hangup)

    assert byok_simulator.requests == []

    with pytest.raises(CallLeft):
        hangup.check()


def test_waiting_ends_at_once(byok_simulator: Simulator) -> None:
    """The one who waits for the status line meets the end."""
    sender, hangup = Sender(5.0), Hangup()
    url = f"{byok_simulator.urls['OPENAI']}/models"

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with byok_simulator.holding("OPENAI") as hold:
            waiting = pool.submit(ask, sender, url, hangup)
            hold.wait_for()
            hangup.cut()

            with pytest.raises(AttemptFailed):
                waiting.result(10)

    sender.close()
