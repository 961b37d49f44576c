"""A key is refused: who answers, what is remembered, who is told."""

from __future__ import annotations

import typing as t

import pytest

from tests.support.fault_room import FaultHost

MINUTE = 60.0

#: A company key is out and the system key answers: told once, everywhere.
TOLD: t.Final = (
    "flash banner log:WARNING circuit_opened fallback_used key_rejected "
    "history:fallback_started"
)


@pytest.mark.fault(1, got="answer", served="c1 s1", seen=TOLD)
def test_revoked_key(host: FaultHost) -> None:
    """The circuit opens for 15 minutes; the answer comes on the system key."""
    host.store()
    host.fail("revoked")
    answer = host.chat()
    assert answer.source == "system" and host.circuit().reason == "auth"
    assert 13 * MINUTE < host.rest(host.circuit().open_until) < 17 * MINUTE
