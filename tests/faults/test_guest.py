"""The host's transaction, pool, locks and teardowns, in the middle of which we work."""

from __future__ import annotations

import collections.abc as cabc
import threading
import time
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok import errors
from flask_byok import signals
from flask_byok.vault.waiting import READ_WAIT
from tests.support.fault_room import FaultHost
from tests.support.locks import writes_locked
from tests.support.notes import Notes
from tests.support.told import REJECTED_BADLY_HEARD
from tests.support.told import REJECTED_IN_JOB

Make = cabc.Callable[..., FaultHost]

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

#: Counts the transactions that wait for their client, of everybody in this database.
_IDLE: t.Final = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname ="
    " current_database() AND state LIKE 'idle in transaction%%'",
    "mysql": "SELECT count(*) FROM information_schema.innodb_trx t JOIN"
    " information_schema.processlist p ON p.id = t.trx_mysql_thread_id"
    " WHERE p.db = database() AND p.command = 'Sleep'",
}


def call_between(host: FaultHost, notes: Notes, ending: str) -> t.Any:
    """Let the host write a row, call, and end its transaction, in one request."""

    def work() -> t.Any:
        notes.flush(1)
        began = time.monotonic()
        answer = host.client.chat("Say hello.")
        assert time.monotonic() - began < READ_WAIT
        getattr(host.db.session, ending)()
        return answer

    return host.in_a_page(work)


@pytest.mark.fault(75, got="answer", served="c1 s0")
@pytest.mark.parametrize(("ending", "kept"), [("rollback", 0), ("commit", 1)])
def test_a_call_inside_the_hosts_transaction(
    host: FaultHost, ending: str, kept: int
) -> None:
    """Its row ends as it wants, ours is there in any case, and nobody waits."""
    host.store()

    with Notes(host) as notes:
        assert call_between(host, notes, ending).source == "company"
        assert notes.count() == kept

    assert [row.state for row in host.attempts()] == ["done"]


@on_sqlite
@pytest.mark.fault(76, got="answer", served="c0 s1", when="without a budget")
def test_sqlite_without_a_budget(host: FaultHost) -> None:
    """The row of the system key waits for the host, the call does not."""
    with Notes(host) as notes:
        assert call_between(host, notes, "rollback").source == "system"
        assert notes.count() == 0

    assert [row.state for row in host.attempts()] == ["done"]


@on_sqlite
@pytest.mark.fault(76, got="SystemKeyRefused", served="c0 s0", when="with a budget")
def test_sqlite_with_a_budget(make: Make) -> None:
    """Our own thread holds the lock: the reservation is refused, with what to do."""
    host = make(BYOK_SYSTEM_BUDGET={"requests": 5})

    with Notes(host) as notes:
        with pytest.raises(errors.SystemKeyRefused, match="Commit or roll back"):
            call_between(host, notes, "rollback")


@on_sqlite
@pytest.mark.fault(
    76, got="answer", served="c0 s1", when="with a budget, in a file of its own"
)
def test_sqlite_with_a_file_of_its_own(
    make: Make, make_database: cabc.Callable[[str], str]
) -> None:
    """The tables of flask-byok have a lock of their own there."""
    host = make(
        BYOK_SYSTEM_BUDGET={"requests": 5},
        BYOK_BIND_KEY="keys",
        SQLALCHEMY_BINDS={"keys": make_database("sqlite")},
    )

    with Notes(host) as notes:
        assert call_between(host, notes, "rollback").source == "system"


@on_sqlite
@pytest.mark.fault(78, got="answer", served="c20 s0")
def test_beside_a_busy_committer(host: FaultHost) -> None:
    """SQLite in its usual journal mode, while another thread commits without end."""
    host.store()

    with Notes(host) as notes:
        stop = threading.Event()
        where = (host.db.engine.url, notes.table, stop)
        committer = threading.Thread(target=commit_on_and_on, args=where)
        committer.start()

        try:
            for _ in range(20):
                assert host.chat().source == "company"
        finally:
            stop.set()
            committer.join()

        assert notes.count() > 0

    assert [row.state for row in host.attempts()] == ["done"] * 20


def commit_on_and_on(url: sa.URL, table: sa.Table, stop: threading.Event) -> None:
    """Commit rows on a connection of the host's, one by one."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    number = 0

    with engine.connect() as connection:
        while not stop.is_set():
            number += 1
            connection.execute(sa.insert(table).values(id=number))
            connection.commit()


@pytest.mark.fault(79, got="answer", served="c1 s0", when="its pool is taken")
def test_the_hosts_pool_is_taken(make: Make) -> None:
    """We have connections of our own, and do not wait for one of the host's."""
    options = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 1}
    host = make(SQLALCHEMY_ENGINE_OPTIONS=options)
    host.store()

    with host.db.engine.connect():
        assert host.chat().source == "company"


