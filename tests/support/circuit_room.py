"""Circuits on a real database, and many callers at once: threads in processes."""

from __future__ import annotations

import collections.abc as cabc
import concurrent.futures
import contextlib
import dataclasses
import datetime as dt
import functools
import multiprocessing.synchronize
import threading
import typing as t

import sqlalchemy as sa

from flask_byok.failover.changes import Change
from flask_byok.failover.circuit import Circuits
from flask_byok.failover.fallback import own_key_line
from flask_byok.failover.reasons import CLASSES
from flask_byok.failover.reasons import Letter
from flask_byok.failover.verdict import Verdict
from flask_byok.ledger.audit import Audit
from flask_byok.ledger.usage import Ledger
from flask_byok.vault.types import Credential
from tests.support.processes import worker_context
from tests.support.vault_room import COMPANY
from tests.support.vault_room import open_room
from tests.support.vault_room import Room

PROCESSES, THREADS = 4, 10
CALLERS = PROCESSES * THREADS
MODEL = "model-one"


@dataclasses.dataclass
class CircuitRoom:
    """A vault with one stored key, and its circuit."""

    vault: Room
    circuits: Circuits
    late: list[Change]

    def credential(self) -> Credential:
        """Read the stored key as a call does."""
        (found,) = self.vault.store.read_state(COMPANY).credentials
        return found

    def now(self) -> dt.datetime:
        """Tell the database's time, moved as the test wishes."""
        return self.vault.store.read_state(COMPANY).now()

    def move(self, **span: float) -> None:
        """Move the database's clock on."""
        self.vault.database.clock_offset += dt.timedelta(**span)

    def fail(self, letter: Letter, **options: t.Any) -> Change | None:
        """Let the key fail now, as it stands in its row."""
        now = self.now()
        return self.circuits.failed(self.credential(), verdict(letter), now, **options)

    def open_circuit(self, letter: Letter = "A") -> Change:
        """Open the circuit as a class that does so at the first failure."""
        change = self.fail(letter)
        assert change is not None
        return change

    def make_due(self, letter: Letter = "A") -> None:
        """Open the circuit and move the clock past its cool-down."""
        change = self.open_circuit(letter)
        assert change.until is not None
        self.move(seconds=(change.until - self.now()).total_seconds() + 1)

    def lines(self) -> list[str]:
        """List what stands in the history."""
        history = Audit(self.vault.database, self.vault.tables).history(COMPANY)
        return [entry.action for entry in history]

    @contextlib.contextmanager
    def locked(self) -> cabc.Iterator[None]:
        """Keep the stored keys locked by somebody else."""
        with self.vault.host.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")

            connection.execute(
                sa.update(self.vault.tables.credential).values(updated_by="host")
            )
            yield
            connection.rollback()


def verdict(letter: Letter, **facts: t.Any) -> Verdict:
    """Make the verdict of a class with its usual word."""
    return Verdict(letter=letter, reason=CLASSES[letter].reason, **facts)


@contextlib.contextmanager
def open_circuit_room(room: Room) -> cabc.Iterator[CircuitRoom]:
    """Store a key and make its circuit."""
    late: list[Change] = []
    room.put()
    yield CircuitRoom(
        room, Circuits(room.database, room.tables, late=late.append), late
    )


# --- many callers -------------------------------------------------------------------


def run_everywhere(
    action: cabc.Callable[..., int], url: str, offset: dt.timedelta, **options: t.Any
) -> int:
    """Run ``action`` in 10 threads of each of 4 processes at once; sum the answers.

    :param action: a function of this module; it gets a worker's :class:`CircuitRoom`
        and the number of the caller.
    """
    context = worker_context()
    barrier = context.Barrier(PROCESSES)

    with concurrent.futures.ProcessPoolExecutor(
        PROCESSES, mp_context=context, initializer=_keep_barrier, initargs=(barrier,)
    ) as pool:
        work = functools.partial(_run_process, action, url, offset, options)
        return sum(pool.map(work, range(PROCESSES)))


