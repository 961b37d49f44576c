"""What only the operator can mend: told to the log and by signal, at most hourly."""

from __future__ import annotations

import logging
import time
import typing as t

from .. import signals
from ..events import log_event
from ..ledger.audit import Audit
from ..vault.database import Database
from .news import News
from .verdict import Verdict

_log = logging.getLogger("flask_byok")

#: Seconds before the same trouble of the operator's is told again.
HOURLY: t.Final = 3600.0


class Alarms(News):
    """Calls the operator."""

    def __init__(self, app: t.Any, database: Database, audit: Audit) -> None:
        super().__init__(app, database, audit)
        self._told: dict[tuple[str, str], float] = {}

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
