"""Our statements beside the host's: how many, when, and never on its session."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t

import pytest
import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy

from flask_byok import BYOK
from flask_byok import errors
from flask_byok.testing import Simulator
from tests.call.test_proxy import finish
from tests.call.test_proxy import make_app
from tests.support.calls import CallHost
from tests.support.host import GOOD
from tests.support.notes import Notes


class Spy:
    """Hears the statements and transactions of one engine, at the driver's side."""

    def __init__(self, engine: sa.Engine) -> None:
        self.statements: list[str] = []
        self.commits = 0
        self._engine = engine

    @contextlib.contextmanager
    def listening(self) -> cabc.Iterator[Spy]:
        """Listen for a while."""
        heard = {
            "before_cursor_execute": self._hear,
            "commit": self._count,
        }

        for name, listener in heard.items():
            sa.event.listen(self._engine, name, listener)

        try:
            yield self
        finally:
            for name, listener in heard.items():
                sa.event.remove(self._engine, name, listener)

    def _hear(self, conn: t.Any, cursor: t.Any, statement: str, *_: t.Any) -> None:
        self.statements.append(statement.split()[0].upper())

    def _count(self, conn: t.Any) -> None:
        self.commits += 1


@pytest.fixture
def spy(any_host: CallHost) -> cabc.Iterator[Spy]:
    """Listen to our own engine, the pool warm."""
    any_host.store()
    any_host.chat()
    any_host.simulator.clear()

    with Spy(any_host.byok.state.database.engine).listening() as heard:
        yield heard


def count_prepared(host: CallHost, call: cabc.Callable[[], t.Any]) -> list[str]:
    """Note what runs on the driver's own cursors: ``fetch`` and ``write_row``."""
    kind = type(host.byok.state.database._own().connections)
    seen: list[str] = []

    def noting(name: str, real: t.Any) -> t.Any:
        def run(self: t.Any, *args: t.Any, **more: t.Any) -> t.Any:
            seen.append(name)
            return real(self, *args, **more)

        return run

    with pytest.MonkeyPatch.context() as patch:
        for name in ("fetch", "write_row"):
            patch.setattr(kind, name, noting(name, getattr(kind, name)))

        call()

    return seen


def test_a_healthy_call_reads_once_and_writes_once(
    any_host: CallHost, spy: Spy
) -> None:
    """One query before, one INSERT that is its own transaction after, and no more."""
    assert count_prepared(any_host, any_host.chat) == ["fetch", "write_row"]
    assert (spy.statements, spy.commits) == ([], 0)
    assert len(any_host.attempts()) == 2


def test_a_healthy_stream_does_the_same(any_host: CallHost, spy: Spy) -> None:
    """A stream costs the database no more than an answer in one piece."""
    assert count_prepared(any_host, any_host.stream) == ["fetch", "write_row"]
    assert (spy.statements, spy.commits) == ([], 0)
    assert len(any_host.attempts()) == 2


@pytest.mark.parametrize("streamed", [False, True])
def test_no_connection_is_held_while_the_provider_answers(
    any_host: CallHost, streamed: bool
) -> None:
    """The host's pool and ours are whole while a request is under way."""
    any_host.store()
    any_host.chat()
    pools = [any_host.db.engine.pool, any_host.byok.state.database.engine.pool]
    seen: list[int] = []
    log = any_host.simulator.log
    real = log.add

    def add(request: t.Any) -> None:
        seen.append(sum(pool.checkedout() for pool in pools))  # type: ignore[attr-defined]
        real(request)

    log.add = add  # type: ignore[method-assign]

    try:
        any_host.stream() if streamed else any_host.chat()
        any_host.company = 2
        any_host.chat()
    finally:
        log.add = real  # type: ignore[method-assign]

    assert seen == [0, 0]


@pytest.mark.parametrize("ending", ["commit", "rollback"])
def test_the_hosts_flushed_rows_are_the_hosts(any_host: CallHost, ending: str) -> None:
    """A call in the middle of the host's transaction neither ends nor spoils it."""
    any_host.store()
    notes = Notes(any_host)
    notes.flush(1)
    assert any_host.chat().source == "company"
    any_host.company = 2
    assert any_host.chat().source == "system"
    getattr(any_host.db.session, ending)()
    assert notes.count() == (ending == "commit")
    assert [row.state for row in any_host.attempts()] == ["done", "done"]
    notes.table.drop(any_host.db.engine)


def test_the_hosts_pending_objects_stay_pending(host: CallHost) -> None:
    """We never flush, commit or expire what stands in the host's session."""
    host.store()

    class Note(host.db.Model):  # type: ignore[name-defined,misc]
        id = host.db.Column(sa.Integer, primary_key=True)

    Note.__table__.create(host.db.engine)
    note = Note(id=1)
    host.db.session.add(note)
    host.chat()
    host.byok.save_key(1, "OPENAI", GOOD)
    assert note in host.db.session.new
    host.db.session.rollback()
    assert host.db.session.query(Note).count() == 0
    host.db.session.rollback()


@pytest.mark.parametrize("where", ["same", "own"])
def test_a_budget_beside_a_host_that_is_writing(
    make: cabc.Callable[..., CallHost],
    make_database: cabc.Callable[[str], str],
    where: str,
) -> None:
    """SQLite: our own thread holds the lock, so the reservation is refused at once."""
    more: dict[str, t.Any] = {}

    if where == "own":
        more = {
            "SQLALCHEMY_BINDS": {"keys": make_database("sqlite")},
            "BYOK_BIND_KEY": "keys",
        }

    host = make(BYOK_SYSTEM_BUDGET={"requests": 5}, **more)
    notes = Notes(host)
    notes.flush(1)

    if where == "own":
        assert host.chat().source == "system"
    else:
        error = host.refuse(errors.SystemKeyRefused)
        assert "Commit or roll back" in str(error) and host.paid == ""

    host.db.session.rollback()


@pytest.mark.fault(77, got="answer", served="c1 s1")
@pytest.mark.parametrize("ending", ["commit", "rollback"])
def test_in_memory_sqlite(byok_simulator: Simulator, ending: str) -> None:
    """One connection for the host and us: its work stays its own."""
    db, byok = SQLAlchemy(), BYOK()
    app = make_app("sqlite:///:memory:", byok_simulator)
    db.init_app(app)
    byok.init_app(app, db=db)
    table = sa.Table("notes", db.metadata, sa.Column("id", sa.Integer))

    with app.app_context():
        db.create_all()
        byok.save_key(1, "OPENAI", GOOD)
        db.session.execute(sa.insert(table).values(id=1))
        assert byok.client_for(1).chat("hi").source == "company"
        assert byok.client_for(2).chat("hi").source == "system"
        getattr(db.session, ending)()
        found = db.session.scalar(sa.select(sa.func.count(table.c.id)))
        assert found == (ending == "commit")
        db.session.rollback()

    with app.app_context():
        attempts = sa.select(byok.state.tables.attempt.c.state)
        assert list(db.session.scalars(attempts)) == ["done", "done"]
        db.session.rollback()

    finish(app, db, byok)