_kept: dict[str, multiprocessing.synchronize.Barrier] = {}


def _keep_barrier(barrier: multiprocessing.synchronize.Barrier) -> None:
    _kept["barrier"] = barrier


def _run_process(
    action: cabc.Callable[..., int],
    url: str,
    offset: dt.timedelta,
    options: dict[str, t.Any],
    number: int,
) -> int:
    with open_room(url, create=False) as vault:
        vault.database.clock_offset = offset
        late: list[Change] = []
        circuits = Circuits(vault.database, vault.tables, late=late.append)
        room = CircuitRoom(vault, circuits, late)
        credential, now = room.credential(), room.now()
        threads_ready = threading.Barrier(THREADS)

        def run(thread: int) -> int:
            threads_ready.wait()
            caller = number * THREADS + thread
            return action(room, credential, now, caller, **options)

        _kept["barrier"].wait()

        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            found = sum(pool.map(run, range(THREADS)))

        while vault.database.pending:
            vault.database.flush(force=True)

        return found + len(late)


def act_fail(
    room: CircuitRoom,
    credential: Credential,
    now: dt.datetime,
    caller: int,
    *,
    letter: Letter,
    model: str | None = None,
) -> int:
    """Fail once; 1 when this caller changed the row."""
    change = room.circuits.failed(credential, verdict(letter), now, model=model)
    return int(change is not None)


def act_claim(
    room: CircuitRoom, credential: Credential, now: dt.datetime, caller: int
) -> int:
    """Claim the probe; 1 for the winner."""
    return int(room.circuits.claim(credential, 60, now) is not None)


def act_claim_block(
    room: CircuitRoom, credential: Credential, now: dt.datetime, caller: int
) -> int:
    """Claim the one try of a model; 1 for the winner."""
    return int(room.circuits.blocks.claim(credential, MODEL, 60, now))


def act_claim_notice(
    room: CircuitRoom,
    credential: Credential,
    now: dt.datetime,
    caller: int,
    *,
    episode: int,
) -> int:
    """Claim the notice of an episode; 1 for the winner."""
    return int(room.circuits.marks.claim_fallback_notice(credential, episode))


def act_note_own_key(
    room: CircuitRoom,
    credential: Credential,
    now: dt.datetime,
    caller: int,
    *,
    episode: int,
) -> int:
    """Note that another own key answers; 1 when this caller wrote the line."""
    audit = Audit(room.vault.database, room.vault.tables)

    def note(conn: sa.Connection) -> None:
        audit.write(
            conn,
            COMPANY,
            "fallback_started",
            at=now,
            provider=credential.provider,
            line_id=own_key_line(credential.id, episode),
        )

    return int(room.circuits.marks.note_own_key(credential, episode, note))


def act_block_own_model(
    room: CircuitRoom, credential: Credential, now: dt.datetime, caller: int
) -> int:
    """Block one of four models; 1 when it is written."""
    model = f"model-{caller % 4}"
    change = room.circuits.blocks.block(credential, model, verdict("D"), now)
    return int(change is not None)


def act_unreadable(
    room: CircuitRoom, credential: Credential, now: dt.datetime, caller: int
) -> int:
    """Find the key unreadable; 1 when this caller is to tell it."""
    change = room.circuits.marks.unreadable(credential, "unknown_key_id", now)
    return int(change is not None)


def claim_and_hang(url: str) -> None:
    """Claim the probe, say so, and hang until killed: run as a process of its own."""
    with open_room(url, create=False) as vault:
        room = CircuitRoom(vault, Circuits(vault.database, vault.tables), [])
        vault.database.clock_offset = dt.timedelta(hours=1)
        token = room.circuits.claim(room.credential(), 90, room.now())
        print(token is not None, flush=True)
        threading.Event().wait()


# --- the ledger -----------------------------------------------------------------------


def open_ledger(room: Room, limits: cabc.Mapping[str, int] | None = None) -> Ledger:
    """Make a ledger on a vault's database."""
    return Ledger(room.database, room.tables, limits)
