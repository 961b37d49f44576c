"""A host app on a real database and a real simulator, for every room of tests."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import datetime as dt
import typing as t

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_byok import BYOK
from flask_byok import Provider
from flask_byok.masterkeys import generate
from flask_byok.testing import Simulator
from flask_byok.vault.company import CompanyId

#: Keys the simulator takes; they look like nothing real.
GOOD: t.Final = "not-a-real-company-key-0001-AbCd"
BETTER: t.Final = "not-a-real-company-key-0002-EfGh"
REVOKED: t.Final = "not-a-real-revoked-key-0003-IjKl"
SYSTEM: t.Final = "not-a-real-system-key-{provider}"

#: One master key for the whole run: apps of one test must understand each other.
MASTER_KEYS: t.Final = {"k001": generate()}


@dataclasses.dataclass
class Host:
    """A host app and what a test wants to know of it."""

    app: Flask
    db: SQLAlchemy
    byok: BYOK
    simulator: Simulator
    company: CompanyId = 1

    @contextlib.contextmanager
    def as_company(self, company: CompanyId) -> cabc.Iterator[None]:
        """Let the ``company_loader`` name another company for a while."""
        before, self.company = self.company, company

        try:
            yield
        finally:
            self.company = before

    def move_clock(self, **delta: float) -> None:
        """Let the database's clock run ahead from now on."""
        self.byok.state.database.clock_offset += dt.timedelta(**delta)

    def who_paid(self) -> list[str]:
        """Give the keys of all requests for content, in order; not of lists."""
        return [
            request.api_key
            for request in self.simulator.requests
            if request.method == "POST"
        ]


def make_host(
    url: str,
    simulator: Simulator,
    providers: cabc.Sequence[Provider] = (),
    **config: t.Any,
) -> Host:
    """Make an app with one company at a time, and its tables.

    :param providers: registered before the app is.
    :param config: settings beside or instead of the usual; ``None`` leaves one out.
    """
    db = SQLAlchemy()
    byok = BYOK(db=db)

    for provider in providers:
        byok.register_provider(provider)

    app = Flask("host")
    usual = {
        "SECRET_KEY": "not-a-real-secret",
        "SQLALCHEMY_DATABASE_URI": url,
        "BYOK_MASTER_KEYS": MASTER_KEYS,
        "BYOK_PROVIDER_URLS": dict(simulator.urls),
        "BYOK_SYSTEM_KEYS": {
            provider: SYSTEM.format(provider=provider.lower())
            for provider in ("OPENAI", "GEMINI", "CLAUDE")
        },
        "BYOK_RATE_LIMIT": {},
    }
    chosen = {**usual, **config}
    app.config.update({name: v for name, v in chosen.items() if v is not None})
    db.init_app(app)
    byok.init_app(app)
    host = Host(app, db, byok, simulator)
    byok.company_loader(lambda: host.company)
    byok.access_check(lambda: True)

    with app.app_context():
        db.create_all()

    return host


def close_host(host: Host) -> None:
    """Give every connection back: one left over is a warning, and so an error."""
    with host.app.app_context():
        host.byok.state.database.close()
        host.byok.state.sender.close()

        for engine in host.db.engines.values():
            engine.dispose()
