"""What the sender's own values and errors print."""

from __future__ import annotations

import typing as t

import pytest

from flask_byok.providers.deadline import Deadline
from flask_byok.providers.http import Auth
from flask_byok.providers.http import HttpAnswer
from flask_byok.providers.http import Sender
from flask_byok.secret import Secret

from .conftest import CANARY
from .replay import answer_with
from .test_http import send
from .test_http import Serve


class Odd:
    """A header value that fails in a way nobody expects, with the key in its text."""

    def encode(self, encoding: str) -> bytes:
        """Fail as a broken library might."""
        raise KeyError(CANARY)


@pytest.mark.case("C7", "D1", "D2")
def test_an_answer_does_not_print_what_came(serve: Serve, sender: Sender) -> None:
    """A provider may send the key back in a header and in the body."""
    server = serve(answer_with(200, CANARY.encode(), {"X-Echo": CANARY}))
    answer: HttpAnswer = send(sender, server.url)

    assert (answer.body, answer.headers["x-echo"]) == (CANARY.encode(), CANARY)

    for shown in (repr(answer), str(answer), f"{answer}"):
        assert CANARY not in shown


@pytest.mark.case("C7", "C15")
def test_an_unexpected_error_does_not_print_its_text(
    serve: Serve, sender: Sender
) -> None:
    """Its type is all that is told: the text may hold a header."""
    server = serve(answer_with())
    headers: t.Any = {"X": Odd()}

    with pytest.raises(RuntimeError) as caught:
        sender.send(
            "POST",
            server.url + "/x",
            headers=headers,
            auth=Auth("x-api-key", Secret(CANARY)),
            deadline=Deadline(5),
        )

    assert str(caught.value) == "The sender failed with KeyError."
