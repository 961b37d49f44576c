"""An app under watch: its traffic, its signals, and all it keeps."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import datetime as dt
import typing as t

import blinker
import flask

from ... import signals
from .traffic import ResponseTap

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from flask import Flask

    from .guard import LeakGuard


@contextlib.contextmanager
def watch_app(guard: LeakGuard, app: Flask) -> cabc.Iterator[cabc.Callable[[], None]]:
    """Watch an app until the end of the block.

    :return: what looks at all the app keeps at that moment.
    """
    tap = ResponseTap(app.wsgi_app, guard._look_at_sent)
    app.wsgi_app = tap  # type: ignore[method-assign]

    with contextlib.ExitStack() as stack:
        for signal, receiver in _receivers(guard):
            stack.enter_context(signal.connected_to(receiver, sender=app))

        guard.note_sink("signals")

        def look_around() -> None:
            tap.finish()
            _look_at_what_stays(guard, app)

        try:
            yield look_around
        finally:
            app.wsgi_app = tap.app  # type: ignore[assignment, method-assign]


def _receivers(
    guard: LeakGuard,
) -> cabc.Iterator[tuple[blinker.Signal, cabc.Callable[..., None]]]:
    def look_at_payload(sender: object, **payload: object) -> None:
        guard.look("signals", payload)

    def look_at_session(sender: object, **payload: object) -> None:
        guard.look("sessions", dict(flask.session))

    def look_at_flash(sender: object, **payload: object) -> None:
        guard.look("sessions", payload)

    def look_at_exception(sender: object, exception: BaseException) -> None:
        guard.look_at_error(exception)

    for value in vars(signals).values():
        if isinstance(value, blinker.Signal):
            yield value, look_at_payload

    yield flask.request_finished, look_at_session
    yield flask.message_flashed, look_at_flash
    yield flask.got_request_exception, look_at_exception


def _look_at_what_stays(guard: LeakGuard, app: Flask) -> None:
    guard.look("pickles", dict(app.config))

    with app.app_context():
        for engine in _engines(app):
            guard.look_at_database(engine)

        byok = app.extensions.get("byok")

        if byok is not None:
            _look_at_byok(guard, byok)


def _engines(app: Flask) -> list[sa.Engine]:
    db = app.extensions.get("sqlalchemy")
    return [] if db is None else list(db.engines.values())


def _look_at_byok(guard: LeakGuard, byok: t.Any) -> None:
    state = byok.state
    guard.look_at_limiter(state.desk.limiter.storage)
    state.database.flush(force=True)
    today = dt.datetime.now(dt.timezone.utc).date()

    for company in state.store.companies():
        guard.look("audit", state.companies.history(company, 1000))
        guard.look("ledger", state.companies.usage(company, today, today))
