"""The database servers the tests run on, and databases made for one test process.

Where a server stands and whether it is demanded is told by environment variables:

``TEST_POSTGRESQL``, ``TEST_MARIADB``, ``TEST_REDIS``
    URLs of servers where databases may be made and dropped.
``TEST_SERVERS``
    ``auto`` (default) uses the servers that answer, ``require`` refuses to start
    when one does not, ``off`` leaves SQLite alone.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import functools
import os
import pathlib
import shutil
import socket
import uuid

import redis
import sqlalchemy as sa

MODES = ("auto", "require", "off")
SQLITE = "sqlite"
POSTGRESQL = "postgresql"
MARIADB = "mariadb"
REDIS = "redis"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """One server: how people call it and the URL the tests log in with."""

    label: str
    variable: str
    default: str

    @property
    def url(self) -> str:
        """The URL to log in with, from the environment or the usual local one."""
        return os.environ.get(self.variable, self.default)


# No TLS on loopback: it would take most of the time of each new connection.
SERVERS = {
    POSTGRESQL: Server(
        label="PostgreSQL",
        variable="TEST_POSTGRESQL",
        default="postgresql+psycopg://postgres@127.0.0.1:5432/postgres?sslmode=disable",
    ),
    MARIADB: Server(
        label="MariaDB",
        variable="TEST_MARIADB",
        default="mysql+pymysql://root@127.0.0.1:3306/?ssl_disabled=true",
    ),
    REDIS: Server(
        label="Redis",
        variable="TEST_REDIS",
        default="redis://127.0.0.1:6379/0",
    ),
}


def mode(variable: str) -> str:
    """Read ``TEST_SERVERS`` or one of its like: one of :data:`MODES`."""
    value = os.environ.get(variable) or "auto"

    if value not in MODES:
        raise ValueError(f"{variable} must be one of {', '.join(MODES)}.")

    return value


@functools.cache
def trouble(name: str) -> str | None:
    """Log in to a server once per process and say what is wrong, if anything is."""
    if mode("TEST_SERVERS") == "off":
        return "TEST_SERVERS=off"

    server = SERVERS[name]

    try:
        if name == REDIS:
            _ask_redis(server.url)
        else:
            _ask_database(server.url)
    except (OSError, sa.exc.SQLAlchemyError, redis.RedisError) as error:
        return f"{server.variable} does not answer ({type(error).__name__})"

    return None


def reachable_databases() -> tuple[str, ...]:
    """SQLite and every database server the tests are to run on, in a fixed order."""
    required = mode("TEST_SERVERS") == "require"
    names = (POSTGRESQL, MARIADB)
    return (SQLITE, *(name for name in names if required or trouble(name) is None))


def missing_servers() -> dict[str, str]:
    """The label of each server that is not used, with the reason."""
    reasons = {name: trouble(name) for name in SERVERS}
    return {SERVERS[name].label: text for name, text in reasons.items() if text}


def allowed_addresses() -> frozenset[str]:
    """The addresses of the servers above: all that tests may reach beside loopback."""
    hosts = {sa.make_url(server.url).host for server in SERVERS.values()}
    found: set[str] = set()

    for host in hosts - {None, "127.0.0.1", "localhost"}:
        try:
            rows = socket.getaddrinfo(host, None)
        except OSError:
            continue

        found.update(str(row[4][0]) for row in rows)

    return frozenset(found)


#: A file system in memory, where there is one, and the bytes a whole run may need.
_MEMORY = pathlib.Path("/dev/shm")
_ROOM = 2**30


def memory_folder() -> str | None:
    """Find a folder in memory for SQLite's files, which then wait for no disk."""
    if not os.access(_MEMORY, os.W_OK) or shutil.disk_usage(_MEMORY).free < _ROOM:
        return None

    return str(_MEMORY)


class Databases:
    """Databases of one test process, with names nobody else uses.

    ``make`` gives a new, empty one; ``drop_all`` removes every one made here.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._made: list[tuple[str, str]] = []

    def make(self, name: str) -> str:
        """Make an empty database on ``sqlite``, ``postgresql`` or ``mariadb``."""
        database = f"byok_test_{uuid.uuid4().hex[:16]}"

        if name == SQLITE:
            return f"sqlite:///{self._folder / database}.sqlite3"

        _run(SERVERS[name].url, [_CREATE[name].format(database)])
        self._made.append((name, database))
        url = sa.make_url(SERVERS[name].url).set(database=database)
        return url.render_as_string(hide_password=False)

    def drop_all(self) -> None:
        """Drop every database made here, also when somebody is still connected."""
        while self._made:
            name, database = self._made.pop()
            _run(SERVERS[name].url, [_DROP[name].format(database)])


_CREATE = {
    POSTGRESQL: 'CREATE DATABASE "{}"',
    MARIADB: "CREATE DATABASE `{}` CHARACTER SET utf8mb4",
}
_DROP = {
    POSTGRESQL: 'DROP DATABASE IF EXISTS "{}" WITH (FORCE)',
    MARIADB: "DROP DATABASE IF EXISTS `{}`",
}


def empty_database(url: str) -> None:
    """Remove every table of a database, whatever still holds a connection to it."""
    name = sa.make_url(url).get_backend_name()

    if name == POSTGRESQL:
        _run(url, _EMPTY_POSTGRESQL)
    elif name == SQLITE:
        _run(url, _drop_tables(url, 'DROP TABLE IF EXISTS "{}"'))
    else:
        drops = _drop_tables(url, "DROP TABLE IF EXISTS `{}`")
        _run(url, [*_kill_others(url), "SET FOREIGN_KEY_CHECKS = 0", *drops])


_EMPTY_POSTGRESQL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    "DROP SCHEMA public CASCADE",
    "CREATE SCHEMA public",
)


def _drop_tables(url: str, statement: str) -> list[str]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    return [statement.format(table) for table in sa.inspect(engine).get_table_names()]


def _kill_others(url: str) -> list[str]:
    """A connection left in a transaction holds a lock that a DROP would wait for."""
    database = sa.make_url(url).database
    rows = _run(
        url,
        [
            "SELECT id FROM information_schema.processlist"
            f" WHERE db = '{database}' AND id <> connection_id()"
        ],
    )
    return [f"KILL SOFT CONNECTION {row[0]}" for row in rows]


def _run(
    url: str, statements: cabc.Iterable[str]
) -> cabc.Sequence[sa.Row[tuple[object, ...]]]:
    """Run statements outside a transaction; give the rows of the last one, if any."""
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")

    with engine.connect() as connection:
        rows: cabc.Sequence[sa.Row[tuple[object, ...]]] = ()

        for statement in statements:
            result = connection.exec_driver_sql(statement)
            rows = result.all() if result.returns_rows else ()

    return rows


def _ask_database(url: str) -> None:
    timeout = "connect_timeout"
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={timeout: 3})

    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")


def _ask_redis(url: str) -> None:
    with redis.Redis.from_url(url, socket_connect_timeout=3) as client:
        client.ping()
