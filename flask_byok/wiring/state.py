"""Everything of one app, built once, at ``init_app``."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import logging

from flask import appcontext_tearing_down
from flask import Flask

from ..config import Settings
from ..events import log_event
from ..failover.engine import Engine
from ..failover.rooms import Rooms
from ..providers.base import Provider
from ..providers.http import Sender
from ..providers.registry import Registry
from ..sdk.builder import Sdks
from ..service.accounts import Accounts
from ..service.companies import Companies
from ..service.connection import Connections
from ..service.desk import Desk
from ..service.doctor import Doctor
from ..service.drafting import Drafting
from ..service.endings import warn_of_ends
from ..service.health import Health
from ..service.reminders import Reminders
from ..service.saving import Saving
from ..service.sweeping import Sweeper
from ..service.upkeep import Upkeep
from ..vault.database import Database
from ..vault.keyring import Keyring
from ..vault.models import Tables
from ..vault.store import Store
from ..web.hosting import ProxyWatch
from ..web.hosting import warn_of_impatient_workers
from ..web.hosting import warn_of_unpatched_workers
from .hostdb import engine_getter
from .hostdb import HostDb
from .keys import hide_secrets
from .providers import build_registry
from .rooms import build_desk
from .rooms import build_rooms
from .rooms import Ground
from .tablemaker import TableMaker

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


def build_state(
    app: Flask,
    db: HostDb,
    maker: TableMaker,
    providers: cabc.Sequence[Provider],
) -> AppState:
    """Read the settings of ``app`` and build its rooms from the bottom up."""
    settings = Settings.from_config(app.config)
    ground = Ground(
        settings=settings,
        registry=build_registry(settings, providers),
        tables=maker.make(db, settings.bind_key),
        database=Database(engine_getter(app, db, settings.bind_key)),
    )
    hide_secrets(app, settings)
    warn_of_debug(app)
    warn_of_impatient_workers(settings.timeout)
    warn_of_unpatched_workers()
    warn_of_ends(settings, ground.registry)
    rooms = build_rooms(app, db, ground)
    state = _build_services(app, ground, rooms, build_desk(ground, rooms))
    tidy_at_the_end(app, ground.database, state.sweeper)
    return state


def _build_services(app: Flask, ground: Ground, rooms: Rooms, desk: Desk) -> AppState:
    database, tables, teller = ground.database, ground.tables, rooms.teller
    companies = Companies(desk)
    saving = Saving(desk, companies)
    reminders = Reminders(database, tables.credential, rooms.ledger.audit, teller)
    sweeper = Sweeper(database, rooms.ledger, teller.notices, reminders, desk.drafts)
    return AppState(
        settings=ground.settings,
        registry=ground.registry,
        tables=tables,
        database=database,
        store=rooms.store,
        keyring=rooms.keyring,
        sender=rooms.sender,
        engine=desk.engine,
        connections=Connections(desk),
        saving=saving,
        drafting=Drafting(desk, saving),
        companies=companies,
        desk=desk,
        doctor=_build_doctor(ground, rooms, sweeper),
        health=Health(rooms.store, rooms.keyring),
        upkeep=Upkeep(desk, tables),
        sweeper=sweeper,
        reminders=reminders,
        accounts=Accounts(desk),
        sdks=Sdks(desk.engine, ground.registry, ground.settings),
        proxy_watch=ProxyWatch(),
        began_in_debug=app.debug,
    )


def _build_doctor(ground: Ground, rooms: Rooms, sweeper: Sweeper) -> Doctor:
    return Doctor(
        settings=ground.settings,
        registry=ground.registry,
        database=ground.database,
        store=rooms.store,
        keyring=rooms.keyring,
        sender=rooms.sender,
        tables=ground.tables,
        prices=rooms.ledger.prices,
        chores=sweeper.chores,
    )


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
