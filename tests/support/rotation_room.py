"""Stored keys under two master keys, ways to move them, and ways to interfere."""

from __future__ import annotations

import collections
import collections.abc as cabc
import dataclasses
import re
import threading
import time
import typing as t
import uuid

import sqlalchemy as sa

from flask_byok.secret import Secret
from flask_byok.vault.keyring import Keyring
from flask_byok.vault.keyring import SealContext
from flask_byok.vault.rotation import Rotation
from flask_byok.vault.rotation import Step
from flask_byok.vault.sealed_rows import open_all
from flask_byok.vault.sealed_rows import SealedRow
from flask_byok.vault.sealed_rows import UnreadableKey
from tests.support import vectors
from tests.support.vault_room import any_row
from tests.support.vault_room import Room

#: Master keys an app accepts, unlike the published ones: the last one is the new one.
BOTH: t.Final = {
    f"k00{number}": bytes(((2 * number + 7) * n + 3) % 256 for n in range(32))
    for number in range(3)
}
NEW: t.Final = {"k002": BOTH["k002"]}

_COMPANIES: t.Final = ("i:{}", "s:zürich-{}", "s:Company {}")
_PROVIDERS: t.Final = ("OPENAI", "GEMINI", "CLAUDE")


def ring(masters: cabc.Mapping[str, bytes], primary: str) -> Keyring:
    """Build a keyring of some of the master keys above."""
    return vectors.keyring(masters, primary=primary)


def fill(room: Room, number: int, *key_ids: str, first: int = 0) -> dict[str, str]:
    """Store keys sealed by these master keys in turn; give each API key by its row.

    :param first: the number of the first one, which makes its company.
    """
    rings = [ring(BOTH, key_id) for key_id in key_ids or ("k001",)]
    rows = [_row(room, n, rings[n % len(rings)]) for n in range(first, first + number)]

    with room.database.write() as connection:
        for each in rings:
            room.store.ensure_check_value(connection, each)

        connection.execute(sa.insert(room.tables.credential), rows)

    return {row["id"]: api_key_of(row["id"]) for row in rows}


