"""How the host runs us: what is wrong with it for long calls, said once in the log."""

from __future__ import annotations

import logging
import sys
import typing as t

from flask import g
from flask import has_app_context
from flask import has_request_context
from flask import request

from ..events import log_event

#: Seconds after which a transaction that stays open meanwhile is worth a word.
LONG: t.Final = 1.0

#: So many endpoints are told of; a host that makes them up is not remembered for ever.
_MOST_TOLD: t.Final = 1000

_log = logging.getLogger(__name__)


class TransactionWatch:
    """Looks, after a long call, whether the host has a transaction open.

    It stays the host's, and nobody but the host can end it. A session is neither made
    nor touched for this.
    """

    def __init__(self, db: t.Any) -> None:
        self._db = db
        self._told: set[str | None] = set()

    def __call__(self, seconds: float) -> None:
        """Warn, once for an endpoint, of a call that took so long inside one."""
        if seconds <= LONG or not self.is_open():
            return

        endpoint = request.endpoint if has_request_context() else None

        if endpoint in self._told or len(self._told) >= _MOST_TOLD:
            return

        self._told.add(endpoint)
        log_event(
            _log,
            logging.WARNING,
            "open_transaction",
            "An AI call of %(seconds).1f s ran inside an open database transaction "
            "(endpoint: %(endpoint)s). Its connection and its locks wait as long as "
            "the provider thinks. Load what you need, commit, call, then write.",
            seconds=seconds,
            endpoint=endpoint or "none",
        )

    def is_open(self) -> bool:
        """Tell whether the host has a transaction open in this context."""
        if not has_app_context():
            return False

        try:
            if hasattr(self._db, "get_session"):
                return _is_lite_open()

            registry = self._db.session.registry
            return bool(registry.has() and registry().in_transaction())
        except Exception:
            # A session of the host's own making, which we cannot ask.
            return False


def _is_lite_open() -> bool:
    # Flask-SQLAlchemy-Lite keeps its sessions here; asking it for one would make it.
    sessions = g.get("_sqlalchemy_sessions", {})
    return any(session.in_transaction() for session in sessions.values())


def warn_of_impatient_workers(timeout: float) -> None:
    """Warn when gunicorn kills a worker before a call may have ended.

    :param timeout: seconds a call may take.
    """
    config = _find_gunicorn()

    # Only sync workers cannot say that they are alive while they work.
    if config is None or config.worker_class_str != "sync":
        return

    if 0 < config.timeout <= timeout:
        log_event(
            _log,
            logging.WARNING,
            "impatient_workers",
            "gunicorn kills a sync worker after %(limit)d s, and an AI call may take "
            "%(timeout)d s (BYOK_TIMEOUT). Raise gunicorn's --timeout above that, give "
            "its workers threads (--threads), or lower BYOK_TIMEOUT.",
            limit=config.timeout,
            timeout=timeout,
        )


def _find_gunicorn() -> t.Any:
    """Find the settings of the gunicorn that is loading this app; ``None`` for none.

    It hands them to nobody, and they may come from its command line, the environment
    or a file; whoever loads the app has them, somewhere up the stack.
    """
    if "gunicorn" not in sys.modules:
        return None

    frame = sys._getframe()

    while frame.f_back is not None:
        frame = frame.f_back
        caller: t.Any = frame.f_locals.get("self")

        if type(caller).__module__.startswith("gunicorn.") and hasattr(caller, "cfg"):
            return caller.cfg

    return None
