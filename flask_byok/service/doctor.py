"""Looks for everything that keeps an app from serving its companies' keys."""

from __future__ import annotations

import collections
import collections.abc as cabc
import datetime as dt
import typing as t

from ..config import Settings
from ..errors import SetupError
from ..errors import StateUnavailable
from ..errors import StoredKeyUnreadable
from ..failover.classify import classify
from ..ledger.prices import is_installed
from ..ledger.prices import Prices
from ..providers.base import Provider
from ..providers.http import Deadline
from ..providers.http import Sender
from ..providers.reach import reach
from ..providers.registry import Registry
from ..providers.types import AttemptFailed
from ..secret import Secret
from ..vault.database import Database
from ..vault.keyring import Keyring
from ..vault.models import Tables
from ..vault.sealed_rows import open_all
from ..vault.sealed_rows import UnreadableKey
from ..vault.store import Store
from .ages import look_at_ages
from .endings import app_endings
from .findings import error
from .findings import Finding
from .findings import Level
from .findings import ok
from .findings import warning
from .sweeping import Chore

#: Seconds one visit to a provider may take.
VISIT: t.Final = 5.0


class Doctor:
    """Examines one app. Reads everything, changes nothing."""

    def __init__(
        self,
        *,
        settings: Settings,
        registry: Registry,
        database: Database,
        store: Store,
        keyring: Keyring | None,
        sender: Sender,
        tables: Tables,
        prices: Prices,
        chores: cabc.Callable[[], cabc.Iterable[Chore]],
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._database = database
        self._store = store
        self._keyring = keyring
        self._sender = sender
        self._tables = tables
        self._prices = prices
        self._chores = chores

    def examine(
        self, *, has_loader: bool, has_access_check: bool, has_secret_key: bool
    ) -> cabc.Iterator[Finding]:
        """Give the findings one by one, as they are made."""
        yield from self._look_at_settings()
        yield from _look_at_the_app(has_loader, has_access_check, has_secret_key)
        tables = list(self._look_at_tables())
        yield from tables

        if all(finding.level == "ok" for finding in tables):
            yield from self._look_at_rows()

        yield from self._look_at_key_services()
        yield from self._look_at_providers()

    def _look_at_settings(self) -> cabc.Iterator[Finding]:
        ring = self._settings.ring

        if ring is None:
            yield error(
                "vault",
                "BYOK_MASTER_KEYS is off: no key can be saved. Make one with "
                "'flask byok generate-key' and set it.",
            )
        else:
            ids = ", ".join(ring.keys)
            yield ok("vault", f"Master keys: {ids}; {ring.primary} seals.")

        if not self._settings.system_keys:
            yield warning(
                "system-keys",
                "BYOK_SYSTEM_KEYS is empty: a company without a working key of its "
                "own gets no answer.",
            )

        yield from self._look_at_prices()
        yield from self._look_at_models()

    def _look_at_models(self) -> cabc.Iterator[Finding]:
        """Look for models the app itself names whose end is near."""
        today = dt.datetime.now(dt.timezone.utc).date()

        for provider, ending in app_endings(self._settings, self._registry, today):
            when = "has been" if ending.is_over else "is"
            yield warning(
                "models",
                f"The model {ending.model} of {provider.id} {when} shut down on "
                f"{ending.on.isoformat()}. Name another one in BYOK_MODELS.",
            )

    def _look_at_prices(self) -> cabc.Iterator[Finding]:
        """Look for system models that a limit on money keeps from being used."""
        if "money" not in (self._settings.system_budget or {}):
            return

        if not is_installed():
            yield error(
                "prices",
                "BYOK_SYSTEM_BUDGET limits money and no prices are installed: no "
                "system key is used. Run: pip install 'flask-byok[prices]'.",
            )
            return

        unpriced = list(self._unpriced_models())

        if unpriced:
            yield error(
                "prices",
                "BYOK_SYSTEM_BUDGET limits money, and these system models have no "
                f"known price, so calls on them are refused: {', '.join(unpriced)}. "
                "Set others in BYOK_MODELS, or limit requests or tokens instead.",
            )
        else:
            yield ok("prices", "All models of the system keys are priced.")

    def _unpriced_models(self) -> cabc.Iterator[str]:
        now = dt.datetime.now(dt.timezone.utc)

        for provider_id in self._settings.system_order:
            provider = self._registry.get(provider_id)
            names = {**provider.default_models}

            if provider.embedding_model is not None:
                names["embedding"] = provider.embedding_model

            names.update(self._settings.models.get(provider_id, {}))

            for model in sorted(set(names.values())):
                if not self._prices.knows(provider_id, model, now):
                    yield f"{provider_id} {model}"

    def _look_at_tables(self) -> cabc.Iterator[Finding]:
        missing: tuple[str, ...] = ()
        trouble = None

        try:
            missing = self._store.missing_tables()
        except (SetupError, StateUnavailable) as failure:
            trouble = str(failure)

        if trouble is not None:
            yield error("tables", trouble)
        elif missing:
            yield error(
                "tables",
                f"The database lacks {', '.join(missing)}. Run your migrations, or "
                "'db.create_all()'.",
            )
        else:
            yield ok("tables", "All tables are there.")

    def _look_at_rows(self) -> cabc.Iterator[Finding]:
        if self._settings.system_budget and self._shares_sqlite():
            yield warning(
                "budget",
                "SQLite allows one writer: a call made while this app has unsaved "
                "rows is refused under BYOK_SYSTEM_BUDGET. Commit before calling AI, "
                "or give the tables a file of their own (BYOK_BIND_KEY).",
            )

        for provider_id, count in self._store.providers().items():
            if provider_id not in self._registry:
                yield warning(
                    "stored-keys",
                    f"Nobody registers the provider {provider_id} of {count} stored "
                    "keys: they do not serve. Call 'byok.register_provider(…)', or "
                    "remove them with 'flask byok remove'.",
                )

        yield from look_at_ages(
            self._database, self._tables, self._chores(), self._keyring
        )

        if self._keyring is None:
            return

        for problem in self._store.keyring_problems(self._keyring):
            level: Level = "error" if problem.stops_sealing else "warning"
            yield Finding(check="master-keys", level=level, text=problem.sentence)

        yield from self._open_every_key(self._keyring)

    def _shares_sqlite(self) -> bool:
        is_sqlite = self._database.engine.dialect.name == "sqlite"
        return is_sqlite and self._settings.bind_key is None

    def _open_every_key(self, keyring: Keyring) -> cabc.Iterator[Finding]:
        opened: collections.Counter[str] = collections.Counter()
        trouble = None

        try:
            for looked in open_all(self._database, self._tables.credential, keyring):
                opened.update(looked.opened)
                yield from map(_unreadable, looked.unreadable)
        except StoredKeyUnreadable as failure:
            trouble = str(failure)

        if trouble is not None:
            yield error("stored-keys", trouble)

        yield ok("stored-keys", f"Stored keys that open: {opened.total()}.")
        old = opened.total() - opened[keyring.primary]

        if old:
            yield warning(
                "rotation",
                f"{old} stored keys are sealed by another master key than the primary "
                f"{keyring.primary}. Move them with 'flask byok rotate'.",
            )

    def _look_at_key_services(self) -> cabc.Iterator[Finding]:
        """Try each key service, so that a lost permission shows before a save does."""
        if self._keyring is None:
            return

        for key_id in self._keyring.service_ids:
            reason = self._keyring.probe(key_id)

            if reason is None:
                yield ok(
                    "key-services",
                    f"The key service '{key_id}' wraps and unwraps data keys.",
                )
            else:
                yield error(
                    "key-services",
                    f"The key service '{key_id}' does not wrap and unwrap data keys "
                    f"({reason}). The log tells why; check its address, its "
                    "credentials and what they may do.",
                )

    def _look_at_providers(self) -> cabc.Iterator[Finding]:
        for provider_id in self._registry.ids:
            provider = self._registry.get(provider_id)
            system_key = self._settings.system_keys.get(provider_id)
            trouble = reach(provider.base_url, VISIT)

            if trouble is not None:
                yield _unreached(provider, trouble, is_needed=system_key is not None)
            elif system_key is None or not provider.list_proves:
                yield ok("providers", f"{provider_id} can be reached.")
            else:
                yield self._try_system_key(provider, system_key)

    def _try_system_key(self, provider: Provider, system_key: Secret) -> Finding:
        failure = None

        try:
            provider.models(
                self._sender, api_key=system_key, deadline=Deadline(VISIT), pages=1
            )
        except AttemptFailed as failed:
            failure = failed.failure

        if failure is None:
            return ok("providers", f"{provider.id} accepts the system key.")

        now = dt.datetime.now(dt.timezone.utc)
        verdict = classify(failure, dialect=provider.error_table, now=now)

        if verdict.letter == "A":
            return error(
                "providers",
                f"{provider.id} rejects the system key ({verdict.reason}). Put another "
                "into BYOK_SYSTEM_KEYS.",
            )

        return warning(
            "providers",
            f"{provider.id} can be reached; it did not list models for the system key "
            f"({verdict.reason}).",
        )


def _look_at_the_app(
    has_loader: bool, has_access_check: bool, has_secret_key: bool
) -> cabc.Iterator[Finding]:
    if not has_loader:
        yield error(
            "company-loader",
            "No company_loader is registered. Decorate a function that returns the "
            "company's id with '@byok.company_loader'.",
        )

    if not has_access_check:
        yield error(
            "access-check",
            "No access_check is registered, so nobody may open the settings page. "
            "Decorate a function that tells who may with '@byok.access_check'.",
        )

    if not has_secret_key:
        yield error(
            "secret-key",
            "SECRET_KEY is not set: the settings page needs a session to protect its "
            "forms.",
        )


def _unreadable(key: UnreadableKey) -> Finding:
    return error(
        "stored-keys",
        f"The key {key.record_id} of company {key.company_id} ({key.provider}, sealed "
        f"by {key.key_id}) does not open: {key.reason}.",
    )


def _unreached(provider: Provider, trouble: str, *, is_needed: bool) -> Finding:
    tell = error if is_needed else warning
    return tell(
        "providers",
        f"{provider.id} cannot be reached from here ({trouble}). Check the network and "
        "BYOK_PROVIDER_URLS.",
    )
