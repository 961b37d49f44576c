"""How the host runs us: what is wrong with it for long calls, said once in the log."""

from __future__ import annotations

import importlib.metadata
import ipaddress
import logging
import sys
import typing as t

from flask import Flask
from flask import g
from flask import has_app_context
from flask import has_request_context
from flask import request

from ..errors import SetupError
from ..events import log_event
from ..sdk.kinds import read_version

#: The oldest Flask this package works with; ``pyproject.toml`` says the same.
OLDEST_FLASK: t.Final = (3, 0)

#: Seconds after which a transaction that stays open meanwhile is worth a word.
LONG: t.Final = 1.0

#: So many endpoints are told of; a host that makes them up is not remembered for ever.
_MOST_TOLD: t.Final = 1000

_log = logging.getLogger(__name__)


def refuse_unfit(app: object) -> None:
    """Refuse to start where nothing could work.

    :raises SetupError: when this is no app, its Flask is too old, or a name is taken.
    """
    if not isinstance(app, Flask):
        raise SetupError(
            "What 'BYOK' and 'init_app' take first is the app. Pass the app's "
            "Flask-SQLAlchemy object by name: 'BYOK(db=db)'."
        )

    found = _flask_version()

    if found is not None and read_version(found) < OLDEST_FLASK:
        raise SetupError(
            f"flask-byok needs Flask {'.'.join(map(str, OLDEST_FLASK))} or newer; "
            f"{found} is installed. Run: pip install --upgrade flask."
        )

    if "byok" in app.extensions:
        raise SetupError(
            "This app has a BYOK extension already. Make one per app, and give it the "
            "app once: in 'BYOK(app, …)' or in 'init_app(app)', not in both."
        )

    if "byok" in app.blueprints:
        raise SetupError(
            "This app has a blueprint named 'byok' already, the name of the one with "
            "the settings page. Give yours another name."
        )


def _flask_version() -> str | None:
    try:
        return importlib.metadata.version("flask")
    except importlib.metadata.PackageNotFoundError:
        # An app that was frozen into one file says nothing about its parts.
        return None


class ProxyWatch:
    """Looks for a proxy that the app does not know of, and says so once."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def look(self) -> None:
        """Look at the current request, which is one of a manager of ours."""
        if not self._told.issuperset(("address", "prefix")):
            self._look_at_address()
            self._look_at_prefix()

    def _look_at_address(self) -> None:
        # Whoever set the address right took it from this list.
        forwarded = [part.strip() for part in request.access_route]
        address = request.remote_addr or ""
        is_known = "werkzeug.proxy_fix.orig" in request.environ or address in forwarded

        if is_known or not _is_private(address):
            return

        if self._is_first("address"):
            log_event(
                _log,
                logging.WARNING,
                "unknown_proxy",
                "A proxy stands before this app, which takes its address for everybody "
                "(BYOK_RATE_LIMIT). Wrap it: 'app.wsgi_app = ProxyFix(app.wsgi_app)', "
                "of 'werkzeug.middleware.proxy_fix'.",
            )

    def _look_at_prefix(self) -> None:
        prefix = request.headers.get("X-Forwarded-Prefix", "").rstrip("/")

        if request.script_root.endswith(prefix) or not self._is_first("prefix"):
            return

        log_event(
            _log,
            logging.WARNING,
            "unknown_prefix",
            "A proxy serves this app below a path that the app does not know, so links "
            "lead past it. Wrap it: 'app.wsgi_app = ProxyFix(app.wsgi_app, "
            "x_prefix=1)', of 'werkzeug.middleware.proxy_fix'.",
        )

    def _is_first(self, what: str) -> bool:
        is_first = what not in self._told
        self._told.add(what)
        return is_first


def _is_private(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_private
    except ValueError:
        # Of a socket in the file system, or none at all.
        return False


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


def warn_of_unpatched_workers() -> None:
    """Warn when gunicorn loads this app before gevent has patched Python for it.

    Its workers patch before they load an app; the parent of ``--preload`` does not.
    """
    config = _find_gunicorn()

    if config is None or "gevent" not in config.worker_class_str:
        return

    monkey: t.Any = sys.modules.get("gevent.monkey")

    if monkey is None or not monkey.is_module_patched("socket"):
        log_event(
            _log,
            logging.WARNING,
            "unpatched_workers",
            "gunicorn loads this app before gevent has patched Python (--preload), so "
            "a call can keep all other greenlets of its worker waiting. Begin "
            "gunicorn's configuration file with 'from gevent import monkey; "
            "monkey.patch_all()'.",
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
