"""Saves a key: clean, check, seal, swap in one transaction, or say why not."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid

import sqlalchemy as sa

from ..errors import CredentialChanged
from ..errors import CredentialNotFound
from ..errors import StateUnavailable
from ..failover.changes import build_closing
from ..providers.base import Provider
from ..secret import Secret
from ..vault.keyring import API_KEY
from ..vault.keyring import Keyring
from ..vault.keyring import SealContext
from ..vault.saving import CHANGED
from ..vault.types import CompanyState
from ..vault.types import Credential
from ..vault.types import CredentialInfo
from ..vault.types import SealedKey
from .clean import clean_api_key
from .clean import looks_like_other
from .companies import Companies
from .connection import save_report
from .days import check_day
from .desk import Desk
from .desk import none_stored
from .desk import read_model
from .desk import STATES
from .refusals import note_refusal
from .reports import render_report
from .types import ConnectionReport
from .types import SaveResult
from .types import SaveVerdict


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SaveWish:
    """What a person wants to be stored; the key itself travels apart.

    :param checked: a check made before, which is not made again.
    :param draft: the id of the draft that the key comes from; it ends with the save.
    """

    company: str
    provider: Provider
    model: str | None
    expires_on: dt.date | None
    actor: str | None
    activate: bool
    generation: int | None
    confirm: str | None
    checked: ConnectionReport | None = None
    draft: str | None = None


class Saving:
    """Stores what people save. A stored key gives way only to one that works."""

    def __init__(self, desk: Desk, companies: Companies) -> None:
        self._desk = desk
        self._companies = companies

    def save(
        self,
        company: str,
        provider_id: str,
        pasted: Secret | None,
        *,
        model: str | None = None,
        expires_on: dt.date | None = None,
        actor: str | None = None,
        activate: bool = True,
        generation: int | None = None,
        confirm: str | None = None,
        checked: ConnectionReport | None = None,
        draft: str | None = None,
    ) -> SaveResult:
        """Check a key, then store it; or change what stands beside a stored one.

        :param checked: a check of this very key made before: nobody is asked again.
        :param draft: the id of the draft that holds the key; storing ends it.
        """
        if expires_on is not None:
            check_day("expires_on", expires_on)

        wish = SaveWish(
            company=company,
            provider=self._desk.registry.get(provider_id),
            model=read_model(model),
            expires_on=expires_on,
            actor=actor,
            activate=activate,
            generation=generation,
            confirm=confirm,
            checked=checked,
            draft=draft,
        )
        state = self._desk.store.read_state(company)
        stored = state.credential(provider_id)

        # 0 says: there was no key when the caller looked.
        if generation is not None and (generation or None) != _generation(stored):
            return self._changed(wish)

        if pasted is None:
            return self._save_details(wish, state, stored)

        return self._save_key(wish, state, stored, pasted)

    def _save_key(
        self,
        wish: SaveWish,
        state: CompanyState,
        stored: Credential | None,
        pasted: Secret,
    ) -> SaveResult:
        keyring = self._desk.open_keyring()
        secret = clean_api_key(
            pasted, wish.provider, self._desk.providers(), self._masks(wish.company)
        )
        other = looks_like_other(secret, wish.provider, self._desk.providers())

        if other is not None and wish.confirm != "other_provider":
            return self._refused(wish, "other_provider", other_provider=other.id)

        report = wish.checked or self._check(wish, secret)

        if not _may_store(report.verdict, stored, wish.confirm):
            return self._not_stored(wish, report)

        sealed = self._seal(keyring, wish, stored, secret, report)

        try:
            activated = self._put(wish, state, stored, sealed, report)
        except CredentialChanged:
            return self._changed(wish, report)

        self._tell_replaced(stored, state, report)
        return SaveResult(
            saved=True,
            verdict=report.verdict,
            provider=wish.provider.id,
            created=stored is None,
            activated=activated,
            credential=self._read_stored(wish),
            report=report,
        )

    def _check(self, wish: SaveWish, secret: Secret) -> ConnectionReport:
        self._desk.count(wish.company, wish.actor)
        model = self._desk.model(wish.provider, wish.model)
        return self._desk.checker.check(wish.provider, secret, model=model)

    def _read_stored(self, wish: SaveWish) -> CredentialInfo | None:
        """Show what was just stored; it is stored, whether it can be read or not."""
        try:
            return self._companies.info(wish.company, wish.provider.id)
        except StateUnavailable:
            return None

    def _masks(self, company: str) -> list[str]:
        return [info.masked for info in self._desk.store.credentials(company)]

    def _seal(
        self,
        keyring: Keyring,
        wish: SaveWish,
        stored: Credential | None,
        secret: Secret,
        report: ConnectionReport,
    ) -> SealedKey:
        record = str(uuid.uuid4()) if stored is None else stored.id
        context = SealContext(
            purpose=API_KEY,
            company=wish.company,
            provider=wish.provider.id,
            record=record,
        )
        prefix, last4 = wish.provider.mask(secret)
        return SealedKey(
            id=record,
            company_id=wish.company,
            provider=wish.provider.id,
            blob=keyring.seal(secret, context),
            key_id=keyring.primary,
            prefix=prefix,
            last4=last4,
            model=wish.model,
            expires_on=wish.expires_on,
            state=STATES[report.verdict],
            state_reason=report.reason,
            report=render_report(report),
        )

    def _put(
        self,
        wish: SaveWish,
        state: CompanyState,
        stored: Credential | None,
        sealed: SealedKey,
        report: ConnectionReport,
    ) -> bool:
        """Store the key, its place and its line in the history, or nothing of it."""
        activated = _becomes_active(wish, self._desk.planner.active(state), report)

        with self._desk.database.write() as conn:
            self._end_draft(conn, wish)
            self._desk.store.ensure_check_value(conn, self._desk.open_keyring())
            self._desk.store.put(
                conn, sealed, seen_generation=_generation(stored), actor=wish.actor
            )

            if activated:
                self._desk.store.set_active(conn, wish.company, wish.provider.id)

            self._desk.note(
                conn,
                wish.company,
                "key_saved" if stored is None else "key_replaced",
                wish.actor,
                wish.provider.id,
                {"verdict": report.verdict, "active": activated},
            )

        return activated

    def _end_draft(self, conn: sa.Connection, wish: SaveWish) -> None:
        """A draft is used once: whoever deletes it stores its key."""
        if wish.draft is None:
            return

        if not self._desk.drafts.delete(conn, wish.company, wish.draft):
            raise CredentialChanged(CHANGED)

    def _tell_replaced(
        self, stored: Credential | None, state: CompanyState, report: ConnectionReport
    ) -> None:
        """A new key ends the episode of the one before; one that works, its trouble."""
        if stored is None:
            return

        circuit = stored.circuit

        if circuit.circuit == "open":
            change = build_closing(stored, circuit)
            self._desk.teller.changed(change, state.now())

        if report.verdict == "working":
            self._desk.teller.notices.look_again(stored.id, works=True)

    def _not_stored(self, wish: SaveWish, report: ConnectionReport) -> SaveResult:
        note_refusal(self._desk, wish.company, report, wish.actor)
        return self._refused(wish, report.verdict, report=report)

    def _refused(
        self,
        wish: SaveWish,
        verdict: SaveVerdict,
        *,
        report: ConnectionReport | None = None,
        other_provider: str | None = None,
    ) -> SaveResult:
        return SaveResult(
            saved=False,
            verdict=verdict,
            provider=wish.provider.id,
            credential=self._companies.info(wish.company, wish.provider.id),
            report=report,
            other_provider=other_provider,
        )

    def _changed(
        self, wish: SaveWish, report: ConnectionReport | None = None
    ) -> SaveResult:
        info = self._companies.info(wish.company, wish.provider.id)
        return SaveResult(
            saved=False,
            verdict="changed",
            provider=wish.provider.id,
            credential=info,
            report=report,
            changed_by=None if info is None else info.updated_by,
            changed_at=None if info is None else info.updated_at,
        )

    def _save_details(
        self, wish: SaveWish, state: CompanyState, stored: Credential | None
    ) -> SaveResult:
        """Change model and expiry date; a new model is tried with the stored key."""
        if stored is None:
            raise CredentialNotFound(none_stored(wish.provider))

        report = None

        if wish.model != stored.model:
            report = self._try_model(wish, state, stored)

            if report.verdict not in ("working", wish.confirm):
                return self._refused(wish, report.verdict, report=report)

        try:
            self._put_details(wish, stored, report)
        except CredentialChanged:
            return self._changed(wish, report)

        return SaveResult(
            saved=True,
            verdict="working" if report is None else report.verdict,
            provider=wish.provider.id,
            credential=self._read_stored(wish),
            report=report,
        )

    def _try_model(
        self, wish: SaveWish, state: CompanyState, stored: Credential
    ) -> ConnectionReport:
        self._desk.count(wish.company, wish.actor)
        return self._desk.checker.check(
            wish.provider,
            self._desk.open_stored(stored, state),
            model=self._desk.model(wish.provider, wish.model),
        )

    def _put_details(
        self, wish: SaveWish, stored: Credential, report: ConnectionReport | None
    ) -> None:
        with self._desk.database.write() as conn:
            generation = self._desk.store.set_details(
                conn,
                wish.company,
                wish.provider.id,
                seen_generation=stored.generation,
                seen_id=stored.id,
                model=wish.model,
                expires_on=wish.expires_on,
                actor=wish.actor,
            )

            if report is not None:
                save_report(self._desk, conn, stored, generation, report)

            self._desk.note(
                conn,
                wish.company,
                "details_changed",
                wish.actor,
                wish.provider.id,
                {
                    "model": wish.model,
                    "expires_on": None
                    if wish.expires_on is None
                    else wish.expires_on.isoformat(),
                },
            )


def _generation(stored: Credential | None) -> int | None:
    return None if stored is None else stored.generation


def _may_store(verdict: str, stored: Credential | None, confirm: str | None) -> bool:
    """A stored key gives way only to one that works, unless a person insists."""
    if verdict == "rejected":
        return False

    return verdict == "working" or stored is None or confirm == verdict


def _becomes_active(
    wish: SaveWish, active: Credential | None, report: ConnectionReport
) -> bool:
    if active is None or active.provider == wish.provider.id:
        return True

    return wish.activate and report.verdict == "working"
