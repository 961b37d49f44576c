"""What a company sees of the app's own key: that it serves, and not a digit."""

from __future__ import annotations

import pytest

from flask_byok.errors import CallError
from tests.web.conftest import Host
from tests.web.test_access import everything

PIECES = ("SyS1", "not-a-real-system", "...SyS1")


@pytest.mark.case("F15")
@pytest.mark.parametrize("fault", [None, "revoked", "key_echoed"])
@pytest.mark.parametrize("user", ["ada", "max"])
def test_no_answer_shows_a_piece_of_it(
    host: Host, fault: str | None, user: str
) -> None:
    """Pages, JSON and CSV, for managers and members, while it serves and fails."""
    host.save()
    host.simulator.set_fault("OPENAI", fault or "revoked", keys="company")
    host.chat()

    if fault is not None:
        host.simulator.set_fault("OPENAI", fault)

        with pytest.raises(CallError):
            host.chat()

    for answer in everything(host.client(user)):
        for piece in PIECES:
            assert piece not in answer.text
            assert piece not in str(answer.headers)
