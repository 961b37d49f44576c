"""Builds everything one app needs, once, at ``init_app``."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import logging
import typing as t
import weakref

import sqlalchemy as sa
from flask import appcontext_tearing_down
from flask import current_app
from flask import Flask
from flask import has_app_context

from .config import Settings
from .errors import ConfigError
from .errors import SetupError
from .events import log_event
from .failover.circuit import Circuits
from .failover.engine import Engine
from .failover.rooms import Rooms
from .failover.routes import Planner
from .failover.telling import Teller
from .keyservices.texts import build_services
from .ledger.usage import Ledger
from .providers.base import Provider
from .providers.http import Sender
from .providers.registry import built_in_providers
from .providers.registry import Registry
from .sdk.builder import Sdks
from .secret import Secret
from .service.accounts import Accounts
from .service.check import Checker
from .service.companies import Companies
from .service.connection import Connections
from .service.desk import Desk
from .service.doctor import Doctor
from .service.limits import CheckLimiter
from .service.saving import Saving
from .service.sweeping import Sweeper
from .service.upkeep import Upkeep
from .vault.database import Database
from .vault.keyring import Keyring
from .vault.models import build_tables
from .vault.models import Tables
from .vault.store import Store
from .web.flash import flash_fallback
from .web.hosting import TransactionWatch
from .web.hosting import warn_of_impatient_workers

if t.TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class AppState:
    """Everything of one app. Nothing here holds the app itself."""

    settings: Settings
    registry: Registry
    tables: Tables
    database: Database
    store: Store
    keyring: Keyring | None
    sender: Sender
    engine: Engine
    connections: Connections
    saving: Saving
    companies: Companies
    desk: Desk
    doctor: Doctor
    upkeep: Upkeep
    sweeper: Sweeper
    accounts: Accounts
    sdks: Sdks


class TableMaker:
    """Builds the tables once per ``db`` and bind, however many apps use it."""

    def __init__(self, credential_class: type[t.Any] | None) -> None:
        self._credential_class = credential_class
        self._foreseen: Tables | None = None

    def foresee(self, db: SQLAlchemy) -> None:
        """Build the tables before any app has told where it keeps them."""
        self._foreseen = self._build(db, None)

    def make(self, db: SQLAlchemy, bind_key: str | None) -> Tables:
        """Build the tables in the metadata of a bind, or find them there."""
        if bind_key is not None:
            self._take_back(db)

        self._foreseen = None
        return self._build(db, bind_key)

    def _build(self, db: SQLAlchemy, bind_key: str | None) -> Tables:
        return build_tables(_metadata(db, bind_key), credential=self._credential())

    def _take_back(self, db: SQLAlchemy) -> None:
        """Remove foreseen tables, or the app's main database would get them too."""
        for table in () if self._foreseen is None else self._foreseen.all():
            if table is not self._credential():
                db.metadata.remove(table)

    def _credential(self) -> sa.Table | None:
        if self._credential_class is None:
            return None

        table = getattr(self._credential_class, "__table__", None)

        if not isinstance(table, sa.Table):
            raise SetupError(
                "'credential_class' must be a mapped class with a table of its own: "
                "a model on 'CredentialMixin' and 'db.Model'."
            )

        return table


def _metadata(db: SQLAlchemy, bind_key: str | None) -> sa.MetaData:
    if bind_key not in db.metadatas:
        # The public way to make the metadata of a bind that has no table yet.
        return db._make_metadata(bind_key)

    return db.metadatas[bind_key]


def build_state(
    app: Flask,
    db: SQLAlchemy,
    maker: TableMaker,
    providers: cabc.Sequence[Provider],
) -> AppState:
    """Read the settings of ``app`` and build its rooms from the bottom up."""
    settings = Settings.from_config(app.config)
    registry = build_registry(settings, providers)
    tables = maker.make(db, settings.bind_key)
    hide_secrets(app, settings)
    warn_of_debug(app)
    warn_of_impatient_workers(settings.timeout)
    database = Database(engine_getter(app, db, settings.bind_key))
    state = _assemble(app, db, settings, registry, tables, database)
    tidy_at_the_end(app, database, state.sweeper)
    return state


