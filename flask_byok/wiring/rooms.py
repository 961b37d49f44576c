"""The rooms of one app, from the bottom up: what a call needs, what a change needs."""

from __future__ import annotations

import dataclasses

from flask import Flask

from ..config import Settings
from ..failover.circuit import Circuits
from ..failover.engine import Engine
from ..failover.rooms import Rooms
from ..failover.routes import Planner
from ..failover.telling import Teller
from ..ledger.usage import Ledger
from ..providers.http import Sender
from ..providers.registry import Registry
from ..service.check import Checker
from ..service.desk import Desk
from ..service.limits import CheckLimiter
from ..vault.database import Database
from ..vault.drafts import Drafts
from ..vault.keyring import Keyring
from ..vault.models import Tables
from ..vault.store import Store
from ..web.flash import flash_fallback
from ..web.hosting import TransactionWatch
from .hostdb import HostDb
from .keys import build_keyring
from .keys import fingerprints


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """What every room of an app stands on."""

    settings: Settings
    registry: Registry
    tables: Tables
    database: Database


def build_rooms(app: Flask, db: HostDb, ground: Ground) -> Rooms:
    """Build what a call needs."""
    settings, database, tables = ground.settings, ground.database, ground.tables
    keyring = build_keyring(settings, app.secret_key)
    transactions = TransactionWatch(db)
    ledger = Ledger(
        database,
        tables,
        settings.system_budget,
        # The teller writes into the ledger's history, so it is made after it.
        crossed=lambda crossing: teller.allowance_crossed(crossing),
        host_may_hold_lock=transactions.is_open,
    )
    teller = Teller(app, database, tables.credential, ledger.audit, flash_fallback)
    return Rooms(
        settings=settings,
        planner=Planner(settings, ground.registry),
        sender=Sender(settings.connect_timeout),
        store=_build_store(ground, keyring),
        keyring=keyring,
        circuits=Circuits(database, tables, late=teller.changed_late),
        ledger=ledger,
        teller=teller,
        fingerprints=fingerprints(settings, keyring),
        ended=transactions,
    )


def _build_store(ground: Ground, keyring: Keyring | None) -> Store:
    store = Store(ground.database, ground.tables)

    if keyring is not None:
        store.watch(keyring)

    return store


def build_desk(ground: Ground, rooms: Rooms) -> Desk:
    """Build what the page, the JSON API and the commands change things with."""
    settings = ground.settings
    return Desk(
        settings=settings,
        registry=ground.registry,
        database=ground.database,
        store=rooms.store,
        drafts=Drafts(ground.database, ground.tables),
        keyring=rooms.keyring,
        engine=Engine(rooms),
        planner=rooms.planner,
        circuits=rooms.circuits,
        ledger=rooms.ledger,
        teller=rooms.teller,
        checker=Checker(
            rooms.sender, timeout=settings.timeout, latency_limit=settings.latency_limit
        ),
        limiter=CheckLimiter(
            settings.rate_limit,
            settings.rate_limit_storage,
            namespace=settings.namespace,
        ),
    )
