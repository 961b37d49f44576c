"""The small engine of our own, beside the host's."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import sqlalchemy as sa
from sqlalchemy import event

from .guest import GuestConnection
from .guest import HostConnection
from .guest import is_in_memory

#: Connections at most, opened as they are needed, and seconds to wait for a free one.
#: All are kept: threads that each close and open one would spend their time on that.
POOL_SIZE = 5
POOL_OVERFLOW = 0
POOL_TIMEOUT = 5.0


def own_engine(host: sa.Engine) -> sa.Engine:
    """Make an engine on the host's database; nothing connects yet.

    It connects by the host's own function, because ``connect_args``, a ``creator`` and
    ``do_connect`` listeners (tokens, certificates) do not stand in the URL.
    It is in the driver's autocommit mode: a read is one statement and leaves nothing
    open, and a write says ``BEGIN`` itself. Returning a connection therefore needs no
    ROLLBACK, which would be one more round trip.
    """
    options: dict[str, t.Any] = {
        "hide_parameters": True,
        "execution_options": _inherited(host),
        # Our one query joins on a parameter, which looks like a cartesian product.
        "enable_from_linting": False,
    }

    if is_in_memory(host):
        kept = HostConnection(host)
        return sa.create_engine(
            "sqlite://",
            creator=lambda: GuestConnection(kept),
            poolclass=sa.NullPool,
            **options,
        )

    engine = sa.create_engine(
        host.url,
        creator=lambda: host.pool._creator(),  # type: ignore[call-arg]
        poolclass=sa.QueuePool,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_TIMEOUT,
        pool_reset_on_return=None,
        isolation_level="AUTOCOMMIT",
        **options,
    )
    event.listen(engine, "connect", _host_listeners(host), insert=True)
    return engine


def _inherited(host: sa.Engine) -> dict[str, t.Any]:
    names = ("schema_translate_map",)
    options = host.get_execution_options()
    return {name: options[name] for name in names if name in options}


def _host_listeners(host: sa.Engine) -> cabc.Callable[[t.Any, t.Any], None]:
    """Prepare our connections as the host prepares its own (a role, a search path).

    Listeners on SQLAlchemy's classes run for our engine anyway; these are the ones on
    the host's engine itself.
    """

    def prepare(connection: t.Any, record: t.Any) -> None:
        for listener in host.pool.dispatch.connect.listeners:
            listener(connection, record)

    return prepare
