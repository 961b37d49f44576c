"""The operator's own keys: how they fared stands in ``byok_system_key``.

The key itself is never stored, only a keyed fingerprint of it. A new fingerprint means
a new key: what the old one suffered is forgotten.
"""

from __future__ import annotations

import contextlib
import typing as t
import uuid

import sqlalchemy as sa

from ..errors import StateUnavailable
from ..vault.database import Database
from ..vault.database import DuplicateRow
from ..vault.database import WriteBusy
from ..vault.models import CIRCUIT_COLUMNS
from ..vault.query import Query
from ..vault.rows import read_circuit
from ..vault.types import CircuitState

#: The state of a key that nothing is known about.
FRESH: t.Final[dict[str, t.Any]] = {
    "circuit": "closed",
    "reason": None,
    "code": None,
    "opened_at": None,
    "open_until": None,
    "open_count": 0,
    "closed_at": None,
    "episode": 0,
    "episode_at": None,
    "fail_count": 0,
    "fail_since": None,
    "probe_token": None,
    "probe_until": None,
    "model_blocks": None,
    "blocks_rev": 0,
    "last_ok_at": None,
    "unreadable_at": None,
    "unreadable_reason": None,
    "unreadable_told_at": None,
    "fallback_episode": 0,
    "noticed_episode": 0,
    "noticed_at": None,
    "noticed_kind": None,
    "noticed_reason": None,
}


class SystemKey(t.NamedTuple):
    """One of the operator's keys, with the state of its circuit.

    :param fingerprint: keyed; tells nothing about the key to who has no master key.
    """

    provider: str
    fingerprint: str
    circuit: CircuitState

    @property
    def id(self) -> str:
        """The id of the row; empty when there is none."""
        return self.circuit.id

    @property
    def generation(self) -> int:
        """+1 each time another key was configured."""
        return self.circuit.generation


class SystemKeys:
    """Finds the rows of system keys and makes them when they are first needed."""

    def __init__(self, database: Database, table: sa.Table) -> None:
        self._database = database
        self._table = table
        self._query = _select(table)

    def find(self, provider: str, fingerprint: str) -> SystemKey:
        """Give a system key with the state of its circuit.

        A row that cannot be read or made leaves a key nothing is known about: its use
        is decided by the budget's reservation, not here.
        """
        found = self._try_read(provider)

        if found is None or found.fingerprint != fingerprint:
            self._make(provider, fingerprint, found)
            found = self._try_read(provider)

        if found is not None and found.fingerprint == fingerprint:
            return found

        fresh = CircuitState(id="", generation=0, **FRESH)
        return SystemKey(provider=provider, fingerprint=fingerprint, circuit=fresh)

    def _try_read(self, provider: str) -> SystemKey | None:
        try:
            rows = self._database.fetch(self._query, {"provider": provider})
        except StateUnavailable:
            return None

        return _system_key(rows[0]) if rows else None

    def _make(self, provider: str, fingerprint: str, found: SystemKey | None) -> None:
        """Insert the row, or give it to a new key; somebody else may be faster."""
        with contextlib.suppress(WriteBusy, DuplicateRow):
            self._database.try_write(
                lambda conn: conn.execute(self._making(provider, fingerprint, found))
            )

    def _making(
        self, provider: str, fingerprint: str, found: SystemKey | None
    ) -> sa.Insert | sa.Update:
        table = self._table

        if found is None:
            return sa.insert(table).values(
                provider=provider,
                fingerprint=fingerprint,
                id=str(uuid.uuid4()),
                generation=1,
                **FRESH,
            )

        return (
            sa.update(table)
            .where(table.c.id == found.id, table.c.generation == found.generation)
            .values(
                {
                    **FRESH,
                    "episode": found.circuit.episode,
                    "blocks_rev": found.circuit.blocks_rev + 1,
                    "fallback_episode": found.circuit.fallback_episode,
                    "noticed_episode": found.circuit.noticed_episode,
                    "fingerprint": fingerprint,
                    "generation": found.generation + 1,
                }
            )
        )


def _select(table: sa.Table) -> Query:
    """Build what each call on a system key reads."""
    columns = (table.c[name] for name in ("provider", "fingerprint", *CIRCUIT_COLUMNS))
    asked = sa.bindparam("provider", type_=sa.String())
    return Query(sa.select(*columns).where(table.c.provider == asked))


def _system_key(row: tuple[t.Any, ...]) -> SystemKey:
    provider, fingerprint, *circuit = row
    return SystemKey(
        provider=provider, fingerprint=fingerprint, circuit=read_circuit(circuit)
    )
