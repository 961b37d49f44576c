"""Tests keys with their provider: one that is not stored, or the stored one."""

from __future__ import annotations

import sqlalchemy as sa

from ..errors import CredentialNotFound
from ..secret import Secret
from ..vault.types import CompanyState
from ..vault.types import Credential
from .clean import clean_api_key
from .desk import Desk
from .desk import read_model
from .desk import STATES
from .reports import render_report
from .types import ConnectionReport


class Connections:
    """Asks providers whether keys work. A test never changes a key."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def check(
        self, provider_id: str, pasted: Secret, *, model: str | None = None
    ) -> ConnectionReport:
        """Ask a provider about a key without storing it."""
        provider = self._desk.registry.get(provider_id)
        secret = clean_api_key(pasted, provider, self._desk.providers())
        self._desk.limiter.hit(all="all")
        return self._desk.checker.check(
            provider, secret, model=self._desk.model(provider, read_model(model))
        )

    def test(
        self, company: str, provider_id: str | None, *, actor: str | None = None
    ) -> ConnectionReport:
        """Test a stored key. Nothing but the result is written."""
        state = self._desk.store.read_state(company)
        stored = self._find(state, provider_id)
        provider = self._desk.registry.get(stored.provider)
        secret = self._desk.open_stored(stored, state)
        self._desk.count(company, actor)
        report = self._desk.checker.check(
            provider, secret, model=self._desk.model(provider, stored.model)
        )
        self._keep(state, stored, report, actor)
        return report

    def _find(self, state: CompanyState, provider_id: str | None) -> Credential:
        if provider_id is None:
            stored = self._desk.planner.active(state)
        else:
            self._desk.registry.get(provider_id)
            stored = state.credential(provider_id)

        if stored is None:
            raise CredentialNotFound("This company has no stored key to test.")

        return stored

    def _keep(
        self,
        state: CompanyState,
        stored: Credential,
        report: ConnectionReport,
        actor: str | None,
    ) -> None:
        """Keep the result; a working key's circuit closes. A late one is dropped."""
        now, change = state.now(), None

        with self._desk.database.write() as conn:
            if not save_report(self._desk, conn, stored, stored.generation, report):
                return

            if report.verdict == "working":
                change = self._desk.circuits.reset(conn, stored, now)

            self._desk.note(
                conn,
                stored.company_id,
                "key_tested",
                actor,
                stored.provider,
                {"verdict": report.verdict, "reason": report.reason},
            )

        self._desk.teller.changed(change, now)

        if report.verdict == "working":
            self._desk.teller.notices.look_again(stored.id, works=True)


def save_report(
    desk: Desk,
    conn: sa.Connection,
    stored: Credential,
    generation: int,
    report: ConnectionReport,
) -> bool:
    """Keep a report on the stored key's row.

    :return: ``False`` when the key is another one by now.
    """
    state, reason = STATES.get(report.verdict), report.reason

    # A test marks no working key as broken: only a call's own failure does.
    if state is None or report.verdict == "could_not_ask":
        state, reason = stored.state, None
    elif stored.state == "working":
        state, reason = "working", None

    return desk.store.save_report(
        conn,
        stored.id,
        seen_generation=generation,
        state=state,
        state_reason=reason,
        report=render_report(report),
    )
