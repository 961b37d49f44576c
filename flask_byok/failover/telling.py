"""Tells people what happened: log, signal, history, flash. Never raises into a call."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import logging
import time
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
from .changes import Change
from .notices import MOVING
from .notices import Notice
from .notices import Notices
from .reasons import class_of
from .verdict import Verdict

_log = logging.getLogger("flask_byok")

#: Seconds before the same trouble of the operator's is told again.
HOURLY: t.Final = 3600.0

#: Flashes the warning where a page is being made: ``(reason, provider_id)``.
Flash = cabc.Callable[[str, str], None]


class Teller:
    """Turns changes into words for operators, hosts and companies.

    :param app: the sender of the signals; held weakly.
    :param credentials: the table of stored keys.
    :param flash: shows the warning to who is looking at a page, if anybody is.
    """

    def __init__(
        self,
        app: t.Any,
        database: Database,
        credentials: sa.Table,
        audit: Audit,
        flash: Flash,
    ) -> None:
        self._app = weakref.ref(app)
        self._database = database
        self._audit = audit
        self._flash = flash
        self._told: dict[tuple[str, str], float] = {}
        #: The notices for companies: calls, saves and ``sweep`` look for due ones.
        self.notices: Notices = Notices(database, credentials, self._tell_notice)

    def changed(self, change: Change | None, now: dt.datetime) -> None:
        """Tell of a change of a key's state, by the one who wrote it."""
        if change is None:
            return

        if change.kind in ("opened", "reopened"):
            self._opened(change)
        elif change.kind == "closed":
            self._closed(change, now)
        elif change.kind == "unblocked":
            self._note_end(change, now)
        elif change.kind == "unreadable":
            self._unreadable(change, now)

        if change.source == "company" and change.kind in MOVING:
            self.notices.look_again(change.credential_id)

    def _tell_notice(self, notice: Notice) -> None:
        log_event(
            _log,
            logging.INFO,
            "notice_due",
            "A notice for company %(company)s is due: %(kind)s, its %(provider)s key "
            "(%(reason)s).",
            company=notice.company_id,
            kind=notice.kind,
            provider=notice.provider,
            reason=notice.reason,
        )
        payload = dataclasses.asdict(notice)
        payload["company_id"] = _host_id(notice.company_id)
        self._send(signals.notice_due, payload)

    def changed_late(self, change: Change) -> None:
        """Tell of a change that was written only after its call had gone on."""
        self.changed(change, dt.datetime.now(dt.timezone.utc))

    def _opened(self, change: Change) -> None:
        if change.kind == "reopened" or change.continued:
            log_event(
                _log,
                logging.INFO,
                "circuit_reopened",
                "The %(source)s key of %(provider)s is still out: %(reason)s, until "
                "%(until)s (company: %(company)s).",
                **_facts(change),
                until=change.until,
            )

            if change.kind == "opened":
                # It had been told closed; only people are not told a second time.
                self._send(signals.circuit_opened, _circuit_payload(change))

            return

        self._log_opening(change)
        self._send(signals.circuit_opened, _circuit_payload(change))
        letter = class_of(change.reason or "").letter

        if change.source == "company" and letter in ("A", "B"):
            self._send(
                signals.key_rejected,
                {
                    "company_id": _host_id(change.company_id),
                    "provider": change.provider,
                    "reason": change.reason,
                    "code": change.code,
                    "episode": change.episode,
                },
            )

        if change.source == "system" and letter in ("A", "B", "C"):
            self.system_key_failed(change.provider, change.reason, change.code)

    def _log_opening(self, change: Change) -> None:
        log_event(
            _log,
            logging.WARNING,
            "circuit_opened",
            "The %(source)s key of %(provider)s is out: %(reason)s, until %(until)s "
            "(company: %(company)s).",
            **_facts(change),
            until=change.until,
        )

    def _closed(self, change: Change, now: dt.datetime) -> None:
        log_event(
            _log,
            logging.INFO,
            "circuit_closed",
            "The %(source)s key of %(provider)s works again; it was out: %(reason)s "
            "(company: %(company)s).",
            **_facts(change),
        )
        self._send(signals.circuit_closed, _circuit_payload(change))
        self._note_end(change, now)

    def _note_end(self, change: Change, now: dt.datetime) -> None:
        """Note that the company key serves again, where its fallback was noted."""
        if change.fell_back and change.company_id is not None:
            self._note(
                change.company_id,
                "fallback_ended",
                change.provider,
                {"reason": change.reason},
                now,
            )

    def _unreadable(self, change: Change, now: dt.datetime) -> None:
        log_event(
            _log,
            logging.ERROR,
            "key_unreadable",
            "The stored key %(credential)s of company %(company)s (%(provider)s) does "
            "not open: %(reason)s.",
            credential=change.credential_id,
            company=change.company_id,
            provider=change.provider,
            reason=change.reason,
        )
        self._send(
            signals.key_unreadable,
            {
                "company_id": _host_id(change.company_id),
                "provider": change.provider,
                "credential_id": change.credential_id,
                "reason": change.reason,
            },
        )

        if change.company_id is not None:
            self._note(
                change.company_id,
                "key_unreadable",
                change.provider,
                {"reason": change.reason},
                now,
            )

    def fell_back(
        self,
        company: str,
        provider: str,
        reason: str,
        episode: int,
        to_provider: str,
        now: dt.datetime,
    ) -> None:
        """Tell, once per episode, that the system key answers for a company key."""
        log_event(
            _log,
            logging.INFO,
            "fallback_used",
            "Company %(company)s runs on the system key of %(to_provider)s: its "
            "%(provider)s key is out (%(reason)s).",
            company=company,
            to_provider=to_provider,
            provider=provider,
            reason=reason,
        )
        self._send(
            signals.fallback_used,
            {
                "company_id": _host_id(company),
                "provider": provider,
                "reason": reason,
                "episode": episode,
                "to_provider": to_provider,
            },
        )
        details: dict[str, Detail] = {"reason": reason, "to": to_provider}
        self._note(company, "fallback_started", provider, details, now)

    def flash(self, reason: str, provider: str) -> None:
        """Warn whoever is looking at a page that another key answered."""
        try:
            self._flash(reason, provider)
        except Exception as error:
            # A broken session of the host must not cost the answer.
            log_event(
                _log,
                logging.ERROR,
                "flash_failed",
                "The warning could not be flashed: %(error)s.",
                error=type(error).__name__,
            )

    def system_key_failed(
        self, provider: str, reason: str | None, code: str | None
    ) -> None:
        """Tell the operator, at most hourly, that a system key does not work."""
        if not self._is_due("system", provider):
            return

        log_event(
            _log,
            logging.ERROR,
            "system_key_failed",
            "The system key of %(provider)s does not work: %(reason)s (%(code)s). "
            "Check BYOK_SYSTEM_KEYS.",
            provider=provider,
            reason=reason,
            code=code,
        )
        self._send(
            signals.system_key_failed,
            {"provider": provider, "reason": reason, "code": code},
        )

    def request_refused(self, provider: str, verdict: Verdict) -> None:
        """Tell the operator, at most hourly, of a request that was hidden by another.

        The company key failed first, so its error is raised: only the log says that
        the request itself would not have been answered.
        """
        if not self._is_due("request", provider):
            return

        log_event(
            _log,
            logging.ERROR,
            "request_refused",
            "%(provider)s refused a request on the system key (status %(status)s, "
            "%(code)s) after a company key had failed; the caller was told of the "
            "company key.",
            provider=provider,
            status=verdict.status,
            code=verdict.code,
        )

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
            {"company_id": _host_id(company), "refusals": refusals, "actor": actor},
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
            "company_id": _host_id(company),
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
        payload["company_id"] = _host_id(crossing.company_id)
        self._send(signals.budget_threshold, payload)
        details: dict[str, Detail] = {
            "percent": crossing.percent,
            "unit": crossing.unit,
        }
        now = dt.datetime.now(dt.timezone.utc)
        self._note(crossing.company_id, "budget_threshold", None, details, now)

    def our_side_failed(self, provider: str, verdict: Verdict) -> None:
        """Tell the operator, at most hourly, that the way to a provider is closed."""
        if not self._is_due("our_side", provider):
            return

        log_event(
            _log,
            logging.ERROR,
            "our_side_failed",
            "The way from this server to %(provider)s is closed (status %(status)s, "
            "%(code)s): a firewall, a proxy, TLS, a redirect or the server's region. "
            "No key is the cause.",
            provider=provider,
            status=verdict.status,
            code=verdict.code,
        )
        self._send(
            signals.our_side_failed,
            {"provider": provider, "reason": verdict.reason, "code": verdict.code},
        )

    def _is_due(self, kind: str, provider: str) -> bool:
        last = self._told.get((kind, provider))
        now = time.monotonic()

        if last is not None and now - last < HOURLY:
            return False

        self._told[kind, provider] = now
        return True

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


def _facts(change: Change) -> dict[str, str | None]:
    return {
        "source": change.source,
        "provider": change.provider,
        "company": change.company_id,
        "reason": change.reason,
    }


def _host_id(company: str | None) -> object:
    return None if company is None else company_value(company)


def _circuit_payload(change: Change) -> dict[str, object]:
    return {
        "company_id": _host_id(change.company_id),
        "provider": change.provider,
        "source": change.source,
        "reason": change.reason,
        "code": change.code,
        "until": change.until,
        "episode": change.episode,
    }
