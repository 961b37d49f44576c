"""The service methods: check, save, test, remove, and what a company chose."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import re
import typing as t
import uuid

from ..config import Settings
from ..errors import CredentialChanged
from ..errors import CredentialNotFound
from ..errors import PolicyLocked
from ..errors import StoredKeyUnreadable
from ..errors import VaultClosed
from ..failover.changes import build_change
from ..failover.circuit import Circuits
from ..failover.engine import Engine
from ..failover.routes import DEFAULT
from ..failover.routes import Planner
from ..failover.telling import Teller
from ..failover.walk import seal_context
from ..ledger.audit import Action
from ..ledger.audit import Detail
from ..ledger.audit import HistoryEntry
from ..ledger.usage import Ledger
from ..ledger.usage import UsageRow
from ..providers.base import Provider
from ..providers.registry import Registry
from ..secret import Secret
from ..vault.database import Database
from ..vault.keyring import API_KEY
from ..vault.keyring import Keyring
from ..vault.keyring import SealContext
from ..vault.store import Store
from ..vault.types import CompanyState
from ..vault.types import Credential
from ..vault.types import CredentialInfo
from ..vault.types import SealedKey
from .check import Checker
from .clean import clean_api_key
from .clean import looks_like_other
from .limits import CheckLimiter
from .reports import render_report
from .types import Allowance
from .types import CompanyStatus
from .types import ConnectionReport
from .types import PolicyInfo
from .types import SaveResult

#: What a checked key is stored as.
_STATES: t.Final[cabc.Mapping[str, str]] = {
    "working": "working",
    "other_model": "no_model",
    "not_usable": "not_usable",
    "could_not_ask": "unchecked",
}

_CLOSED: t.Final = (
    "Keys cannot be saved or opened here: BYOK_MASTER_KEYS is off. "
    "Make a master key with 'flask byok generate-key' and set it."
)
_MODEL: t.Final = re.compile(r"[\x21-\x7e]{1,200}")
_POLICIES: t.Final = ("auto", "outage_only", "never")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Save:
    """What a person wants to be stored; the key itself travels apart."""

    company: str
    provider: Provider
    model: str | None
    expires_on: dt.date | None
    actor: str | None
    activate: bool
    generation: int | None
    confirm: str | None


class KeyService:
    """What the page, the JSON API and the commands call. ``company`` is typed text."""

    def __init__(
        self,
        *,
        settings: Settings,
        registry: Registry,
        database: Database,
        store: Store,
        keyring: Keyring | None,
        engine: Engine,
        planner: Planner,
        circuits: Circuits,
        ledger: Ledger,
        teller: Teller,
        checker: Checker,
        limiter: CheckLimiter,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._database = database
        self._store = store
        self._keyring = keyring
        self._engine = engine
        self._planner = planner
        self._circuits = circuits
        self._ledger = ledger
        self._teller = teller
        self._checker = checker
        #: Counts checks; the page adds the address.
        self.limiter = limiter

    def check(
        self, provider_id: str, api_key: str, *, model: str | None = None
    ) -> ConnectionReport:
        """Ask a provider about a key without storing it."""
        provider = self._registry.get(provider_id)
        secret = self._clean(api_key, provider)
        self.limiter.hit(all="all")
        return self._checker.check(
            provider, secret, model=self._model(provider, read_model(model))
        )

    def _clean(
        self, api_key: str, provider: Provider, masks: cabc.Sequence[str] = ()
    ) -> Secret:
        return clean_api_key(api_key, provider, self._providers(), masks)

    def _providers(self) -> list[Provider]:
        return [self._registry.get(provider_id) for provider_id in self._registry.ids]

    def _model(self, provider: Provider, model: str | None) -> str:
        names = self._planner.names(provider)
        return names.get(model or DEFAULT) or model or names[DEFAULT]

    def save(
        self,
        company: str,
        provider_id: str,
        api_key: str | None,
        *,
        model: str | None = None,
        expires_on: dt.date | None = None,
        actor: str | None = None,
        activate: bool = True,
        generation: int | None = None,
        confirm: str | None = None,
    ) -> SaveResult:
        """Check a key, then store it; or change what stands beside a stored one."""
        wish = Save(
            company=company,
            provider=self._registry.get(provider_id),
            model=read_model(model),
            expires_on=expires_on,
            actor=actor,
            activate=activate,
            generation=generation,
            confirm=confirm,
        )
        state = self._store.read_state(company)
        stored = state.credential(provider_id)

        if generation is not None and generation != _generation(stored):
            return self._changed(wish)

        if api_key is None:
            return self._save_details(wish, stored)

        return self._save_key(wish, state, stored, api_key)

    def _save_key(
        self, wish: Save, state: CompanyState, stored: Credential | None, api_key: str
    ) -> SaveResult:
        keyring = self._open_keyring()
        secret = self._clean(api_key, wish.provider, self._masks(wish.company))
        other = looks_like_other(secret, wish.provider, self._providers())

        if other is not None and wish.confirm != "other_provider":
            return self._refused(wish, "other_provider", other_provider=other.id)

        self._count(wish.company, wish.actor)
        model = self._model(wish.provider, wish.model)
        report = self._checker.check(wish.provider, secret, model=model)

        if not _may_store(report.verdict, stored, wish.confirm):
            return self._not_stored(wish, report)

        sealed = self._seal(keyring, wish, stored, secret, report)

        try:
            activated = self._put(wish, state, stored, sealed, report)
        except CredentialChanged:
            return self._changed(wish, report)

        self._tell_replaced(stored, state)
        return SaveResult(
            saved=True,
            verdict=report.verdict,
            provider=wish.provider.id,
            created=stored is None,
            activated=activated,
            credential=self._info(wish.company, wish.provider.id),
            report=report,
        )

    def _open_keyring(self) -> Keyring:
        if self._keyring is None:
            raise VaultClosed(_CLOSED)

        return self._keyring

    def _masks(self, company: str) -> list[str]:
        return [info.masked for info in self._store.credentials(company)]

    def _count(self, company: str, actor: str | None) -> None:
        user = None if actor is None else f"{company} {actor}"
        self.limiter.hit(user=user, company=company, all="all")

    def _seal(
        self,
        keyring: Keyring,
        wish: Save,
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
            state=_STATES[report.verdict],
            state_reason=report.reason,
            report=render_report(report),
        )

    def _put(
        self,
        wish: Save,
        state: CompanyState,
        stored: Credential | None,
        sealed: SealedKey,
        report: ConnectionReport,
    ) -> bool:
        """Store the key, its place and its line in the history, or nothing of it."""
        activated = _becomes_active(wish, self._planner.active(state), report)

        with self._database.write() as conn:
            self._store.ensure_check_value(conn, self._open_keyring())
            self._store.put(
                conn, sealed, seen_generation=_generation(stored), actor=wish.actor
            )

            if activated:
                self._store.set_active(conn, wish.company, wish.provider.id)

            self._note(
                conn,
                wish.company,
                "key_saved" if stored is None else "key_replaced",
                wish.actor,
                wish.provider.id,
                {"verdict": report.verdict, "active": activated},
            )

        return activated

    def _tell_replaced(self, stored: Credential | None, state: CompanyState) -> None:
        """A new key ends the episode of the one before."""
        if stored is None or stored.circuit.circuit != "open":
            return

        circuit = stored.circuit
        change = build_change(
            "closed",
            stored,
            reason=circuit.reason,
            code=circuit.code,
            fell_back=circuit.fallback_episode == circuit.episode,
        )
        self._teller.changed(change, state.now())

    def _not_stored(self, wish: Save, report: ConnectionReport) -> SaveResult:
        if report.verdict == "rejected":
            with self._database.write() as conn:
                self._note(
                    conn,
                    wish.company,
                    "key_rejected",
                    wish.actor,
                    wish.provider.id,
                    {"reason": report.reason},
                )

        return self._refused(wish, report.verdict, report=report)

    def _refused(
        self,
        wish: Save,
        verdict: t.Any,
        *,
        report: ConnectionReport | None = None,
        other_provider: str | None = None,
    ) -> SaveResult:
        return SaveResult(
            saved=False,
            verdict=verdict,
            provider=wish.provider.id,
            credential=self._info(wish.company, wish.provider.id),
            report=report,
            other_provider=other_provider,
        )

    def _changed(
        self, wish: Save, report: ConnectionReport | None = None
    ) -> SaveResult:
        info = self._info(wish.company, wish.provider.id)
        return SaveResult(
            saved=False,
            verdict="changed",
            provider=wish.provider.id,
            credential=info,
            report=report,
            changed_by=None if info is None else info.updated_by,
            changed_at=None if info is None else info.updated_at,
        )

    def _save_details(self, wish: Save, stored: Credential | None) -> SaveResult:
        """Change model and expiry date; a new model is tried with the stored key."""
        if stored is None:
            raise CredentialNotFound(_none_stored(wish.provider))

        report = None

        if wish.model != stored.model:
            report = self._try_model(wish, stored)

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
            credential=self._info(wish.company, wish.provider.id),
            report=report,
        )

    def _try_model(self, wish: Save, stored: Credential) -> ConnectionReport:
        self._count(wish.company, wish.actor)
        return self._checker.check(
            wish.provider,
            self._open_stored(stored),
            model=self._model(wish.provider, wish.model),
        )

    def _put_details(
        self, wish: Save, stored: Credential, report: ConnectionReport | None
    ) -> None:
        with self._database.write() as conn:
            generation = self._store.set_details(
                conn,
                wish.company,
                wish.provider.id,
                seen_generation=stored.generation,
                model=wish.model,
                expires_on=wish.expires_on,
                actor=wish.actor,
            )

            if report is not None:
                self._save_report(conn, stored, generation, report)

            self._note(
                conn,
                wish.company,
                "details_changed",
                wish.actor,
                wish.provider.id,
                {
                    "model": wish.model,
                    "expires_on": _iso(wish.expires_on),
                },
            )

    def test(
        self, company: str, provider_id: str | None, *, actor: str | None = None
    ) -> ConnectionReport:
        """Test a stored key. Nothing but the result is written."""
        state = self._store.read_state(company)
        stored = self._find(state, provider_id)
        provider = self._registry.get(stored.provider)
        secret = self._open_stored(stored, state)
        self._count(company, actor)
        report = self._checker.check(
            provider, secret, model=self._model(provider, stored.model)
        )
        self._keep(state, stored, report, actor)
        return report

    def _find(self, state: CompanyState, provider_id: str | None) -> Credential:
        if provider_id is None:
            stored = self._planner.active(state)
        else:
            self._registry.get(provider_id)
            stored = state.credential(provider_id)

        if stored is None:
            raise CredentialNotFound("This company has no stored key to test.")

        return stored

    def _open_stored(
        self, stored: Credential, state: CompanyState | None = None
    ) -> Secret:
        keyring = self._open_keyring()
        failure = None

        try:
            return keyring.open(stored.blob, seal_context(stored), key_id=stored.key_id)
        except StoredKeyUnreadable as error:
            failure = error

        if state is not None:
            now = state.now()
            change = self._circuits.unreadable(stored, failure.reason, now)
            self._teller.changed(change, now)

        raise failure

    def _keep(
        self,
        state: CompanyState,
        stored: Credential,
        report: ConnectionReport,
        actor: str | None,
    ) -> None:
        """Keep the result; a working key's circuit closes. A late one is dropped."""
        now, change = state.now(), None

        with self._database.write() as conn:
            if not self._save_report(conn, stored, stored.generation, report):
                return

            if report.verdict == "working":
                change = self._circuits.reset(conn, stored, now)

            self._note(
                conn,
                stored.company_id,
                "key_tested",
                actor,
                stored.provider,
                {"verdict": report.verdict, "reason": report.reason},
            )

        self._teller.changed(change, now)

    def _save_report(
        self,
        conn: t.Any,
        stored: Credential,
        generation: int,
        report: ConnectionReport,
    ) -> bool:
        state, reason = _STATES.get(report.verdict), report.reason

        # A test marks no working key as broken: only a call's own failure does.
        if state is None or report.verdict == "could_not_ask":
            state, reason = stored.state, None
        elif stored.state == "working":
            state, reason = "working", None

        return self._store.save_report(
            conn,
            stored.id,
            seen_generation=generation,
            state=state,
            state_reason=reason,
            report=render_report(report),
        )

    def remove(
        self,
        company: str,
        provider_id: str,
        *,
        actor: str | None = None,
        generation: int | None = None,
    ) -> None:
        """Delete a key; the next one in order takes its place."""
        state = self._store.read_state(company)
        active = self._planner.active(state)

        with self._database.write() as conn:
            self._store.delete(conn, company, provider_id, seen_generation=generation)

            if active is not None and active.provider == provider_id:
                heir = self._heir(state, provider_id)
                self._store.set_active(conn, company, heir)

            self._note(conn, company, "key_removed", actor, provider_id, {})

    def _heir(self, state: CompanyState, provider_id: str) -> str | None:
        """Pick who comes next: the first working key, else the first there is."""
        left = [c for c in self._planner.stored(state) if c.provider != provider_id]
        working = [c for c in left if c.state == "working"]
        return next((c.provider for c in [*working, *left]), None)

    def forget(self, company: str) -> None:
        """Delete every row of a company."""
        with self._database.write() as conn:
            self._store.forget(conn, company)

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
        if fallback is not None and self._settings.fallback_locked:
            raise PolicyLocked(
                "The operator set the fallback policy for all companies."
            )

        if fallback is not None and fallback not in _POLICIES:
            raise ValueError(f"'fallback' must be one of: {', '.join(_POLICIES)}.")

        state = self._store.read_state(company)

        if active_provider is not None and state.credential(active_provider) is None:
            raise CredentialNotFound(_none_stored(self._registry.get(active_provider)))

        with self._database.write() as conn:
            self._store.set_policy(
                conn,
                company,
                fallback=fallback,
                active_provider=active_provider,
                use_other_keys=use_other_keys,
            )
            self._note_policy(
                conn, state, fallback, active_provider, use_other_keys, actor
            )

        return self.status(company).policy

    def _note_policy(
        self,
        conn: t.Any,
        state: CompanyState,
        fallback: str | None,
        active_provider: str | None,
        use_other_keys: bool | None,
        actor: str | None,
    ) -> None:
        before = self._policy(state)
        changes: list[tuple[Action, Detail, Detail, str]] = [
            ("policy_changed", before.fallback, fallback, "fallback"),
            ("policy_changed", before.use_other_keys, use_other_keys, "use_other_keys"),
            ("active_changed", before.active_provider, active_provider, "active"),
        ]

        for action, old, new, what in changes:
            if new is not None and new != old:
                details: dict[str, Detail] = {"what": what, "from": old, "to": new}
                self._note(
                    conn, state.company_id, action, actor, active_provider, details
                )

    def _policy(self, state: CompanyState) -> PolicyInfo:
        active = self._planner.active(state)
        return PolicyInfo(
            fallback=self._planner.policy(state),
            locked=self._settings.fallback_locked,
            active_provider=None if active is None else active.provider,
            use_other_keys=state.use_other_keys,
        )

    def status(self, company: str) -> CompanyStatus:
        """Tell whose key serves now, and why not the company's."""
        state = self._store.read_state(company)
        policy = self._policy(state)
        outlook = self._engine.look_ahead(state)
        active = self._planner.active(state)
        circuit = None if active is None else active.circuit
        is_out = circuit is not None and circuit.circuit == "open"
        return CompanyStatus(
            now=state.now(),
            policy=policy,
            credentials=tuple(self._infos(company, policy.active_provider)),
            serving=outlook.source,
            provider=outlook.provider,
            model=outlook.model,
            fallback_active=outlook.fallback_active,
            reason=outlook.reason,
            code=circuit.code if circuit is not None and is_out else None,
            since=circuit.opened_at if circuit is not None and is_out else None,
            until=circuit.open_until if circuit is not None and is_out else None,
            vault_open=self._keyring is not None,
        )

    def _infos(self, company: str, active: str | None) -> cabc.Iterator[CredentialInfo]:
        by_provider = {info.provider: info for info in self._store.credentials(company)}

        for provider_id in self._registry.ids:
            if provider_id in by_provider:
                info = by_provider[provider_id]
                yield dataclasses.replace(info, active=provider_id == active)

    def _info(self, company: str, provider_id: str) -> CredentialInfo | None:
        found = [
            i for i in self.status(company).credentials if i.provider == provider_id
        ]
        return found[0] if found else None

    def allowance(self, company: str) -> list[Allowance]:
        """Tell what is left of the budget this month."""
        now = self._store.read_state(company).now()
        return [
            Allowance(
                unit=unit.unit,
                used=unit.used + unit.reserved,
                limit=unit.limit,
                resets_on=unit.resets_on,
            )
            for unit in self._ledger.allowance(company, now)
        ]

    def usage(self, company: str, since: dt.date, until: dt.date) -> list[UsageRow]:
        """Count what the company's calls used."""
        return self._ledger.usage(company, since, until)

    def history(self, company: str, limit: int) -> list[HistoryEntry]:
        """List who changed what, newest first."""
        return self._ledger.audit.history(company, limit)

    def _note(
        self,
        conn: t.Any,
        company: str,
        action: Action,
        actor: str | None,
        provider: str | None,
        details: cabc.Mapping[str, Detail],
    ) -> None:
        self._ledger.audit.write(
            conn,
            company,
            action,
            at=self._database.now(conn),
            actor=actor,
            provider=provider,
            details=details,
        )


def read_model(model: str | None) -> str | None:
    """Check a model's name; an empty one means the app's choice.

    :raises ValueError: for blanks inside, other characters or more than 200.
    """
    model = (model or "").strip()

    if model and not _MODEL.fullmatch(model):
        raise ValueError("A model's name has at most 200 characters and no spaces.")

    return model or None


def _generation(stored: Credential | None) -> int | None:
    return None if stored is None else stored.generation


def _may_store(verdict: str, stored: Credential | None, confirm: str | None) -> bool:
    """A stored key gives way only to one that works, unless a person insists."""
    if verdict == "rejected":
        return False

    return verdict == "working" or stored is None or confirm == verdict


def _becomes_active(
    wish: Save, active: Credential | None, report: ConnectionReport
) -> bool:
    if active is None or active.provider == wish.provider.id:
        return True

    return wish.activate and report.verdict == "working"


def _none_stored(provider: Provider) -> str:
    return f"This company has no stored key of {provider.label}."


def _iso(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()
