"""The database of a run: a PostgreSQL of its own that may crash, or somebody else's.

A server that others use is not restarted: its connections to our database are cut.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import typing as t

import sqlalchemy as sa

_BINARIES: t.Final = "/usr/lib/postgresql"
_CUT: t.Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


class Server(t.Protocol):
    """A database that can be shaken."""

    url: str

    def shake(self) -> None:
        """Let everybody lose the connection."""
        ...


class CutServer:
    """A server of others: only the connections to this database are ended."""

    def __init__(self, url: str) -> None:
        self.url = url

    def shake(self) -> None:
        """End every connection to the database."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)

        with engine.connect() as connection:
            connection.exec_driver_sql(_CUT)


class OwnServer:
    """A server made for one run; it crashes and starts again."""

    def __init__(self, binaries: pathlib.Path, folder: pathlib.Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]

        self.url = f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
        self._binaries = binaries
        self._folder = folder
        self._data = str(folder / "data")
        # A crash of the process loses nothing without it; only one of the machine does.
        self._options = f"-p {port} -k {folder} -c fsync=off -c max_connections=100"

    def start(self) -> None:
        """Make the cluster and start it."""
        self._run("initdb", "-A", "trust", "-U", "postgres", "--no-sync")
        self._control("start")

    def shake(self) -> None:
        """Crash it and start it again."""
        self._control("restart", "-m", "immediate")

    def stop(self) -> None:
        """Stop it for good."""
        self._control("stop", "-m", "immediate")

    def _control(self, *what: str) -> None:
        log = str(self._folder / "log")
        self._run("pg_ctl", "-w", "-t", "30", "-l", log, "-o", self._options, *what)

    def _run(self, program: str, *arguments: str) -> None:
        # The server refuses to run as root.
        user = {"user": "postgres", "group": "postgres", "extra_groups": []}
        subprocess.run(
            [self._binaries / program, "-D", self._data, *arguments],
            check=True,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **t.cast("t.Any", user if os.geteuid() == 0 else {}),
        )


def find_binaries() -> pathlib.Path | None:
    """Find the programs of an installed server, the newest."""
    found = sorted(pathlib.Path(_BINARIES).glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextlib.contextmanager
def own_server(binaries: pathlib.Path) -> cabc.Iterator[OwnServer]:
    """Run a server until the block ends."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="byok-chaos-"))

    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")

    server = OwnServer(binaries, folder)

    try:
        server.start()

        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
