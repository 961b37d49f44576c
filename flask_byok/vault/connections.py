"""The connections of one process: taken for one use, then given back."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import threading
import typing as t

import sqlalchemy as sa
from sqlalchemy import exc

from .engines import own_engine
from .guest import HostIsWriting
from .guest import is_in_memory
from .query import Insertion
from .query import Prepared
from .query import Query
from .query import Rendered
from .query import RowUpdate
from .waiting import Trouble
from .waiting import Waiting
from .waiting import waiting_for


class Connections:
    """An engine of our own, made at the first use, and the ways to use it."""

    def __init__(self, get_host_engine: cabc.Callable[[], sa.Engine]) -> None:
        self._get_host_engine = get_host_engine
        self._lock = threading.Lock()
        self._engine: sa.Engine | None = None
        self._waiting = Waiting()
        self._rendered: dict[Prepared, Rendered] = {}
        #: What a database may raise: what :meth:`judge` takes.
        self.errors: tuple[type[Exception], ...] = (exc.SQLAlchemyError,)
        self._constraints: tuple[type[Exception], ...] = (exc.IntegrityError,)
        self._refusals: tuple[type[Exception], ...] = (exc.DataError,)

    @property
    def engine(self) -> sa.Engine:
        """The engine, made now if need be."""
        if self._engine is None:
            with self._lock:
                if self._engine is None:
                    self._engine = self._make()

        return self._engine

    def _make(self) -> sa.Engine:
        host = self._get_host_engine()
        engine = own_engine(host)
        guest = is_in_memory(host)
        dialect = engine.dialect
        self._waiting = waiting_for(dialect.name, dialect.driver, guest=guest)
        driver: t.Any = dialect.loaded_dbapi
        self.errors = (exc.SQLAlchemyError, driver.Error, HostIsWriting)
        self._constraints = (exc.IntegrityError, driver.IntegrityError)
        self._refusals = (exc.DataError, driver.DataError)
        return engine

    @property
    def refuses_at_once(self) -> bool:
        """Whether a write that meets a lock is told so without having waited."""
        return self._waiting.refuses_at_once

    @property
    def is_in_memory(self) -> bool:
        """Whether the database lives in the host's one connection."""
        return is_in_memory(self.engine)

    def close(self) -> None:
        """Close what was opened; the next use opens anew."""
        if self._engine is not None:
            self._engine.dispose()

    def judge(self, error: Exception) -> Trouble:
        """Tell what an error of the database means."""
        cause = getattr(error, "orig", None) or error

        if isinstance(error, self._constraints):
            return "duplicate" if self._waiting.is_duplicate(cause) else "refused"

        if isinstance(error, self._refusals):
            return "refused"

        return self._waiting.judge(cause)

    def _render(
        self, prepared: Prepared, wrap: cabc.Callable[[str], str] = str
    ) -> Rendered:
        """Make a statement's text at its first use, when the dialect has connected."""
        rendered = self._rendered.get(prepared)

        if rendered is None:
            rendered = Rendered(prepared, self.engine, wrap)
            self._rendered[prepared] = rendered

        return rendered

    def fetch(
        self,
        query: Query,
        parameters: cabc.Mapping[str, object],
        *,
        second: bool = False,
    ) -> cabc.Sequence[tuple[t.Any, ...]]:
        """Run one prepared query and give its rows as the driver gives them.

        :param second: this is the second try, after a lock or a connection that had
            died meanwhile; there is no third.
        :raises: one of :attr:`errors`.
        """
        engine = self.engine
        connection = engine.raw_connection()
        driver: t.Any = connection.dbapi_connection

        try:
            self._waiting.before_read(driver, connection.info, patient=second)
            rendered = self._render(query)
            cursor = rendered.run(connection.info, driver.cursor, parameters)
            rows: cabc.Sequence[tuple[t.Any, ...]] = cursor.fetchall()
        except BaseException as error:
            stale = self._is_stale(error, driver)
            busy = self._is_busy(error)

            if busy:
                connection.close()
            else:
                # Half-read answers must not reach the next user of this connection.
                connection.invalidate()

            if second or not (stale or busy):
                raise
        else:
            connection.close()
            return rows

        if stale:
            engine.dispose()

        return self.fetch(query, parameters, second=True)

    def write_row(
        self,
        prepared: Insertion | RowUpdate,
        values: cabc.Mapping[str, object],
        *,
        second: bool = False,
    ) -> int:
        """Write one row as a transaction of its own, waiting for nobody.

        :param values: of a new row with an id made by us.
        :param second: the connection of the first try had died, perhaps after the row
            was written; there is no third.
        :return: how many rows were written.
        :raises: one of :attr:`errors`.
        """
        engine = self.engine
        waiting = self._waiting

        if not waiting.may_run_alone:
            with self.writing(0.0) as slow:
                return slow.execute(prepared.statement, values).rowcount

        connection = engine.raw_connection()
        driver: t.Any = connection.dbapi_connection

        try:
            waiting.before_alone(driver, connection.info)
            rendered = self._render(prepared, waiting.wrap_alone)
            cursor = rendered.run(
                connection.info, lambda: waiting.open_alone(driver), values
            )
            is_new = isinstance(prepared, Insertion)
            written = 1 if is_new else waiting.count_alone(cursor)
        except BaseException as error:
            stale = self._is_stale(error, driver)
            self._give_back(connection, error, stale=stale)

            if second and self._is_duplicate(error):
                return 1

            if second or not stale:
                raise
        else:
            connection.close()
            return written

        engine.dispose()
        return self.write_row(prepared, values, second=True)

    def _give_back(
        self,
        connection: sa.PoolProxiedConnection,
        error: BaseException,
        *,
        stale: bool,
    ) -> None:
        """Keep a connection that said no; a half-read answer must not stay in one."""
        if stale or not isinstance(error, self.errors):
            connection.invalidate()
        else:
            connection.close()

    @contextlib.contextmanager
    def reading(self) -> cabc.Iterator[sa.Connection]:
        """Give a connection whose every statement stands alone."""

        def prepare(driver: t.Any, info: dict[t.Any, t.Any]) -> None:
            self.engine.dialect.do_ping(driver)
            self._waiting.before_read(driver, info, patient=True)

        with self._open(prepare) as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self, wait: float) -> cabc.Iterator[sa.Connection]:
        """Give a connection inside a transaction; commit at the end, or roll back.

        :param wait: seconds to wait for others' locks.
        """

        def prepare(driver: t.Any, info: dict[t.Any, t.Any]) -> None:
            self._waiting.begin(driver, info, wait=wait)

        with self._open(prepare) as connection:
            try:
                with connection.begin():
                    yield connection
            except BaseException:
                _undo_refused_commit(connection)
                raise

    def _open(
        self,
        prepare: cabc.Callable[[t.Any, dict[t.Any, t.Any]], None],
        *,
        again: bool = True,
    ) -> sa.Connection:
        """Check a connection out and say the first words on it.

        One that died in the pool fails there, before anything is done, and is replaced.
        """
        engine = self.engine
        connection = engine.connect()
        driver = connection.connection.dbapi_connection

        try:
            prepare(driver, connection.info)
        except BaseException as error:
            stale = again and self._is_stale(error, driver)
            connection.invalidate()
            connection.close()

            if not stale:
                raise
        else:
            return connection

        engine.dispose()
        return self._open(prepare, again=False)

    def _is_stale(self, error: BaseException, driver: t.Any) -> bool:
        dialect: t.Any = self.engine.dialect

        if not isinstance(error, dialect.loaded_dbapi.Error):
            return False

        return bool(dialect.is_disconnect(error, driver, None))

    def _is_busy(self, error: BaseException) -> bool:
        return isinstance(error, self.errors) and self.judge(error) == "busy"

    def _is_duplicate(self, error: BaseException) -> bool:
        return isinstance(error, self.errors) and self.judge(error) == "duplicate"


def _undo_refused_commit(connection: sa.Connection) -> None:
    """Roll back what a refused COMMIT left open, which SQLAlchemy holds for ended.

    SQLite refuses it while somebody reads, and keeps the transaction: its lock would
    shut out every reader for as long as the connection waits in the pool.
    """
    if connection.invalidated:
        return

    driver: t.Any = connection.connection.dbapi_connection

    if getattr(driver, "in_transaction", False):
        driver.rollback()
