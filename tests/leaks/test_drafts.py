"""A pasted key that is kept for a decision appears nowhere, whatever is decided."""

from __future__ import annotations

import typing as t

import pytest

from flask_byok.testing import LeakGuard
from tests.leaks.test_canary import Walker
from tests.web.conftest import Host
from tests.web.conftest import OTHER_KEY
from tests.web.conftest import state_of


@pytest.mark.case("C15", "C17", "E1")
@pytest.mark.usefixtures("reporting")
def test_a_draft_appears_nowhere(host: Host, guard: LeakGuard, canary: str) -> None:
    """In no page, cookie, log, table or file, and in no request but the header's."""
    walker = Walker(host, guard, "OPENAI")
    ada = walker.visitor
    host.save(api_key=OTHER_KEY)

    def paste(fault: str | None = None, **form: str) -> t.Any:
        host.simulator.set_fault("OPENAI", fault)
        page = ada.save(canary, **form)
        assert state_of(page) == "draft"
        return page

    def press(action: str, **form: str) -> t.Any:
        return ada.post("/key", action=f"draft_{action}", provider="OPENAI", **form)

    paste("nocredit")
    # Whoever else looks sees nothing of it; AI calls and commands use the stored key.
    host.simulator.clear_faults()
    walker.use()
    walker.look_around()
    assert canary not in host.simulator.api_keys_seen()[-3:]
    walker.command("credentials", "--json")
    walker.command("doctor")
    walker.command("rotate")
    walker.command("verify")

    for fault in ("key_echoed", "outage", "html", "nocredit"):
        host.simulator.set_fault("OPENAI", fault)
        press("check")
        paste("outage")

    walker.look_around()
    paste(model="no-such-model")
    press("use", model="no such model")
    press("use", model="no-such-either")
    paste(generation="OPENAI:77")
    press("discard")
    walker.look_around()
    paste("outage")
    host.simulator.set_fault("OPENAI", "revoked")
    assert state_of(press("check")) == "field-error"
    paste("outage")

    with host.app.app_context():
        state = host.byok.state
        table = state.tables.draft

        with state.database.write() as conn:
            conn.execute(table.update().values(blob=b"damaged"))

    press("use")
    paste("outage")
    assert state_of(press("use")) == "saved"
    assert host.status().credentials[0].last4 == canary[-4:]
    walker.command("sweep")
    walker.look_around()
    guard.verify()
