"""How each database is told to wait for a lock or not, and how it says no."""

from __future__ import annotations

import typing as t

from .guest import GuestConnection
from .guest import HostIsWriting

#: Seconds a read waits for somebody else's lock, where the database lets us say so.
READ_WAIT = 5.0

#: Seconds a person's change waits for a lock.
WRITE_WAIT = 5.0

Trouble = t.Literal[
    "busy", "host_is_writing", "no_tables", "duplicate", "refused", "down"
]


class Waiting:
    """One database's habits. ``info`` belongs to the connection and keeps its mode."""

    #: Whether :meth:`wrap_alone` can keep what :meth:`begin` promises.
    may_run_alone: bool = True

    #: Whether a write that waits for nobody, and meets a lock, is told so at once.
    refuses_at_once: bool = False

    def before_read(
        self, connection: t.Any, info: dict[t.Any, t.Any], *, patient: bool
    ) -> None:
        """Let the reads that follow wait for others' locks.

        :param patient: ``False`` leaves the connection as it is: reads hardly ever
            wait, and telling it would cost a statement. One that is refused for a lock
            is repeated, patiently.
        """

    def begin(
        self, connection: t.Any, info: dict[t.Any, t.Any], *, wait: float
    ) -> None:
        """Begin a writing transaction whose statements wait ``wait`` seconds at most.

        The connection is in the driver's autocommit mode, so a bare ``BEGIN`` is the
        whole truth on every database.
        """
        _run(connection, "BEGIN")

    def wrap_alone(self, sql: str) -> str:
        """Make a writing statement its own transaction, which waits for nobody.

        One round trip instead of three: the driver is in autocommit mode.
        """
        return sql

    def before_alone(self, connection: t.Any, info: dict[t.Any, t.Any]) -> None:
        """Prepare a connection for what :meth:`wrap_alone` made."""

    def open_alone(self, connection: t.Any) -> t.Any:
        """Open a cursor that runs what :meth:`wrap_alone` made."""
        return connection.cursor()

    def count_alone(self, cursor: t.Any) -> int:
        """Tell how many rows what :meth:`wrap_alone` made has written."""
        return int(cursor.rowcount)

    def judge(self, error: BaseException) -> Trouble:
        """Tell what a driver's error means."""
        return "down"

    def is_duplicate(self, error: BaseException) -> bool:
        """Tell whether the constraint a row breaks is that it exists already."""
        return True


class SQLiteWaiting(Waiting):
    """A busy timeout per connection; a reader cannot become a writer."""

    refuses_at_once: bool = True

    def before_read(
        self, connection: t.Any, info: dict[t.Any, t.Any], *, patient: bool
    ) -> None:
        """Wait beside a busy committer, once he has been met."""
        if patient:
            self._set_timeout(connection, info, READ_WAIT)

    def begin(
        self, connection: t.Any, info: dict[t.Any, t.Any], *, wait: float
    ) -> None:
        """Take the write lock at once."""
        self._set_timeout(connection, info, wait)
        _run(connection, "BEGIN IMMEDIATE")

    def before_alone(self, connection: t.Any, info: dict[t.Any, t.Any]) -> None:
        """Do not wait for the write lock."""
        self._set_timeout(connection, info, 0.0)

    def _set_timeout(
        self, connection: t.Any, info: dict[t.Any, t.Any], wait: float
    ) -> None:
        if info.get("byok_wait") != wait:
            _run(connection, f"PRAGMA busy_timeout = {int(wait * 1000)}")
            info["byok_wait"] = wait

    def judge(self, error: BaseException) -> Trouble:
        """Read the text: result codes are exposed from Python 3.11 on only."""
        text = str(error)

        if isinstance(error, HostIsWriting):
            return "host_is_writing"

        if "locked" in text or "busy" in text or "within a transaction" in text:
            return "busy"

        return "no_tables" if text.startswith("no such ") else "down"

    def is_duplicate(self, error: BaseException) -> bool:
        """Read the text."""
        return str(error).startswith("UNIQUE constraint failed")


class GuestWaiting(SQLiteWaiting):
    """In memory: the host's own connection, which nobody may wait for."""

    may_run_alone: bool = False

    def before_read(
        self, connection: t.Any, info: dict[t.Any, t.Any], *, patient: bool
    ) -> None:
        """Leave the host's connection as it is."""

    def begin(
        self, connection: GuestConnection, info: dict[t.Any, t.Any], *, wait: float
    ) -> None:
        """Begin unless the host has a transaction open."""
        connection.begin(wait)


