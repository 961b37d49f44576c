"""An app and a simulator on which states of the page are set up."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import typing as t

import sqlalchemy as sa

from ..errors import BYOKError

if t.TYPE_CHECKING:
    from flask import Flask

    from ..extension import BYOK
    from ..vault.company import CompanyId
    from .server import Simulator

#: Keys the simulator takes and that look like nothing real.
COMPANY_KEY: t.Final = "not-a-real-company-key-0001-AbCd"
OTHER_KEY: t.Final = "not-a-real-company-key-0002-EfGh"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """What steps work on.

    The app's own system keys must not contain the word ``company``: faults strike the
    keys that do.

    :param company_id: of the company whose page is shown.
    :param actor: who does what the page tells somebody did.
    """

    app: Flask
    simulator: Simulator
    company_id: CompanyId = 1
    actor: str | None = "Ada"

    @property
    def byok(self) -> BYOK:
        """The extension of the app."""
        return t.cast("BYOK", self.app.extensions["byok"])

    def save(
        self, provider: str = "OPENAI", api_key: str = COMPANY_KEY, **more: t.Any
    ) -> None:
        """Store a key of the company."""
        with self.app.app_context():
            self.byok.save_key(
                self.company_id, provider, api_key, **{"actor": self.actor, **more}
            )

    def call(self, times: int = 1) -> None:
        """Make AI requests of the company; how they end stands in its rows."""
        with self.app.app_context():
            client = self.byok.client_for(self.company_id)

            for _ in range(times):
                # Many states begin with a call that fails.
                with contextlib.suppress(BYOKError):
                    client.chat("Say hello.", label="greeting")

    def fail(self, fault: str, provider: str = "OPENAI") -> None:
        """Let company keys of a provider fail, and notice it by two calls."""
        self.simulator.set_fault(provider, fault, keys="company")
        self.call(2)

    def set_policy(self, **chosen: t.Any) -> None:
        """Choose for the company what :meth:`~flask_byok.BYOK.set_policy` takes."""
        with self.app.app_context():
            self.byok.set_policy(self.company_id, actor=self.actor, **chosen)

    def damage(self) -> None:
        """Turn a bit of each stored key, so that none opens any more."""
        table = self._tables.credential

        with self.app.app_context(), self.byok.state.database.write() as conn:
            for row in conn.execute(sa.select(table.c.id, table.c.blob)).all():
                blob = bytes([*row.blob[:-1], row.blob[-1] ^ 1])
                update = sa.update(table).where(table.c.id == row.id)
                conn.execute(update.values(blob=blob))

    def lose_tables(self) -> None:
        """Drop the table of stored keys: nothing can be shown any more."""
        with self.app.app_context():
            self._tables.credential.drop(self.byok.state.database.engine)

    def in_days(self, days: int) -> dt.date:
        """Give the date in so many days, UTC, by the database's clock."""
        with self.app.app_context():
            return self.byok.status(self.company_id).now.date() + dt.timedelta(days)

    @property
    def _tables(self) -> t.Any:
        with self.app.app_context():
            return self.byok.state.tables