def _row(room: Room, number: int, keyring: Keyring) -> dict[str, t.Any]:
    company = _COMPANIES[number % 3].format(number // 3)
    provider = _PROVIDERS[number % 3]
    return {
        **any_row(room.tables.credential, company),
        **sealed(keyring, str(uuid.uuid4()), company, provider),
        "generation": 1 + number % 4,
    }


def sealed(
    keyring: Keyring, record: str, company: str, provider: str
) -> dict[str, t.Any]:
    """Give the columns that belong to a sealed key."""
    row = SealedRow(
        id=record,
        company_id=company,
        provider=provider,
        key_id=keyring.primary,
        generation=1,
        blob=b"",
    )
    return {
        "id": record,
        "company_id": company,
        "provider": provider,
        "key_id": keyring.primary,
        "blob": keyring.seal(Secret(api_key_of(record)), row.context),
    }


def api_key_of(record: str) -> str:
    """Give the made-up API key of a row."""
    return f"not-a-real-key-{record[:13]}"


def rotation(room: Room, keyring: Keyring, **options: t.Any) -> Rotation:
    """Prepare a run."""
    return Rotation(
        room.database, room.store, room.tables.credential, keyring, **options
    )


@dataclasses.dataclass
class Total:
    """What the steps of a run add up to."""

    moved: int = 0
    changed: int = 0
    unreadable: list[UnreadableKey] = dataclasses.field(default_factory=list)
    steps: int = 0


def run(steps: cabc.Iterable[Step]) -> Total:
    """Go all the way."""
    total = Total()

    for step in steps:
        total.moved += step.moved
        total.changed += step.changed
        total.unreadable += step.unreadable
        total.steps += 1

    return total


def rotate(room: Room, keyring: Keyring | None = None, **options: t.Any) -> Total:
    """Move everything to ``k002``, or to the primary of a ring."""
    keyring = ring(BOTH, "k002") if keyring is None else keyring
    return run(rotation(room, keyring, **options).run())


def opened(room: Room, keyring: Keyring) -> dict[str, str]:
    """Open every row; give each API key by its row, or the reason it does not open."""
    found = {}

    for row in stored(room):
        try:
            secret = keyring.open(row.blob, row.context, key_id=row.key_id)
        except Exception as error:
            found[row.id] = str(getattr(error, "reason", error))
        else:
            found[row.id] = secret.reveal()

    return found


def counted(room: Room, keyring: Keyring) -> dict[str, int]:
    """Count what opens by its master key, as ``verify`` does."""
    total: collections.Counter[str] = collections.Counter()

    for looked in open_all(room.database, room.tables.credential, keyring):
        total.update(looked.opened)
        total["failed"] += len(looked.unreadable)

    return {name: number for name, number in total.items() if number}


def stored(room: Room) -> list[SealedRow]:
    """Read what is stored, by id."""
    rows = room.rows(room.tables.credential)
    fields = [field.name for field in dataclasses.fields(SealedRow)]
    names = [name for name in fields if name in room.tables.credential.c]
    found = [SealedRow(**{name: row[name] for name in names}) for row in rows]
    return sorted(found, key=lambda row: row.id)


def under(room: Room) -> dict[str, int]:
    """Count the rows by the master key their column names."""
    return dict(collections.Counter(row.key_id for row in stored(room)))


class InterruptedKeyring(Keyring):
    """The real one; ``meanwhile`` runs once, before the first key is sealed."""

    def __init__(
        self, primary: str, meanwhile: cabc.Callable[[], object] | None = None
    ) -> None:
        secrets = {id: Secret(vectors.text_of(each)) for id, each in BOTH.items()}
        super().__init__(secrets, primary, "default")
        self.meanwhile = meanwhile

    def seal(
        self, api_key: Secret, context: SealContext, *, timeout: float | None = None
    ) -> bytes:
        meanwhile, self.meanwhile = self.meanwhile, None

        if meanwhile is not None:
            meanwhile()

        return super().seal(api_key, context, timeout=timeout)


class Beside:
    """Work of somebody else, in a thread of its own."""

    def __init__(self, room: Room, work: cabc.Callable[[], object]) -> None:
        self._room = room
        self._work = work
        self._thread = threading.Thread(target=self._run)
        self.result: object = None
        self.error: Exception | None = None

    def _run(self) -> None:
        try:
            self.result = self._work()
        except Exception as error:
            self.error = error

    @property
    def is_new(self) -> bool:
        """Whether it was not started yet."""
        return self._thread.ident is None

    @property
    def is_alive(self) -> bool:
        """Whether it works, or waits, still."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start it and look no further."""
        self._thread.start()

    def begin(self) -> None:
        """Start it, and come back when it has ended or waits for a lock."""
        self.start()
        until = time.monotonic() + 30

        while self._thread.is_alive() and not self._is_waiting():
            assert time.monotonic() < until, "It neither ends nor waits."
            self._thread.join(0.01)

    def end(self) -> object:
        """Wait for its end; give its result or raise what it raised."""
        self._thread.join(60)
        assert not self._thread.is_alive()

        if self.error is not None:
            raise self.error

        return self.result

    def _is_waiting(self) -> bool:
        look = _LOOKS.get(self._room.host.dialect.name)

        if look is None:
            return False

        with self._room.host.connect() as connection:
            return look(connection)


def _waits_on_postgresql(connection: sa.Connection) -> bool:
    """Tell whether a transaction of this database waits for a lock."""
    return bool(
        connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).scalar()
    )


def _waits_on_mariadb(connection: sa.Connection) -> bool:
    """Tell the same from the monitor: the table of transactions may be a cached one."""
    ours = connection.exec_driver_sql(
        "SELECT id FROM information_schema.processlist WHERE db = database()"
    ).scalars()
    status = connection.exec_driver_sql("SHOW ENGINE INNODB STATUS").one()[2]
    blocks = [block for block in status.split("---TRANSACTION") if "LOCK WAIT" in block]
    waiting = [found for block in blocks for found in _THREAD.findall(block)[:1]]
    return bool({int(each) for each in waiting} & set(ours))


_THREAD: t.Final = re.compile(r"thread id (\d+)")
_LOOKS: t.Final = {"postgresql": _waits_on_postgresql, "mysql": _waits_on_mariadb}
