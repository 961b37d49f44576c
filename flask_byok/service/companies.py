"""What a company has and chose: its keys, its policy, its usage, its history."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import typing as t

import sqlalchemy as sa

from ..config import Policy
from ..errors import CredentialNotFound
from ..errors import PolicyLocked
from ..ledger.audit import Action
from ..ledger.audit import Detail
from ..ledger.audit import HistoryEntry
from ..ledger.usage import UsageRow
from ..vault.types import CompanyState
from ..vault.types import CredentialInfo
from .days import check_day
from .desk import Desk
from .desk import none_stored
from .types import Allowance
from .types import CompanyStatus
from .types import PolicyInfo
from .types import read_allowance

_POLICIES: t.Final = t.get_args(Policy)


class _Choice(t.NamedTuple):
    """What of a policy is to change; ``None`` where it stays."""

    fallback: str | None
    active_provider: str | None
    use_other_keys: bool | None


class Companies:
    """Reads and changes what belongs to a company. Companies are typed text."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def remove(
        self,
        company: str,
        provider_id: str,
        *,
        actor: str | None = None,
        generation: int | None = None,
    ) -> None:
        """Delete a key; the next one in order takes its place."""
        state = self._desk.store.read_state(company)
        active = self._desk.planner.active(state)

        # A stored key may outlive its provider's registration, so this comes second.
        if state.credential(provider_id) is None:
            self._desk.registry.get(provider_id)

        with self._desk.database.write() as conn:
            self._desk.store.delete(
                conn, company, provider_id, seen_generation=generation
            )

            self._desk.drafts.delete_of_provider(conn, company, provider_id)

            if active is not None and active.provider == provider_id:
                heir = self._heir(state, provider_id)
                self._desk.store.set_active(conn, company, heir)

            self._desk.note(conn, company, "key_removed", actor, provider_id, {})

    def _heir(self, state: CompanyState, provider_id: str) -> str | None:
        """Pick who comes next: the first working key, else the first there is."""
        left = [
            c for c in self._desk.planner.stored(state) if c.provider != provider_id
        ]
        working = [c for c in left if c.state == "working"]
        return next((c.provider for c in [*working, *left]), None)

    def forget(self, company: str) -> None:
        """Delete every row of a company, those that still wait here included."""
        self._desk.database.flush(force=True)

        with self._desk.database.write() as conn:
            self._desk.store.forget(conn, company)

    def set_policy(
        self,
        company: str,
        *,
        fallback: str | None,
        active_provider: str | None,
        use_other_keys: bool | None,
        actor: str | None,
    ) -> PolicyInfo:
        """Store what is given, and say in the history from what to what."""
        if fallback is not None and self._desk.settings.fallback_locked:
            raise PolicyLocked(
                "The operator set the fallback policy for all companies."
            )

        if fallback is not None and fallback not in _POLICIES:
            raise ValueError(f"'fallback' must be one of: {', '.join(_POLICIES)}.")

        state = self._desk.store.read_state(company)

        if active_provider is not None and state.credential(active_provider) is None:
            raise CredentialNotFound(
                none_stored(self._desk.registry.get(active_provider))
            )

        choice = _Choice(fallback, active_provider, use_other_keys)

        with self._desk.database.write() as conn:
            self._desk.store.set_policy(conn, company, **choice._asdict())
            self._note_choice(conn, state, choice, actor)

        kept = {n: v for n, v in choice._asdict().items() if v is not None}
        # Not read again: it is stored, whether it can be read just now or not.
        return self._policy(state._replace(**kept))

    def _note_choice(
        self,
        conn: sa.Connection,
        state: CompanyState,
        choice: _Choice,
        actor: str | None,
    ) -> None:
        """Say in the history what a choice changes, from what to what."""
        before, provider = self._policy(state), choice.active_provider
        changes: list[tuple[Action, str, Detail, Detail]] = [
            ("policy_changed", "fallback", before.fallback, choice.fallback),
            (
                "policy_changed",
                "use_other_keys",
                before.use_other_keys,
                choice.use_other_keys,
            ),
            ("active_changed", "active", before.active_provider, provider),
        ]

        for action, what, old, new in changes:
            if new is not None and new != old:
                details: dict[str, Detail] = {"what": what, "from": old, "to": new}
                self._desk.note(
                    conn, state.company_id, action, actor, provider, details
                )

    def _policy(self, state: CompanyState) -> PolicyInfo:
        active = self._desk.planner.active(state)
        return PolicyInfo(
            fallback=self._desk.planner.policy(state),
            locked=self._desk.settings.fallback_locked,
            active_provider=None if active is None else active.provider,
            use_other_keys=state.use_other_keys,
        )

    def status(self, company: str) -> CompanyStatus:
        """Tell whose key serves now, and why not the company's."""
        return self._describe(*self._desk.store.read_page(company))

    def drafted_status(
        self, company: str, draft_id: str, actor: str | None
    ) -> CompanyStatus:
        """Tell the same, and of the draft of this browser session. One query.

        :param draft_id: as the session holds it; the draft of somebody else, or one
            that has ended, is not told.
        """
        state, infos, draft = self._desk.store.read_drafted_page(company, draft_id)
        status = self._describe(state, infos)

        if draft is None or draft.actor != actor or draft.ends_at <= status.now:
            return status

        known = draft.provider in self._desk.registry.ids
        return dataclasses.replace(status, draft=draft if known else None)

    def _describe(
        self, state: CompanyState, infos: tuple[CredentialInfo, ...]
    ) -> CompanyStatus:
        policy = self._policy(state)
        outlook = self._desk.engine.look_ahead(state)
        active = self._desk.planner.active(state)
        circuit = None if active is None else active.circuit
        is_out = circuit is not None and circuit.circuit == "open"
        return CompanyStatus(
            now=state.now(),
            policy=policy,
            credentials=tuple(self._in_order(infos, policy.active_provider)),
            serving=outlook.source,
            provider=outlook.provider,
            model=outlook.model,
            fallback_active=outlook.fallback_active,
            reason=outlook.reason,
            code=circuit.code if circuit is not None and is_out else None,
            since=circuit.opened_at if circuit is not None and is_out else None,
            until=circuit.open_until if circuit is not None and is_out else None,
            vault_open=self._desk.keyring is not None,
        )

    def _in_order(
        self, infos: tuple[CredentialInfo, ...], active: str | None
    ) -> cabc.Iterator[CredentialInfo]:
        by_provider = {info.provider: info for info in infos}

        for provider_id in self._desk.registry.ids:
            if provider_id in by_provider:
                info = by_provider[provider_id]
                yield dataclasses.replace(info, active=provider_id == active)

    def info(self, company: str, provider_id: str) -> CredentialInfo | None:
        """Show one stored key, masked; ``None`` when there is none."""
        found = [
            i for i in self.status(company).credentials if i.provider == provider_id
        ]
        return found[0] if found else None

    def allowance(
        self, company: str, now: dt.datetime | None = None
    ) -> list[Allowance]:
        """Tell what is left of the budget this month.

        :param now: by the database's clock, where it is known already.
        """
        now = now or self._desk.store.read_state(company).now()
        return [
            read_allowance(unit) for unit in self._desk.ledger.allowance(company, now)
        ]

    def usage(self, company: str, since: dt.date, until: dt.date) -> list[UsageRow]:
        """Count what the company's calls used."""
        check_day("since", since)
        check_day("until", until)
        return self._desk.ledger.usage(company, since, until)

    def history(self, company: str, limit: int) -> list[HistoryEntry]:
        """List who changed what, newest first."""
        return self._desk.ledger.audit.history(company, limit)
