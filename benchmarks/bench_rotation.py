"""What a rotation costs, beside SQLAlchemy Core and its ORM doing the same.

Run it from the repository: ``python benchmarks/bench_rotation.py``. It runs on SQLite,
and on the PostgreSQL and MariaDB servers that answer, in databases of its own
(``tests/support/servers.py`` says where they are looked for). All ways share one table
and take turns, batch by batch, in one run; each opens and seals every key with the same
keyring:

``rotate``
    ``flask byok rotate``: checks the ring, locks, moves a batch only where nothing
    changed, commits.
``Core``
    A page read, an ``executemany`` of ``UPDATE … WHERE id = …``, a commit per batch.
``ORM``
    Each row loaded, changed and committed by itself.

Then: how long a neighbour waits that reads and writes meanwhile, the memory of a
rotation of few and of many rows, and opening a key beside the bare calls.
"""

from __future__ import annotations

import argparse
import collections.abc as cabc
import multiprocessing
import multiprocessing.connection
import pathlib
import resource
import statistics
import sys
import tempfile
import time
import typing as t

import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import orm

# Run as a script, it finds the repository's tests only after this; hence the imports
# below it.
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from flask_byok.secret import Secret  # noqa: E402
from flask_byok.vault.keyring import API_KEY  # noqa: E402
from flask_byok.vault.keyring import Keyring  # noqa: E402
from flask_byok.vault.keyring import length_prefixed  # noqa: E402
from flask_byok.vault.keyring import SealContext  # noqa: E402
from tests.support import servers  # noqa: E402
from tests.support.rotation_room import BOTH  # noqa: E402
from tests.support.rotation_room import fill  # noqa: E402
from tests.support.rotation_room import ring  # noqa: E402
from tests.support.rotation_room import rotation  # noqa: E402
from tests.support.vault_room import open_room  # noqa: E402
from tests.support.vault_room import Room  # noqa: E402

#: Rows of one turn of the ORM, which is too slow for whole batches.
FEW = 25


class Core:
    """Pages, one ``executemany`` and one commit per batch."""

    def __init__(self, room: Room, keyring: Keyring, batch: int) -> None:
        table = room.tables.credential
        self._engine, self._keyring = room.host, keyring
        self._page = (
            sa.select(
                table.c.id,
                table.c.company_id,
                table.c.provider,
                table.c.key_id,
                table.c.blob,
            )
            .where(table.c.key_id != keyring.primary, table.c.id > sa.bindparam("last"))
            .order_by(table.c.id)
            .limit(batch)
        )
        self._update = (
            sa.update(table)
            .where(table.c.id == sa.bindparam("row"))
            .values(blob=sa.bindparam("new"), key_id=keyring.primary)
        )
        self._last = ""

    def turn(self) -> int:
        """Move one batch."""
        with self._engine.begin() as connection:
            rows = connection.execute(self._page, {"last": self._last}).all()
            values = [
                {"row": row.id, "new": _reseal(self._keyring, row)} for row in rows
            ]

            if values:
                connection.execute(self._update, values)
                self._last = rows[-1].id

        return len(rows)


class Orm:
    """Objects of a mapped class, one commit each."""

    def __init__(self, room: Room, keyring: Keyring) -> None:
        class Stored:
            """A row."""

        orm.registry(metadata=room.metadata).map_imperatively(
            Stored, room.tables.credential
        )
        self._kind: t.Any = Stored
        self._engine, self._keyring = room.host, keyring
        self._last = ""

    def turn(self) -> int:
        """Move a few rows."""
        kind = self._kind

        with orm.Session(self._engine) as session:
            query = (
                sa.select(kind)
                .where(kind.key_id != self._keyring.primary, kind.id > self._last)
                .order_by(kind.id)
                .limit(1)
            )

            for number in range(FEW):
                row: t.Any = session.scalars(query).first()

                if row is None:
                    return number

                row.blob = _reseal(self._keyring, row)
                row.key_id = self._keyring.primary
                session.commit()

        return FEW


