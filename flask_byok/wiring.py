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
from .failover.routes import DEFAULT
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
from .service.drafting import Drafting
from .service.endings import warn_of_ends
from .service.health import Health
from .service.limits import CheckLimiter
from .service.reminders import Reminders
from .service.saving import Saving
from .service.sweeping import Sweeper
from .service.upkeep import Upkeep
from .vault.database import Database
from .vault.drafts import Drafts
from .vault.keyring import Keyring
from .vault.models import build_tables
from .vault.models import Tables
from .vault.store import Store
from .web.flash import flash_fallback
from .web.hosting import ProxyWatch
from .web.hosting import TransactionWatch
from .web.hosting import warn_of_impatient_workers
from .web.hosting import warn_of_unpatched_workers

_log = logging.getLogger(__name__)


#: What is said of a ``db`` that is missing, or none.
NO_DB: t.Final = (
    "BYOK needs the app's Flask-SQLAlchemy object. "
    "Pass it: 'BYOK(db=db)' or 'byok.init_app(app, db=db)'."
)

#: How Flask-SQLAlchemy-Lite calls the engine that has no other name.
_LITE_DEFAULT: t.Final = "default"


class HostDb(t.Protocol):
    """The host's ``db``: that of Flask-SQLAlchemy, or of Flask-SQLAlchemy-Lite."""

    @property
    def engines(self) -> cabc.Mapping[t.Any, sa.Engine]:
        """The engines of the current app by name."""
        ...


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
    drafting: Drafting
    companies: Companies
    desk: Desk
    doctor: Doctor
    health: Health
    upkeep: Upkeep
    sweeper: Sweeper
    reminders: Reminders
    accounts: Accounts
    sdks: Sdks
    proxy_watch: ProxyWatch
    #: Whether the app began in debug mode; the command line changes it afterwards.
    began_in_debug: bool


class TableMaker:
    """Builds the tables once per ``db`` and bind, however many apps use it.

    :param metadata: where they are built, when ``db`` does not say.
    """

    def __init__(
        self, credential_class: type[t.Any] | None, metadata: sa.MetaData | None
    ) -> None:
        self._credential_class = credential_class
        self._metadata = metadata
        self._foreseen: Tables | None = None

    def foresee(self, db: HostDb) -> None:
        """Build the tables before any app has told where it keeps them."""
        self._foreseen = self._build(db, None)

    def make(self, db: HostDb, bind_key: str | None) -> Tables:
        """Build the tables in the metadata of a bind, or find them there."""
        if bind_key is not None and self._metadata is None:
            self._take_back(db)

        self._foreseen = None
        return self._build(db, bind_key)

    def _build(self, db: HostDb, bind_key: str | None) -> Tables:
        metadata = self._metadata
        metadata = _metadata(db, bind_key) if metadata is None else metadata
        return build_tables(metadata, credential=self._credential())

    def _take_back(self, db: HostDb) -> None:
        """Remove foreseen tables, or the app's main database would get them too."""
        for table in () if self._foreseen is None else self._foreseen.all():
            if table is not self._credential():
                _metadata(db, None).remove(table)

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


def _metadata(db: t.Any, bind_key: str | None) -> sa.MetaData:
    # Looked up on the class: the property itself needs an app.
    if not hasattr(type(db), "engines"):
        raise SetupError(NO_DB)

    if not hasattr(db, "metadatas"):
        raise SetupError(
            "The 'db' given to BYOK has no metadata of its own. Name that of your base "
            "class: 'BYOK(db=db, metadata=Base.metadata)'."
        )

    # Finds it, or makes that of a bind that has no table yet.
    return t.cast("sa.MetaData", db._make_metadata(bind_key))


def build_state(
    app: Flask,
    db: HostDb,
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
    warn_of_unpatched_workers()
    warn_of_ends(settings, registry)
    database = Database(engine_getter(app, db, settings.bind_key))
    state = _assemble(app, db, settings, registry, tables, database)
    tidy_at_the_end(app, database, state.sweeper)
    return state


def _assemble(
    app: Flask,
    db: HostDb,
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
        drafts=Drafts(database, tables),
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
    saving = Saving(desk, companies)
    reminders = Reminders(database, tables.credential, ledger.audit, teller)
    sweeper = Sweeper(database, ledger, teller.notices, reminders, desk.drafts)
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
        saving=saving,
        drafting=Drafting(desk, saving),
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
            chores=sweeper.chores,
        ),
        health=Health(store, keyring),
        upkeep=Upkeep(desk, tables),
        sweeper=sweeper,
        reminders=reminders,
        accounts=Accounts(desk),
        sdks=Sdks(engine, registry, settings),
        proxy_watch=ProxyWatch(),
        began_in_debug=app.debug,
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
                    f"'BYOK_{setting.upper()}' names {provider_id}, which is not "
                    "registered. Call 'byok.register_provider(…)' before 'init_app', "
                    f"or correct the name. Known are: {', '.join(known)}."
                )

    registry = Registry()

    for provider in known.values():
        register_provider(registry, settings, provider)

    return registry


def register_provider(
    registry: Registry, settings: Settings, provider: Provider
) -> None:
    """Let an app know a provider, at the address its operator set.

    :raises ConfigError: when nothing says which model a call without one means there.
    """
    names = {**provider.default_models, **settings.models.get(provider.id, {})}

    if not names.get(DEFAULT):
        raise ConfigError(
            f"The provider {provider.id} has no model for '{DEFAULT}'. Give it "
            f'\'default_models={{"{DEFAULT}": "…"}}\', or name one in '
            f"'BYOK_MODELS[\"{provider.id}\"]'."
        )

    url = settings.provider_urls.get(provider.id)
    registry.register(provider if url is None else provider.with_base_url(url))


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
    app: Flask, db: HostDb, bind_key: str | None
) -> cabc.Callable[[], sa.Engine]:
    """Give a function that finds the host's engine once somebody needs it."""
    app_ref = weakref.ref(app)

    def get_engine() -> sa.Engine:
        host = app_ref()

        if host is None:
            raise SetupError("The app of this extension is gone.")

        if has_app_context() and current_app == host:
            return _engine(db, bind_key)

        with host.app_context():
            return _engine(db, bind_key)

    return get_engine


def _engine(db: HostDb, bind_key: str | None) -> sa.Engine:
    engines = None

    try:
        engines = db.engines
    except RuntimeError:
        # What both say of an app they were not given.
        pass

    if engines is None:
        raise SetupError(
            "The 'db' given to BYOK does not know this app. Call 'db.init_app(app)' on "
            "that same 'db'."
        )

    for name in (bind_key,) if bind_key is not None else (None, _LITE_DEFAULT):
        if name in engines:
            return engines[name]

    if bind_key is None:
        raise SetupError(
            "This app's 'db' has no default database, and 'BYOK_BIND_KEY' names none. "
            "Set 'SQLALCHEMY_DATABASE_URI', or the bind that holds the tables."
        )

    raise SetupError(
        "'BYOK_BIND_KEY' names no database of this app. Add it to 'SQLALCHEMY_BINDS', "
        "or correct the name."
    )


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
