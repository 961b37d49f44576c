"""Tells people what happened: log, signal, history, flash. Never raises into a call."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import logging
import typing as t

import sqlalchemy as sa

from .. import signals
from ..events import log_event
from ..ledger.audit import Audit
from ..vault.database import Database
from .alarms import Alarms
from .changes import Change
from .fallback import Fallback
from .fallback import own_key_line
from .news import host_id
from .notices import build_notice
from .notices import Notice
from .notices import Notices
from .reasons import class_of

_log = logging.getLogger("flask_byok")

#: Flashes the warning where a page is being made: ``(reason, provider_id)``.
Flash = cabc.Callable[[str, str], None]


class Teller(Alarms):
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
        super().__init__(app, database, audit)
        self._flash = flash
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

        self._look_for_notice(change)

    def _look_for_notice(self, change: Change) -> None:
        """Tell the company what its key's change means for it, if anything does."""
        if change.company_id is None:
            return

        if change.due is not None:
            self._tell_notice(
                build_notice(change.company_id, change.provider, change.due)
            )
        elif _may_be_due(change):
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
        fields = dataclasses.fields(notice)
        # Nothing in a notice can change: asdict() would copy every time.
        payload = {field.name: getattr(notice, field.name) for field in fields}
        payload["company_id"] = host_id(notice.company_id)
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
                    "company_id": host_id(change.company_id),
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
        company = change.company_id

        if company is None:
            return

        def write(conn: sa.Connection) -> None:
            if change.fell_back or self._is_own_key_noted(conn, change):
                self._audit.write(
                    conn,
                    company,
                    "fallback_ended",
                    at=now,
                    provider=change.provider,
                    details={"reason": change.reason},
                )

        # Of a block, the row itself has told all.
        if change.fell_back or change.kind == "closed":
            self._database.record(write)

    def _is_own_key_noted(self, conn: sa.Connection, change: Change) -> bool:
        """Tell whether another own key answered in the episode that ends."""
        line = own_key_line(change.credential_id, change.episode)
        return self._audit.holds(conn, line)

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
                "company_id": host_id(change.company_id),
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

    def note_fallback(self, conn: sa.Connection, fallback: Fallback) -> None:
        """Write into the history that another key answers for a company key.

        :param conn: inside the transaction that claims the telling.
        """
        self._audit.write(
            conn,
            fallback.company_id,
            "fallback_started",
            at=fallback.at,
            provider=fallback.provider,
            details={
                "reason": fallback.reason,
                "to": fallback.to_provider,
                "source": fallback.source,
            },
            line_id=fallback.line_id,
        )

    def fell_back(self, fallback: Fallback) -> None:
        """Tell, once per episode, that the system key answers for a company key."""
        log_event(
            _log,
            logging.INFO,
            "fallback_used",
            "Company %(company)s runs on the system key of %(to_provider)s: its "
            "%(provider)s key is out (%(reason)s).",
            company=fallback.company_id,
            to_provider=fallback.to_provider,
            provider=fallback.provider,
            reason=fallback.reason,
        )
        self._send(
            signals.fallback_used,
            {
                "company_id": host_id(fallback.company_id),
                "provider": fallback.provider,
                "reason": fallback.reason,
                "episode": fallback.episode,
                "to_provider": fallback.to_provider,
            },
        )

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


def _may_be_due(change: Change) -> bool:
    """Tell whether a notice may be due that was not claimed with the change.

    None is of a new episode: what is not told at once is told after a while. Blocks
    are none of this, for the key works.
    """
    if change.kind == "opened":
        return change.continued

    return change.kind in ("reopened", "closed", "unreadable", "readable")


def _facts(change: Change) -> dict[str, str | None]:
    return {
        "source": change.source,
        "provider": change.provider,
        "company": change.company_id,
        "reason": change.reason,
    }


def _circuit_payload(change: Change) -> dict[str, object]:
    return {
        "company_id": host_id(change.company_id),
        "provider": change.provider,
        "source": change.source,
        "reason": change.reason,
        "code": change.code,
        "until": change.until,
        "episode": change.episode,
    }
