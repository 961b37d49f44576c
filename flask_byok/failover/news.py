"""What companies and hosts are told beside the state of a key: log, signal, history."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import logging
import typing as t
import weakref

import sqlalchemy as sa

from .. import signals
from ..events import log_event
from ..ledger.audit import Action
from ..ledger.audit import Audit
from ..ledger.audit import Detail
from ..ledger.budget import Crossing
from ..ledger.prices import to_dollars
from ..vault.company import company_value
from ..vault.database import Database

_log = logging.getLogger("flask_byok")


class News:
    """Sends signals and writes the history. Never raises into a call.

    :param app: the sender of the signals; held weakly.
    """

    def __init__(self, app: t.Any, database: Database, audit: Audit) -> None:
        self._app = weakref.ref(app)
        self._database = database
        self._audit = audit

    def keys_refused(self, company: str, refusals: int, actor: str | None) -> None:
        """Tell the operator that a company tries many keys and none is accepted."""
        log_event(
            _log,
            logging.WARNING,
            "keys_refused",
            "Company %(company)s tried %(refusals)d keys within an hour that were not "
            "accepted. Somebody may be trying stolen keys; the company's history names "
            "who.",
            company=company,
            refusals=refusals,
        )
        self._send(
            signals.keys_refused,
            {"company_id": host_id(company), "refusals": refusals, "actor": actor},
        )

    def key_expiring(
        self, company: str, provider: str, days_left: int, expires_on: dt.date
    ) -> None:
        """Tell that the date a company declared for its key comes near."""
        log_event(
            _log,
            logging.INFO,
            "key_expiring",
            "The %(provider)s key of company %(company)s expires in %(days)d days, by "
            "the date the company declared.",
            provider=provider,
            company=company,
            days=days_left,
        )
        payload = {
            "company_id": host_id(company),
            "provider": provider,
            "days_left": days_left,
            "expires_on": expires_on,
        }
        self._send(signals.key_expiring, payload)

    def allowance_crossed(self, crossing: Crossing) -> None:
        """Tell that a company has used most or all of its allowance this month."""
        payload = dataclasses.asdict(crossing)

        if crossing.unit == "money":
            payload["used"] = to_dollars(crossing.used)
            payload["limit"] = to_dollars(crossing.limit)

        log_event(
            _log,
            logging.INFO,
            "budget_threshold",
            "Company %(company)s has used %(used)s of %(limit)s %(unit)s on the system "
            "key in %(period)s.",
            company=crossing.company_id,
            used=payload["used"],
            limit=payload["limit"],
            unit="US dollars" if crossing.unit == "money" else crossing.unit,
            period=crossing.period,
        )
        payload["company_id"] = host_id(crossing.company_id)
        self._send(signals.budget_threshold, payload)
        details: dict[str, Detail] = {
            "percent": crossing.percent,
            "unit": crossing.unit,
        }
        now = dt.datetime.now(dt.timezone.utc)
        self._note(crossing.company_id, "budget_threshold", None, details, now)

    def _note(
        self,
        company: str,
        action: Action,
        provider: str | None,
        details: cabc.Mapping[str, Detail],
        now: dt.datetime,
    ) -> None:
        def write(conn: sa.Connection) -> None:
            self._audit.write(
                conn, company, action, at=now, provider=provider, details=details
            )

        self._database.record(write)

    def _send(self, signal: t.Any, payload: cabc.Mapping[str, object]) -> None:
        app = self._app()

        if app is not None:
            signals.send(signal, app, payload)


def host_id(company: str | None) -> object:
    """Give a company's id as the host has it."""
    return None if company is None else company_value(company)