def _reseal(keyring: Keyring, row: t.Any) -> bytes:
    context = SealContext(
        purpose=API_KEY,
        company=row.company_id,
        provider=row.provider,
        record=row.id,
    )
    return keyring.seal(keyring.open(row.blob, context, key_id=row.key_id), context)


def measure_ways(room: Room, rows: int, batch: int) -> None:
    """Let the ways take turns until a row is left for none; print rows per second."""
    fill(room, rows)
    keyring = ring(BOTH, "k002")
    steps = rotation(room, keyring, batch=batch).run()
    core, by_orm = Core(room, keyring, batch), Orm(room, keyring)
    ways: dict[str, cabc.Callable[[], int]] = {
        "rotate": lambda: next(steps).moved,
        "Core": core.turn,
        "ORM": by_orm.turn,
    }
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    order = list(ways)

    for number in range(rows // (2 * batch + FEW)):
        shift = number % len(order)

        for name in order[shift:] + order[:shift]:
            began = time.perf_counter()
            moved = ways[name]()
            speeds[name].append(moved / (time.perf_counter() - began))

    steps.close()
    # The first turn of each compiles and connects.
    median = {name: statistics.median(each[1:]) for name, each in speeds.items()}
    cells = [
        f"{name} {each:8,.0f} rows/s ({each / median['Core']:.2f})"
        for name, each in median.items()
    ]
    print(f"{room.host.dialect.name:<11}", " | ".join(cells), flush=True)


def measure_neighbour(url: str, room: Room, rows: int, batch: int) -> None:
    """Rotate beside a process that reads and writes; print who waited how long."""
    with room.host.begin() as connection:
        connection.execute(sa.delete(room.tables.credential))

    fill(room, rows)
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    neighbour = context.Process(target=_be_neighbour, args=(url, theirs), daemon=True)
    neighbour.start()
    ours.recv()
    alone = _ask(ours)
    longest = 0.0

    ours.send("go on")
    began = time.perf_counter()

    for _ in rotation(room, ring(BOTH, "k002"), batch=batch).run():
        longest = max(longest, time.perf_counter() - began)
        began = time.perf_counter()

    ours.send("tell")
    beside = ours.recv()
    neighbour.terminate()
    neighbour.join()
    print(
        f"{room.host.dialect.name:<11} longest batch {longest * 1000:6.0f} ms | "
        f"neighbour alone: read {alone[0]:5.0f} ms, write {alone[1]:5.0f} ms | "
        f"beside: read {beside[0]:5.0f} ms, write {beside[1]:5.0f} ms",
        flush=True,
    )


def _ask(neighbour: multiprocessing.connection.Connection) -> tuple[float, float]:
    neighbour.send("go on")
    time.sleep(2)
    neighbour.send("tell")
    return t.cast("tuple[float, float]", neighbour.recv())


def _be_neighbour(url: str, parent: multiprocessing.connection.Connection) -> None:
    """Read and write single rows until told to tell the longest time of each."""
    with open_room(url, create=False) as room:
        table = room.tables.credential

        with room.host.connect() as connection:
            ids = list(connection.scalars(sa.select(table.c.id).limit(2_000)))

        parent.send("ready")

        while True:
            parent.recv()
            parent.send(_read_and_write(room, ids, parent))


def _read_and_write(
    room: Room, ids: list[str], parent: multiprocessing.connection.Connection
) -> tuple[float, float]:
    table = room.tables.credential
    slowest = [0.0, 0.0]
    number = 0

    while not parent.poll():
        number += 1
        row = table.c.id == ids[number * 7 % len(ids)]
        began = time.perf_counter()

        with room.database.read() as connection:
            connection.execute(sa.select(table.c.blob).where(row)).all()

        slowest[0] = max(slowest[0], time.perf_counter() - began)
        began = time.perf_counter()

        with room.database.write() as connection:
            connection.execute(sa.update(table).where(row).values(open_count=number))

        slowest[1] = max(slowest[1], time.perf_counter() - began)
        # A neighbour, not a rival for the processor and the one writer's lock.
        time.sleep(0.005)

    parent.recv()
    return slowest[0] * 1000, slowest[1] * 1000


def measure_memory(few: int, many: int, batch: int) -> None:
    """Rotate few and many rows in a process of its own each; print the peaks."""
    context = multiprocessing.get_context("spawn")
    cells = []

    for rows in (few, many):
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/rotation.sqlite3"

            with open_room(url) as room:
                for first in range(0, rows, 10_000):
                    fill(room, min(10_000, rows - first), first=first)

            ours, theirs = context.Pipe()
            process = context.Process(target=_rotate_apart, args=(url, batch, theirs))
            process.start()
            moved, before, after = ours.recv()
            process.join()
            peaks = f"peak {after / 1024:.1f} MiB, {before / 1024:.1f} before"
            cells.append(f"{moved:,} rows: {peaks}")

    print("memory     ", " | ".join(cells), flush=True)


def _rotate_apart(
    url: str, batch: int, parent: multiprocessing.connection.Connection
) -> None:
    with open_room(url, create=False) as room:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        steps = rotation(room, ring(BOTH, "k002"), batch=batch).run()
        moved = sum(step.moved for step in steps)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        parent.send((moved, before, after))


def measure_opening(rounds: int, times: int) -> None:
    """Compare opening and sealing with the bare calls of ``cryptography``."""
    keyring, master_key = ring(BOTH, "k001"), BOTH["k001"]
    record = "7b0f6a52-3c1e-4d8a-9f27-1e5c40aa9d13"
    context = SealContext(
        purpose=API_KEY, company="s:acme", provider="OPENAI", record=record
    )
    api_key = Secret("not-a-real-benchmark-key-0001")
    blob = keyring.seal(api_key, context)
    parts = (b"api-key", b"default", b"s:acme", b"OPENAI", record.encode())
    header, salt, commitment = blob[:6], blob[6:38], blob[38:70]
    info = length_prefixed(b"flask-byok/v1/derive", header, *parts)
    aad = length_prefixed(b"flask-byok/v1/aad", header, salt, commitment, *parts)

    def bare() -> None:
        hkdf = HKDF(algorithm=hashes.SHA256(), length=64, salt=salt, info=info)
        AESGCM(hkdf.derive(master_key)[:32]).decrypt(blob[70:82], blob[82:], aad)

    works: dict[str, cabc.Callable[[], object]] = {
        "bare HKDF and AES-GCM": bare,
        "open": lambda: keyring.open(blob, context, key_id="k001"),
        "seal": lambda: keyring.seal(api_key, context),
    }
    spent: dict[str, list[float]] = {name: [] for name in works}

    for _ in range(rounds):
        for name, work in works.items():
            began = time.process_time()

            for _ in range(times):
                work()

            spent[name].append((time.process_time() - began) / times * 1e6)

    median = {name: statistics.median(each) for name, each in spent.items()}
    least = median["bare HKDF and AES-GCM"]
    cells = [
        f"{name} {each:.1f} us ({each / least:.2f})" for name, each in median.items()
    ]
    print("one key    ", " | ".join(cells), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="of each database")
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--many", type=int, default=200_000, help="for memory")
    options = parser.parse_args()
    print("Rows per second, and the ratio to Core's executemany")

    with tempfile.TemporaryDirectory() as folder:
        databases = servers.Databases(pathlib.Path(folder))

        try:
            for name in servers.reachable_databases():
                url = databases.make(name)

                with open_room(url) as room:
                    measure_ways(room, options.rows, options.batch)
                    measure_neighbour(url, room, options.rows, options.batch)
        finally:
            databases.drop_all()

    measure_memory(1_000, options.many, options.batch)
    measure_opening(9, 2_000)
    return 0


if __name__ == "__main__":
    sys.exit(main())
