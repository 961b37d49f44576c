"""A stored key that does not open: everybody who must know is told, once."""

from __future__ import annotations

import pytest

from tests.call.test_state import spoil
from tests.support.calls import CallHost


@pytest.mark.case("F12")
@pytest.mark.parametrize("policy", ["auto", "outage_only", "never"])
def test_the_operator_reads_which_key_and_why(
    host: CallHost, policy: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One ERROR per episode with the record's id and the reason, under each policy."""
    host.store()
    host.byok.set_policy(1, fallback=policy)
    record = host.circuit().id
    spoil(host)
    caplog.clear()

    for _ in range(3):
        try:
            host.chat()
        except Exception as error:
            assert policy != "auto", error

    told = [
        each
        for each in caplog.records
        if getattr(each, "byok_event", None) == "key_unreadable"
    ]
    assert len(told) == 1
    assert record in told[0].getMessage()
    assert "i:1" in told[0].getMessage()
    assert "tampered" in told[0].getMessage()
    assert [name for name, _ in host.signals] == ["key_unreadable", "notice_due"]
    assert host.signals[0][1]["credential_id"] == record
    assert host.actions().count("key_unreadable") == 1
