"""One call of a host app, as a test sees it: who paid, what came of it."""

from __future__ import annotations

import collections
import collections.abc as cabc
import contextlib
import typing as t

import sqlalchemy as sa

from flask_byok import signals
from flask_byok.client import AIClient
from flask_byok.testing import Simulator
from flask_byok.vault.types import CircuitState
from tests.support.host import GOOD
from tests.support.host import Host
from tests.support.host import make_host

#: A part of every company key and of no system key: faults that spare the latter.
COMPANY: t.Final = "company-key"

#: HTTP requests a call may make, whatever happens.
MOST: t.Final = 3


class CallHost(Host):
    """A host whose calls are counted and whose signals are kept."""

    signals: list[tuple[str, dict[str, t.Any]]]

    @property
    def client(self) -> AIClient:
        """The client of the company that is calling."""
        return self.byok.client_for(self.company)

    def store(self, *providers: str, api_key: str = GOOD, **more: t.Any) -> None:
        """Store a key of each provider, the first one active, and forget the checks."""
        for provider in providers or ("OPENAI",):
            active = provider == (providers or ("OPENAI",))[0]
            saved = self.byok.save_key(
                self.company, provider, api_key, activate=active, **more
            )
            assert saved.saved, saved

        self.simulator.clear()

    def fail(
        self,
        fault: str | None,
        provider: str = "OPENAI",
        times: int | None = None,
        keys: str | None = COMPANY,
    ) -> None:
        """Let a provider fail for company keys; ``keys=None``: for all."""
        self.simulator.set_fault(provider, fault, keys, times)

    def chat(self, **more: t.Any) -> t.Any:
        """Make one call and see that it made no more than three requests."""
        return self.counted(lambda: self.client.chat("Say hello.", **more))

    def stream(self, **more: t.Any) -> list[str]:
        """Read one stream to its end."""

        def read() -> list[str]:
            with self.client.stream("Say hello.", **more) as stream:
                return [chunk.text for chunk in stream if chunk.text]

        return self.counted(read)

    def counted(self, call: cabc.Callable[[], t.Any]) -> t.Any:
        """Make a call and count its requests."""
        before = len(self.simulator.requests)

        try:
            return call()
        finally:
            assert len(self.simulator.requests) - before <= MOST

    def refuse(self, error: type[Exception], **more: t.Any) -> t.Any:
        """Make a call that must fail and give its error."""
        try:
            self.chat(**more)
        except error as caught:
            assert caught.__context__ is None and caught.__cause__ is None
            return caught

        raise AssertionError(f"No {error.__name__} was raised.")

    @property
    def paid(self) -> str:
        """Who paid since the last look: ``c`` for a company key, ``s`` for ours."""
        keys = self.who_paid()
        self.simulator.clear()
        return "".join("s" if "system" in key else "c" for key in keys)

    def circuit(self, provider: str = "OPENAI") -> CircuitState:
        """Read how a stored key stands."""
        state = self.byok.state.store.read_state(f"i:{self.company}")
        credential = state.credential(provider)
        assert credential is not None
        return credential.circuit

    def rest(self, until: t.Any) -> float:
        """Count the seconds from now, by the database's clock."""
        now = self.byok.state.store.read_state(f"i:{self.company}").now()
        return t.cast("float", (until - now).total_seconds())

    def told(self, name: str) -> list[dict[str, t.Any]]:
        """Give the payloads of one signal so far."""
        return [payload for sent, payload in self.signals if sent == name]

    def actions(self) -> list[str]:
        """List what stands in the history, oldest first."""
        self.byok.state.database.flush(force=True)
        return [e.action for e in reversed(self.byok.history(self.company, 100))]

    def attempts(self) -> list[t.Any]:
        """Read the ledger, oldest first."""
        table = self.byok.state.tables.attempt
        self.byok.state.database.flush(force=True)

        with self.byok.state.database.read() as conn:
            return list(conn.execute(sa.select(table).order_by(table.c.started_at)))


H = t.TypeVar("H", bound=CallHost)

NAMES: t.Final = (
    "circuit_opened",
    "circuit_closed",
    "fallback_used",
    "key_rejected",
    "keys_refused",
    "key_unreadable",
    "system_key_failed",
    "our_side_failed",
    "notice_due",
    "key_expiring",
    "budget_threshold",
)


def calling(
    url: str, simulator: Simulator, **config: t.Any
) -> contextlib.AbstractContextManager[CallHost]:
    """Make a host in its app context; at the end no call made too many requests."""
    return calling_as(CallHost, url, simulator, **config)


@contextlib.contextmanager
def calling_as(
    kind: type[H], url: str, simulator: Simulator, **config: t.Any
) -> cabc.Iterator[H]:
    """Make a host of a kind of its own."""
    made = make_host(url, simulator, **config)
    host = kind(made.app, made.db, made.byok, simulator)
    made.byok.company_loader(lambda: host.company)
    host.signals = []

    def keep(name: str) -> cabc.Callable[..., None]:
        return lambda sender, **payload: host.signals.append((name, payload))

    with contextlib.ExitStack() as stack:
        for name in NAMES:
            signal = getattr(signals, name)
            stack.enter_context(signal.connected_to(keep(name), sender=made.app))

        with made.app.app_context():
            yield host
            see_requests_per_call(host)
            host.byok.state.database.close()
            host.byok.state.sender.close()
            engines = [*host.db.engines.values()]

        # Behind the context: with it ends the session, which may hold a connection.
        for engine in engines:
            engine.dispose()


def see_requests_per_call(host: CallHost) -> None:
    """See in the ledger that no call made more than three requests."""
    try:
        counts = collections.Counter(row.call_id for row in host.attempts())
    except Exception:
        return  # the test took the tables away

    assert not counts or max(counts.values()) <= MOST