def _assemble(
    app: Flask,
    db: SQLAlchemy,
    settings: Settings,
    registry: Registry,
    tables: Tables,
    database: Database,
) -> AppState:
    store = Store(database, tables)
    keyring = build_keyring(settings, app.secret_key)

    if keyring is not None:
        store.watch(keyring)

    sender = Sender(settings.connect_timeout)
    planner = Planner(settings, registry)
    transactions = TransactionWatch(db)
    ledger = Ledger(
        database,
        tables,
        settings.system_budget,
        crossed=lambda crossing: teller.allowance_crossed(crossing),
        host_may_hold_lock=transactions.is_open,
    )
    teller = Teller(app, database, tables.credential, ledger.audit, flash_fallback)
    circuits = Circuits(database, tables, late=teller.changed_late)
    rooms = Rooms(
        settings=settings,
        planner=planner,
        sender=sender,
        store=store,
        keyring=keyring,
        circuits=circuits,
        ledger=ledger,
        teller=teller,
        fingerprints=fingerprints(settings, keyring),
        ended=transactions,
    )
    engine = Engine(rooms)
    desk = Desk(
        settings=settings,
        registry=registry,
        database=database,
        store=store,
        keyring=keyring,
        engine=engine,
        planner=planner,
        circuits=circuits,
        ledger=ledger,
        teller=teller,
        checker=Checker(
            sender, timeout=settings.timeout, latency_limit=settings.latency_limit
        ),
        limiter=CheckLimiter(
            settings.rate_limit,
            settings.rate_limit_storage,
            namespace=settings.namespace,
        ),
    )
    companies = Companies(desk)
    return AppState(
        settings=settings,
        registry=registry,
        tables=tables,
        database=database,
        store=store,
        keyring=keyring,
        sender=sender,
        engine=engine,
        connections=Connections(desk),
        saving=Saving(desk, companies),
        companies=companies,
        desk=desk,
        doctor=Doctor(
            settings=settings,
            registry=registry,
            database=database,
            store=store,
            keyring=keyring,
            sender=sender,
            tables=tables,
            prices=ledger.prices,
        ),
        upkeep=Upkeep(desk, tables),
        sweeper=Sweeper(database, ledger, teller.notices),
        accounts=Accounts(desk),
        sdks=Sdks(engine, registry, settings),
    )


def build_registry(settings: Settings, providers: cabc.Sequence[Provider]) -> Registry:
    """Give this app its own providers, at the addresses its operator set.

    :raises ConfigError: when a setting names a provider nobody registered.
    """
    known = {p.id: p for p in (*built_in_providers(), *providers)}

    for setting in ("system_keys", "models", "provider_urls"):
        for provider_id in getattr(settings, setting):
            if provider_id not in known:
                raise ConfigError(
                    f"'BYOK_{setting.upper()}' names a provider that is not "
                    f"registered. Known are: {', '.join(known)}."
                )

    return Registry(
        provider.with_base_url(settings.provider_urls[provider.id])
        if provider.id in settings.provider_urls
        else provider
        for provider in known.values()
    )


def build_keyring(settings: Settings, app_secret: str | bytes | None) -> Keyring | None:
    """Build the keyring; ``None`` when the vault is closed on purpose.

    :param app_secret: ``SECRET_KEY``; marks system keys where the ring has key
        services alone, as the same in all workers and after a restart.
    :raises ConfigError: for a key service that cannot be what it says.
    """
    if settings.ring is None:
        return None

    return Keyring(
        build_services(settings.ring.keys),
        settings.ring.primary,
        settings.namespace,
        app_secret=_wrap_secret(app_secret),
    )


def _wrap_secret(app_secret: object) -> Secret | None:
    if isinstance(app_secret, bytes):
        app_secret = app_secret.decode("latin-1")

    # A prefixed environment variable of digits arrives as a number.
    return Secret(str(app_secret)) if app_secret else None


def fingerprints(settings: Settings, keyring: Keyring | None) -> dict[str, str]:
    """Give each system key a mark by which its row knows that the key was changed."""
    return {
        provider: "closed" if keyring is None else keyring.fingerprint(system_key)
        for provider, system_key in settings.system_keys.items()
    }


def hide_secrets(app: Flask, settings: Settings) -> None:
    """Put secrets that print a mask into ``app.config`` in place of the texts."""
    if settings.ring is not None:
        app.config["BYOK_MASTER_KEYS"] = dict(settings.ring.keys)

    if settings.system_keys:
        app.config["BYOK_SYSTEM_KEYS"] = dict(settings.system_keys)


def warn_of_debug(app: Flask) -> None:
    """Say once that a debugger can read what this package protects."""
    if app.debug:
        log_event(
            _log,
            logging.WARNING,
            "debug_mode",
            "Debug mode is on: its console can read every key this app can open. "
            "Never turn it on where others can reach it.",
        )


def engine_getter(
    app: Flask, db: SQLAlchemy, bind_key: str | None
) -> cabc.Callable[[], sa.Engine]:
    """Give a function that finds the host's engine once somebody needs it."""
    app_ref = weakref.ref(app)

    def get_engine() -> sa.Engine:
        host = app_ref()

        if host is None:
            raise SetupError("The app of this extension is gone.")

        if has_app_context() and current_app == host:
            return db.engines[bind_key]

        with host.app_context():
            return db.engines[bind_key]

    return get_engine


def tidy_at_the_end(app: Flask, database: Database, sweeper: Sweeper) -> None:
    """Write what had to wait, and sweep a little, once the host's session is gone.

    The signal and not the teardown hook: ours would run before the session's.
    """

    def flush(sender: Flask, **details: object) -> None:
        database.flush()
        sweeper.sweep_a_little()

    # Kept alive by the app: blinker holds receivers weakly.
    app.extensions["byok_flush"] = flush
    appcontext_tearing_down.connect(flush, app)
