"""What a Sentry SDK with its defaults would send."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t

if t.TYPE_CHECKING:
    from sentry_sdk.envelope import Envelope

Show = cabc.Callable[[object], None]

#: No DSN of anybody: nothing is sent, the transport below keeps it.
_DSN: t.Final = "http://nobody@127.0.0.1/1"


@contextlib.contextmanager
def collecting(show: Show) -> cabc.Iterator[None]:
    """Run a Sentry client until the end of the block and show what it would send.

    Its options are the defaults; traces are on, so that spans are seen as well. Of the
    integrations that switch themselves on, those of Flask and SQLAlchemy are: the rest
    would import every library there is. A client of the app's is put aside meanwhile.

    :raises ImportError: without sentry-sdk.
    """
    import sentry_sdk
    from sentry_sdk.integrations.flask import FlaskIntegration
    from sentry_sdk.integrations.sqlalchemy import SqlalchemyIntegration
    from sentry_sdk.transport import Transport

    class Collector(Transport):
        def capture_envelope(self, envelope: Envelope) -> None:
            show(envelope.serialize())

    scopes = [
        sentry_sdk.get_global_scope(),
        sentry_sdk.get_isolation_scope(),
        sentry_sdk.get_current_scope(),
    ]
    before = [scope.client for scope in scopes]
    client = sentry_sdk.Client(
        dsn=_DSN,
        transport=Collector,
        traces_sample_rate=1.0,
        auto_session_tracking=False,
        auto_enabling_integrations=False,
        integrations=[FlaskIntegration(), SqlalchemyIntegration()],
    )

    for scope in scopes:
        scope.set_client(client)

    try:
        yield
    finally:
        client.flush()

        for scope, kept in zip(scopes, before, strict=True):
            scope.set_client(kept)

        client.close()
