"""What is kept of a company: its sealed keys and its policy."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import typing as t

import sqlalchemy as sa

from ..errors import CredentialChanged
from ..errors import CredentialNotFound
from ..errors import StateUnavailable
from .check_values import CheckValueRow
from .check_values import judge
from .check_values import KeyringProblem
from .database import Database
from .keyring import Keyring
from .models import Tables
from .presence import missing_names
from .query import Query
from .ring_rows import ensure_check_value
from .ring_rows import refuse_other_ring
from .ring_watch import RingWatch
from .rows import read_company
from .rows import read_draft
from .rows import read_infos
from .rows import state_query
from .saving import CHANGED
from .saving import insert_key
from .saving import number_anew
from .saving import read_back
from .saving import remember_removed
from .saving import saved_values
from .saving import set_company
from .saving import update_seen
from .types import CompanyState
from .types import CredentialInfo
from .types import DraftInfo
from .types import SealedKey

_NONE = "This company has no stored key of that provider."
_UNREADABLE_ROW = (
    "A row of flask-byok holds a value that cannot be read. 'flask byok doctor' tells "
    "which."
)


class Store:
    """Reads and writes the rows of companies.

    Methods that take a ``connection`` belong into ``with database.write() as
    connection``, together with the audit row of the same change.
    ``company`` is always the typed text of its id (``i:42``).
    """

    def __init__(self, database: Database, tables: Tables) -> None:
        self._database = database
        self._tables = tables
        self._state_query = state_query(tables)
        self._page_query = state_query(tables, shown=True)
        self._draft_query = state_query(tables, shown=True, drafted=True)
        self._ring_watch: RingWatch | None = None

    def watch(self, keyring: Keyring) -> None:
        """Compare this ring with the database at the first read of each process."""
        self._ring_watch = RingWatch(lambda: self.keyring_problems(keyring))

    def _fetch(
        self, query: Query, company: str, **more: str
    ) -> cabc.Sequence[tuple[t.Any, ...]]:
        rows = self._database.fetch(query, {"company": company, **more})

        if self._ring_watch is not None:
            self._ring_watch.look_once()

        return rows

    def read_state(self, company: str) -> CompanyState:
        """Read all that a call must know, by one query.

        :raises StateUnavailable: when it cannot be read.
        """
        rows = self._fetch(self._state_query, company)

        try:
            return read_company(company, rows, self._database.moved)
        except (TypeError, ValueError):
            pass

        raise StateUnavailable(_UNREADABLE_ROW)

    def read_page(
        self, company: str
    ) -> tuple[CompanyState, tuple[CredentialInfo, ...]]:
        """Read the same, and what managers may see of the keys, by one query.

        :return: the keys masked, in the order of their provider ids.
        :raises StateUnavailable: when it cannot be read.
        """
        rows = self._fetch(self._page_query, company)

        try:
            state = read_company(company, rows, self._database.moved)
            return state, read_infos(company, rows)
        except (TypeError, ValueError):
            pass

        raise StateUnavailable(_UNREADABLE_ROW)

    def read_drafted_page(
        self, company: str, draft_id: str
    ) -> tuple[CompanyState, tuple[CredentialInfo, ...], DraftInfo | None]:
        """Read the same and a draft of this company, by one query.

        :return: the draft is ``None`` when the company has none of that id.
        :raises StateUnavailable: when it cannot be read.
        """
        rows = self._fetch(self._draft_query, company, draft=draft_id)

        try:
            state = read_company(company, rows, self._database.moved)
            infos = read_infos(company, rows)
            return state, infos, read_draft(company, rows[0])
        except (TypeError, ValueError):
            pass

        raise StateUnavailable(_UNREADABLE_ROW)

    def credentials(self, company: str) -> tuple[CredentialInfo, ...]:
        """List a company's keys, masked, in the order of their provider ids.

        :raises StateUnavailable: when they cannot be read.
        """
        return self.read_page(company)[1]

    def providers(self) -> dict[str, int]:
        """Count the stored keys of each provider, registered or not.

        :raises StateUnavailable: when the rows cannot be read.
        """
        column = self._tables.credential.c.provider
        query = sa.select(column, sa.func.count()).group_by(column).order_by(column)

        with self._database.read() as conn:
            return {provider: count for provider, count in conn.execute(query)}

    def companies(self) -> tuple[str, ...]:
        """List the companies that have a stored key, sorted.

        :raises StateUnavailable: when they cannot be read.
        """
        company_id = self._tables.credential.c.company_id

        with self._database.read() as connection:
            found = connection.scalars(sa.select(company_id).distinct())
            return tuple(sorted(found))

    def put(
        self,
        connection: sa.Connection,
        sealed: SealedKey,
        *,
        seen_generation: int | None,
        actor: str | None,
    ) -> int:
        """Insert a key, or replace the one that was seen.

        A replaced key starts anew: its circuit is closed and its blocks are gone.

        :param seen_generation: of the key to replace; ``None`` when none was stored.
        :return: the new generation.
        :raises CredentialChanged: when somebody saved or removed it meanwhile.
        :raises StateUnavailable: when the stored bytes are not those given.
        """
        table = self._tables.credential
        now = self._database.now(connection)
        values = saved_values(sealed, now=now, actor=actor)

        if seen_generation is None:
            insert_key(connection, table, sealed, values)
            generation = number_anew(connection, self._tables, sealed)
        else:
            values["blocks_rev"] = table.c.blocks_rev + 1
            generation = update_seen(
                connection, table, sealed.id, seen_generation, values
            )

        read_back(connection, table, sealed)
        return generation

    def set_details(
        self,
        connection: sa.Connection,
        company: str,
        provider: str,
        *,
        seen_generation: int,
        seen_id: str | None = None,
        model: str | None,
        expires_on: dt.date | None,
        actor: str | None,
    ) -> int:
        """Store another model and expiry date for the same key.

        :param seen_id: of the very key; one removed and added again has another.
        :return: the new generation.
        :raises CredentialNotFound: when there is no such key.
        :raises CredentialChanged: when somebody saved it meanwhile.
        """
        stored = self._find(connection, company, provider)

        if seen_id not in (None, stored.id):
            raise CredentialChanged(CHANGED)

        values: dict[str, t.Any] = {
            "model": model,
            "expires_on": expires_on,
            "updated_at": self._database.now(connection),
            "updated_by": actor,
        }

        # Another date is reminded of anew.
        if stored.expires_on != expires_on:
            values["reminded_days"] = None

        table = self._tables.credential
        return update_seen(connection, table, stored.id, seen_generation, values)

    def save_report(
        self,
        connection: sa.Connection,
        credential_id: str,
        *,
        seen_generation: int,
        state: str,
        state_reason: str | None,
        report: str,
    ) -> bool:
        """Keep the outcome of a test of the stored key.

        :param report: JSON text in our own words.
        :return: ``False`` when the key is another one or gone: nothing is kept.
        """
        table = self._tables.credential
        statement = (
            sa.update(table)
            .where(table.c.id == credential_id, table.c.generation == seen_generation)
            .values(
                state=state,
                state_reason=state_reason,
                test_report=report,
                tested_at=self._database.now(connection),
            )
        )
        return connection.execute(statement).rowcount == 1

    def delete(
        self,
        connection: sa.Connection,
        company: str,
        provider: str,
        *,
        seen_generation: int | None = None,
    ) -> None:
        """Delete a key for good.

        :param seen_generation: ``None`` deletes whatever is stored.
        :raises CredentialNotFound: when there is no such key.
        :raises CredentialChanged: when it is not the one that was seen.
        """
        table = self._tables.credential
        # Locked, so that nobody saves it between the look and the removal.
        stored = self._find(connection, company, provider, lock=True)

        if seen_generation not in (None, stored.generation):
            raise CredentialChanged(CHANGED)

        statement = sa.delete(table).where(table.c.id == stored.id)

        # Another removal was quicker.
        if connection.execute(statement).rowcount != 1:
            raise CredentialNotFound(_NONE)

        now = self._database.now(connection)
        generation = t.cast("int", stored.generation)
        remember_removed(connection, self._tables.company, company, generation, now)

    def _find(
        self,
        connection: sa.Connection,
        company: str,
        provider: str,
        *,
        lock: bool = False,
    ) -> sa.Row[t.Any]:
        """Find a stored key: its id, its generation and its date."""
        columns = self._tables.credential.c
        names = ("id", "generation", "company_id", "provider", "expires_on")
        select = sa.select(*(columns[name] for name in names)).where(
            columns.company_id == company, columns.provider == provider
        )

        if lock:
            select = select.with_for_update()

        for row in connection.execute(select):
            if (row.company_id, row.provider) == (company, provider):
                return row

        raise CredentialNotFound(_NONE)

    def set_policy(
        self,
        connection: sa.Connection,
        company: str,
        *,
        fallback: str | None = None,
        active_provider: str | None = None,
        use_other_keys: bool | None = None,
    ) -> None:
        """Store what a company chose; ``None`` leaves a choice as it is."""
        chosen = {
            "fallback": fallback,
            "active_provider": active_provider,
            "use_other_keys": use_other_keys,
        }
        kept = {name: value for name, value in chosen.items() if value is not None}
        self._set_company(connection, company, kept)

    def set_active(
        self, connection: sa.Connection, company: str, provider: str | None
    ) -> None:
        """Store on whose key the company's calls start; ``None`` for nobody's."""
        self._set_company(connection, company, {"active_provider": provider})

    def _set_company(
        self,
        connection: sa.Connection,
        company: str,
        values: cabc.Mapping[str, t.Any],
    ) -> None:
        values = {**values, "updated_at": self._database.now(connection)}
        set_company(connection, self._tables.company, company, values)

    def ensure_check_value(self, connection: sa.Connection, keyring: Keyring) -> None:
        """Make sure the primary master key may seal here; call it in each save.

        Its row is made at its first use and locked until the transaction ends, so that
        nobody retires the key meanwhile.

        :raises VaultClosed: when this database was written with other bytes under an
            id of the ring or under another namespace, or the primary is retired. The
            log has it as an ERROR.
        """
        now = self._database.now(connection)
        ensure_check_value(connection, self._tables.keyring, keyring, now)

    def refuse_other_ring(self, keyring: Keyring) -> None:
        """Stop when this ring is not the one the database was written under.

        :raises VaultClosed: with a sentence, which the log has as an ERROR.
        :raises StateUnavailable: when the check values cannot be read.
        """
        with self._database.read() as connection:
            refuse_other_ring(connection, self._tables.keyring, keyring)

    def keyring_problems(self, keyring: Keyring) -> list[KeyringProblem]:
        """Compare every check value stored here with the ring of this process.

        :raises StateUnavailable: when they cannot be read.
        """
        with self._database.read() as connection:
            rows = connection.execute(sa.select(self._tables.keyring)).all()

        return judge(t.cast("cabc.Sequence[CheckValueRow]", rows), keyring)

    def forget(self, connection: sa.Connection, company: str) -> None:
        """Delete every row of a company in every table."""
        for table in self._tables.all():
            if "company_id" in table.c:
                connection.execute(
                    sa.delete(table).where(table.c.company_id == company)
                )

    def missing_tables(self) -> tuple[str, ...]:
        """Name what the database lacks: ``byok_audit``, or ``byok_audit.actor``.

        :raises StateUnavailable: when the database cannot be asked.
        """
        with self._database.read() as connection:
            return missing_names(connection, self._tables)