@pytest.mark.fault(
    79, got="answer", served="c0 s1", when="its company is not committed"
)
@pytest.mark.fault(79, got="answer", served="c0 s1", when="its company is locked")
@pytest.mark.parametrize("is_new", [True, False])
def test_the_hosts_company_is_locked(host: FaultHost, is_new: bool) -> None:
    """No row of ours refers to the host's, so none waits for it."""
    with Notes(host) as companies:
        if not is_new:
            companies.flush(1)
            host.db.session.commit()

        def work() -> t.Any:
            companies.flush(1) if is_new else companies.lock(1)
            answer = host.client.chat("Say hello.")
            host.db.session.rollback()
            return answer

        assert host.in_a_page(work).source == "system"

    assert [row.state for row in host.attempts()] == ["done"]


@pytest.mark.fault(80, got="answer", served="c20 s0")
def test_twenty_calls_hold_no_transaction(host: FaultHost) -> None:
    """While twenty threads wait for a provider, the database waits for nobody."""
    host.store()

    def work() -> None:
        with host.app.app_context():
            host.client.chat("Say hello.")

        host.watch.note("answer")

    threads = [threading.Thread(target=work) for _ in range(20)]

    with host.simulator.holding() as hold:
        [thread.start() for thread in threads]
        hold.wait_for(20)
        assert count_idle(host) == 0

    [thread.join() for thread in threads]
    assert [row.state for row in host.attempts()] == ["done"] * 20


def count_idle(host: FaultHost) -> int:
    """Count the open transactions; on SQLite, whether somebody holds the lock."""
    engine = sa.create_engine(
        host.db.engine.url,
        poolclass=sa.NullPool,
        connect_args={"timeout": 0} if host.db.engine.name == "sqlite" else {},
    )

    with engine.connect() as connection:
        if engine.name == "sqlite":
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
            return 0

        return int(connection.exec_driver_sql(_IDLE[engine.name]).scalar_one())


@pytest.mark.fault(81, got="answer", served="c3 s0")
def test_our_tables_are_locked(host: FaultHost) -> None:
    """Calls on company keys go on; their rows are written once the lock is gone."""
    host.store()

    with writes_locked(host):
        for _ in range(3):
            assert host.chat().source == "company"

        assert host.byok.state.database.pending >= 3

    assert [row.state for row in host.attempts()] == ["done"] * 3


@pytest.mark.fault(
    82, got="answer", served="c1 s0", seen="log:ERROR", when="a record of ours fails"
)
def test_a_record_that_fails(host: FaultHost) -> None:
    """The host's teardowns run all the same."""
    host.store()
    ran: list[str] = []
    host.app.teardown_appcontext(lambda error: ran.append("torn down"))

    def spoil(connection: sa.Connection) -> None:
        raise LookupError("nobody expected this")

    def work() -> t.Any:
        with writes_locked(host):
            answer = host.client.chat("Say hello.")
            host.byok.state.database.record(spoil)
            return answer

    assert host.in_a_page(work).source == "company"
    host.byok.state.database.flush(force=True)
    assert ran and host.byok.state.database.pending == 0


@pytest.mark.fault(
    82,
    got="answer",
    served="c1 s1",
    seen=REJECTED_BADLY_HEARD,
    when="receivers fail",
)
def test_a_receiver_that_fails(host: FaultHost) -> None:
    """Each is called apart, and the call goes on."""
    host.store()
    host.fail("revoked")

    def fail(sender: t.Any, **payload: t.Any) -> None:
        raise LookupError("a receiver of the host's")

    with (
        signals.circuit_opened.connected_to(fail, sender=host.app),
        signals.fallback_used.connected_to(fail, sender=host.app),
        signals.key_rejected.connected_to(fail, sender=host.app),
    ):
        assert host.chat().source == "system"


@pytest.mark.fault(84, got="answer", served="c1 s1", seen=REJECTED_IN_JOB)
@pytest.mark.parametrize("where", ["command", "thread"])
def test_a_fallback_outside_a_request(host: FaultHost, where: str) -> None:
    """Nothing is flashed, nothing raised, and the signals are sent."""
    host.store()
    host.fail("revoked")
    found: list[str] = []

    def work() -> None:
        found.append(host.client.chat("Say hello.").source)
        host.watch.note("answer")

    if where == "command":
        host.app.cli.command("work")(work)
        assert host.app.test_cli_runner().invoke(args=["work"]).exit_code == 0
    else:
        thread = threading.Thread(target=lambda: in_context(host, work))
        thread.start()
        thread.join()

    assert found == ["system"]


def in_context(host: FaultHost, work: cabc.Callable[[], None]) -> None:
    """Work in an app context and no request, as a job does."""
    with host.app.app_context():
        work()