class PostgreSQLWaiting(Waiting):
    """Timeouts of the transaction alone: a pooler may share the connection.

    :param driver: SQLAlchemy's name of it.
    """

    _BUSY = frozenset({"55P03", "57014", "40P01", "40001"})
    _NO_TABLES = frozenset({"42P01", "42703", "3F000"})

    def __init__(self, driver: str) -> None:
        # They send several statements in one message, values written into the text.
        self.may_run_alone: bool = driver in ("psycopg", "psycopg2")

    def begin(
        self, connection: t.Any, info: dict[t.Any, t.Any], *, wait: float
    ) -> None:
        """Begin with limits, in one message where the driver can."""
        statements = ("BEGIN ISOLATION LEVEL READ COMMITTED", *_limits(wait))
        # Without parameters the psycopg drivers send several statements as one.
        if type(connection).__module__.startswith("psycopg"):
            _run(connection, "; ".join(statements))
            return

        for statement in statements:
            _run(connection, statement)

    def wrap_alone(self, sql: str) -> str:
        """Put limits before it: one message, which PostgreSQL runs as one."""
        return "; ".join((*_limits(0.0), sql))

    def open_alone(self, connection: t.Any) -> t.Any:
        """Open a cursor that writes values into the text, as psycopg2's always do."""
        if type(connection).__module__.startswith("psycopg2"):
            return connection.cursor()

        from psycopg import ClientCursor

        return ClientCursor(connection)

    def count_alone(self, cursor: t.Any) -> int:
        """Look at the last statement; psycopg stands at the first, psycopg2 at it."""
        if not type(cursor).__module__.startswith("psycopg2"):
            while cursor.nextset():
                pass

        return int(cursor.rowcount)

    def judge(self, error: BaseException) -> Trouble:
        """Read the SQLSTATE."""
        state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)

        if state in self._BUSY:
            return "busy"

        return "no_tables" if state in self._NO_TABLES else "down"

    def is_duplicate(self, error: BaseException) -> bool:
        """Read the SQLSTATE."""
        state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        return bool(state == "23505")


def _limits(wait: float) -> tuple[str, str]:
    """Limit the statements of a transaction; 250 ms is what short writes need."""
    lock = max(int(wait * 1000), 250)
    return (
        f"SET LOCAL lock_timeout = {lock}",
        f"SET LOCAL statement_timeout = {lock + 1750}",
    )


class MariaDBWaiting(Waiting):
    """Timeouts in whole seconds, of the session."""

    _BUSY = frozenset({1205, 1213, 3572})
    _NO_TABLES = frozenset({1054, 1146})

    def before_read(
        self, connection: t.Any, info: dict[t.Any, t.Any], *, patient: bool
    ) -> None:
        """Wait for a lock on the whole table; plain reads wait for no other."""
        if patient or "byok_wait" not in info:
            self._set_timeouts(connection, info, int(READ_WAIT))

    def begin(
        self, connection: t.Any, info: dict[t.Any, t.Any], *, wait: float
    ) -> None:
        """Begin with the timeouts of the session set; 0 refuses at once."""
        self._set_timeouts(connection, info, int(wait))
        _run(connection, "BEGIN")

    def before_alone(self, connection: t.Any, info: dict[t.Any, t.Any]) -> None:
        """Set the timeouts of the session to refuse at once."""
        self._set_timeouts(connection, info, 0)

    def _set_timeouts(
        self, connection: t.Any, info: dict[t.Any, t.Any], seconds: int
    ) -> None:
        if "byok_wait" not in info:
            _run(connection, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

        if info.get("byok_wait") != seconds:
            _run(
                connection,
                f"SET SESSION innodb_lock_wait_timeout = {seconds}, "
                f"lock_wait_timeout = {seconds}",
            )
            info["byok_wait"] = seconds

    def judge(self, error: BaseException) -> Trouble:
        """Read the error number."""
        number = error.args[0] if error.args else None

        if number in self._BUSY:
            return "busy"

        return "no_tables" if number in self._NO_TABLES else "down"

    def is_duplicate(self, error: BaseException) -> bool:
        """Read the error number."""
        return bool(error.args and error.args[0] == 1062)


def _run(connection: t.Any, statement: str) -> None:
    cursor = connection.cursor()

    try:
        cursor.execute(statement)
    finally:
        cursor.close()


def waiting_for(dialect: str, driver: str, *, guest: bool) -> Waiting:
    """Give the habits of a database.

    :param dialect: SQLAlchemy's name of the database.
    :param driver: SQLAlchemy's name of the driver.
    :param guest: the database lives in the host's one connection.
    """
    if guest:
        return GuestWaiting()

    if dialect == "postgresql":
        return PostgreSQLWaiting(driver)

    kinds: dict[str, type[Waiting]] = {
        "sqlite": SQLiteWaiting,
        "mysql": MariaDBWaiting,
        "mariadb": MariaDBWaiting,
    }
    return kinds.get(dialect, Waiting)()
